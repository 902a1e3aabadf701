//! The pool, for the process that made it.
//!
//! ```text
//! running --close--> closed --everything is done--> the workers end
//!    \------------terminate, or broken---------------/
//! ```
//!
//! Invariants
//! 1. An item that was fed and not settled is in one place: waiting to be sent (again), in the line of tasks,
//!    claimed by one worker, or, with its outcome, in the line of results.
//! 2. Nothing here calls the script or sleeps: who drives the pool (see `pump`) asks sources, starts workers
//!    and runs callbacks while the pool is not borrowed.
//! 3. What is out is bounded (see `feed`), so a pool that nobody drives for a while stands still.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::time::Duration;

use rhai::{Array, Dynamic};

use super::call::{Call, Callback, Failure, Shared};
use super::crew::{Crew, StartWorker};
use super::function::{Function, Last};
use super::source::Source;
use super::stats::Stats;
use super::worker::Limits;
use crate::arena::blocks::OutOfMemory;
use crate::arena::parcel::Parcel;
use crate::arena::table::{self, ProcessId};
use crate::process::start::PackError;
use crate::sys::clock::Deadline;
use crate::wire::{EncodeError, Error, Handles};

/// What a pool is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Running,
    Closed,
    Terminated,
}

/// Why a pool's call was not done.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("Pool not running")]
    NotRunning,
    #[error("Pool is still running")]
    StillRunning,
    #[error("the pool belongs to the process that made it; this one can make its own")]
    NotMine,
    #[error("a worker can't be started: {0}")]
    Start(Box<rhai::EvalAltResult>),
    #[error(transparent)]
    Refused(#[from] EncodeError),
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    #[error("the pool can't work: {0}")]
    Broken(Error),
    #[error("interrupted")]
    Interrupted,
}

impl From<PackError> for PoolError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::Refused(error) => Self::Refused(error),
            PackError::OutOfMemory(error) => Self::OutOfMemory(error),
        }
    }
}

/// A row of items of a call that is not sent.
pub(super) struct Batch {
    pub(super) call: Shared,
    /// The index of the first.
    pub(super) first: usize,
    pub(super) items: Array,
    /// Attempts before.
    pub(super) attempts: u32,
}

/// A task that is out.
pub(super) struct Out {
    pub(super) batch: Batch,
    /// Items whose outcomes have come.
    pub(super) done: usize,
    pub(super) bytes: usize,
}

/// What is out, by the tasks' numbers.
pub(super) type Outs = HashMap<u64, Out, BuildHasherDefault<Spread>>;

/// A hash for numbers that grow: they are spread by one multiplication.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A decided call, its callback, and what that is told.
pub(super) type Decided = (Shared, Callback, Result<Dynamic, Failure>);

/// See the head of this file.
pub struct Pool {
    pub(super) crew: Crew,
    pub(super) handles: &'static dyn Handles,
    /// The process whose pool it is: a forked child has its memory, but not its workers.
    owner: Option<ProcessId>,
    last: Last,
    /// Those that are not decided.
    pub(super) calls: HashMap<*const RefCell<Call>, Shared>,
    /// Those whose sources may have more, in the order in which they came.
    pub(super) hungry: VecDeque<Shared>,
    pub(super) out: Outs,
    /// What is to be sent before anything else.
    pub(super) again: VecDeque<Batch>,
    /// Calls that are decided and whose callbacks have to run.
    pub(super) decided: VecDeque<Decided>,
    /// Sources that nobody asks any more, to be dropped while the pool is not borrowed: they may be anything.
    pub(super) spent: Vec<Box<dyn Source>>,
    /// Some call that is not decided limits the time of its items.
    pub(super) timed: bool,
    pub(super) next_item: u64,
    pub(super) bytes_out: usize,
    /// There was no memory for a task; the next outcome may make room.
    pub(super) stuck: bool,
    state: State,
    /// Everything is to be done, whether or not somebody takes the results.
    pub(super) finishing: bool,
    pub(super) broken: Option<Error>,
    pub(super) stats: Stats,
    pub(super) buffers: (Vec<u8>, Vec<u64>),
}

impl Pool {
    /// A pool without workers: `pump` starts them.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub(super) fn new(
        size: usize,
        limits: Limits,
        start: StartWorker,
        handles: &'static dyn Handles,
    ) -> Result<Self, OutOfMemory> {
        Ok(Self {
            crew: Crew::new(size, limits, start)?,
            handles,
            owner: table::my_id(),
            last: Last::default(),
            calls: HashMap::new(),
            hungry: VecDeque::new(),
            out: Outs::default(),
            again: VecDeque::new(),
            decided: VecDeque::new(),
            spent: Vec::new(),
            timed: false,
            next_item: 1,
            bytes_out: 0,
            stuck: false,
            state: State::Running,
            finishing: false,
            broken: None,
            stats: Stats::default(),
            buffers: (Vec::new(), Vec::new()),
        })
    }

    /// Whether this process made it.
    pub fn is_mine(&self) -> bool {
        self.owner == table::my_id()
    }

    /// How many workers it has.
    pub fn size(&self) -> usize {
        self.crew.size()
    }

    /// What it is up to.
    pub fn state(&self) -> State {
        self.state
    }

    /// The workers' process ids.
    pub fn pids(&self) -> Vec<u32> {
        self.crew.pids()
    }

    /// What it has done, and for how long each seat's workers were busy with what they have finished.
    pub fn stats(&self) -> (Stats, Vec<Duration>) {
        (self.stats, (0..self.size()).map(|seat| self.crew.claims.busy(seat)).collect())
    }

    /// Whether it takes calls.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), PoolError> {
        match &self.broken {
            _ if !self.is_mine() => Err(PoolError::NotMine),
            Some(error) => Err(PoolError::Broken(error.clone())),
            None if self.state != State::Running => Err(PoolError::NotRunning),
            None => Ok(()),
        }
    }

    /// Packs a call's function.
    ///
    /// # Errors
    /// If it can't travel.
    pub fn pack(&mut self, function: &Dynamic, program: Option<Parcel>) -> Result<Rc<Function>, PoolError> {
        Ok(self.last.pack(function, program, self.handles)?)
    }

    /// Takes a call in.
    pub(super) fn submit(&mut self, call: Shared) {
        self.timed |= call.borrow().rules.timeout.is_some();
        self.calls.insert(Rc::as_ptr(&call), Rc::clone(&call));
        self.hungry.push_back(call);
    }

    /// Whether nothing is left to do: no more will come.
    pub(super) fn is_idle(&self) -> bool {
        self.out.is_empty()
            && self.again.is_empty()
            && self.decided.is_empty()
            && self.hungry.iter().all(|call| !call.borrow().is_open())
    }

    /// Gives a call up: nothing more of it is begun.
    pub(super) fn give_up(&mut self, call: &Shared, failure: Failure) {
        let source = call.borrow_mut().give_up(failure);
        self.spent.extend(source);
        self.again.retain(|batch| !Rc::ptr_eq(&batch.call, call));
        self.note(call);
        self.withdraw();
    }

    /// Takes back what nobody has taken and nobody wants any more.
    fn withdraw(&mut self) {
        let unwanted = |out: &Out| out.batch.call.borrow().is_given_up();
        if !self.out.values().any(unwanted) {
            return;
        }
        let tasks = self.crew.tasks.clone();
        tasks.sorted_out(|message, bytes| {
            let number = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
            if self.out.get(&number).is_some_and(unwanted) {
                self.recall(number);
            } else if tasks.put(bytes, &message.references(), Deadline::Never).is_err()
                && let Some(out) = self.recall(number)
            {
                self.again.push_back(out.batch);
            }
        });
    }

    /// No more calls. The workers end when everything is done.
    pub(super) fn close(&mut self) {
        if self.state == State::Running {
            self.state = State::Closed;
        }
    }

    /// Every call fails with `error`, and nothing is left to do.
    pub(super) fn fail(&mut self, error: &Error) {
        let calls: Vec<Shared> = self.calls.values().cloned().collect();
        for call in calls {
            let source = call.borrow_mut().give_up(Failure::Lost(error.clone()));
            self.spent.extend(source);
            self.note(&call);
        }
        self.hungry.clear();
        self.again.clear();
        self.out.clear();
        self.bytes_out = 0;
    }

    /// There is no way to go on.
    pub(super) fn break_down(&mut self, error: Error) {
        self.crew.terminate();
        self.fail(&error);
        self.broken = Some(error);
    }

    /// How many outcomes are worth waking up for: if nobody waits for anything but all of them, the workers need
    /// not wait for new tasks before half of those that are out are done.
    pub(super) fn enough(&self) -> u64 {
        let alone = self.calls.len() == 1 && self.calls.values().all(|call| call.borrow().is_whole());
        if alone { self.out.len() as u64 / 2 } else { 1 }
    }

    /// Whether vacant seats are to be filled.
    pub(super) fn wants_workers(&self) -> bool {
        let work = self.state == State::Running || self.state == State::Closed && !self.is_idle();
        work && self.broken.is_none() && self.crew.is_short()
    }

    /// Lets the workers end, if there will be nothing more to do.
    pub(super) fn close_when_idle(&mut self) {
        if self.state == State::Closed && self.is_idle() {
            self.crew.tasks.close();
        }
    }

    /// Stops the workers whose items have run for too long. Gives the time until the next look.
    pub(super) fn end_overdue(&mut self) -> Option<Duration> {
        self.timed &= !self.calls.is_empty();
        if !self.timed {
            return None;
        }
        let limits = self.out.values().filter_map(|out| out.batch.call.borrow().rules.timeout);
        let shortest = limits.min()?;
        let out = &self.out;
        let limit = |item: u64| {
            let task = out
                .iter()
                .find(|(number, out)| (**number..**number + out.batch.items.len() as u64).contains(&item));
            task.and_then(|(_, out)| out.batch.call.borrow().rules.timeout)
        };
        // What begins from now on is over after the shortest limit at the earliest.
        let within = self.crew.end_overdue(limit).map_or(shortest, |within| within.min(shortest));
        Some(within.max(Duration::from_millis(1)))
    }

    /// Ends the workers now, whatever they do.
    pub(super) fn terminate(&mut self) {
        if !self.is_mine() {
            return;
        }
        self.state = State::Terminated;
        self.crew.terminate();
        self.fail(&Error::new("RuntimeError", "the pool was terminated before this was done"));
        // As in Python, nobody is called back.
        for (call, ..) in self.decided.drain(..) {
            call.borrow_mut().set_told();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.is_mine() && self.state != State::Terminated && !self.crew.is_empty() {
            if self.state == State::Closed && self.is_idle() {
                self.crew.tasks.close();
            } else {
                self.terminate();
            }
        }
    }
}
