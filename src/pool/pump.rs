//! Who does a pool's work: the thread of the process that made it, whenever the script is inside a call that waits
//! or polls.
//!
//! ```text
//! collect outcomes -> look after the workers -> feed -> callbacks -> (again, if anything was done)
//! ```
//!
//! Sources, callbacks and the starting of workers may call the script, and through it any of this again. So
//! nothing is borrowed meanwhile; a source that is being asked is not in its call; and only the outermost of
//! them runs callbacks, one at a time.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use rhai::{Array, Dynamic};

use super::call::{Call, Failure, Shared};
use super::crew::StartWorker;
use super::gather::Settled;
use super::owner::{Pool, PoolError, State};
use super::source::Next;
use super::worker::Limits;
use crate::arena::table::{Waiting, waiting_for};
use crate::process::children;
use crate::sync::meanwhile::{self, Look};
use crate::sync::wait::{GaveUp, rest};
use crate::sys::clock::Deadline;
use crate::wire::{Error, Handles};

/// How long a source that has nothing now is left alone.
const PATIENCE: Duration = Duration::from_millis(5);
/// How long a pool that wants to start a worker again waits.
const PAUSE: Duration = Duration::from_millis(50);
/// How often the pumping goes round before it looks at what else its caller waits for.
const ROUNDS: usize = 16;

thread_local! {
    /// The pools of this process.
    static POOLS: RefCell<Vec<Weak<RefCell<Pool>>>> = const { RefCell::new(Vec::new()) };
    /// Whether a callback runs.
    static CALLING_BACK: Cell<bool> = const { Cell::new(false) };
}

/// A pool, for all who drive it. A clone is the same.
#[derive(Clone)]
pub struct Driven(Rc<RefCell<Pool>>);

impl Driven {
    /// Makes a pool and starts its workers.
    ///
    /// # Errors
    /// [`PoolError`]; the workers started so far are ended.
    pub fn new(
        size: usize,
        limits: Limits,
        start: StartWorker,
        handles: &'static dyn Handles,
    ) -> Result<Self, PoolError> {
        let pool = Self(Rc::new(RefCell::new(Pool::new(size, limits, start, handles)?)));
        while pool.start_one().map_err(PoolError::Start)? {}
        meanwhile::look_after(look);
        POOLS.with_borrow_mut(|pools| {
            pools.retain(|pool| pool.strong_count() > 0);
            pools.push(Rc::downgrade(&pool.0));
        });
        Ok(pool)
    }

    /// The pool itself. Nothing that sleeps or calls the script may be done meanwhile.
    pub fn borrow(&self) -> std::cell::Ref<'_, Pool> {
        self.0.borrow()
    }

    /// As [`Driven::borrow`].
    pub fn borrow_mut(&self) -> std::cell::RefMut<'_, Pool> {
        self.0.borrow_mut()
    }

    /// Whether it runs and nobody else has it: it ends with this.
    pub fn is_forgotten(&self) -> bool {
        let pool = self.0.borrow();
        Rc::strong_count(&self.0) == 1 && pool.is_mine() && pool.state() == State::Running
    }

    /// Where people see that this process waits.
    fn place(&self) -> u64 {
        self.0.borrow().crew.results.offset()
    }

    /// Takes a call in; it begins with the next look, which every wait has.
    pub fn submit(&self, call: Call) -> Ticket {
        let call = Rc::new(RefCell::new(call));
        self.0.borrow_mut().submit(Rc::clone(&call));
        Ticket { pool: self.clone(), call }
    }

    /// Begins now with what there is to do.
    pub fn begin(&self) {
        self.pump();
    }

    /// Starts the worker of a vacant seat; `false` if there is none.
    fn start_one(&self) -> Result<bool, Box<rhai::EvalAltResult>> {
        let Some((seat, start)) = self.0.borrow_mut().crew.vacancy() else { return Ok(false) };
        let index = seat.index;
        let started = start(seat);
        let (child, result) = match started {
            Ok(child) => (Some(child), Ok(true)),
            Err(error) => (None, Err(error)),
        };
        self.0.borrow_mut().crew.fill(index, child);
        result
    }

    /// Does what there is to do; whether there was anything, and when to look again if nothing changes.
    fn pump(&self) -> (bool, Option<Duration>) {
        let (mut progress, mut within) = (false, None);
        for _ in 0..ROUNDS {
            if !self.0.try_borrow().is_ok_and(|pool| pool.is_mine() && pool.state() != State::Terminated) {
                break;
            }
            let mut again = self.0.borrow_mut().collect();
            again |= self.look_after_workers();
            within = self.0.borrow_mut().end_overdue();
            self.0.borrow_mut().send_again();
            let (fed, pending) = self.feed();
            again |= fed;
            if pending {
                within = Some(within.map_or(PATIENCE, |within: Duration| within.min(PATIENCE)));
            }
            again |= self.call_back();
            self.let_go();
            self.0.borrow_mut().close_when_idle();
            if !again {
                break;
            }
            progress = true;
        }
        if self.0.try_borrow().is_ok_and(|pool| pool.wants_workers()) {
            within = Some(within.map_or(PAUSE, |within| within.min(PAUSE)));
        }
        (progress, within)
    }

    /// Settles what workers that ended had claimed, and starts others in their places.
    fn look_after_workers(&self) -> bool {
        let losses = self.0.borrow_mut().crew.look_after();
        let mut pool = self.0.borrow_mut();
        for fallen in &losses.fallen {
            pool.bury(fallen);
        }
        if losses.hopeless {
            pool.break_down(Error::new(
                "RuntimeError",
                "the pool's workers end before they can work: see their errors above",
            ));
        }
        let mut progress = !losses.fallen.is_empty();
        drop(pool);
        while self.0.borrow().wants_workers() {
            match self.start_one() {
                Ok(true) => progress = true,
                Ok(false) => break,
                Err(error) => {
                    let mut pool = self.0.borrow_mut();
                    if pool.crew.is_empty() {
                        let error = format!("its workers have ended, and no other can be started: {error}");
                        pool.break_down(Error::new("RuntimeError", error));
                    }
                    break;
                }
            }
        }
        progress
    }

    /// Asks sources and makes tasks of what they give; whether somebody may have waited for that, and whether a
    /// source has nothing now.
    fn feed(&self) -> (bool, bool) {
        let mut progress = false;
        let mut skipped: Vec<Shared> = Vec::new();
        loop {
            let Some((call, mut source, wanted)) = self.0.borrow_mut().hungry(&skipped) else {
                return (progress, !skipped.is_empty());
            };
            let mut items = Array::with_capacity(wanted.min(1024));
            let then = source.fill(&mut items, wanted);
            if matches!(then, Next::Pending) {
                skipped.push(Rc::clone(&call));
            }
            self.0.borrow_mut().feed(&call, source, items, &then);
            // What was sent is no news for anybody; that something was settled without being sent is.
            let call = call.borrow();
            progress |= call.is_decided() || call.can_give();
        }
    }

    /// Runs the callbacks of calls that are decided, unless one runs.
    fn call_back(&self) -> bool {
        let mut progress = false;
        while !CALLING_BACK.get()
            && let Some((call, callback, answer)) = self.next_decided()
        {
            CALLING_BACK.set(true);
            callback(&answer);
            CALLING_BACK.set(false);
            call.borrow_mut().set_told();
            progress = true;
        }
        progress
    }

    /// Drops the sources that nobody asks any more.
    fn let_go(&self) {
        let spent = std::mem::take(&mut self.0.borrow_mut().spent);
        drop(spent);
    }

    /// No more calls. The workers end when everything is done.
    pub fn close(&self) {
        let mut pool = self.0.borrow_mut();
        if pool.is_mine() {
            pool.close();
            drop(pool);
            self.pump();
        }
    }

    /// Ends the workers now, whatever they do. Heeds no Ctrl-C: nothing is left behind.
    pub fn terminate(&self) {
        self.0.borrow_mut().terminate();
        self.let_go();
    }

    fn next_decided(&self) -> Option<super::owner::Decided> {
        self.0.borrow_mut().decided.pop_front()
    }

    /// Waits until `done`, or the deadline; whether it is done.
    fn wait(&self, deadline: Deadline, done: impl Fn() -> bool) -> Result<bool, GaveUp> {
        loop {
            if done() {
                return Ok(true);
            }
            match waiting_for(Waiting::Result, self.place(), || rest(deadline)) {
                Ok(()) => {}
                Err(GaveUp::TimedOut) => return Ok(done()),
                Err(GaveUp::Interrupted) => return Err(GaveUp::Interrupted),
            }
        }
    }

    /// Waits until everything is done and the workers have ended, or the deadline.
    ///
    /// # Errors
    /// [`PoolError::StillRunning`] unless it was closed or terminated before; `Interrupted` at Ctrl-C.
    pub fn join(&self, deadline: Deadline) -> Result<(), PoolError> {
        if !self.0.borrow().is_mine() {
            return Err(PoolError::NotMine);
        }
        if self.0.borrow().state() == State::Running && self.0.borrow().broken.is_none() {
            return Err(PoolError::StillRunning);
        }
        self.0.borrow_mut().finishing = true;
        let over = || {
            let pool = self.0.borrow();
            pool.state() == State::Terminated || pool.broken.is_some() || pool.is_idle()
        };
        if self.wait(deadline, over).map_err(|_| PoolError::Interrupted)? {
            self.pump();
            let workers = self.0.borrow().crew.all();
            for worker in &workers {
                children::join(worker, deadline).map_err(|_| PoolError::Interrupted)?;
            }
        }
        Ok(())
    }
}

/// What every wait of this process does for its pools (see `meanwhile`).
fn look() -> Look {
    let pools: Vec<Driven> =
        POOLS.with_borrow(|pools| pools.iter().filter_map(Weak::upgrade).map(Driven).collect());
    let mut look = Look::default();
    for pool in &pools {
        let (progress, within) = pool.pump();
        look.progress |= progress;
        look.within = [look.within, within].into_iter().flatten().min();
    }
    for pool in &pools {
        let Ok(pool) = pool.0.try_borrow() else { continue };
        if pool.is_mine() && !pool.out.is_empty() {
            match pool.crew.results.count_me(pool.enough()) {
                Some(counted) => look.watched.push(counted),
                None => look.progress = true,
            }
        }
    }
    look
}

/// A call, for whoever waits for it.
pub struct Ticket {
    pool: Driven,
    call: Shared,
}

impl Ticket {
    /// Whether it is ready now, and its callback has run.
    pub fn is_ready(&self) -> bool {
        self.pool.pump();
        self.is_over()
    }

    fn is_over(&self) -> bool {
        let call = self.call.borrow();
        // A callback that waits for another call does not wait for that one's callback.
        call.is_told() || call.is_decided() && CALLING_BACK.get()
    }

    /// Whether this process made the pool: in no other one it becomes ready.
    pub fn is_mine(&self) -> bool {
        self.pool.borrow().is_mine()
    }

    /// What changes when it may have become ready: outcomes come here.
    pub fn channel(&self) -> crate::sync::channel::Channel {
        self.pool.borrow().crew.results.clone()
    }

    /// Waits until it is ready, or the deadline; whether it is.
    ///
    /// # Errors
    /// [`GaveUp::Interrupted`] at Ctrl-C.
    pub fn wait(&self, deadline: Deadline) -> Result<bool, GaveUp> {
        self.pool.wait(deadline, || self.is_over())
    }

    /// What came of it; only once it is ready.
    pub fn answer(&self) -> Result<Dynamic, Failure> {
        self.call.borrow_mut().answer().clone()
    }

    /// As [`Ticket::answer`], for one who asks once.
    pub fn into_answer(self) -> Result<Dynamic, Failure> {
        self.call.borrow_mut().take_answer()
    }

    /// The next result of a stream; `None` at its end.
    ///
    /// # Errors
    /// [`GaveUp`] at the deadline or at Ctrl-C.
    pub fn next(&self, deadline: Deadline) -> Result<Option<Settled>, GaveUp> {
        let found = self.call.borrow_mut().give();
        let found = match found {
            Some(found) => found,
            None if self.pool.wait(deadline, || self.call.borrow().can_give())? => {
                self.call.borrow_mut().give().flatten()
            }
            None => return Err(GaveUp::TimedOut),
        };
        // Room was made: whoever takes a result lets the next item in.
        if found.is_some() && self.call.borrow().appetite(1, false) > 0 {
            self.pool.pump();
        }
        Ok(found)
    }

    /// The next result if it is there: `None` if it is still to come.
    pub fn next_now(&self) -> Option<Option<Settled>> {
        self.pool.pump();
        self.call.borrow_mut().give()
    }

    /// Gives the call up, unless it is decided; whether it was.
    pub fn give_up(&self, error: Error) -> bool {
        if self.call.borrow().is_decided() || !self.pool.borrow().is_mine() {
            return false;
        }
        self.pool.borrow_mut().give_up(&self.call, Failure::Lost(error));
        self.pool.let_go();
        true
    }
}
