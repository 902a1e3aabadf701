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
//!    other side takes long, looking on takes time from those who are waited for.
//! 3. It never happens where this process may use one processor only.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::sys::resources;

/// What it costs to sleep and be woken on another processor.
const MOMENT: Duration = Duration::from_micros(40);
/// Looks between two looks at the clock.
const LOOKS: u32 = 16;
/// The most waits in a row that are left out.
const RAREST: u32 = 255;

/// Decides when to look on.
struct Luck {
    /// How many waits are left out after one that was in vain.
    pause: Cell<u32>,
    /// How many of them are still to come.
    left: Cell<u32>,
}

thread_local! {
    static LUCK: Luck = const { Luck::new() };
    static ALONE: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Looks on until something is `there`, for a moment; whether it came.
pub(super) fn until(there: impl Fn() -> bool) -> bool {
    let alone = ALONE.get().unwrap_or_else(|| {
        let alone = resources::one_processor();
        ALONE.set(Some(alone));
        alone
    });
    !alone && LUCK.with(|luck| luck.try_it(|| look_on(there)))
}

impl Luck {
    const fn new() -> Self {
        Self { pause: Cell::new(0), left: Cell::new(0) }
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

fn look_on(there: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    loop {
        for _ in 0..LOOKS {
            if there() {
                return true;
            }
            std::hint::spin_loop();
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
        let luck = Luck::new();
        let tried = |waits: u32, comes: bool| {
            let count = Cell::new(0);
            for _ in 0..waits {
                luck.try_it(|| {
                    count.set(count.get() + 1);
                    comes
                });
            }
            count.get()
        };
        assert_eq!(tried(10_000, false), 46, "1 3 7 .. 127 are left out, then 255 each time");
        while !luck.try_it(|| true) {}
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
