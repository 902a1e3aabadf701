//! What a process looks after while it waits for something else.
//!
//! A process runs one thread: what has to go on while the script waits, such as handing out a pool's tasks,
//! is done by whatever call waits. A layer above says once what that is; every sleep looks before it begins,
//! and ends when there is more to do.
//!
//! Invariants
//! 1. No guard is held while this process looks: the script's own functions may be called.
//! 2. Who looks counts itself as a sleeper of all it watches, under the guards these have, and takes itself
//!    off the count afterwards (see `wait`, invariant 1): nothing that comes in between is missed.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::glance::Glance;
use super::wait::{Counted, GaveUp, SLICE};
use crate::sys::clock::Deadline;
use crate::sys::futex::{self, Wake};

/// What a look found.
#[derive(Default)]
pub struct Look {
    /// Something was done: whoever waits looks again at what it waits for.
    pub progress: bool,
    /// What changes when there is more to do.
    pub watched: Vec<Counted>,
    /// There may be more to do after this time, whatever changes.
    pub within: Option<Duration>,
}

/// How long who can't sleep on what was watched sleeps.
const BRIEF: Duration = Duration::from_millis(5);

impl Look {
    /// How long one may sleep on something that is no word: what is watched is not slept on then.
    pub(super) fn longest(self) -> Duration {
        let watched = !self.watched.is_empty();
        self.watched.into_iter().for_each(Counted::leave);
        let longest = if watched || self.progress { BRIEF } else { SLICE };
        self.within.map_or(longest, |within| within.min(longest))
    }
}

/// Looks at words between two looks at the clock.
const LOOKS: u32 = 16;

thread_local! {
    static LOOK: Cell<Option<fn() -> Look>> = const { Cell::new(None) };
    /// All words together: what one process waits for at them is mostly of one kind.
    static GLANCE: Glance = const { Glance::new() };
}

/// Says what this process looks after from now on while it waits. The last one who says so counts.
pub fn look_after(look: fn() -> Look) {
    LOOK.set(Some(look));
}

/// From now on this process looks after nothing: it ends.
pub fn forget() {
    LOOK.set(None);
}

/// Looks, if there is anything to look after.
pub(super) fn look() -> Look {
    LOOK.get().map_or_else(Look::default, |look| look())
}

/// Sleeps while `word` holds what it is expected to and nothing changes that was watched: at most a slice, and not
/// past the deadline. Does not sleep if something was done: there may be nothing to wait for any more.
///
/// # Errors
/// [`GaveUp::TimedOut`] at the deadline.
pub(super) fn sleep(word: Option<(&AtomicU32, u32)>, look: Look, deadline: Deadline) -> Result<Wake, GaveUp> {
    let longest = look.within.map_or(SLICE, |within| within.min(SLICE));
    let slice = deadline.slice(longest);
    let woken = match slice {
        None => None,
        Some(_) if look.progress => Some(Wake::Woken),
        Some(slice) => Some(sleep_on_all(word, &look.watched, slice)),
    };
    look.watched.into_iter().for_each(Counted::leave);
    woken.ok_or(GaveUp::TimedOut)
}

fn sleep_on_all(word: Option<(&AtomicU32, u32)>, watched: &[Counted], slice: Duration) -> Wake {
    let changed = |(word, expected): (&AtomicU32, u32)| word.load(Ordering::Acquire) != expected;
    let awaited = word.is_some() || !watched.is_empty();
    let look = || {
        std::hint::spin_loop();
        word.is_some_and(changed) || watched.iter().any(|at| changed(at.word()))
    };
    if awaited && GLANCE.with(|glance| glance.until(|| (0..LOOKS).any(|_| look()))) {
        return Wake::Woken;
    }
    let never = AtomicU32::new(0);
    match (word, watched) {
        (None, []) => futex::wait(&never, 0, slice),
        (Some((word, expected)), []) => futex::wait(word, expected, slice),
        (None, [watched]) => {
            let (word, expected) = watched.word();
            futex::wait(word, expected, slice)
        }
        (word, watched) => {
            let words: Vec<(&AtomicU32, u32)> =
                word.into_iter().chain(watched.iter().map(Counted::word)).collect();
            futex::wait_any(&words, slice)
        }
    }
}
