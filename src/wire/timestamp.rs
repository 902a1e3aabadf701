//! Timestamps as nanoseconds on the monotonic clock, which all processes of a machine share.
//!
//! `Instant` hides the reading it holds. But the earliest instant it can represent is the same in
//! every process, so the distance to it is that reading, exactly and without unsafe code.
//! `Instant` counts seconds in an `i64`; half its span after the earliest instant is the clock's zero.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

const NANOS_PER_SEC: u128 = 1_000_000_000;

static ZERO: LazyLock<Instant> = LazyLock::new(|| {
    let earliest = earliest();
    earliest.checked_add(Duration::from_secs(1 << 63)).unwrap_or(earliest)
});

/// Nanoseconds from the clock's zero to `instant`; negative before it.
pub(super) fn to_nanos(instant: Instant) -> i128 {
    // A `Duration` has at most 94 bits of nanoseconds: the casts lose nothing.
    match instant.checked_duration_since(*ZERO) {
        Some(after) => after.as_nanos() as i128,
        None => -(ZERO.duration_since(instant).as_nanos() as i128),
    }
}

/// The instant that is this far from the clock's zero; `None` if `Instant` can't represent it.
pub(super) fn from_nanos(nanos: i128) -> Option<Instant> {
    let distance = nanos.unsigned_abs();
    let distance =
        Duration::new(u64::try_from(distance / NANOS_PER_SEC).ok()?, (distance % NANOS_PER_SEC) as u32);
    if nanos < 0 { ZERO.checked_sub(distance) } else { ZERO.checked_add(distance) }
}

/// Goes back from now by ever smaller steps until none is possible.
fn earliest() -> Instant {
    let seconds = (0..u64::BITS).rev().map(|bit| Duration::from_secs(1 << bit));
    let nanos = (0..30).rev().map(|bit| Duration::from_nanos(1 << bit));
    seconds.chain(nanos).fold(Instant::now(), |at, step| at.checked_sub(step).unwrap_or(at))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{ZERO, earliest, from_nanos, to_nanos};

    #[test]
    fn the_earliest_instant_is_always_the_same_one() {
        let earliest_now = earliest();
        assert_eq!(earliest_now, earliest());
        assert!(earliest_now.checked_sub(Duration::from_nanos(1)).is_none());
    }

    #[test]
    fn instants_survive_exactly() {
        let now = Instant::now();
        let early = now - Duration::from_secs(1_000_000_000);
        let late = now + Duration::from_nanos(1_234_567_890_123);
        for instant in [now, early, late, *ZERO, earliest()] {
            assert_eq!(from_nanos(to_nanos(instant)), Some(instant));
        }
        assert!(to_nanos(now) > 0, "the clock counts from the machine's start");
        assert_eq!(to_nanos(*ZERO - Duration::from_nanos(5)), -5);
    }

    #[test]
    fn what_no_instant_can_represent_is_refused() {
        for nanos in [i128::MAX, i128::MIN, (i64::MAX as i128 + 1) * 1_000_000_000] {
            assert_eq!(from_nanos(nanos), None, "{nanos}");
        }
    }
}
