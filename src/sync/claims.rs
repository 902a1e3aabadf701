//! What each worker of a pool works at: a few shared words a worker.
//!
//! Items of work have numbers; a task is a row of them.
//!
//! Invariants
//! 1. A worker's claim is the number of the item it is at, filled in the commit that takes the task, changed in
//!    the commits that put outcomes, and emptied in the last of them (see `channel`); 0 is no item. In between, the
//!    worker alone moves it on.
//! 2. `since` is when the item at the claim began, and 0 while none has begun: it is emptied before the claim moves.
//! 3. The owner *condemns* a worker at an item before it kills it. Owner: write `condemned`, then read the claim.
//!    Worker: write the claim, then read `condemned`. So either the owner sees that the claim has moved, or the worker
//!    sees that it is condemned and begins nothing: who is killed for one item is never at another.
//! 4. `ready` says that the worker has loaded the script and run its initializer.
//! 5. Only the owner resets them, after the worker has died and been swept; `busy` goes on.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Duration;

use crate::arena::blocks::OutOfMemory;
use crate::arena::handle::{Handle, Kind, Object};
use crate::arena::segment::at;
use crate::sys::{clock, futex};

/// How often a condemned worker looks whether it is pardoned.
const MOMENT: Duration = Duration::from_millis(1);

/// On a cache line of its own: its worker writes to it all the time.
#[repr(C, align(64))]
struct Seat {
    claim: AtomicU64,
    ready: AtomicU64,
    since: AtomicU64,
    condemned: AtomicU64,
    /// Nanoseconds of work, by all who had the seat.
    busy: AtomicU64,
}

/// Where a worker's seat is, in an object that begins at `start`: an offset or, as the segment is mapped to whole
/// pages, an address.
fn seat_at(start: usize, worker: usize) -> usize {
    (start + size_of::<Object>()).next_multiple_of(align_of::<Seat>()) + worker * size_of::<Seat>()
}

/// See the head of this file. A clone is the same.
#[derive(Clone, Debug)]
pub struct Claims(Handle);

impl Claims {
    /// Claims for `workers` workers.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(workers: usize) -> Result<Self, OutOfMemory> {
        // Room to begin at the next cache line, wherever the object lies.
        let size = size_of::<Object>() + (workers + 1) * size_of::<Seat>();
        let handle = Handle::create(Kind::Pool, size, |place| {
            for index in 0..workers {
                let ahead = seat_at(place.addr(), index) - place.addr();
                // SAFETY: the memory has that size, and seats are atomics.
                let seat: &Seat = unsafe { &*place.add(ahead).cast::<Seat>() };
                for word in [&seat.claim, &seat.ready, &seat.since, &seat.condemned, &seat.busy] {
                    word.store(0, Ordering::Relaxed);
                }
            }
        })?;
        Ok(Self(handle))
    }

    /// The claims at `offset`, which somebody holds while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        Handle::acquire(offset).map(Self)
    }

    /// Where they are: what travels.
    pub fn offset(&self) -> u64 {
        self.0.offset()
    }

    fn seat(&self, worker: usize) -> &Seat {
        // SAFETY: workers are numbered below the number that the claims were made for.
        unsafe { at(seat_at(self.0.offset() as usize, worker) as u64) }
    }

    /// The claim of a worker, to be changed in a commit.
    pub fn claim(&self, worker: usize) -> &AtomicU64 {
        &self.seat(worker).claim
    }

    /// The item that a worker is at; 0 for none.
    pub fn item(&self, worker: usize) -> u64 {
        self.seat(worker).claim.load(Ordering::Acquire)
    }

    /// The worker begins an item that it has claimed. Gives the time, in nanoseconds.
    pub fn begin(&self, worker: usize) -> u64 {
        let seat = self.seat(worker);
        let now = clock::monotonic_ns();
        seat.since.store(now, Ordering::Release);
        fence(Ordering::SeqCst);
        let never = AtomicU32::new(0);
        while seat.condemned.load(Ordering::SeqCst) != 0 {
            futex::wait(&never, 0, MOMENT);
        }
        now
    }

    /// The worker, done with an item, goes on to the next of its task without having put an outcome. For items
    /// whose time nobody measures.
    pub fn go_on(&self, worker: usize, item: u64) {
        self.seat(worker).claim.store(item, Ordering::Release);
    }

    /// The worker is about to put an outcome.
    pub fn end(&self, worker: usize) {
        self.seat(worker).since.store(0, Ordering::Release);
    }

    /// The worker was busy for so long.
    pub fn add_busy(&self, worker: usize, nanoseconds: u64) {
        let busy = &self.seat(worker).busy;
        busy.store(busy.load(Ordering::Relaxed) + nanoseconds, Ordering::Relaxed);
    }

    /// For how long those in the seat were busy, in all that they have finished.
    pub fn busy(&self, worker: usize) -> Duration {
        Duration::from_nanos(self.seat(worker).busy.load(Ordering::Relaxed))
    }

    /// The item that a worker is at, and for how long.
    pub fn running(&self, worker: usize) -> Option<(u64, Duration)> {
        let seat = self.seat(worker);
        let item = seat.claim.load(Ordering::SeqCst);
        let since = seat.since.load(Ordering::SeqCst);
        if item == 0 || since == 0 || seat.claim.load(Ordering::SeqCst) != item {
            return None;
        }
        Some((item, Duration::from_nanos(clock::monotonic_ns().saturating_sub(since))))
    }

    /// Condemns the worker at `item`; `false` if it is not there any more (invariant 3). If it is, it may
    /// still finish the item, but begins no other.
    pub fn condemn(&self, worker: usize, item: u64) -> bool {
        let seat = self.seat(worker);
        seat.condemned.store(item, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let there = seat.claim.load(Ordering::SeqCst) == item;
        if !there {
            seat.condemned.store(0, Ordering::SeqCst);
        }
        there
    }

    /// The item at which a worker was condemned; 0 if it was not.
    pub fn condemned(&self, worker: usize) -> u64 {
        self.seat(worker).condemned.load(Ordering::SeqCst)
    }

    /// Whether a worker came as far as taking tasks.
    pub fn is_ready(&self, worker: usize) -> bool {
        self.seat(worker).ready.load(Ordering::Acquire) != 0
    }

    /// The worker takes tasks from now on.
    pub fn set_ready(&self, worker: usize) {
        self.seat(worker).ready.store(1, Ordering::Release);
    }

    /// A new worker takes the seat.
    pub fn reset(&self, worker: usize) {
        let seat = self.seat(worker);
        for word in [&seat.claim, &seat.since, &seat.condemned, &seat.ready] {
            word.store(0, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::testing::{Child, session};
    use crate::sys::process::exit_now;

    #[test]
    fn a_worker_is_condemned_only_where_it_is() {
        let _session = session();
        let claims = Claims::new(2).expect("memory");
        claims.go_on(1, 7);
        assert_eq!(claims.running(1), None, "it has not begun");
        claims.begin(1);
        assert_eq!(claims.running(1).map(|(item, _)| item), Some(7));
        assert!(!claims.condemn(1, 6), "it is past that");
        assert_eq!(claims.condemned(1), 0);
        assert!(claims.condemn(1, 7));
        assert_eq!((claims.condemned(1), claims.condemned(0)), (7, 0));
        claims.reset(1);
        assert_eq!((claims.item(1), claims.condemned(1), claims.running(1)), (0, 0, None));
    }

    #[test]
    fn who_is_condemned_begins_nothing_more() {
        let _session = session();
        let claims = Claims::new(1).expect("memory");
        let began = Claims::new(1).expect("memory");
        for _ in 0..100 {
            let child = Child::run(|| {
                for item in 1.. {
                    claims.end(0);
                    claims.go_on(0, item);
                    claims.begin(0);
                    began.go_on(0, item);
                }
                exit_now(0);
            });
            let condemned = loop {
                let item = claims.item(0);
                if item != 0 && claims.condemn(0, item) {
                    break item;
                }
            };
            // It comes to this item or the next, and no further.
            for _ in 0..20 {
                std::thread::yield_now();
                assert!(began.item(0) <= condemned, "it began another item");
            }
            child.kill();
            claims.reset(0);
            began.reset(0);
        }
    }
}
