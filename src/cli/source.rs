//! The script, wherever it comes from: a file, standard input, or the command line itself.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use super::options::Options;
use crate::script::program::{Style, Unit};

/// What a script from the command line is called in errors.
const COMMAND_LINE: &str = "<command line>";
/// What a script from standard input is called in errors.
const STDIN: &str = "<stdin>";

/// Why there is no script to run.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("can't read the script {name}: {reason}")]
    Unreadable { name: String, reason: io::Error },
    #[error("can't run {0}: it is a directory")]
    Directory(String),
    #[error("the script {name} is not UTF-8 text: byte {offset} is wrong")]
    NotText { name: String, offset: usize },
    #[error("argument {number} of the script is not UTF-8 text: {text}")]
    Argument { number: usize, text: String },
}

/// The script that the options name, and its arguments; `None` if there is none and a person types.
///
/// # Errors
/// [`Problem`].
pub fn find(options: &Options) -> Result<Option<(Unit, Vec<String>)>, Problem> {
    let mut words = options.script.iter().map(OsString::as_os_str);
    // With -e, what stands in FILE's place is the first argument.
    let script = match &options.code {
        Some(code) => unit(COMMAND_LINE, code.clone()),
        None => match words.next() {
            Some(file) if file != "-" => read_file(Path::new(file))?,
            None if io::stdin().is_terminal() => return Ok(None),
            Some(_) | None => unit(STDIN, text(STDIN, read_stdin()?)?),
        },
    };
    let arguments: Result<Vec<String>, Problem> =
        words.enumerate().map(|(index, argument)| argument_text(index + 1, argument)).collect();
    Ok(Some((script, arguments?)))
}

fn argument_text(number: usize, argument: &OsStr) -> Result<String, Problem> {
    let refused = || Problem::Argument { number, text: argument.to_string_lossy().into_owned() };
    argument.to_str().map(str::to_owned).ok_or_else(refused)
}

fn unit(name: &str, text: String) -> Unit {
    Unit { name: name.to_owned(), text, style: Style::Script }
}

fn read_stdin() -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    match io::stdin().read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(reason) => Err(Problem::Unreadable { name: STDIN.to_owned(), reason }),
    }
}

fn read_file(path: &Path) -> Result<Unit, Problem> {
    let name = path.to_string_lossy().into_owned();
    if path.is_dir() {
        return Err(Problem::Directory(name));
    }
    let bytes = std::fs::read(path).map_err(|reason| Problem::Unreadable { name: name.clone(), reason })?;
    Ok(unit(&name, text(&name, bytes)?))
}

/// The text in `bytes`, without the line that names the interpreter, whose place stays a comment.
fn text(name: &str, bytes: Vec<u8>) -> Result<String, Problem> {
    let text = String::from_utf8(bytes).map_err(|error| Problem::NotText {
        name: name.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    // Some editors put a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(match text.strip_prefix("#!") {
        Some(rest) => format!("//{rest}"),
        None => text.to_owned(),
    })
}

/// Where the script's imports are looked for: where its file stands, whatever link led to it, as an absolute path,
/// so that it is found again when the program changes its directory.
pub fn directory(name: &str) -> String {
    let file = Path::new(name).canonicalize().ok().filter(|file| file.is_file());
    let directory = match file.as_deref().and_then(Path::parent) {
        Some(directory) => Ok(directory.to_path_buf()),
        None => std::path::absolute("."),
    };
    directory.map_or_else(|_| String::new(), |path| path.to_string_lossy().into_owned())
}
