//! `run`: another program, from its start to its end.

use std::process::Command;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::files::path::{from_disk, to_disk};
use super::raise::{Raise, RhaiResult, interrupted, raise};
use super::signature::{Arguments, Signature};
use crate::sync::wait::{GaveUp, rest};
use crate::sys::clock::Deadline;
use crate::sys::command::{self, Finished};
use crate::sys::process::{End, signal_name};
use crate::wire::Error;

static RUN: Signature =
    Signature { name: "run", parameters: &["program", "args", "input", "timeout", "check"], required: 1 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["run"];

/// Characters of what a program wrote that an error shows.
const SHOWN: usize = 200;

/// Registers the function.
pub fn register(engine: &mut Engine) {
    RUN.function(engine, run);
}

fn run(_: &NativeCallContext, mut arguments: Arguments) -> RhaiResult {
    let name = arguments.string(0)?.unwrap_or_default();
    let given: Array = arguments.array(1)?.unwrap_or_default();
    let input = arguments.any(2);
    let input = match input.as_blob_ref() {
        Ok(blob) => blob.clone(),
        Err(_) if input.is_unit() => Vec::new(),
        Err(_) => to_disk(&input.to_string()).as_encoded_bytes().to_vec(),
    };
    let deadline = arguments.deadline(3)?;
    let check = arguments.bool(4)?.unwrap_or(false);
    let mut program = Command::new(to_disk(&name));
    program.args(given.iter().map(|argument| to_disk(&argument.to_string()).into_owned()));
    let mut stopped = None;
    let finished = command::run(&mut program, &input, || {
        // Whatever waits looks after what else there is to do.
        stopped = match rest(Deadline::after(Some(0.0))) {
            Err(GaveUp::Interrupted) => Some(interrupted()),
            _ if deadline.slice(std::time::Duration::MAX).is_none() => {
                Some(raise("TimeoutError", format!("{name} did not end in time, and was killed")))
            }
            _ => None,
        };
        stopped.is_none()
    });
    match finished {
        Ok(Some(finished)) => result(&name, &finished, check),
        Ok(None) => Err(stopped.unwrap_or_else(interrupted)),
        Err(error) => Err(not_run(&name, &error)),
    }
}

/// What a script gets: texts without loss, as paths are, and an exit code as that of a process.
fn result(name: &str, finished: &Finished, check: bool) -> RhaiResult {
    let text = |bytes: &[u8]| from_disk(std::os::unix::ffi::OsStrExt::from_bytes(bytes)).to_string();
    let (output, errors) = (text(&finished.output), text(&finished.errors));
    let (code, how) = match finished.end {
        End::Exited(code) => (i64::from(code), format!("ended with exit code {code}")),
        End::Signalled(number) => (-i64::from(number), format!("was killed by {}", signal_name(number))),
    };
    if check && code != 0 {
        let last: String = errors.trim_end().chars().take(SHOWN).collect();
        let said = if last.is_empty() { String::new() } else { format!(": {last}") };
        return Err(Error::new("ProcessError", format!("{name} {how}{said}"))
            .with_data("exitcode", code)
            .with_data("stdout", output)
            .with_data("stderr", errors)
            .raise());
    }
    let mut map = Map::new();
    map.insert("exitcode".into(), code.into());
    map.insert("stdout".into(), output.into());
    map.insert("stderr".into(), errors.into());
    Ok(Dynamic::from_map(map))
}

fn not_run(name: &str, error: &std::io::Error) -> Raise {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => "FileNotFoundError",
        _ => "OSError",
    };
    raise(kind, format!("{name} can't be run: {error}"))
}
