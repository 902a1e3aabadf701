//! `Lock` and `RLock` of a manager.
//!
//! ```text
//! free --acquire--> held --release--> free
//!                    \--its holder's connection ends--> abandoned --acquire, by anybody--> held
//!                                                             \--release, by anybody--> free
//! ```
//!
//! A `Lock` may be released by any client, an `RLock` by its holder only, as often as that has acquired it.
//!
//! Invariants
//! 1. If somebody is in line, somebody holds it.

use std::collections::VecDeque;
use std::rc::Rc;

use rhai::{Array, Dynamic};

use super::blocking::{Answers, Blocking, Caller, Step, Ticket, Who, is_impatient, taken_out};
use super::host::Host;
use crate::call::Signature;
use crate::sys::clock::Deadline;
use crate::wire::{Error, Raised};

#[derive(Debug)]
enum State {
    Free,
    Held(Rc<Who>, u64),
    Abandoned(Rc<Who>),
}

/// One that is in line.
#[derive(Debug)]
struct Waiter {
    caller: Caller,
    /// How often it holds it then.
    depth: u64,
    /// What it is told then.
    answer: Result<Dynamic, Error>,
    /// Whether it may be told before that it does not get it.
    optional: bool,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Lock {
    recursive: bool,
    state: State,
    line: VecDeque<Waiter>,
    /// Whether a holder was ever lost.
    abandoned: bool,
}

impl Lock {
    /// One that is free.
    pub fn new(recursive: bool) -> Self {
        Self { recursive, state: State::Free, line: VecDeque::new(), abandoned: false }
    }

    fn name(&self) -> &'static str {
        if self.recursive { "RLock" } else { "Lock" }
    }

    /// How often the client holds it.
    pub fn depth(&self, client: u64) -> u64 {
        match &self.state {
            State::Held(who, depth) if who.client == client => *depth,
            _ => 0,
        }
    }

    /// The caller has it, if it can be had; a word to the caller then.
    pub fn take(&mut self, who: &Rc<Who>, depth: u64) -> Option<String> {
        let name = self.name();
        let word = match &mut self.state {
            State::Held(owner, held) if self.recursive && owner.client == who.client => {
                *held += depth;
                return Some(String::new());
            }
            State::Held(..) => return None,
            State::Free => String::new(),
            State::Abandoned(dead) => lost(dead, name, who),
        };
        self.state = State::Held(Rc::clone(who), depth);
        Some(word)
    }

    /// The caller is to have it when its turn comes.
    pub fn line_up(
        &mut self,
        caller: Caller,
        depth: u64,
        answer: Result<Dynamic, Error>,
        answers: &mut Answers,
    ) {
        self.line.push_back(Waiter { caller, depth, answer, optional: false });
        self.settle(answers);
    }

    /// Gives it to the first in line.
    fn settle(&mut self, answers: &mut Answers) {
        while let Some(first) = self.line.front() {
            let (who, depth) = (Rc::clone(&first.caller.who), first.depth);
            let Some(word) = self.take(&who, depth) else { return };
            let Some(Waiter { caller, answer, .. }) = self.line.pop_front() else { return };
            match answer {
                Ok(value) => answers.give_with(caller.ticket, value, word),
                Err(error) => answers.refuse(caller.ticket, error),
            }
        }
    }

    /// The client holds it no more, however often it did.
    pub fn let_go(&mut self, answers: &mut Answers) {
        self.state = State::Free;
        self.settle(answers);
    }

    /// Acquires it.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn acquire(&mut self, caller: &Caller, given: Array, answers: &mut Answers) -> Result<Step, Raised> {
        let patience = Signature::new("Lock.acquire", &["block", "timeout"], 0).bind(given)?.patience(0)?;
        if let Some(word) = self.take(&caller.who, 1) {
            answers.word = word;
            return Ok(Step::Done(true.into()));
        }
        if is_impatient(patience) {
            return Ok(Step::Done(false.into()));
        }
        let answer = Ok(true.into());
        self.line.push_back(Waiter { caller: caller.clone(), depth: 1, answer, optional: true });
        Ok(Step::Waits(Deadline::after(patience)))
    }

    /// Releases it.
    ///
    /// # Errors
    /// `RuntimeError` if the caller may not.
    pub fn release(&mut self, caller: &Caller, answers: &mut Answers) -> Result<Step, Raised> {
        match &mut self.state {
            State::Held(owner, depth) if !self.recursive || owner.client == caller.who.client => {
                *depth -= 1;
                if *depth == 0 {
                    self.let_go(answers);
                }
                Ok(Step::UNIT)
            }
            State::Abandoned(_) => {
                self.let_go(answers);
                Ok(Step::UNIT)
            }
            State::Held(owner, _) => Err(Raised::of(Error::new(
                "RuntimeError",
                format!(
                    "release() of an RLock that {} does not hold; {} (pid {}) does",
                    caller.who.name, owner.name, owner.pid
                ),
            ))),
            State::Free => Err(Raised::of(Error::new(
                "RuntimeError",
                format!("release() of a {} that nobody holds", self.name()),
            ))),
        }
    }

    /// Whether one would have to wait for it.
    fn is_held(&self) -> bool {
        matches!(self.state, State::Held(..))
    }
}

impl Blocking for Lock {
    fn call(
        &mut self,
        caller: &Caller,
        method: &str,
        given: Array,
        answers: &mut Answers,
        _: &dyn Host,
    ) -> Result<Step, Raised> {
        match method {
            "acquire" | "__enter__" => self.acquire(caller, given, answers),
            "release" | "__exit__" => self.release(caller, answers),
            "locked" => Ok(Step::Done(self.is_held().into())),
            ".was_abandoned" => Ok(Step::Done(self.abandoned.into())),
            _ => Ok(Step::Unknown),
        }
    }

    fn cancel(&mut self, ticket: Ticket, _: &mut Answers) -> bool {
        taken_out(&mut self.line, |waiter| waiter.caller.ticket == ticket && waiter.optional)
    }

    fn bereave(&mut self, client: u64, answers: &mut Answers) {
        self.line.retain(|waiter| waiter.caller.ticket.client != client);
        if let State::Held(owner, _) = &self.state
            && owner.client == client
        {
            self.state = State::Abandoned(Rc::clone(owner));
            self.abandoned = true;
        }
        self.settle(answers);
    }

    fn text(&self) -> String {
        match &self.state {
            State::Held(owner, depth) if self.recursive => format!("owner={}, count={depth}", owner.name),
            State::Held(owner, _) => format!("owner={}", owner.name),
            State::Free | State::Abandoned(_) => "owner=None".to_owned(),
        }
    }
}

/// What somebody is told who gets what a lost client held.
pub fn lost(dead: &Who, name: &str, taker: &Who) -> String {
    format!(
        "stook: warning: the connection of process {} (pid {}) ended while it held this {name}; {} (pid {}) has it \
         now, and what it protects may be half done",
        dead.name, dead.pid, taker.name, taker.pid
    )
}
