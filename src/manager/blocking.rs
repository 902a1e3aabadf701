//! What the objects have in common whose calls may have to wait: locks, events, queues and their kin.
//!
//! The server runs one thread, so such an object is a plain state machine. A call is answered at once, or *parked*: the
//! object keeps its ticket until another call, or the end of its time, answers it. Nobody else waits for that.
//!
//! Invariants
//! 1. A ticket that a call has left with an object is answered once: by the object, or by the server, which has told
//!    the object to forget it.
//! 2. Whoever is first in line is served first.
//!
//! Client death: what the client waits for is forgotten, what it held is abandoned, and those who wait are served.

use std::collections::VecDeque;
use std::rc::Rc;

use rhai::{Array, Dynamic};

use super::host::Host;
use crate::sys::clock::Deadline;
use crate::wire::{Error, Raised};

/// A client, for people.
#[derive(Debug)]
pub struct Who {
    /// Its number with the server; 0 is the server itself.
    pub client: u64,
    pub name: String,
    pub pid: u64,
    /// Whether it is a process of the server's session.
    pub local: bool,
}

/// One call of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    pub client: u64,
    pub request: u64,
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    pub ticket: Ticket,
    pub who: Rc<Who>,
}

/// What comes of a call.
pub type Answer = Result<Dynamic, Raised>;

/// The answers to calls that were parked, and a word to whoever calls now.
#[derive(Debug, Default)]
pub struct Answers {
    pub parked: Vec<(Ticket, Answer, String)>,
    pub word: String,
}

impl Answers {
    /// Answers the parked call of `ticket`.
    pub fn give(&mut self, ticket: Ticket, value: impl Into<Dynamic>) {
        self.parked.push((ticket, Ok(value.into()), String::new()));
    }

    /// As [`Answers::give`], with a word to the caller.
    pub fn give_with(&mut self, ticket: Ticket, value: Dynamic, word: String) {
        self.parked.push((ticket, Ok(value), word));
    }

    /// Raises an error in the parked call of `ticket`.
    pub fn refuse(&mut self, ticket: Ticket, error: Error) {
        self.parked.push((ticket, Err(Raised::of(error)), String::new()));
    }
}

/// How far a call got.
#[derive(Debug)]
pub enum Step {
    /// To its end.
    Done(Dynamic),
    /// It is parked, until then at the latest.
    Waits(Deadline),
    /// There is no such method.
    Unknown,
}

impl Step {
    /// Done, with nothing to say.
    pub const UNIT: Self = Self::Done(Dynamic::UNIT);
}

/// See the head of this file.
pub trait Blocking {
    /// Calls `method`.
    ///
    /// # Errors
    /// What it raises at once.
    fn call(
        &mut self,
        caller: &Caller,
        method: &str,
        given: Array,
        answers: &mut Answers,
        host: &dyn Host,
    ) -> Result<Step, Raised>;

    /// The time of a parked call is over: most say that they have not got it.
    fn expire(&mut self, ticket: Ticket, answers: &mut Answers) {
        if self.cancel(ticket, answers) {
            answers.give(ticket, false);
        }
    }

    /// A parked call is cancelled; `false` if it will be answered all the same.
    fn cancel(&mut self, ticket: Ticket, answers: &mut Answers) -> bool;

    /// The client is gone.
    fn bereave(&mut self, client: u64, answers: &mut Answers);

    /// As `print` shows it, without the name of its type.
    fn text(&self) -> String;
}

/// Takes out of a line who is unwanted; whether somebody was.
pub fn taken_out<T>(line: &mut VecDeque<T>, unwanted: impl Fn(&T) -> bool) -> bool {
    let before = line.len();
    line.retain(|waiting| !unwanted(waiting));
    line.len() != before
}

/// A number of things, as scripts have it.
pub fn int(number: usize) -> Dynamic {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

/// Whether a call that has `patience` does not wait at all.
pub fn is_impatient(patience: Option<f64>) -> bool {
    patience.is_some_and(|seconds| seconds <= 0.0)
}
