//! `Process`, and what a process can ask about itself and others.
//!
//! | file | concept |
//! |---|---|
//! | `value` | a process as scripts see it: its life |
//! | `attributes` | its name, id, exit code and the rest |
//! | `launch` | starting one |
//! | `context` | start methods |

mod attributes;
pub mod context;
pub mod launch;
mod value;

use std::cell::RefCell;

use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::raise::{Raise, RhaiResult, raise};
use super::runtime;
use super::signature::{Arguments, Signature};
use crate::arena::table::Role;
use crate::process::children;
use crate::process::method::Method;
use crate::sys::process::{self as system, SIGINT, SIGKILL, SIGTERM};
pub use value::Process;
use value::Wanted;

static NEW: Signature =
    Signature { name: "Process", parameters: &["target", "args", "name", "daemon"], required: 0 };
static JOIN: Signature = Signature { name: "Process.join", parameters: &["timeout"], required: 0 };
static KILL: Signature = Signature { name: "kill", parameters: &["pid", "signal"], required: 2 };
static CURRENT: Signature = Signature { name: "current_process", parameters: &[], required: 0 };
static PARENT: Signature = Signature { name: "parent_process", parameters: &[], required: 0 };
static ACTIVE: Signature = Signature { name: "active_children", parameters: &[], required: 0 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["Process", "current_process", "parent_process", "active_children", "kill"];

/// Registers the type and the functions.
pub fn register(engine: &mut Engine) {
    context::register(engine);
    NEW.context_function(engine, new);
    CURRENT.context_function(engine, |_, _, _| Ok(Dynamic::from(Process::current())));
    PARENT.context_function(engine, |_, _, _| Ok(Process::parent().map_or(Dynamic::UNIT, Dynamic::from)));
    ACTIVE.context_function(engine, |_, _, _| {
        Ok(active().into_iter().map(Dynamic::from).collect::<Array>().into())
    });
    JOIN.method(engine, |_, process: Process, mut arguments: Arguments| {
        process.join(arguments.deadline(0)?)?;
        Ok(Dynamic::UNIT)
    });
    KILL.function(engine, kill);
    engine
        .register_type_with_name::<Process>("Process")
        .register_fn("start", |context: NativeCallContext, process: &mut Process| -> Result<(), Raise> {
            runtime::at(&context);
            process.start(&context)?;
            STARTED.with_borrow_mut(|started| {
                // Nobody may ever ask for those that have ended.
                started.retain(|process| !process.has_ended());
                started.push(process.clone());
            });
            Ok(())
        })
        .register_fn("run", |context: NativeCallContext, process: &mut Process| process.run(&context))
        .register_fn("is_alive", |process: &mut Process| process.is_alive())
        .register_fn("terminate", |process: &mut Process| process.signal("terminate", SIGTERM))
        .register_fn("kill", |process: &mut Process| process.signal("kill", SIGKILL))
        .register_fn("interrupt", |process: &mut Process| process.signal("interrupt", SIGINT))
        .register_fn("close", |process: &mut Process| process.close())
        .register_get("pid", |process: &mut Process| process.pid())
        .register_get("ident", |process: &mut Process| process.pid())
        .register_get("exitcode", |process: &mut Process| process.exit_code())
        .register_get("sentinel", |process: &mut Process| process.sentinel())
        .register_get("name", |process: &mut Process| process.name())
        .register_set("name", |process: &mut Process, name: Dynamic| process.set_name(&name))
        .register_get("daemon", |process: &mut Process| process.daemon())
        .register_set("daemon", |process: &mut Process, daemon: Dynamic| process.set_daemon(&daemon))
        .register_get("authkey", |process: &mut Process| process.authkey())
        .register_set("authkey", |process: &mut Process, key: Dynamic| process.set_authkey(&key))
        .register_fn("to_string", |process: &mut Process| process.text())
        .register_fn("to_debug", |process: &mut Process| process.text())
        .register_fn("==", |one: Process, other: Process| one.is(&other))
        .register_fn("!=", |one: Process, other: Process| !one.is(&other));
}

thread_local! {
    /// The processes that the script made and started, to be found again by `active_children`.
    static STARTED: RefCell<Vec<Process>> = const { RefCell::new(Vec::new()) };
}

/// Those that this process started and that run, workers of its pools and servers of its managers among them; the
/// others are forgotten, and cleaned up after. What a forked child has from its parent are not its own.
fn active() -> Vec<Process> {
    let children = children::active();
    let workers = children.into_iter().filter(|child| child.borrow().role() == Role::Worker);
    let workers = workers.map(Process::worker);
    STARTED.with_borrow_mut(|started| {
        started.retain(|process| process.is_alive().unwrap_or(false));
        started.iter().cloned().chain(workers).collect()
    })
}

fn new(_: &NativeCallContext, method: Option<Method>, mut arguments: Arguments) -> RhaiResult {
    Ok(Dynamic::from(Process::new(Wanted {
        target: arguments.function(0)?,
        arguments: arguments.array(1)?.unwrap_or_default(),
        name: arguments.string(2)?,
        daemon: arguments.bool(3)?,
        method,
    })))
}

fn kill(_: &NativeCallContext, mut arguments: Arguments) -> RhaiResult {
    let pid = arguments.int(0)?.unwrap_or(0);
    let signal = arguments.int(1)?.unwrap_or(0);
    let target = u32::try_from(pid).ok().filter(|pid| *pid > 0);
    let target =
        target.ok_or_else(|| raise("ValueError", format!("kill() wants a process id, not {pid}")))?;
    let signal = i32::try_from(signal).map_err(|_| raise("ValueError", format!("{signal} is no signal")))?;
    system::kill(target, signal)
        .map_err(|error| raise("OSError", format!("kill({pid}, {signal}): {error}")))?;
    Ok(Dynamic::UNIT)
}
