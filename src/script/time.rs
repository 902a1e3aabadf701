//! Time, identity, and what a process keeps for itself.

use rhai::{Dynamic, Engine, NativeCallContext};

use super::raise::{RhaiResult, interrupted};
use super::runtime;
use super::signature::{Arguments, Signature};
use crate::arena::table::{self, Waiting};
use crate::sync::wait::sleep_until;
use crate::sys::{clock, identity, output, resources};

static SLEEP: Signature = Signature { name: "sleep", parameters: &["seconds"], required: 1 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &[
    "sleep",
    "time",
    "monotonic",
    "getpid",
    "getppid",
    "cpu_count",
    "is_main",
    "exit",
    "local",
    "set_local",
    "eprint",
];

/// Registers the functions.
pub fn register(engine: &mut Engine) {
    SLEEP.function(engine, sleep);
    engine
        .register_fn("time", clock::wall)
        .register_fn("monotonic", || clock::monotonic_ns() as f64 / 1e9)
        .register_fn("getpid", || i64::from(identity::pid()))
        .register_fn("getppid", parent_pid)
        .register_fn("cpu_count", || i64::try_from(resources::cpu_count()).unwrap_or(i64::MAX))
        .register_fn("is_main", || runtime::with(|runtime| runtime.module == runtime::MAIN))
        .register_fn("local", runtime::local)
        .register_fn("set_local", runtime::set_local)
        .register_fn("eprint", |value: Dynamic| eprint(&value.to_string()))
        .register_fn("freeze_support", || {});
    engine.register_fn("exit", || -> RhaiResult { runtime::ask_exit(Dynamic::UNIT) });
    engine.register_fn("exit", |value: Dynamic| -> RhaiResult { runtime::ask_exit(value) });
}

fn sleep(_: &NativeCallContext, mut arguments: Arguments) -> RhaiResult {
    let deadline = arguments.deadline(0)?;
    table::waiting_for(Waiting::Sleep, 0, || sleep_until(deadline, || {})).map_err(|_| interrupted())?;
    Ok(Dynamic::UNIT)
}

/// The pid of the parent: for an orphan that is the first process, which took it over.
fn parent_pid() -> i64 {
    i64::from(identity::parent_pid())
}

/// Writes a line to standard output, whole.
pub fn print(text: &str) {
    write(output::Stream::Out, text);
}

/// Writes a line to standard error, whole.
pub fn eprint(text: &str) {
    write(output::Stream::Err, text);
}

fn write(stream: output::Stream, text: &str) {
    let mut line = String::with_capacity(text.len() + 1);
    line.push_str(text);
    line.push('\n');
    let memory = crate::arena::segment::is_open().then(crate::arena::segment::memory);
    // A closed or missing stream is not the script's problem: as in Python's children, it is ignored.
    let _ = output::write_whole(stream, line.as_bytes(), memory);
}
