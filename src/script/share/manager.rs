//! `SharedMemoryManager`: takes away all the memory by name that was made through it.
//!
//! It belongs to the process that made it and needs no process of its own: it remembers names. Shut down, left by
//! `with`, or dropped, it unlinks them all; where that never happens, the end of the session does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rhai::{Dynamic, Engine, INT, NativeCallContext};

use super::list::ShareableList;
use super::memory::{SharedMemory, made};
use crate::script::raise::{Raise, raise};
use crate::script::signature::Signature;
use crate::share::named;
use crate::sys::identity;

static MANAGER: Signature = Signature { name: "SharedMemoryManager", parameters: &[], required: 0 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Started,
    Down,
}

#[derive(Debug)]
struct Names {
    state: Cell<State>,
    names: RefCell<Vec<String>>,
    /// The process that made it: one that is forked off has a copy, and leaves the memory alone.
    pid: u32,
}

/// See the head of this file.
#[derive(Clone, Debug)]
pub struct Manager(Rc<Names>);

/// Registers the type and the constructor.
pub fn register(engine: &mut Engine) {
    MANAGER.context_function(engine, |_, _, _| {
        let (state, names, pid) = (Cell::new(State::New), RefCell::default(), identity::pid());
        Ok(Dynamic::from(Manager(Rc::new(Names { state, names, pid }))))
    });
    engine
        .register_type_with_name::<Manager>("SharedMemoryManager")
        .register_fn("to_string", |_: &mut Manager| "<SharedMemoryManager>")
        .register_fn("to_debug", |_: &mut Manager| "<SharedMemoryManager>")
        .register_fn("start", |manager: &mut Manager| manager.start())
        .register_fn("shutdown", |manager: &mut Manager| manager.0.shut_down())
        .register_fn("__enter__", |manager: &mut Manager| -> Result<Manager, Raise> {
            if manager.0.state.get() == State::New {
                manager.start()?;
            }
            manager.started()?;
            Ok(manager.clone())
        })
        .register_fn("__exit__", |manager: &mut Manager| manager.0.shut_down())
        .register_fn("SharedMemory", |manager: &mut Manager, size: INT| -> Result<SharedMemory, Raise> {
            manager.started()?;
            let memory = Rc::new(made(None, Some(size), false)?);
            manager.0.names.borrow_mut().push(memory.name().to_owned());
            Ok(SharedMemory(memory))
        })
        .register_fn(
            "ShareableList",
            |context: NativeCallContext,
             manager: &mut Manager,
             items: Dynamic|
             -> Result<ShareableList, Raise> {
                manager.started()?;
                let list = super::list::of_items(&context, &items, None)?;
                manager.0.names.borrow_mut().push(list.named().name().to_owned());
                Ok(list)
            },
        );
}

impl Manager {
    fn start(&self) -> Result<(), Raise> {
        match self.0.state.replace(State::Started) {
            State::New => Ok(()),
            state => {
                self.0.state.set(state);
                let state = if state == State::Started { "runs already" } else { "was shut down" };
                Err(raise("ProcessError", format!("the SharedMemoryManager {state}")))
            }
        }
    }

    fn started(&self) -> Result<(), Raise> {
        match self.0.state.get() {
            State::Started => Ok(()),
            State::New => Err(raise(
                "ValueError",
                "the SharedMemoryManager is not started: call start(), or use 'with'",
            )),
            State::Down => Err(raise("ValueError", "the SharedMemoryManager is shut down")),
        }
    }
}

impl Names {
    fn shut_down(&self) {
        self.state.set(State::Down);
        if self.pid == identity::pid() {
            for name in self.names.take() {
                // Somebody may have unlinked it before.
                let _ = named::unlink(&name);
            }
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.shut_down();
    }
}
