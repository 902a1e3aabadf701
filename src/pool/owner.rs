//! The pool, for the process that made it.
//!
//! ```text
//! running --close--> closed --join--> joined
//!    \------------terminate---------------/
//! ```
//!
//! Invariants
//! 1. A task is in one place: in the line of tasks, claimed by one worker, or in the line of results.
//! 2. A worker that died is swept before its claim is read: the claim then names the task that is lost,
//!    and no outcome of that task can come any more.
//! 3. A worker that died before it was ready, and was not killed, would die again: then the pool is
//!    broken, and says so, instead of starting processes for ever.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use rhai::{Array, Dynamic, EvalAltResult};

use super::call::{Call, Failure};
use super::line::{self, Outcome, Task};
use super::worker::Seat;
use crate::arena::blocks::OutOfMemory;
use crate::arena::parcel::Parcel;
use crate::arena::table::{self, ProcessId};
use crate::process::child::Child;
use crate::process::children::{self, Shared};
use crate::process::start::{self, PackError};
use crate::sync::channel::{Channel, PutError, TakeError};
use crate::sync::claims::Claims;
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;
use crate::sys::process::{End, SIGKILL, SIGTERM, signal_name};
use crate::wire::{EncodeError, Error, Handles};

/// Tasks that are out at one time, per worker.
const WINDOW: usize = 32;
/// How long a worker may take to end after SIGTERM, in seconds.
const GRACE: f64 = 5.0;

/// Starts the worker of a seat.
pub type StartWorker<'a> = &'a dyn Fn(Seat) -> Result<Child, Box<EvalAltResult>>;

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
    Start(Box<EvalAltResult>),
    #[error(transparent)]
    Refused(#[from] EncodeError),
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    #[error("interrupted")]
    Interrupted,
    #[error("the call failed")]
    Failed(Failure),
}

impl From<PackError> for PoolError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::Refused(error) => Self::Refused(error),
            PackError::OutOfMemory(error) => Self::OutOfMemory(error),
        }
    }
}

/// Where a task belongs: its call, and the items it covers.
struct Sent {
    call: u64,
    first: usize,
    count: usize,
}

/// What a call is over.
pub struct Work<'a> {
    /// The function.
    pub function: &'a Dynamic,
    /// What it is called with, once for each.
    pub items: &'a [Dynamic],
    /// Whether an item is the list of the arguments, or the only argument.
    pub spread: bool,
    /// Items in one task.
    pub chunk: usize,
    /// The program that the function belongs to, if it may be newer than the workers'.
    pub program: Option<&'a Parcel>,
    /// Replaces workers that die.
    pub start: StartWorker<'a>,
}

/// See the head of this file.
pub struct Pool {
    tasks: Channel,
    results: Channel,
    claims: Claims,
    workers: Vec<Shared>,
    /// The process whose pool it is: a forked child has its memory, but not its workers.
    owner: Option<ProcessId>,
    calls: HashMap<u64, Call>,
    sent: HashMap<u64, Sent>,
    next_call: u64,
    next_task: u64,
    state: State,
    buffers: (Vec<u8>, Vec<u64>),
}

impl Pool {
    /// Makes a pool and starts its workers.
    ///
    /// # Errors
    /// [`PoolError`]; the workers started so far are ended.
    pub fn new(size: usize, start: StartWorker) -> Result<Self, PoolError> {
        let mut pool = Self {
            tasks: Channel::new(0)?,
            results: Channel::new(0)?,
            claims: Claims::new(size)?,
            workers: Vec::with_capacity(size),
            owner: table::my_id(),
            calls: HashMap::new(),
            sent: HashMap::new(),
            next_call: 1,
            next_task: 1,
            state: State::Running,
            buffers: (Vec::new(), Vec::new()),
        };
        for seat in 0..size {
            let worker = pool.start_worker(seat, start)?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    fn start_worker(&self, index: usize, start: StartWorker) -> Result<Shared, PoolError> {
        let (tasks, results) = (self.tasks.clone(), self.results.clone());
        let seat = Seat { tasks, results, claims: self.claims.clone(), index };
        start(seat).map(children::add).map_err(PoolError::Start)
    }

    fn is_mine(&self) -> bool {
        self.owner == table::my_id()
    }

    /// How many workers it has.
    pub fn size(&self) -> usize {
        self.workers.len()
    }

    /// What it is up to.
    pub fn state(&self) -> State {
        self.state
    }

    /// The workers' process ids.
    pub fn pids(&self) -> Vec<u32> {
        self.workers.iter().map(|worker| worker.borrow().pid()).collect()
    }

    /// Calls the function with each item and gives the results in the items' order.
    ///
    /// # Errors
    /// [`PoolError`]; a failed task fails the call when all others are done.
    pub fn run(&mut self, work: &Work, handles: &dyn Handles) -> Result<Array, PoolError> {
        if !self.is_mine() {
            return Err(PoolError::NotMine);
        }
        if self.state != State::Running {
            return Err(PoolError::NotRunning);
        }
        let spread = Dynamic::from(work.spread);
        let parcel = start::pack(
            work.program.map(Parcel::offset).as_slice(),
            &[("function", work.function), ("spread", &spread)],
            handles,
        )?;
        let number = self.next_call;
        self.next_call += 1;
        self.calls.insert(number, Call::new(parcel, work.items.len()));
        let result = self.drive(number, work, handles);
        if result.is_err()
            && let Some(call) = self.calls.get_mut(&number)
        {
            // What is still out finds nobody waiting.
            call.give_up(Failure::Lost(Error::new("RuntimeError", "the call was given up")));
        }
        self.calls.retain(|_, call| !(call.is_decided() && call.is_idle()));
        result
    }

    fn drive(&mut self, number: u64, work: &Work, handles: &dyn Handles) -> Result<Array, PoolError> {
        let mut fed = 0;
        loop {
            let Some(call) = self.calls.get_mut(&number) else { return Err(PoolError::NotRunning) };
            if call.is_decided() {
                return call.take().map_err(PoolError::Failed);
            }
            if fed < work.items.len() && call.out() < WINDOW * self.workers.len() {
                let end = (fed + work.chunk).min(work.items.len());
                self.send(number, fed..end, work, handles)?;
                fed = end;
            } else {
                self.receive(work, handles)?;
            }
        }
    }

    fn send(
        &mut self,
        call: u64,
        range: std::ops::Range<usize>,
        work: &Work,
        handles: &dyn Handles,
    ) -> Result<(), PoolError> {
        let Some(owner) = self.calls.get_mut(&call) else { return Ok(()) };
        let number = self.next_task;
        let program = work.program.map_or(0, Parcel::offset);
        let task = Task { number, call, parcel: owner.parcel.offset(), program };
        let items = work.items.get(range.clone()).unwrap_or_default();
        let (bytes, references) = &mut self.buffers;
        if let Err(error) = line::write_task(task, items, handles, bytes, references) {
            return Err(named(&range, work, handles).unwrap_or(error).into());
        }
        match self.tasks.put(bytes, references, Deadline::Never) {
            Ok(()) => {}
            Err(PutError::OutOfMemory(error)) => return Err(error.into()),
            Err(PutError::GaveUp(GaveUp::Interrupted)) => return Err(PoolError::Interrupted),
            Err(PutError::GaveUp(GaveUp::TimedOut) | PutError::Closed) => return Err(PoolError::NotRunning),
        }
        self.next_task += 1;
        owner.sent();
        self.sent.insert(number, Sent { call, first: range.start, count: range.len() });
        Ok(())
    }

    /// Takes one outcome, or looks after the workers when none comes.
    fn receive(&mut self, work: &Work, handles: &dyn Handles) -> Result<(), PoolError> {
        let (bytes, _) = &mut self.buffers;
        let message = match self.results.take_or_look(bytes) {
            Ok(message) => message,
            Err(TakeError::GaveUp(GaveUp::Interrupted)) => return Err(PoolError::Interrupted),
            Err(_) => return self.look_after(work),
        };
        let read = line::read_outcome(message.bytes(bytes), &message.references(), handles);
        drop(message);
        let Some((number, outcome)) = read else { return Ok(()) };
        let Some(sent) = self.sent.remove(&number) else { return Ok(()) };
        let Some(call) = self.calls.get_mut(&sent.call) else { return Ok(()) };
        match outcome {
            Ok(Outcome::Values(values)) => call.returned(sent.first, sent.count, values),
            Ok(Outcome::Raised(_, raised)) => call.failed(sent.count, Failure::Raised(raised)),
            Err(error) => {
                let message = format!("the result of a task can't be read: {error}");
                call.failed(sent.count, Failure::Lost(Error::new("MaybeEncodingError", message)));
            }
        }
        Ok(())
    }

    /// Replaces workers that died and fails the tasks they had claimed.
    fn look_after(&mut self, work: &Work) -> Result<(), PoolError> {
        for seat in 0..self.workers.len() {
            let Some(worker) = self.workers.get(seat) else { break };
            let pid = worker.borrow().pid();
            let Some(end) = worker.borrow_mut().poll() else { continue };
            let claim = self.claims.claim(seat).load(Ordering::Acquire);
            if claim == 0 && !self.claims.is_ready(seat) && matches!(end, End::Exited(_)) {
                let message = "the pool's workers end before they can work: see their errors above";
                for call in self.calls.values_mut() {
                    call.give_up(Failure::Lost(Error::new("RuntimeError", message)));
                }
                self.terminate();
                return Ok(());
            }
            if let Some(sent) = self.sent.remove(&claim)
                && let Some(call) = self.calls.get_mut(&sent.call)
            {
                call.failed(sent.count, Failure::Lost(lost(pid, end, &sent, work)));
            }
            self.claims.reset(seat);
            let worker = self.start_worker(seat, work.start)?;
            if let Some(place) = self.workers.get_mut(seat) {
                *place = worker;
            }
        }
        Ok(())
    }

    /// No more tasks: the workers end when those that are there are done.
    pub fn close(&mut self) {
        if self.state == State::Running && self.is_mine() {
            self.state = State::Closed;
            self.tasks.close();
        }
    }

    /// Ends the workers now, whatever they do. Heeds no Ctrl-C: nothing is left behind.
    pub fn terminate(&mut self) {
        if !self.is_mine() {
            return;
        }
        self.state = State::Terminated;
        self.tasks.close();
        for worker in &self.workers {
            let _ = worker.borrow_mut().signal(SIGTERM);
        }
        for worker in &self.workers {
            let mut worker = worker.borrow_mut();
            if worker.join_uninterrupted(Deadline::after(Some(GRACE))).is_none() {
                let _ = worker.signal(SIGKILL);
                worker.join_uninterrupted(Deadline::Never);
            }
        }
    }

    /// Waits until the workers have ended, or the deadline.
    ///
    /// # Errors
    /// [`PoolError::StillRunning`] unless it was closed or terminated before; `Interrupted` at Ctrl-C.
    pub fn join(&mut self, deadline: Deadline) -> Result<(), PoolError> {
        if !self.is_mine() {
            return Err(PoolError::NotMine);
        }
        if self.state == State::Running {
            return Err(PoolError::StillRunning);
        }
        for worker in &self.workers {
            worker.borrow_mut().join(deadline).map_err(|_| PoolError::Interrupted)?;
        }
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.state == State::Running {
            self.terminate();
        }
    }
}

/// The refusal of a task, with the value's place in what the caller gave.
fn named(range: &std::ops::Range<usize>, work: &Work, handles: &dyn Handles) -> Option<EncodeError> {
    let (mut bytes, mut references) = (Vec::new(), Vec::new());
    range.clone().zip(work.items.get(range.clone())?).find_map(|(index, item)| {
        let place = if work.spread { "args".to_owned() } else { format!("iterable[{index}]") };
        crate::wire::encode(item, &place, handles, &mut bytes, &mut references).err()
    })
}

/// The error for a task whose worker died.
fn lost(pid: u32, end: End, sent: &Sent, work: &Work) -> Error {
    let (how, key, number) = match end {
        End::Signalled(signal) => (format!("was killed by {}", signal_name(signal)), "signal", signal),
        End::Exited(code) => (format!("ended with exit code {code}"), "exitcode", code),
    };
    let tasks = match sent.count {
        1 => format!("task {}", sent.first),
        count => format!("tasks {} to {}", sent.first, sent.first + count - 1),
    };
    let argument = work.items.get(sent.first).map(|item| {
        let text = item.to_string();
        let short: String = text.chars().take(60).collect();
        if short.len() < text.len() { format!("{short}...") } else { short }
    });
    let what = if work.spread {
        "arguments"
    } else if sent.count == 1 {
        "argument"
    } else {
        "beginning with"
    };
    let argument = argument.map(|text| format!(" ({what} {text})")).unwrap_or_default();
    Error::new("WorkerLost", format!("worker process {pid} {how} while it worked at {tasks}{argument}"))
        .with_data("pid", i64::from(pid))
        .with_data(key, i64::from(number))
        .with_data("task", i64::try_from(sent.first).unwrap_or(i64::MAX))
}
