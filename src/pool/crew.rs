//! The workers of a pool, seat by seat, for the process that made it.
//!
//! ```text
//! vacant --start--> coming up --ready--> working --it ends--> vacant
//!                       \------ it ends ----------/
//! ```
//!
//! Invariants
//! 1. A worker that died is swept before its claim is read: the claim then names the item that is lost,
//!    and no outcome of that item can come any more.
//! 2. A worker that ends before it was ready, and was not killed, would do so again: nobody is started in its
//!    place. Neither if that many were killed one after the other.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::EvalAltResult;

use super::worker::{Limits, Seat};
use crate::arena::blocks::OutOfMemory;
use crate::arena::table;
use crate::process::child::Child;
use crate::process::children::{self, Shared};
use crate::sync::channel::Channel;
use crate::sync::claims::Claims;
use crate::sync::wait::SLICE;
use crate::sys::clock::Deadline;
use crate::sys::process::{End, SIGKILL, SIGTERM};
use crate::sys::resources;

/// How long a worker may take to end after SIGTERM, in seconds.
const GRACE: f64 = 5.0;
/// How many workers may be killed one after the other before any was ready, beside two for each seat.
const EARLY: usize = 8;

/// Starts the worker of a seat.
pub type StartWorker = Rc<dyn Fn(Seat) -> Result<Child, Box<EvalAltResult>>>;

/// Who has a seat.
enum Place {
    /// Nobody.
    Vacant,
    /// Somebody is being started.
    Awaited,
    /// This worker.
    Taken(Shared),
}

/// A worker that has ended.
pub struct Fallen {
    /// Its process id.
    pub pid: u32,
    /// How it ended.
    pub end: End,
    /// The item it was at; 0 for none.
    pub item: u64,
    /// The item at which it was condemned; 0 if it was not.
    pub condemned: u64,
    /// The kernel killed it because memory was used up.
    pub out_of_memory: bool,
}

/// What looking after the workers found.
#[derive(Default)]
pub struct Losses {
    /// Those that ended.
    pub fallen: Vec<Fallen>,
    /// It makes no sense to start others.
    pub hopeless: bool,
}

/// See the head of this file.
pub struct Crew {
    /// Where tasks go.
    pub tasks: Channel,
    /// Where outcomes come from.
    pub results: Channel,
    /// Who works at what.
    pub claims: Claims,
    limits: Limits,
    start: StartWorker,
    places: Vec<Place>,
    deaths: u32,
    looked: Instant,
    early: usize,
    kills: Option<u64>,
    not_before: Option<Instant>,
}

impl Crew {
    /// `size` vacant seats.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(size: usize, limits: Limits, start: StartWorker) -> Result<Self, OutOfMemory> {
        Ok(Self {
            tasks: Channel::new(0)?,
            results: Channel::new(0)?,
            claims: Claims::new(size)?,
            limits,
            start,
            places: (0..size).map(|_| Place::Vacant).collect(),
            deaths: table::deaths(),
            looked: Instant::now(),
            early: 0,
            kills: resources::out_of_memory_kills(),
            not_before: None,
        })
    }

    /// How many workers it has or will have.
    pub fn size(&self) -> usize {
        self.places.len()
    }

    fn workers(&self) -> impl Iterator<Item = &Shared> {
        self.places.iter().filter_map(|place| match place {
            Place::Taken(worker) => Some(worker),
            Place::Vacant | Place::Awaited => None,
        })
    }

    /// The workers' process ids.
    pub fn pids(&self) -> Vec<u32> {
        self.workers().map(|worker| worker.borrow().pid()).collect()
    }

    /// A vacant seat, which is awaited from now on, and how its worker is started.
    pub fn vacancy(&mut self) -> Option<(Seat, StartWorker)> {
        if self.not_before.is_some_and(|time| Instant::now() < time) {
            return None;
        }
        let index = self.places.iter().position(|place| matches!(place, Place::Vacant))?;
        if let Some(place) = self.places.get_mut(index) {
            *place = Place::Awaited;
        }
        let (tasks, results) = (self.tasks.clone(), self.results.clone());
        let seat = Seat { tasks, results, claims: self.claims.clone(), index, limits: self.limits };
        Some((seat, Rc::clone(&self.start)))
    }

    /// The worker of an awaited seat was started, or could not be: then the next attempt has to wait.
    pub fn fill(&mut self, index: usize, child: Option<Child>) {
        self.not_before = if child.is_none() { Instant::now().checked_add(SLICE) } else { None };
        if let Some(place) = self.places.get_mut(index) {
            *place = child.map_or(Place::Vacant, |child| Place::Taken(children::add(child)));
        }
    }

    /// Whether a seat waits for its next worker.
    pub fn is_short(&self) -> bool {
        self.places.iter().any(|place| matches!(place, Place::Vacant))
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.workers().next().is_none()
    }

    /// Looks for workers that have ended, if any process has since the last look, or some time has gone by. Their
    /// seats are vacant then.
    pub fn look_after(&mut self) -> Losses {
        let deaths = table::deaths();
        if deaths == self.deaths && self.looked.elapsed() < SLICE {
            return Losses::default();
        }
        self.deaths = deaths;
        self.looked = Instant::now();
        let mut losses = Losses::default();
        let most = EARLY + 2 * self.places.len();
        for (index, place) in self.places.iter_mut().enumerate() {
            let Place::Taken(worker) = place else { continue };
            let Ok(mut worker) = worker.try_borrow_mut() else { continue };
            let pid = worker.pid();
            let Some(end) = worker.poll() else { continue };
            drop(worker);
            *place = Place::Vacant;
            let (item, condemned) = (self.claims.item(index), self.claims.condemned(index));
            if self.claims.is_ready(index) {
                self.early = 0;
            } else {
                self.early += 1;
                losses.hopeless |= matches!(end, End::Exited(_)) || self.early >= most;
            }
            self.claims.reset(index);
            losses.fallen.push(Fallen { pid, end, item, condemned, out_of_memory: false });
        }
        if losses.fallen.iter().any(|fallen| fallen.end == End::Signalled(SIGKILL) && fallen.condemned == 0) {
            let kills = resources::out_of_memory_kills();
            let out_of_memory = kills > self.kills;
            self.kills = kills;
            let killed = losses.fallen.iter_mut().filter(|fallen| fallen.end == End::Signalled(SIGKILL));
            killed.for_each(|fallen| fallen.out_of_memory = out_of_memory);
        }
        losses
    }

    /// Kills those whose item has run for longer than `limit` says it may. Gives the time until the next look.
    pub fn end_overdue(&mut self, limit: impl Fn(u64) -> Option<Duration>) -> Option<Duration> {
        let mut within: Option<Duration> = None;
        for (index, place) in self.places.iter().enumerate() {
            let Place::Taken(worker) = place else { continue };
            let Some((item, time)) = self.claims.running(index) else { continue };
            let Some(limit) = limit(item) else { continue };
            if time < limit {
                let left = limit - time;
                within = Some(within.map_or(left, |within| within.min(left)));
            } else if self.claims.condemned(index) == 0 && self.claims.condemn(index, item) {
                // A worker that is gone already is no error.
                let _ = worker.try_borrow_mut().map(|mut worker| worker.signal(SIGKILL));
            }
        }
        within
    }

    /// Ends the workers now, whatever they do. Heeds no Ctrl-C: nothing is left behind.
    pub fn terminate(&mut self) {
        self.tasks.close();
        let workers: Vec<Shared> = self.workers().cloned().collect();
        for worker in &workers {
            let _ = worker.try_borrow_mut().map(|mut worker| worker.signal(SIGTERM));
        }
        let deadline = Deadline::after(Some(GRACE));
        for worker in &workers {
            let Ok(mut worker) = worker.try_borrow_mut() else { continue };
            if worker.join_uninterrupted(deadline).is_none() {
                let _ = worker.signal(SIGKILL);
                worker.join_uninterrupted(Deadline::Never);
            }
        }
    }

    /// The workers that are there.
    pub fn all(&self) -> Vec<Shared> {
        self.workers().cloned().collect()
    }
}
