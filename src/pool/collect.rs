//! What comes back to a pool: outcomes, and workers that have ended.
//!
//! | the item's outcome | its worker | the item is |
//! |---|---|---|
//! | has come | whatever | settled by it |
//! | not put | lost, at this item | tried again, or settled by an error |
//! | not put | lost, at an item before | sent again |
//! | not put | lost, condemned at an item before | sent again: it was not begun |
//!
//! Where a task has one outcome for all its items, it is lost as a whole.

use std::rc::Rc;

use super::call::{Failure, Shared};
use super::crew::Fallen;
use super::gather::Settled;
use super::line::{self, Outcome};
use super::loss::{self, Item};
use super::owner::{Batch, Out, Pool};
use crate::wire::{self, Error};

/// Outcomes that are taken before anything else is looked at.
const BATCH: usize = 1024;
/// Outcomes that are taken at one time.
const ROW: usize = 64;

impl Pool {
    /// Takes outcomes that have come; whether there were any.
    pub(super) fn collect(&mut self) -> bool {
        let (mut bytes, mut ends) = (std::mem::take(&mut self.buffers.0), Vec::new());
        let mut count = 0;
        while count < BATCH {
            self.crew.results.take_row(&mut bytes, &mut ends, ROW);
            count += ends.len();
            let mut start = 0;
            for end in &ends {
                self.read(bytes.get(start..*end).unwrap_or_default(), &[]);
                start = *end;
            }
            if ends.is_empty() {
                // There is none, or it is no plain one.
                let Some(message) = self.crew.results.take_now(&mut bytes) else { break };
                self.read(message.bytes(&bytes), &message.references());
                count += 1;
            }
        }
        self.buffers.0 = bytes;
        self.stuck &= count == 0;
        count > 0
    }

    fn read(&mut self, bytes: &[u8], references: &[u64]) {
        if let Some((number, offset, outcome)) = line::read_outcome(bytes, references, self.handles) {
            self.came(number, offset, outcome);
        }
    }

    /// An outcome of items of task `number`, from `offset` on, has come.
    fn came(&mut self, number: u64, offset: usize, outcome: Result<Outcome, wire::DecodeError>) {
        let Some(mut out) = self.out.remove(&number) else { return };
        let call = Rc::clone(&out.batch.call);
        let (first, count) = (out.batch.first, out.batch.items.len());
        match outcome {
            Ok(Outcome::Values(values)) => {
                out.done += values.len();
                self.stats.done += values.len() as u64;
                call.borrow_mut().settle_row(first + offset, values);
            }
            Ok(Outcome::Raised(raised)) => {
                out.done += 1;
                self.settle_one(&call, first + offset, Err(Failure::Raised(raised)));
            }
            Ok(Outcome::Ended(raised)) => {
                self.settle_all(&call, first + out.done..first + count, &Failure::Raised(raised));
                out.done = count;
            }
            Err(error) => {
                let message = format!("the result of a task can't be read: {error}");
                let failure = Failure::Lost(Error::new("MaybeEncodingError", message));
                let left = if call.borrow().manner().each { out.done + 1 } else { count };
                self.settle_all(&call, first + out.done..first + left, &failure);
                out.done = left;
            }
        }
        if out.done < count {
            self.out.insert(number, out);
        } else {
            self.bytes_out -= out.bytes;
        }
        self.note(&call);
    }

    /// Item `index` of a call is settled.
    pub(super) fn settle(&mut self, call: &Shared, index: usize, settled: Settled) {
        self.settle_one(call, index, settled);
        self.note(call);
    }

    fn settle_one(&mut self, call: &Shared, index: usize, settled: Settled) {
        self.stats.ended(&settled);
        call.borrow_mut().settle(index, settled);
    }

    /// Several are, by one failure.
    pub(super) fn settle_all(&mut self, call: &Shared, items: std::ops::Range<usize>, failure: &Failure) {
        self.stats.failed += items.len() as u64;
        call.borrow_mut().settle_all(items, failure);
        self.note(call);
    }

    /// Looks whether the call is decided, and says so once.
    pub(super) fn note(&mut self, call: &Shared) {
        if !call.borrow().is_decided() || self.calls.remove(&Rc::as_ptr(call)).is_none() {
            return;
        }
        let conclusion = call.borrow_mut().conclude();
        if let Some((callback, answer)) = conclusion {
            self.decided.push_back((Rc::clone(call), callback, answer));
        }
    }

    /// A task is out no more; gives it.
    pub(super) fn recall(&mut self, number: u64) -> Option<Out> {
        let out = self.out.remove(&number)?;
        self.bytes_out -= out.bytes;
        Some(out)
    }

    /// A worker has ended: what it was at is lost.
    pub(super) fn bury(&mut self, fallen: &Fallen) {
        let holds = |number: &u64, out: &Out| {
            (*number..*number + out.batch.items.len() as u64).contains(&fallen.item)
        };
        let number = self.out.iter().find(|(number, out)| holds(number, out)).map(|(number, _)| *number);
        let Some(number) = number.filter(|_| fallen.item != 0) else { return };
        let Some(out) = self.recall(number) else { return };
        self.stats.lost += 1;
        let offset = (fallen.item - number) as usize;
        let call = Rc::clone(&out.batch.call);
        if call.borrow().manner().each {
            self.bury_item(fallen, number, offset, out);
        } else {
            let Batch { first, items, .. } = &out.batch;
            let failure = Failure::Lost(self.loss(fallen, &out, offset));
            self.settle_all(&call, *first..*first + items.len(), &failure);
        }
    }

    /// The item at `offset` of a task is lost; those before it were put, those behind it were not begun.
    fn bury_item(&mut self, fallen: &Fallen, number: u64, offset: usize, mut out: Out) {
        let error = self.loss(fallen, &out, offset);
        let call = Rc::clone(&out.batch.call);
        let (first, attempts) = (out.batch.first, out.batch.attempts);
        let behind = out.batch.items.split_off(offset + 1);
        let item = out.batch.items.split_off(offset);
        if out.done < offset {
            out.bytes = 0;
            self.out.insert(number, out);
        }
        let batch = |offset: usize, items, attempts| Batch {
            call: Rc::clone(&call),
            first: first + offset,
            items,
            attempts,
        };
        if !behind.is_empty() {
            self.again.push_front(batch(offset + 1, behind, attempts));
        }
        let begun = fallen.condemned == 0 || fallen.condemned == fallen.item;
        if begun && attempts >= call.borrow().rules.retries {
            self.settle(&call, first + offset, Err(Failure::Lost(error)));
            return;
        }
        self.stats.retried += u64::from(begun);
        self.again.push_front(batch(offset, item, attempts + u32::from(begun)));
    }

    /// The error for the item at `offset` of a task.
    fn loss(&self, fallen: &Fallen, out: &Out, offset: usize) -> Error {
        let call = out.batch.call.borrow();
        let nothing = rhai::Dynamic::UNIT;
        let item = Item {
            index: out.batch.first + offset,
            value: out.batch.items.get(offset).unwrap_or(&nothing),
            apply: call.rules.apply,
            attempts: out.batch.attempts,
        };
        match call.rules.timeout {
            Some(limit) if fallen.condemned != 0 => loss::overdue(fallen, &item, limit.as_secs_f64()),
            _ => loss::lost(fallen, &item),
        }
    }
}
