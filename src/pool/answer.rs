//! What a worker says of a task: results one after another into one message, or an error, put in the commit that
//! moves its claim on.
//!
//! Invariant
//! 1. What the message refers to is kept until it is put: this process may be the only one that holds it.

use rhai::Dynamic;

use super::line;
use super::worker::{Seat, short};
use crate::sys::clock::Deadline;
use crate::wire::{self, Error, Handles, Raised};

/// See the head of this file.
pub struct Answer<'a> {
    seat: &'a Seat,
    handles: &'a dyn Handles,
    bytes: Vec<u8>,
    references: Vec<u64>,
    /// The results with handles inside (invariant 1).
    kept: Vec<Dynamic>,
}

/// A message that grew beyond this is not kept.
const KEEP: usize = 1 << 20;

impl<'a> Answer<'a> {
    /// Nothing is said yet.
    pub fn new(seat: &'a Seat, handles: &'a dyn Handles) -> Self {
        Self { seat, handles, bytes: Vec::new(), references: Vec::new(), kept: Vec::new() }
    }

    /// The results of `count` items, from the one at `place` on, are to follow.
    pub fn begin(&mut self, place: (u64, usize), count: usize) {
        line::begin_values(place, count, &mut self.bytes, &mut self.references);
        self.kept.clear();
    }

    /// The next result, that of the item at `offset`.
    ///
    /// # Errors
    /// `MaybeEncodingError` if it can't travel.
    pub fn add(&mut self, value: Dynamic, offset: usize) -> Result<(), Raised> {
        let before = self.references.len();
        let written = wire::encode(&value, "", self.handles, &mut self.bytes, &mut self.references);
        written.map_err(|_| Raised::of(self.refused(&value, &format!("results[{offset}]"))))?;
        if self.references.len() > before {
            self.kept.push(value);
        }
        Ok(())
    }

    /// Puts the results, and moves the claim to `next`; `false` if there is no memory even to say so.
    pub fn put(&mut self, place: (u64, usize), next: u64) -> bool {
        self.send(next).or_else(|error| self.say(place, &Raised::of(error), next)).is_ok()
    }

    /// Puts what the item at `place` raised, and moves the claim to `next`: 0 if nothing of the task is done after
    /// it. `false` if there is no memory even to say so.
    pub fn raise(&mut self, place: (u64, usize), raised: &Raised, next: u64) -> bool {
        self.say(place, raised, next).or_else(|error| self.say(place, &Raised::of(error), next)).is_ok()
    }

    fn say(&mut self, place: (u64, usize), raised: &Raised, next: u64) -> Result<(), Error> {
        let (bytes, references) = (&mut self.bytes, &mut self.references);
        let written = line::write_raised(place, raised, next == 0, self.handles, bytes, references);
        written.map_err(|_| self.refused(&raised.value, "error[0]"))?;
        self.send(next)
    }

    fn send(&mut self, next: u64) -> Result<(), Error> {
        self.seat.claims.end(self.seat.index);
        let claim = self.seat.claims.claim(self.seat.index);
        let sent = self.seat.results.put_for(&self.bytes, &self.references, Deadline::Never, (claim, next));
        self.kept.clear();
        if self.bytes.capacity() > KEEP {
            self.bytes = Vec::new();
        }
        sent.map_err(|error| {
            Error::new("MemoryError", format!("the result of a task can't be sent back: {error}"))
        })
    }

    /// Why `value` can't travel. It is asked again, now for the path inside it.
    #[cold]
    fn refused(&self, value: &Dynamic, place: &str) -> Error {
        let reason = wire::encode(value, place, self.handles, &mut Vec::new(), &mut Vec::new());
        let reason = reason.err().map_or_else(String::new, |error| format!(": {error}"));
        Error::new("MaybeEncodingError", format!("the result {} can't be sent back{reason}", short(value)))
    }
}
