//! Time, identity, and what a process keeps for itself.

use rhai::{Dynamic, Engine};

use super::raise::{RhaiResult, interrupted};
use super::signature::Signature;
use super::{runtime, terminal};
use crate::arena::segment;
use crate::arena::table::{self, Waiting};
use crate::sync::wait::sleep_until;
use crate::sys::clock::Deadline;
use crate::sys::{clock, identity, output, process, resources};

/// What a shell reports for a command that SIGPIPE killed.
const BROKEN_PIPE: i32 = 141;

static SLEEP: Signature = Signature { name: "sleep", parameters: &["seconds"], required: 1 };
static CPU_COUNT: Signature = Signature { name: "cpu_count", parameters: &[], required: 0 };

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
    SLEEP.function(engine, |_, mut arguments| slept(Deadline::after(Some(arguments.needed_seconds(0)?))));
    // Rhai's own takes these types, and does not heed Ctrl-C.
    engine.register_fn("sleep", |seconds: i64| slept(Deadline::after(Some(seconds as f64))));
    engine.register_fn("sleep", |seconds: f64| slept(Deadline::after(Some(seconds))));
    engine
        .register_fn("time", clock::wall)
        .register_fn("monotonic", || clock::monotonic_ns() as f64 / 1e9)
        .register_fn("getpid", || i64::from(identity::pid()))
        .register_fn("getppid", parent_pid)
        .register_fn("is_main", || runtime::with(|runtime| runtime.module == runtime::MAIN))
        .register_fn("local", runtime::local)
        .register_fn("set_local", runtime::set_local)
        .register_fn("eprint", |value: Dynamic| eprint(&value.to_string()));
    CPU_COUNT.context_function(engine, |_, _, _| {
        Ok(i64::try_from(resources::cpu_count()).unwrap_or(i64::MAX).into())
    });
    engine.register_fn("exit", || -> RhaiResult { runtime::ask_exit(Dynamic::UNIT) });
    engine.register_fn("exit", |value: Dynamic| -> RhaiResult { runtime::ask_exit(value) });
}

fn slept(deadline: Deadline) -> RhaiResult {
    table::waiting_for(Waiting::Sleep, 0, || sleep_until(deadline)).map_err(|_| interrupted())?;
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
    let mut line = String::with_capacity(text.len() + 8);
    line.push_str(terminal::before_a_line(stream));
    line.push_str(text);
    line.push('\n');
    let others = segment::is_open() && !table::is_alone();
    let memory = others.then(segment::memory);
    let written = output::write_whole(stream, line.as_bytes(), memory);
    // Nobody reads on: the first process ends, and with it the tree, as any command in a pipeline does. In
    // a child, and for any other trouble with the stream, the script goes on, as Python's children do.
    if written.is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) && table::is_first() {
        process::exit_now(BROKEN_PIPE);
    }
}
