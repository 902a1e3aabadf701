//! `Queue` and `JoinableQueue` of a manager: one kind, which can be joined.
//!
//! Invariants
//! 1. If a `get` is in line the queue is empty; if a `put` is, it is full.
//! 2. An item is taken by one `get`, the one that came first.

use std::collections::VecDeque;

use rhai::{Array, Dynamic};

use super::blocking::{Answers, Blocking, Caller, Step, Ticket, int, is_impatient, taken_out};
use super::host::Host;
use crate::call::Signature;
use crate::sys::clock::Deadline;
use crate::wire::{Error, Raised};

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Queue {
    /// 0 is no limit.
    limit: usize,
    items: VecDeque<Dynamic>,
    getting: VecDeque<Ticket>,
    putting: VecDeque<(Ticket, Dynamic)>,
    joining: VecDeque<Ticket>,
    /// Items that were put and of which no `task_done` has come.
    unfinished: u64,
    down: bool,
}

fn error<T>(kind: &str, message: &str) -> Result<T, Raised> {
    Err(Raised::of(Error::new(kind, message)))
}

impl Queue {
    /// One of at most `limit` items; 0 is no limit.
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    fn is_full(&self) -> bool {
        self.limit != 0 && self.items.len() >= self.limit
    }

    fn put(
        &mut self,
        caller: &Caller,
        item: Dynamic,
        patience: Option<f64>,
        answers: &mut Answers,
    ) -> Result<Step, Raised> {
        if self.down {
            return error("ShutDown", "the queue is shut down");
        }
        if patience.is_some_and(|seconds| seconds < 0.0) {
            return error("ValueError", "'timeout' must be a non-negative number");
        }
        if !self.is_full() {
            self.items.push_back(item);
            self.unfinished += 1;
            self.settle(answers);
            return Ok(Step::UNIT);
        }
        if is_impatient(patience) {
            return error("Full", "");
        }
        self.putting.push_back((caller.ticket, item));
        Ok(Step::Waits(Deadline::after(patience)))
    }

    fn get(&mut self, caller: &Caller, patience: Option<f64>, answers: &mut Answers) -> Result<Step, Raised> {
        if patience.is_some_and(|seconds| seconds < 0.0) {
            return error("ValueError", "'timeout' must be a non-negative number");
        }
        if let Some(item) = self.items.pop_front() {
            self.settle(answers);
            return Ok(Step::Done(item));
        }
        if self.down {
            return error("ShutDown", "the queue is shut down and empty");
        }
        if is_impatient(patience) {
            return error("Empty", "");
        }
        self.getting.push_back(caller.ticket);
        Ok(Step::Waits(Deadline::after(patience)))
    }

    /// Serves those in line.
    fn settle(&mut self, answers: &mut Answers) {
        loop {
            if !self.is_full()
                && let Some((ticket, item)) = self.putting.pop_front()
            {
                self.items.push_back(item);
                self.unfinished += 1;
                answers.give(ticket, Dynamic::UNIT);
            } else if !self.items.is_empty()
                && let Some(ticket) = self.getting.pop_front()
            {
                answers.give(ticket, self.items.pop_front().unwrap_or_default());
            } else {
                return;
            }
        }
    }

    fn task_done(&mut self, count: u64, answers: &mut Answers) -> Result<Step, Raised> {
        let Some(left) = self.unfinished.checked_sub(count) else {
            return error("ValueError", "task_done() called too many times");
        };
        self.unfinished = left;
        if left == 0 {
            self.joining.drain(..).for_each(|ticket| answers.give(ticket, true));
        }
        Ok(Step::UNIT)
    }

    fn shut_down(&mut self, immediate: bool, answers: &mut Answers) {
        self.down = true;
        if immediate {
            let dropped = self.items.len() as u64;
            self.items.clear();
            // Nobody will say that they are done.
            let _ = self.task_done(dropped.min(self.unfinished), answers);
        }
        let error = || Error::new("ShutDown", "the queue is shut down");
        self.putting.drain(..).for_each(|(ticket, _)| answers.refuse(ticket, error()));
        self.getting.drain(..).for_each(|ticket| answers.refuse(ticket, error()));
    }

    fn forget(&mut self, unwanted: impl Fn(Ticket) -> bool) -> bool {
        taken_out(&mut self.getting, |ticket| unwanted(*ticket))
            | taken_out(&mut self.putting, |(ticket, _)| unwanted(*ticket))
            | taken_out(&mut self.joining, |ticket| unwanted(*ticket))
    }
}

impl Blocking for Queue {
    fn call(
        &mut self,
        caller: &Caller,
        method: &str,
        given: Array,
        answers: &mut Answers,
        _: &dyn Host,
    ) -> Result<Step, Raised> {
        match method {
            "put" => {
                let mut given = Signature::new("Queue.put", &["value", "block", "timeout"], 1).bind(given)?;
                let (item, patience) = (given.any(0), given.patience(1)?);
                self.put(caller, item, patience, answers)
            }
            "put_nowait" => {
                let item = Signature::new("Queue.put_nowait", &["value"], 1).bind(given)?.any(0);
                self.put(caller, item, Some(0.0), answers)
            }
            "get" => {
                let patience =
                    Signature::new("Queue.get", &["block", "timeout"], 0).bind(given)?.patience(0)?;
                self.get(caller, patience, answers)
            }
            "get_nowait" => self.get(caller, Some(0.0), answers),
            "task_done" => self.task_done(1, answers),
            "join" => {
                let patience =
                    Signature::new("JoinableQueue.join", &["timeout"], 0).bind(given)?.seconds(0)?;
                if self.unfinished == 0 || is_impatient(patience) {
                    return Ok(Step::Done((self.unfinished == 0).into()));
                }
                self.joining.push_back(caller.ticket);
                Ok(Step::Waits(Deadline::after(patience)))
            }
            "shutdown" => {
                let immediate = Signature::new("Queue.shutdown", &["immediate"], 0)
                    .bind(given)?
                    .bool(0)?
                    .unwrap_or(false);
                self.shut_down(immediate, answers);
                Ok(Step::UNIT)
            }
            "qsize" | "len" => Ok(Step::Done(int(self.items.len()))),
            "empty" | "is_empty" => Ok(Step::Done(self.items.is_empty().into())),
            "full" => Ok(Step::Done(self.is_full().into())),
            // put() hands everything over, and nothing of it is this process's own.
            "close" | "join_thread" | "cancel_join_thread" => Ok(Step::UNIT),
            _ => Ok(Step::Unknown),
        }
    }

    fn expire(&mut self, ticket: Ticket, answers: &mut Answers) {
        let kind = if self.getting.contains(&ticket) { "Empty" } else { "Full" };
        let joins = self.joining.contains(&ticket);
        match self.forget(|waiting| waiting == ticket) {
            true if joins => answers.give(ticket, false),
            true => answers.refuse(ticket, Error::new(kind, "")),
            false => {}
        }
    }

    fn cancel(&mut self, ticket: Ticket, _: &mut Answers) -> bool {
        self.forget(|waiting| waiting == ticket)
    }

    fn bereave(&mut self, client: u64, _: &mut Answers) {
        self.forget(|ticket| ticket.client == client);
    }

    fn text(&self) -> String {
        match self.limit {
            0 => format!("{} items", self.items.len()),
            limit => format!("{} of {limit} items", self.items.len()),
        }
    }
}
