//! `Condition` of a manager. Its lock may be another object's too.
//!
//! ```text
//! holds the lock --wait--> in line here --notified, out of time, or cancelled--> in line for the lock --> answered
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use rhai::{Array, Dynamic};

use super::blocking::{Answers, Blocking, Caller, Step, Ticket, is_impatient};
use super::host::Host;
use super::lock::Lock;
use crate::call::Signature;
use crate::sys::clock::Deadline;
use crate::wire::{Error, Raised};

/// See the head of this file.
#[derive(Debug)]
pub struct Condition {
    lock: Rc<RefCell<Lock>>,
    /// Those who wait, and how often they held the lock.
    line: VecDeque<(Caller, u64)>,
}

impl Condition {
    /// One on this lock.
    pub fn new(lock: Rc<RefCell<Lock>>) -> Self {
        Self { lock, line: VecDeque::new() }
    }

    fn held(&self, caller: &Caller, method: &str) -> Result<u64, Raised> {
        match self.lock.borrow().depth(caller.who.client) {
            0 => Err(Raised::of(Error::new(
                "RuntimeError",
                format!(
                    "Condition.{method}() by {}, which does not hold it: acquire() comes first",
                    caller.who.name
                ),
            ))),
            depth => Ok(depth),
        }
    }

    /// The `count` that wait longest get in line for the lock.
    fn notify(&mut self, count: u64, answers: &mut Answers) {
        for _ in 0..count {
            let Some((caller, depth)) = self.line.pop_front() else { return };
            self.lock.borrow_mut().line_up(caller, depth, Ok(true.into()), answers);
        }
    }

    fn leave(&mut self, ticket: Ticket, answer: Result<Dynamic, Error>, answers: &mut Answers) {
        let place = self.line.iter().position(|(caller, _)| caller.ticket == ticket);
        if let Some((caller, depth)) = place.and_then(|place| self.line.remove(place)) {
            self.lock.borrow_mut().line_up(caller, depth, answer, answers);
        }
    }
}

impl Blocking for Condition {
    fn call(
        &mut self,
        caller: &Caller,
        method: &str,
        given: Array,
        answers: &mut Answers,
        host: &dyn Host,
    ) -> Result<Step, Raised> {
        match method {
            "wait" => {
                let patience = Signature::new("Condition.wait", &["timeout"], 0).bind(given)?.seconds(0)?;
                let depth = self.held(caller, method)?;
                if is_impatient(patience) {
                    return Ok(Step::Done(false.into()));
                }
                self.line.push_back((caller.clone(), depth));
                self.lock.borrow_mut().let_go(answers);
                Ok(Step::Waits(Deadline::after(patience)))
            }
            "notify" => {
                let count = Signature::new("Condition.notify", &["n"], 0).bind(given)?.int(0)?.unwrap_or(1);
                self.held(caller, method)?;
                self.notify(u64::try_from(count).unwrap_or(0), answers);
                Ok(Step::UNIT)
            }
            "notify_all" => {
                self.held(caller, method)?;
                self.notify(u64::MAX, answers);
                Ok(Step::UNIT)
            }
            _ => self.lock.borrow_mut().call(caller, method, given, answers, host),
        }
    }

    fn expire(&mut self, ticket: Ticket, answers: &mut Answers) {
        self.leave(ticket, Ok(false.into()), answers);
        // It may also have come to acquire.
        self.lock.borrow_mut().expire(ticket, answers);
    }

    fn cancel(&mut self, ticket: Ticket, answers: &mut Answers) -> bool {
        if self.line.iter().any(|(caller, _)| caller.ticket == ticket) {
            // Whoever waited has the lock again when it goes on.
            self.leave(ticket, Err(Error::new("KeyboardInterrupt", "")), answers);
            return false;
        }
        self.lock.borrow_mut().cancel(ticket, answers)
    }

    fn bereave(&mut self, client: u64, answers: &mut Answers) {
        self.line.retain(|(caller, _)| caller.ticket.client != client);
        self.lock.borrow_mut().bereave(client, answers);
    }

    fn text(&self) -> String {
        format!("{}, {} waiting", self.lock.borrow().text(), self.line.len())
    }
}
