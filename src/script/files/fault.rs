//! What the system said, as an [`Error`] of the right kind that names the path.

use std::io::{self, ErrorKind};

use super::path;
use crate::wire::Error;

/// The error of an operation on `name` (as scripts write it): message `PATH: what the system said`, in the data
/// `path` and, when it was the system that refused, `errno`.
pub fn on(name: &str, error: &io::Error) -> Error {
    from_system(format!("{}: {}", path::shown(name), reason(error)), name, error)
}

/// The error of an operation from one path to another: message `FROM -> TO: what the system said`.
pub fn between(from: &str, to: &str, error: &io::Error) -> Error {
    let message = format!("{} -> {}: {}", path::shown(from), path::shown(to), reason(error));
    from_system(message, from, error).with_data("to", to.to_string())
}

/// A file that should be text and is not from byte `offset` on.
pub fn not_text(name: &str, offset: u64) -> Error {
    Error::new("ValueError", format!("{}: not UTF-8 at byte {offset}", path::shown(name)))
        .with_data("path", name.to_string())
        .with_data("offset", i64::try_from(offset).unwrap_or(i64::MAX))
}

fn from_system(message: String, name: &str, error: &io::Error) -> Error {
    let raised = Error::new(kind(error), message).with_data("path", name.to_string());
    match error.raw_os_error() {
        Some(code) => raised.with_data("errno", i64::from(code)),
        None => raised,
    }
}

fn kind(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "FileNotFoundError",
        ErrorKind::AlreadyExists => "FileExistsError",
        ErrorKind::BrokenPipe => "BrokenPipeError",
        ErrorKind::ConnectionRefused => "ConnectionRefusedError",
        ErrorKind::ConnectionReset => "ConnectionResetError",
        ErrorKind::OutOfMemory => "MemoryError",
        // Refused before the system was asked: a NUL in the path.
        ErrorKind::InvalidInput if error.raw_os_error().is_none() => "ValueError",
        _ => "OSError",
    }
}

/// The system's words without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) if error.raw_os_error().is_some() => text.get(..end).unwrap_or_default().to_string(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{between, not_text, on};

    #[test]
    fn an_error_names_the_path_and_what_the_system_said() {
        let missing = on("a\nb", &io::Error::from_raw_os_error(2));
        assert_eq!(missing.to_string(), "FileNotFoundError: a\\nb: No such file or directory");
        assert_eq!(missing.data()["path"].clone().into_string().unwrap(), "a\nb");
        assert_eq!(missing.data()["errno"].as_int().unwrap(), 2);

        assert_eq!(on("x", &io::Error::from_raw_os_error(13)).to_string(), "OSError: x: Permission denied");
        assert_eq!(between("x", "y", &io::Error::from_raw_os_error(17)).kind(), "FileExistsError");
        assert_eq!(not_text("x", 7).to_string(), "ValueError: x: not UTF-8 at byte 7");
    }

    #[test]
    fn a_path_that_the_system_never_saw_is_a_wrong_value() {
        let error = std::fs::read("a\0b").unwrap_err();
        assert_eq!(on("a\0b", &error).kind(), "ValueError");
    }
}
