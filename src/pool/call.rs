//! One call of a pool while it runs: its function, its source, what is out, what came back.
//!
//! ```text
//! open --the source ends--> closed --the last item is settled--> decided --its callback has run--> told
//!   \----------------------------- given up -------------------------/
//! ```
//!
//! Invariants
//! 1. Items have indices, in the order of the source. Each is settled once, or never if the call is given up.
//! 2. `fed - given` items are the call's at one time, at most `limit`: a slow consumer stops the feeding.
//! 3. The function is kept while a worker may have a task of the call (see `line`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use rhai::{Array, Dynamic};

use super::function::Function;
use super::gather::{Gather, Settled};
use super::journal::{Journal, Key};
use super::line::Manner;
use super::source::{Next, Source};
use crate::wire::{Error, Raised};

/// Why there is no result.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The function raised, or the source of the items did.
    Raised(Raised),
    /// A worker died at it, it can't travel, the pool can't work.
    Lost(Error),
}

impl Failure {
    /// The error, as a value.
    pub fn into_value(self) -> Dynamic {
        match self {
            Self::Raised(Raised { value, traceback }) => match value.try_cast_result::<Error>() {
                Ok(error) if error.traceback().is_empty() => {
                    Dynamic::from(error.with_traceback(traceback.as_str()))
                }
                Ok(error) => Dynamic::from(error),
                Err(value) => value,
            },
            Self::Lost(error) => Dynamic::from(error),
        }
    }
}

/// What is called when a call is decided.
pub type Callback = Box<dyn FnOnce(&Result<Dynamic, Failure>)>;

/// Shows how far a call is.
pub trait Meter {
    /// So many items are settled, of so many if that is known.
    fn show(&mut self, settled: usize, total: Option<usize>);
}

/// What a call is to be like.
pub struct Rules {
    /// The names of parameters in errors: an item is `args` or `iterable[INDEX]`.
    pub apply: bool,
    /// Items in one task.
    pub chunk: usize,
    /// Items that are the call's at one time; 0 is no limit.
    pub limit: usize,
    /// How long one item may take.
    pub timeout: Option<Duration>,
    /// How often an item is tried again after its worker died or its time was over.
    pub retries: u32,
    /// Errors take the places of results.
    pub collect: bool,
    /// An item is the list of arguments.
    pub spread: bool,
}

/// See the head of this file.
pub struct Call {
    /// Its function.
    pub function: Rc<Function>,
    /// What it is to be like.
    pub rules: Rules,
    /// Where finished items are kept between runs.
    pub journal: Option<Journal>,
    keys: HashMap<usize, Key>,
    source: Option<Box<dyn Source>>,
    open: bool,
    fed: usize,
    settled: usize,
    gather: Gather,
    given_up: Option<Failure>,
    callback: Option<Callback>,
    meter: Option<Box<dyn Meter>>,
    answer: Option<Result<Dynamic, Failure>>,
    told: bool,
}

/// A call, shared between its pool and whoever waits for it.
pub type Shared = Rc<RefCell<Call>>;

impl Call {
    /// A call over what `source` gives.
    pub fn new(function: Rc<Function>, rules: Rules, gather: Gather, source: Box<dyn Source>) -> Self {
        Self {
            function,
            rules,
            journal: None,
            keys: HashMap::new(),
            source: Some(source),
            open: true,
            fed: 0,
            settled: 0,
            gather,
            given_up: None,
            callback: None,
            meter: None,
            answer: None,
            told: false,
        }
    }

    /// Calls `callback` when the call is decided.
    pub fn on_decided(&mut self, callback: Option<Callback>) {
        self.callback = callback;
    }

    /// Shows how far the call is.
    pub fn show_on(&mut self, meter: Option<Box<dyn Meter>>) {
        self.meter = meter;
        self.show();
    }

    /// How its tasks are to be done.
    pub fn manner(&self) -> Manner {
        let Rules { timeout, retries, collect, spread, .. } = self.rules;
        let exact = timeout.is_some() || retries > 0 || collect || self.journal.is_some();
        Manner {
            spread,
            each: exact || self.gather.is_stream(),
            timed: timeout.is_some(),
            bar: self.meter.is_some(),
        }
    }

    /// How many items, of up to `tasks` tasks, it wants to be fed now, if its source is not being asked; `all` if
    /// nobody may be waited for to take results.
    pub fn appetite(&self, tasks: usize, all: bool) -> usize {
        let Rules { chunk, limit, .. } = self.rules;
        if !self.open {
            return 0;
        }
        let there = self.fed - self.gather.given(self.settled);
        let room = if limit == 0 || all { usize::MAX } else { limit.saturating_sub(there) };
        chunk * (room / chunk).min(tasks)
    }

    /// Whether items may still come from its source.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Takes the source, to be asked while the call is not borrowed; `None` if somebody asks it.
    pub fn take_source(&mut self) -> Option<Box<dyn Source>> {
        self.source.take()
    }

    /// The source is back, after it gave `count` items; gives the index of the first of them, and the source if
    /// nobody will ask it again.
    pub fn fed(
        &mut self,
        source: Box<dyn Source>,
        count: usize,
        then: &Next,
    ) -> (usize, Option<Box<dyn Source>>) {
        let first = self.fed;
        if self.given_up.is_some() {
            return (first, Some(source));
        }
        self.fed += count;
        match then {
            Next::Item(_) | Next::Pending => {
                self.source = Some(source);
                return (first, None);
            }
            Next::End => self.open = false,
            Next::Failed(raised) => {
                self.open = false;
                let index = self.fed;
                self.fed += 1;
                // It is no item of the source: an error is not collected, but ends what there is.
                self.settled += 1;
                self.gather.put(index, Err(Failure::Raised(raised.clone())));
            }
        }
        self.show();
        (first, Some(source))
    }

    /// The result that the journal has for item `index`, whose bytes are `bytes`. Without one, the item's own
    /// will be recorded.
    pub fn recorded(&mut self, index: usize, bytes: &[u8]) -> Option<Result<Dynamic, Error>> {
        let journal = self.journal.as_mut()?;
        let key = journal.key(bytes);
        let found = journal.take(&key);
        if found.is_none() {
            self.keys.insert(index, key);
        }
        found
    }

    /// What became of item `index`.
    pub fn settle(&mut self, index: usize, settled: Settled) {
        self.settled += 1;
        let settled = match self.journal.as_mut() {
            Some(journal) => match (self.keys.remove(&index), settled) {
                (Some(key), Ok(value)) => journal.record(&key, &value).map(|()| value).map_err(Failure::Lost),
                (_, settled) => settled,
            },
            None => settled,
        };
        if self.given_up.is_some() {
            return;
        }
        let settled = match settled {
            Err(failure) if self.rules.collect => Ok(failure.into_value()),
            settled => settled,
        };
        self.gather.put(index, settled);
        self.show();
    }

    /// A row of items, from `first` on, has these results.
    pub fn settle_row(&mut self, first: usize, row: Array) {
        if self.journal.is_some() {
            return (first..).zip(row).for_each(|(index, value)| self.settle(index, Ok(value)));
        }
        self.settled += row.len();
        if self.given_up.is_none() {
            self.gather.put_row(first, row);
            self.show();
        }
    }

    /// Several items are settled by one failure.
    pub fn settle_all(&mut self, items: std::ops::Range<usize>, failure: &Failure) {
        for index in items {
            self.settle(index, Err(failure.clone()));
        }
    }

    /// The call fails now, whatever is still out. Gives its source, which may be anything: it is not dropped
    /// while the pool is borrowed.
    pub fn give_up(&mut self, failure: Failure) -> Option<Box<dyn Source>> {
        if self.is_decided() {
            return None;
        }
        self.given_up = Some(failure);
        self.open = false;
        self.meter = None;
        self.source.take()
    }

    /// Whether nobody hears of it before all its results are there.
    pub fn is_whole(&self) -> bool {
        !self.gather.is_stream() && self.meter.is_none() && self.journal.is_none()
    }

    /// Whether it was given up.
    pub fn is_given_up(&self) -> bool {
        self.given_up.is_some()
    }

    /// Whether nothing has to be waited for any more.
    pub fn is_decided(&self) -> bool {
        self.given_up.is_some() || !self.open && self.settled == self.fed
    }

    /// Whether it is decided and its callback has run.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// The call is decided: what came of it, and the callback that wants to know, the first time.
    pub fn conclude(&mut self) -> Option<(Callback, Result<Dynamic, Failure>)> {
        self.meter = None;
        if let Some(journal) = self.journal.take() {
            journal.close(self.fed);
        }
        let callback = self.callback.take();
        if callback.is_none() {
            self.told = true;
        }
        Some((callback?, self.answer().clone()))
    }

    /// Its callback has run.
    pub fn set_told(&mut self) {
        self.told = true;
    }

    /// What came of it: the result of an `apply`, the array of a `map`. Only once it is decided.
    pub fn answer(&mut self) -> &Result<Dynamic, Failure> {
        let (gather, given_up, apply) = (&mut self.gather, &self.given_up, self.rules.apply);
        self.answer.get_or_insert_with(|| {
            let results = given_up.clone().map_or_else(|| gather.take(), Err);
            results.map(|results: Array| match apply {
                true => results.into_iter().next().unwrap_or_default(),
                false => Dynamic::from(results),
            })
        })
    }

    /// As [`Call::answer`], for one who asks once.
    pub fn take_answer(&mut self) -> Result<Dynamic, Failure> {
        let _ = self.answer();
        self.answer.take().unwrap_or(Ok(Dynamic::UNIT))
    }

    /// The next result of a stream: `None` if it is still to come, `Some(None)` if none is.
    pub fn give(&mut self) -> Option<Option<Settled>> {
        if let Some(next) = self.gather.give() {
            return Some(Some(next));
        }
        if let Some(failure) = &self.given_up {
            return Some(Some(Err(failure.clone())));
        }
        self.is_decided().then_some(None)
    }

    /// Whether [`Call::give`] has something to say.
    pub fn can_give(&self) -> bool {
        self.gather.can_give() || self.is_decided()
    }

    fn show(&mut self) {
        if let Some(meter) = &mut self.meter {
            let left = match &self.source {
                Some(source) => source.left(),
                None => (!self.open).then_some(0),
            };
            meter.show(self.settled, left.map(|left| self.fed + left));
        }
    }
}
