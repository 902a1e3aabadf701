//! Whole files: text is UTF-8, bytes are a blob.

use std::fs::{self, OpenOptions};
use std::io::Write;

use rhai::{Blob, Engine};

use super::path::to_disk;
use super::{Outcome, fault};

pub fn register(engine: &mut Engine) {
    engine.register_fn("read_text", read_text);
    engine.register_fn("read_bytes", read_bytes);
    engine.register_fn("write_text", write_text);
    engine.register_fn("write_bytes", write_bytes);
    engine.register_fn("append_text", append_text);
}

/// The file's text, line ends as they stand.
///
/// # Errors
/// `ValueError` with the byte offset when it is not UTF-8, else what the system said.
fn read_text(path: &str) -> Outcome<String> {
    String::from_utf8(read_bytes(path)?).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        fault::not_text(path, valid as u64).raise()
    })
}

/// The file's bytes.
fn read_bytes(path: &str) -> Outcome<Blob> {
    fs::read(to_disk(path)).map_err(|error| fault::on(path, &error).raise())
}

/// Makes the file hold exactly this text.
fn write_text(path: &str, text: &str) -> Outcome<()> {
    write(path, text.as_bytes())
}

/// Makes the file hold exactly these bytes.
fn write_bytes(path: &str, bytes: Blob) -> Outcome<()> {
    write(path, &bytes)
}

/// Adds text at the file's end, made if missing; one write, so that several processes' additions don't mix.
fn append_text(path: &str, text: &str) -> Outcome<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(to_disk(path))
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| fault::on(path, &error).raise())
}

fn write(path: &str, bytes: &[u8]) -> Outcome<()> {
    fs::write(to_disk(path), bytes).map_err(|error| fault::on(path, &error).raise())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rhai::Blob;
    use tempfile::tempdir;

    use super::super::tests::{eval, fails};

    #[test]
    fn what_is_written_is_read() {
        let dir = tempdir().unwrap();
        let text: String = eval(
            &dir,
            r#"write_text(D + "/a", "eins\r\n"); append_text(D + "/a", "zwei"); read_text(D + "/a")"#,
        );
        assert_eq!(text, "eins\r\nzwei");

        let bytes: Blob = eval(&dir, r#"write_bytes(D + "/b", blob(3, 255)); read_bytes(D + "/b")"#);
        assert_eq!(bytes, [255; 3]);
    }

    #[test]
    fn text_that_is_not_utf8_is_refused_with_its_place() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("bad"), b"abc\xff").unwrap();
        let error = fails(&dir, r#"read_text(D + "/bad")"#);
        assert_eq!(error.kind(), "ValueError");
        assert!(error.message().ends_with("/bad: not UTF-8 at byte 3"), "{error}");
        assert_eq!(error.data()["offset"].as_int().unwrap(), 3);
    }

    #[test]
    fn a_missing_file_and_a_directory_are_told_apart() {
        let dir = tempdir().unwrap();
        assert_eq!(fails(&dir, r#"read_text(D + "/none")"#).kind(), "FileNotFoundError");
        let error = fails(&dir, "read_bytes(D)");
        assert_eq!(error.kind(), "OSError");
        assert!(error.message().ends_with("Is a directory"), "{error}");
        assert_eq!(fails(&dir, r#"write_text(D, "x")"#).kind(), "OSError");
        assert_eq!(fails(&dir, r#"append_text(D + "/none/x", "x")"#).kind(), "FileNotFoundError");
    }
}
