//! `Event` of a manager.

use std::collections::VecDeque;

use rhai::Array;

use super::blocking::{Answers, Blocking, Caller, Step, Ticket, is_impatient, taken_out};
use super::host::Host;
use crate::call::Signature;
use crate::sys::clock::Deadline;
use crate::wire::Raised;

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Event {
    set: bool,
    line: VecDeque<Ticket>,
}

impl Blocking for Event {
    fn call(
        &mut self,
        caller: &Caller,
        method: &str,
        given: Array,
        answers: &mut Answers,
        _: &dyn Host,
    ) -> Result<Step, Raised> {
        match method {
            "wait" => {
                let patience = Signature::new("Event.wait", &["timeout"], 0).bind(given)?.seconds(0)?;
                if self.set || is_impatient(patience) {
                    return Ok(Step::Done(self.set.into()));
                }
                self.line.push_back(caller.ticket);
                return Ok(Step::Waits(Deadline::after(patience)));
            }
            "set" => {
                self.set = true;
                self.line.drain(..).for_each(|ticket| answers.give(ticket, true));
            }
            "clear" => self.set = false,
            "is_set" => return Ok(Step::Done(self.set.into())),
            _ => return Ok(Step::Unknown),
        }
        Ok(Step::UNIT)
    }

    fn cancel(&mut self, ticket: Ticket, _: &mut Answers) -> bool {
        taken_out(&mut self.line, |waiting| *waiting == ticket)
    }

    fn bereave(&mut self, client: u64, _: &mut Answers) {
        self.line.retain(|ticket| ticket.client != client);
    }

    fn text(&self) -> String {
        if self.set { "set" } else { "unset" }.to_owned()
    }
}
