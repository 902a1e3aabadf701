//! `Process`, and what a process can ask about itself and others.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, NativeCallContext};

use super::carry::Carry;
use super::raise::{Raise, RhaiResult, interrupted, not_packed, not_started, raise};
use super::runtime;
use super::signature::{Arguments, Signature, described};
use crate::arena::parcel::Parcel;
use crate::arena::table::{self, Role};
use crate::process::child::Child;
use crate::process::{children, start};
use crate::sys::identity;
use crate::sys::process::{self as system, End, SIGKILL, SIGTERM, signal_name};

static NEW: Signature =
    Signature { name: "Process", parameters: &["target", "args", "name", "daemon"], required: 0 };
static JOIN: Signature = Signature { name: "Process.join", parameters: &["timeout"], required: 0 };
static KILL: Signature = Signature { name: "kill", parameters: &["pid", "signal"], required: 2 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["Process", "current_process", "active_children", "kill"];

/// What a started process does, as it stands in its start parcel.
pub const CALL: &str = "call";

/// A process as the script that made it sees it. A clone is the same process.
#[derive(Clone)]
pub struct Process(Rc<RefCell<State>>);

struct State {
    target: Option<FnPtr>,
    arguments: Array,
    name: ImmutableString,
    daemon: bool,
    /// Where the process is itself: it has no child to look at.
    is_me: bool,
    child: Option<children::Shared>,
}

/// Registers the type and the functions.
pub fn register(engine: &mut Engine) {
    NEW.function(engine, new);
    JOIN.method(engine, |_, process: Process, mut arguments: Arguments| {
        let deadline = arguments.deadline(0)?;
        let child = process.started("join")?;
        child.borrow_mut().join(deadline).map_err(|_| interrupted())?;
        Ok(Dynamic::UNIT)
    });
    KILL.function(engine, |_, mut arguments| {
        let pid = arguments.int(0)?.unwrap_or(0);
        let signal = arguments.int(1)?.unwrap_or(0);
        let target = u32::try_from(pid).ok().filter(|pid| *pid > 0);
        let target =
            target.ok_or_else(|| raise("ValueError", format!("kill() wants a process id, not {pid}")))?;
        let signal =
            i32::try_from(signal).map_err(|_| raise("ValueError", format!("{signal} is no signal")))?;
        system::kill(target, signal)
            .map_err(|error| raise("OSError", format!("kill({pid}, {signal}): {error}")))?;
        Ok(Dynamic::UNIT)
    });
    engine
        .register_type_with_name::<Process>("Process")
        .register_fn("start", |context: NativeCallContext, process: &mut Process| {
            runtime::at(&context);
            process.start()
        })
        .register_fn("run", |context: NativeCallContext, process: &mut Process| process.run(&context))
        .register_fn("is_alive", |process: &mut Process| process.is_alive())
        .register_fn("terminate", |process: &mut Process| process.signal("terminate", SIGTERM))
        .register_fn("kill", |process: &mut Process| process.signal("kill", SIGKILL))
        .register_get("pid", |process: &mut Process| process.pid())
        .register_get("ident", |process: &mut Process| process.pid())
        .register_get("exitcode", |process: &mut Process| process.exit_code())
        .register_get("name", |process: &mut Process| process.0.borrow().name.clone())
        .register_set("name", |process: &mut Process, name: Dynamic| process.set_name(&name))
        .register_get("daemon", |process: &mut Process| process.0.borrow().daemon)
        .register_set("daemon", |process: &mut Process, daemon: bool| process.set_daemon(daemon))
        .register_fn("to_string", |process: &mut Process| process.text())
        .register_fn("to_debug", |process: &mut Process| process.text())
        .register_fn("==", |one: Process, other: Process| Rc::ptr_eq(&one.0, &other.0))
        .register_fn("!=", |one: Process, other: Process| !Rc::ptr_eq(&one.0, &other.0))
        .register_fn("current_process", Process::current)
        .register_fn("active_children", || -> Array { active().into_iter().map(Dynamic::from).collect() });
}

thread_local! {
    /// The processes that the script made and started, to be found again by `active_children`.
    static STARTED: RefCell<Vec<Process>> = const { RefCell::new(Vec::new()) };
}

fn active() -> Vec<Process> {
    children::active();
    STARTED.with_borrow_mut(|started| {
        started.retain(Process::is_alive);
        started.clone()
    })
}

fn new(_: &NativeCallContext, mut arguments: Arguments) -> RhaiResult {
    let target = arguments.function(0)?;
    let given = arguments.array(1)?.unwrap_or_default();
    let name = arguments.string(2)?;
    let daemon = arguments.bool(3)?;
    let number = children::next_number();
    let name = name.unwrap_or_else(|| runtime::with(|runtime| numbered(&runtime.name, number)));
    let inherited = table::me().is_some_and(|me| me.role() == Role::Daemon);
    let state = State {
        target,
        arguments: given,
        name: name.into(),
        daemon: daemon.unwrap_or(inherited),
        is_me: false,
        child: None,
    };
    Ok(Dynamic::from(Process(Rc::new(RefCell::new(state)))))
}

/// The name of process `number` of the process called `creator`: `Process-2`, or `Process-2:1`.
fn numbered(creator: &str, number: u64) -> String {
    match creator.strip_prefix("Process-") {
        Some(path) if path.split(':').all(|part| part.parse::<u64>().is_ok()) => {
            format!("Process-{path}:{number}")
        }
        _ => format!("Process-{number}"),
    }
}

impl Process {
    fn current() -> Self {
        let state = State {
            target: None,
            arguments: Array::new(),
            name: runtime::with(|runtime| runtime.name.clone()).into(),
            daemon: table::me().is_some_and(|me| me.role().is_daemon()),
            is_me: true,
            child: None,
        };
        Self(Rc::new(RefCell::new(state)))
    }

    fn start(&self) -> Result<(), Raise> {
        may_start("a process")?;
        let mut state = self.0.borrow_mut();
        if state.child.is_some() || state.is_me {
            return Err(raise("AssertionError", "cannot start a process twice"));
        }
        let target = state.target.clone().map_or(Dynamic::UNIT, Dynamic::from);
        let arguments = Dynamic::from(state.arguments.clone());
        let parcel = pack(CALL, &state.name, &[], &[("target", &target), ("args", &arguments)])?;
        let role = if state.daemon { Role::Daemon } else { Role::Process };
        let child = Child::spawn(&state.name, role, &parcel).map_err(not_started)?;
        state.child = Some(children::add(child));
        // What only the child needs from now on need not stay alive here.
        state.target = None;
        state.arguments = Array::new();
        drop(state);
        STARTED.with_borrow_mut(|started| started.push(self.clone()));
        Ok(())
    }

    fn run(&self, context: &NativeCallContext) -> RhaiResult {
        let (target, arguments) = {
            let state = self.0.borrow();
            (state.target.clone(), state.arguments.clone())
        };
        target.map_or(Ok(Dynamic::UNIT), |target| runtime::call(context, &target, arguments))
    }

    fn started(&self, what: &str) -> Result<children::Shared, Raise> {
        let child = self.0.borrow().child.clone();
        child.ok_or_else(|| raise("AssertionError", format!("can only {what} a started process")))
    }

    fn signal(&self, what: &str, number: i32) -> Result<(), Raise> {
        let child = self.started(what)?;
        let result = child.borrow_mut().signal(number);
        result.map_err(|error| raise("OSError", format!("{what}: {error}")))
    }

    fn is_alive(&self) -> bool {
        let state = self.0.borrow();
        state.is_me || state.child.as_ref().is_some_and(|child| child.borrow_mut().poll().is_none())
    }

    fn pid(&self) -> Dynamic {
        let state = self.0.borrow();
        if state.is_me {
            return i64::from(identity::pid()).into();
        }
        state.child.as_ref().map_or(Dynamic::UNIT, |child| i64::from(child.borrow().pid()).into())
    }

    fn end(&self) -> Option<End> {
        self.0.borrow().child.as_ref().and_then(|child| child.borrow_mut().poll())
    }

    fn exit_code(&self) -> Dynamic {
        self.end().map_or(Dynamic::UNIT, |end| match end {
            End::Exited(code) => i64::from(code).into(),
            End::Signalled(number) => (-i64::from(number)).into(),
        })
    }

    fn set_name(&self, name: &Dynamic) -> Result<(), Raise> {
        let mut state = self.0.borrow_mut();
        let Ok(text) = name.as_immutable_string_ref() else {
            return Err(raise(
                "AssertionError",
                format!("a process's name must be a string, not {}", described(name)),
            ));
        };
        state.name = text.clone();
        Ok(())
    }

    fn set_daemon(&self, daemon: bool) -> Result<(), Raise> {
        let mut state = self.0.borrow_mut();
        if state.child.is_some() || state.is_me {
            return Err(raise("AssertionError", "daemon can be set before the process is started only"));
        }
        state.daemon = daemon;
        Ok(())
    }

    fn text(&self) -> String {
        let end = self.end();
        let state = self.0.borrow();
        let mut text = format!("<Process name='{}'", state.name);
        if let Some(child) = &state.child {
            text += &format!(" pid={}", child.borrow().pid());
        }
        text += &format!(" parent={}", if state.is_me { identity::parent_pid() } else { identity::pid() });
        text += &match end {
            None if state.child.is_some() || state.is_me => " started".to_owned(),
            None => " initial".to_owned(),
            Some(End::Exited(code)) => format!(" stopped exitcode={code}"),
            Some(End::Signalled(number)) => format!(" stopped exitcode=-{}", signal_name(number)),
        };
        if state.daemon {
            text += " daemon";
        }
        text + ">"
    }
}

/// Whether this process may start `what` now.
///
/// # Errors
/// `RuntimeError` while it loads its parent's script, `AssertionError` in a daemon.
pub fn may_start(what: &str) -> Result<(), Box<EvalAltResult>> {
    if runtime::is_loading() {
        return Err(raise(
            "RuntimeError",
            format!(
                "an attempt to start {what} while this process still loads the script of its parent.\n\
                 Every child runs the top level of the script first, so what starts processes has to stand behind the guard:\n\
                 \n    if __name__ == \"__main__\" {{\n        ...\n    }}"
            ),
        ));
    }
    if table::me().is_some_and(|me| me.role() == Role::Daemon) {
        return Err(raise("AssertionError", "daemonic processes are not allowed to have children"));
    }
    Ok(())
}

/// The start parcel of a process called `name` that is to do `what`: `objects` are shared objects it gets,
/// `parts` the values that belong to `what`.
pub fn pack(what: &str, name: &str, objects: &[u64], parts: &[(&str, &Dynamic)]) -> Result<Parcel, Raise> {
    let program = runtime::packed().map_err(not_packed)?;
    let mut references = vec![program.offset()];
    references.extend_from_slice(objects);
    let (arguments, parent) = runtime::with(|runtime| {
        let arguments: Array = runtime.arguments.iter().cloned().map(Dynamic::from).collect();
        (Dynamic::from(arguments), Dynamic::from(runtime.name.clone()))
    });
    let (what, name) = (Dynamic::from(what.to_owned()), Dynamic::from(name.to_owned()));
    let mut all = vec![("what", &what), ("name", &name), ("arguments", &arguments), ("parent", &parent)];
    all.extend_from_slice(parts);
    start::pack(&references, &all, &Carry).map_err(not_packed)
}
