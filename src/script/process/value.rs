//! A process as scripts see it: one they made, the one they run in, or its parent.
//!
//! ```text
//! initial --start--> started --it ends--> stopped --close--> closed
//!    \---------------------------close----------------------/
//! ```
//!
//! Only the process that made it can start, join and end it; under fork, others may come to see it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, NativeCallContext};

use super::launch::{self, may_start};
use crate::arena::table::{self, ProcessId, Role, Waiting};
use crate::process::children;
use crate::process::method::Method;
use crate::script::job::Job;
use crate::script::raise::{Raise, RhaiResult, interrupted, raise};
use crate::script::runtime;
use crate::sync::wait::{GaveUp, sleep_on};
use crate::sys::clock::Deadline;
use crate::sys::identity;
use crate::sys::process::End;

/// See the head of this file. A clone is the same process.
#[derive(Clone)]
pub struct Process(pub(super) Rc<RefCell<State>>);

/// What a process is to the one that looks at it.
pub(super) enum Kin {
    /// Made here, by the process of this name and id.
    Made(Option<ProcessId>, u32),
    /// The process itself.
    Myself,
    /// The parent.
    Parent(ProcessId, u32),
}

/// What is known of a process.
pub struct State {
    pub(super) kin: Kin,
    target: Option<FnPtr>,
    arguments: Array,
    pub(super) name: ImmutableString,
    pub(super) daemon: bool,
    pub(super) authkey: Blob,
    method: Option<Method>,
    pub(super) child: Option<children::Shared>,
    pub(super) closed: bool,
}

/// What `Process` was called with.
pub struct Wanted {
    /// The function to call.
    pub target: Option<FnPtr>,
    /// What to call it with.
    pub arguments: Array,
    /// The name, if it is not to be a numbered one.
    pub name: Option<String>,
    /// Whether it is a daemon, if it is not to be what its maker is.
    pub daemon: Option<bool>,
    /// How it is started, if not by the method that is chosen then.
    pub method: Option<Method>,
}

/// The name of the process that is the `number`th made here: `Process-2`, and `Process-2:1` what that one makes.
fn numbered(number: u64) -> String {
    runtime::identity(|me| match me.parent {
        None => format!("Process-{number}"),
        Some(_) => format!("{}:{number}", me.name),
    })
}

impl Process {
    /// A process that is not started yet.
    pub fn new(wanted: Wanted) -> Self {
        let number = children::next_number();
        let name = wanted.name.unwrap_or_else(|| numbered(number));
        let inherited = table::me().is_some_and(|me| me.role() == Role::Daemon);
        Self::of(State {
            kin: Kin::Made(table::my_id(), identity::pid()),
            target: wanted.target,
            arguments: wanted.arguments,
            name: name.into(),
            daemon: wanted.daemon.unwrap_or(inherited),
            authkey: runtime::identity(|identity| identity.authkey.clone()),
            method: wanted.method,
            child: None,
            closed: false,
        })
    }

    fn of(state: State) -> Self {
        Self(Rc::new(RefCell::new(state)))
    }

    fn relative(kin: Kin, name: ImmutableString, daemon: bool) -> Self {
        Self::of(State {
            kin,
            target: None,
            arguments: Array::new(),
            name,
            daemon,
            authkey: Blob::new(),
            method: None,
            child: None,
            closed: false,
        })
    }

    /// A worker of a pool of this process.
    pub fn worker(child: children::Shared) -> Self {
        let name = child.borrow().id().slot().map(table::Slot::name).unwrap_or_default();
        let worker = Self::relative(Kin::Made(table::my_id(), identity::pid()), name.into(), true);
        worker.0.borrow_mut().child = Some(child);
        worker
    }

    /// The process that asks.
    pub fn current() -> Self {
        let daemon = table::me().is_some_and(|me| me.role().is_daemon());
        Self::relative(Kin::Myself, runtime::name().into(), daemon)
    }

    /// The process that started this one; `None` in the first.
    pub fn parent() -> Option<Self> {
        let parent = runtime::identity(|identity| identity.parent.clone())?;
        Some(Self::relative(Kin::Parent(parent.id, parent.pid), parent.name.into(), false))
    }

    /// Whether both are the same process.
    pub fn is(&self, other: &Self) -> bool {
        let (one, two) = (self.0.borrow(), other.0.borrow());
        match (&one.kin, &two.kin) {
            (Kin::Myself, Kin::Myself) => true,
            (Kin::Parent(one, _), Kin::Parent(two, _)) => one == two,
            _ => match (&one.child, &two.child) {
                (Some(one), Some(two)) => Rc::ptr_eq(one, two),
                _ => Rc::ptr_eq(&self.0, &other.0),
            },
        }
    }

    /// Starts it.
    pub fn start(&self, context: &NativeCallContext) -> Result<(), Raise> {
        let (job, method, name, authkey, role) = {
            let state = self.0.borrow();
            state.open()?;
            if state.child.is_some() || !matches!(state.kin, Kin::Made(..)) {
                return Err(raise("AssertionError", "cannot start a process twice"));
            }
            state.made_here("start a process object created by current process")?;
            may_start("a process")?;
            let job = Job::Call(state.target.clone(), state.arguments.clone());
            let role = if state.daemon { Role::Daemon } else { Role::Process };
            (job, state.method, state.name.clone(), state.authkey.clone(), role)
        };
        let child =
            launch::start(context, method, &launch::Newborn { name: &name, authkey: &authkey, role }, job)?;
        let mut state = self.0.borrow_mut();
        state.child = Some(children::add(child));
        // What only the child needs from now on need not stay alive here.
        state.target = None;
        state.arguments = Array::new();
        Ok(())
    }

    /// Calls the target in this process.
    pub fn run(&self, context: &NativeCallContext) -> RhaiResult {
        let (target, arguments) = {
            let state = self.0.borrow();
            (state.target.clone(), state.arguments.clone())
        };
        target.map_or(Ok(Dynamic::UNIT), |target| runtime::call(context, &target, arguments))
    }

    /// What it is to do, as far as it has not been started: its function and the arguments.
    pub fn work(&self) -> Array {
        let state = self.0.borrow();
        let target = state.target.clone().map(Dynamic::from);
        target.into_iter().chain(state.arguments.iter().cloned()).collect()
    }

    /// Waits until it has ended, or the deadline.
    pub fn join(&self, deadline: Deadline) -> Result<(), Raise> {
        let parent = match self.0.borrow().kin {
            Kin::Parent(id, pid) => Some((id, pid)),
            _ => None,
        };
        if let Some((id, pid)) = parent {
            return join_parent(id, pid, deadline);
        }
        let child = self.0.borrow().started("join")?;
        children::join(&child, deadline).map_err(|_| interrupted())?;
        Ok(())
    }

    /// Sends it a signal, if it has not ended; `what` is the call.
    pub fn signal(&self, what: &str, number: i32) -> Result<(), Raise> {
        let child = self.0.borrow().started(what)?;
        let result = child.borrow_mut().signal(number);
        result.map_err(|error| raise("OSError", format!("{what}: {error}")))
    }

    /// Whether it runs.
    pub fn is_alive(&self) -> Result<bool, Raise> {
        let state = self.0.borrow();
        state.open()?;
        match state.kin {
            Kin::Myself => Ok(true),
            Kin::Parent(id, _) => Ok(lives(id)),
            Kin::Made(..) => {
                state.made_here("test a child process")?;
                Ok(state.child.as_ref().is_some_and(|child| child.borrow_mut().poll().is_none()))
            }
        }
    }

    /// Whether there is no end of it to be seen any more.
    pub fn has_ended(&self) -> bool {
        self.0.borrow().child.as_ref().is_none_or(|child| child.borrow().has_ended())
    }

    /// Lets go of it: it has ended, or was never started.
    pub fn close(&self) -> Result<(), Raise> {
        let mut state = self.0.borrow_mut();
        if state.closed {
            return Ok(());
        }
        if state.end().is_none() && (state.child.is_some() || !matches!(state.kin, Kin::Made(..))) {
            return Err(raise(
                "ValueError",
                "cannot close a process while it is still running: call join() or terminate() first",
            ));
        }
        state.closed = true;
        state.child = None;
        state.target = None;
        state.arguments = Array::new();
        Ok(())
    }
}

impl State {
    /// Refuses what a closed process can't do.
    pub(super) fn open(&self) -> Result<(), Raise> {
        if self.closed { Err(raise("ValueError", "process object is closed")) } else { Ok(()) }
    }

    /// Whether the process that looks is the one that made it.
    fn is_made_here(&self) -> bool {
        matches!(self.kin, Kin::Made(maker, _) if maker == table::my_id())
    }

    fn made_here(&self, what: &str) -> Result<(), Raise> {
        if self.is_made_here() { Ok(()) } else { Err(raise("AssertionError", format!("can only {what}"))) }
    }

    fn started(&self, what: &str) -> Result<children::Shared, Raise> {
        self.open()?;
        self.made_here(&format!("{what} a child process"))?;
        let child = self.child.clone();
        child.ok_or_else(|| raise("AssertionError", format!("can only {what} a started process")))
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match self.kin {
            Kin::Myself => Some(identity::pid()),
            Kin::Parent(_, pid) => Some(pid),
            Kin::Made(..) => self.child.as_ref().map(|child| child.borrow().pid()),
        }
    }

    /// How it ended, as far as this process may ask.
    pub(super) fn end(&self) -> Option<End> {
        let child = self.child.as_ref().filter(|_| self.is_made_here());
        child.and_then(|child| child.borrow_mut().poll())
    }
}

pub(super) fn lives(id: ProcessId) -> bool {
    id.slot().is_some_and(table::Slot::is_alive)
}

fn join_parent(id: ProcessId, pid: u32, deadline: Deadline) -> Result<(), Raise> {
    while let Some(slot) = id.slot().filter(|slot| slot.is_alive()) {
        let seen = slot.ended.load(Ordering::Acquire);
        if !lives(id) {
            break;
        }
        let slept =
            table::waiting_for(Waiting::Join, u64::from(pid), || sleep_on(&slot.ended, seen, deadline));
        match slept {
            Ok(()) => {}
            Err(GaveUp::TimedOut) => break,
            Err(GaveUp::Interrupted) => return Err(interrupted()),
        }
    }
    Ok(())
}
