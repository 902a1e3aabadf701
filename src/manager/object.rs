//! A managed object: what a server has, and what proxies stand for.
//!
//! | typeid | what it is |
//! |---|---|
//! | `list` | an array of the language |
//! | `dict` `Namespace` `set` | a [`Dict`] |
//! | `Value` | one value |
//! | `Lock` `RLock` `Semaphore` `BoundedSemaphore` `Condition` `Event` `Barrier` `Queue` `JoinableQueue` | a state machine |
//! | all else | a value of the language or of stook, whose methods the engine calls |
//!
//! Invariants
//! 1. `held` is how often clients of other sessions hold it; those of the server's own hold its ticket.
//! 2. Its body is borrowed for the length of one call, so each call is atomic.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use rhai::{Dynamic, ImmutableString};

use super::barrier::Barrier;
use super::blocking::Blocking;
use super::condition::Condition;
use super::dict::Dict;
use super::event::Event;
use super::lock::Lock;
use super::queue::Queue;
use super::semaphore::Semaphore;
use crate::arena::parcel::Parcel;

/// See the head of this file.
#[derive(Debug)]
pub struct Object {
    pub id: u64,
    pub typeid: ImmutableString,
    pub exposed: Exposed,
    pub body: RefCell<Body>,
    /// What stands for it in the session's messages, once it was sent there.
    pub ticket: OnceCell<Parcel>,
    /// See invariant 1.
    pub held: Cell<u64>,
}

/// Which of its methods clients may call.
#[derive(Clone, Debug)]
pub enum Exposed {
    /// All of them.
    All,
    /// Those whose names do not begin with an underscore.
    Public,
    /// These.
    Only(Vec<ImmutableString>),
}

impl Exposed {
    /// Whether clients may call `method`.
    pub fn has(&self, method: &str) -> bool {
        match self {
            Self::All => true,
            Self::Public => !method.starts_with('_'),
            // Showing and going through is no call of the script's.
            Self::Only(names) => {
                names.iter().any(|name| name == method)
                    || matches!(method, "to_string" | "to_debug" | "<iter>")
            }
        }
    }
}

/// What it consists of.
#[derive(Debug)]
pub enum Body {
    Value(Dynamic),
    Dict(Dict),
    Namespace(Dict),
    Set(Dict),
    Cell(Dynamic, Dynamic),
    Lock(Rc<RefCell<Lock>>),
    Semaphore(Semaphore),
    Condition(Condition),
    Event(Event),
    Barrier(Barrier),
    Queue(Queue),
}

impl Body {
    /// The state machine, if it is one.
    pub fn blocking<T>(&mut self, with: impl FnOnce(&mut dyn Blocking) -> T) -> Option<T> {
        Some(match self {
            Self::Lock(lock) => with(&mut *lock.borrow_mut()),
            Self::Semaphore(semaphore) => with(semaphore),
            Self::Condition(condition) => with(condition),
            Self::Event(event) => with(event),
            Self::Barrier(barrier) => with(barrier),
            Self::Queue(queue) => with(queue),
            Self::Value(_) | Self::Dict(_) | Self::Namespace(_) | Self::Set(_) | Self::Cell(..) => {
                return None;
            }
        })
    }
}

impl Object {
    /// Whether nobody but the registry, which has one, refers to it.
    pub fn is_forgotten(this: &Rc<Self>) -> bool {
        // A ticket that the server alone has is nobody's.
        Rc::strong_count(this) == 1
            && this.held.get() == 0
            && this.ticket.get().is_none_or(|ticket| ticket.count() == 1)
    }

    /// What people call a proxy of it.
    pub fn proxy_name(&self) -> String {
        let mut letters = self.typeid.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        format!("{first}{}Proxy", letters.as_str())
    }
}
