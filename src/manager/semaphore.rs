//! `Semaphore` and `BoundedSemaphore` of a manager.
//!
//! A unit that a client held when its connection ended is *abandoned*: whoever acquires next has it, and whoever
//! releases gives it back. As far as the semaphore once had them: units that were only ever handed on, as signals are,
//! do not come back.
//!
//! Invariants
//! 1. If somebody is in line, no unit is there.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use rhai::Array;

use super::blocking::{Answers, Blocking, Caller, Step, Ticket, Who, is_impatient, taken_out};
use super::host::Host;
use super::lock::lost;
use crate::call::Signature;
use crate::sys::clock::Deadline;
use crate::wire::{Error, Raised};

/// See the head of this file.
#[derive(Debug)]
pub struct Semaphore {
    /// What it had in the beginning.
    first: u64,
    bounded: bool,
    free: u64,
    /// Who lost one, last.
    abandoned: Vec<Rc<Who>>,
    held: HashMap<u64, (Rc<Who>, u64)>,
    line: VecDeque<Caller>,
    /// Whether a holder was ever lost.
    was_abandoned: bool,
}

impl Semaphore {
    /// One of so many units.
    pub fn new(units: u64, bounded: bool) -> Self {
        Self {
            first: units,
            bounded,
            free: units,
            abandoned: Vec::new(),
            held: HashMap::new(),
            line: VecDeque::new(),
            was_abandoned: false,
        }
    }

    fn name(&self) -> &'static str {
        if self.bounded { "BoundedSemaphore" } else { "Semaphore" }
    }

    fn value(&self) -> u64 {
        self.free + self.abandoned.len() as u64
    }

    fn take(&mut self, who: &Rc<Who>) -> Option<String> {
        let word = if self.free > 0 {
            self.free -= 1;
            String::new()
        } else {
            let dead = self.abandoned.pop()?;
            lost(&dead, self.name(), who)
        };
        self.held.entry(who.client).or_insert_with(|| (Rc::clone(who), 0)).1 += 1;
        Some(word)
    }

    fn settle(&mut self, answers: &mut Answers) {
        while let Some(first) = self.line.front() {
            let who = Rc::clone(&first.who);
            let Some(word) = self.take(&who) else { return };
            if let Some(caller) = self.line.pop_front() {
                answers.give_with(caller.ticket, true.into(), word);
            }
        }
    }

    fn release(&mut self, client: u64) -> Result<(), Error> {
        let holder = match self.held.contains_key(&client) {
            true => Some(client),
            // Somebody else's, who goes on without it.
            false => self.held.keys().next().copied(),
        };
        let mine = holder == Some(client);
        if !mine && self.abandoned.pop().is_some() {
            self.free += 1;
            return Ok(());
        }
        if self.bounded && self.value() >= self.first {
            return Err(Error::new(
                "ValueError",
                format!("BoundedSemaphore released too many times: it has its {} units", self.first),
            ));
        }
        if let Some(holder) = holder
            && let Some((_, units)) = self.held.get_mut(&holder)
        {
            *units -= 1;
            if *units == 0 {
                self.held.remove(&holder);
            }
        }
        self.free += 1;
        Ok(())
    }
}

impl Blocking for Semaphore {
    fn call(
        &mut self,
        caller: &Caller,
        method: &str,
        given: Array,
        answers: &mut Answers,
        _: &dyn Host,
    ) -> Result<Step, Raised> {
        match method {
            "acquire" | "__enter__" => {
                let patience =
                    Signature::new("Semaphore.acquire", &["block", "timeout"], 0).bind(given)?.patience(0)?;
                if let Some(word) = self.take(&caller.who) {
                    answers.word = word;
                    return Ok(Step::Done(true.into()));
                }
                if is_impatient(patience) {
                    return Ok(Step::Done(false.into()));
                }
                self.line.push_back(caller.clone());
                Ok(Step::Waits(Deadline::after(patience)))
            }
            "release" | "__exit__" => {
                self.release(caller.who.client).map_err(Raised::of)?;
                self.settle(answers);
                Ok(Step::UNIT)
            }
            "get_value" => Ok(Step::Done(i64::try_from(self.value()).unwrap_or(i64::MAX).into())),
            "locked" => Ok(Step::Done((self.value() == 0).into())),
            ".was_abandoned" => Ok(Step::Done(self.was_abandoned.into())),
            _ => Ok(Step::Unknown),
        }
    }

    fn cancel(&mut self, ticket: Ticket, _: &mut Answers) -> bool {
        taken_out(&mut self.line, |caller| caller.ticket == ticket)
    }

    fn bereave(&mut self, client: u64, answers: &mut Answers) {
        self.line.retain(|caller| caller.ticket.client != client);
        if let Some((who, units)) = self.held.remove(&client) {
            let others: u64 = self.held.values().map(|(_, units)| units).sum();
            let back = units.min(self.first.saturating_sub(self.value() + others));
            self.abandoned.extend((0..back).map(|_| Rc::clone(&who)));
            self.was_abandoned = true;
        }
        self.settle(answers);
    }

    fn text(&self) -> String {
        match self.bounded {
            true => format!("value={}, maxvalue={}", self.value(), self.first),
            false => format!("value={}", self.value()),
        }
    }
}
