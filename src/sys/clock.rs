//! Time: the wall, the monotonic clock, and deadlines.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Seconds since 1970 by the wall clock.
pub fn wall() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Nanoseconds of the machine-wide monotonic clock: comparable between processes.
pub fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| {
        let whole = u64::try_from(now.tv_sec()).unwrap_or(0);
        whole * 1_000_000_000 + u64::try_from(now.tv_nsec()).unwrap_or(0)
    })
}

/// When a wait ends.
#[derive(Clone, Copy, Debug)]
pub enum Deadline {
    /// Wait as long as it takes.
    Never,
    /// Wait until then.
    At(Instant),
}

impl Deadline {
    /// In `seconds` from now: `None` waits for ever, zero or less does not wait, and what is further
    /// away than the clock can say (also NaN) is for ever.
    pub fn after(seconds: Option<f64>) -> Self {
        let Some(seconds) = seconds else { return Self::Never };
        if seconds <= 0.0 {
            return Self::At(Instant::now());
        }
        Duration::try_from_secs_f64(seconds)
            .ok()
            .and_then(|span| Instant::now().checked_add(span))
            .map_or(Self::Never, Self::At)
    }

    /// The time left, at most `slice`; `None` when the deadline has passed.
    pub fn slice(self, slice: Duration) -> Option<Duration> {
        match self {
            Self::Never => Some(slice),
            Self::At(end) => {
                let left = end.saturating_duration_since(Instant::now());
                (!left.is_zero()).then(|| left.min(slice))
            }
        }
    }
}
