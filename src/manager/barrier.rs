//! `Barrier` of a manager. Its action runs in the server, for the one that comes last.
//!
//! A client whose connection ends while it waits is forgotten, as if it had not come.

use std::collections::VecDeque;

use rhai::{Array, Dynamic, FnPtr};

use super::blocking::{Answers, Blocking, Caller, Step, Ticket, int, is_impatient, taken_out};
use super::host::Host;
use crate::call::Signature;
use crate::sys::clock::Deadline;
use crate::wire::{Error, Raised};

/// See the head of this file.
#[derive(Debug)]
pub struct Barrier {
    parties: usize,
    action: Option<FnPtr>,
    patience: Option<f64>,
    line: VecDeque<Ticket>,
    broken: bool,
}

fn broken() -> Error {
    Error::new("BrokenBarrierError", "the barrier is broken, or was reset")
}

impl Barrier {
    /// One for so many.
    pub fn new(parties: usize, action: Option<FnPtr>, patience: Option<f64>) -> Self {
        Self { parties, action, patience, line: VecDeque::new(), broken: false }
    }

    fn arrive(
        &mut self,
        caller: &Caller,
        patience: Option<f64>,
        answers: &mut Answers,
        host: &dyn Host,
    ) -> Result<Step, Raised> {
        if self.broken {
            return Err(Raised::of(broken()));
        }
        if self.line.len() + 1 < self.parties {
            if is_impatient(patience) {
                self.break_up(answers);
                self.broken = true;
                return Err(Raised::of(broken()));
            }
            self.line.push_back(caller.ticket);
            return Ok(Step::Waits(Deadline::after(patience)));
        }
        if let Some(action) = &self.action
            && let Err(raised) = host.function(action, None, Array::new())
        {
            self.break_up(answers);
            self.broken = true;
            return Err(raised);
        }
        let waited = self.line.len();
        for (index, ticket) in self.line.drain(..).enumerate() {
            answers.give(ticket, int(index));
        }
        Ok(Step::Done(int(waited)))
    }

    /// Those who wait learn that it came to nothing.
    fn break_up(&mut self, answers: &mut Answers) {
        self.line.drain(..).for_each(|ticket| answers.refuse(ticket, broken()));
    }
}

impl Blocking for Barrier {
    fn call(
        &mut self,
        caller: &Caller,
        method: &str,
        given: Array,
        answers: &mut Answers,
        host: &dyn Host,
    ) -> Result<Step, Raised> {
        let value = match method {
            "wait" => {
                let patience = Signature::new("Barrier.wait", &["timeout"], 0).bind(given)?.seconds(0)?;
                return self.arrive(caller, patience.or(self.patience), answers, host);
            }
            "reset" => {
                self.break_up(answers);
                self.broken = false;
                Dynamic::UNIT
            }
            "abort" => {
                self.break_up(answers);
                self.broken = true;
                Dynamic::UNIT
            }
            ".parties" => int(self.parties),
            ".n_waiting" => int(self.line.len()),
            ".broken" => self.broken.into(),
            _ => return Ok(Step::Unknown),
        };
        Ok(Step::Done(value))
    }

    fn expire(&mut self, ticket: Ticket, answers: &mut Answers) {
        if self.line.contains(&ticket) {
            self.break_up(answers);
            self.broken = true;
        }
    }

    fn cancel(&mut self, ticket: Ticket, _: &mut Answers) -> bool {
        taken_out(&mut self.line, |waiting| *waiting == ticket)
    }

    fn bereave(&mut self, client: u64, _: &mut Answers) {
        self.line.retain(|ticket| ticket.client != client);
    }

    fn text(&self) -> String {
        let broken = if self.broken { ", broken" } else { "" };
        format!("{} of {} parties waiting{broken}", self.line.len(), self.parties)
    }
}
