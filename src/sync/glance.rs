//! Looking on for a moment before going to sleep.
//!
//! To sleep and be woken costs two system calls and, on another processor, an interrupt: tens of microseconds,
//! where the answer that is waited for may be there after one. So whoever is about to sleep looks on first, for
//! about as long as that costs: then it loses at most half of its time by it (competitive spinning: Karlin, Manasse,
//! McGeoch and Owicki, 1990).
//!
//! Invariants
//! 1. It is a matter of speed only: whoever has looked on asks again under the guard and sleeps as before.
//! 2. Where it is in vain it is done ever more rarely: where the processes outnumber the processors, or the
//!    other side takes long, looking on takes time from those who are waited for. Each place has a [`Glance`] of its
//!    own: whether it is in vain at one says nothing of another.
//! 3. It never happens where this process may use one processor only.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::sys::resources;

/// What it costs to sleep and be woken on another processor.
const MOMENT: Duration = Duration::from_micros(40);
/// The most waits in a row that are left out.
const RAREST: u32 = 255;

thread_local! {
    static ALONE: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Decides when to look on, at one place where this process waits.
#[derive(Debug, Default)]
pub struct Glance {
    /// How many waits are left out after one that was in vain.
    pause: Cell<u32>,
    /// How many of them are still to come.
    left: Cell<u32>,
}

impl Glance {
    /// For a place where nobody has waited yet.
    pub const fn new() -> Self {
        Self { pause: Cell::new(0), left: Cell::new(0) }
    }

    /// Looks on until something is `there`, for a moment; whether it came.
    pub fn until(&self, there: impl FnMut() -> bool) -> bool {
        let alone = ALONE.get().unwrap_or_else(|| {
            let alone = resources::one_processor();
            ALONE.set(Some(alone));
            alone
        });
        !alone && self.try_it(|| look_on(there))
    }

    /// Invariant 2.
    fn try_it(&self, look_on: impl FnOnce() -> bool) -> bool {
        if let Some(left) = self.left.get().checked_sub(1) {
            self.left.set(left);
            return false;
        }
        let came = look_on();
        let pause = self.pause.get();
        self.pause.set(if came { pause / 2 } else { (2 * pause + 1).min(RAREST) });
        self.left.set(if came { 0 } else { self.pause.get() });
        came
    }
}

fn look_on(mut there: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if there() {
            return true;
        }
        if start.elapsed() >= MOMENT {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_vain_is_done_ever_more_rarely_and_what_is_not_again_and_again() {
        let glance = Glance::new();
        let tried = |waits: u32, comes: bool| {
            let count = Cell::new(0);
            for _ in 0..waits {
                glance.try_it(|| {
                    count.set(count.get() + 1);
                    comes
                });
            }
            count.get()
        };
        assert_eq!(tried(10_000, false), 46, "1 3 7 .. 127 are left out, then 255 each time");
        while !glance.try_it(|| true) {}
        assert_eq!(tried(100, true), 100);
    }

    #[test]
    fn what_is_there_is_seen_and_what_is_not_ends_the_look() {
        assert!(look_on(|| true));
        let looks = Cell::new(0);
        assert!(look_on(|| {
            looks.set(looks.get() + 1);
            looks.get() == 100
        }));
        assert!(!look_on(|| false));
    }
}
