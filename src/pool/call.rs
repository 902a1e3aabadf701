//! One `map` or `apply` while it runs: its function, the results so far, and what is still out.

use rhai::{Array, Dynamic};

use crate::arena::parcel::Parcel;
use crate::wire::{Error, Raised};

/// Why a call gives no result.
#[derive(Debug)]
pub enum Failure {
    /// An item's function raised.
    Raised(Raised),
    /// A worker died at it, or the pool can't work.
    Lost(Error),
}

/// See the head of this file.
#[derive(Debug)]
pub struct Call {
    /// The function; kept until nothing is out (see `line`).
    pub parcel: Parcel,
    results: Vec<Option<Dynamic>>,
    missing: usize,
    out: usize,
    failure: Option<Failure>,
    given_up: bool,
}

impl Call {
    /// A call over `items` items.
    pub fn new(parcel: Parcel, items: usize) -> Self {
        Self { parcel, results: vec![None; items], missing: items, out: 0, failure: None, given_up: false }
    }

    /// A task of the call went out.
    pub fn sent(&mut self) {
        self.out += 1;
    }

    /// Results for `count` items from `first` on came back.
    pub fn returned(&mut self, first: usize, count: usize, values: Array) {
        self.out -= 1;
        self.missing -= count;
        for (place, value) in self.results.iter_mut().skip(first).zip(values) {
            *place = Some(value);
        }
    }

    /// A task over `count` items came back with a failure. The first one counts; as in Python, the call
    /// fails with it when every other task is done.
    pub fn failed(&mut self, count: usize, failure: Failure) {
        self.out -= 1;
        self.missing -= count;
        self.failure.get_or_insert(failure);
    }

    /// The call fails now, whatever is still out.
    pub fn give_up(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
        self.given_up = true;
    }

    /// Whether nothing has to be waited for any more.
    pub fn is_decided(&self) -> bool {
        self.missing == 0 || self.given_up
    }

    /// Whether no task of the call is with the workers.
    pub fn is_idle(&self) -> bool {
        self.out == 0
    }

    /// Tasks with the workers.
    pub fn out(&self) -> usize {
        self.out
    }

    /// The results in the order of the items.
    ///
    /// # Errors
    /// The failure.
    pub fn take(&mut self) -> Result<Array, Failure> {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(self.results.drain(..).map(Option::unwrap_or_default).collect()),
        }
    }
}
