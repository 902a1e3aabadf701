//! Sleeping until descriptors are ready, as `wait` sleeps on words: in slices, heeding Ctrl-C.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::glance::Glance;
use super::meanwhile;
use super::wait::{GaveUp, SLICE, before_sleep};
use crate::sys::clock::Deadline;
use crate::sys::descriptor::{self, Want};
use crate::sys::futex::Wake;
use crate::sys::signal;

/// Sleeps until one of `wanted` is ready: at most a slice, and not past the deadline. Which are is then in
/// `ready`, one for each.
///
/// # Errors
/// [`GaveUp`] at the deadline or at Ctrl-C.
pub fn sleep_on_descriptors(
    wanted: &[(BorrowedFd<'_>, Want)],
    ready: &mut Vec<bool>,
    deadline: Deadline,
) -> Result<(), GaveUp> {
    let slice = before(deadline)?;
    sleep(wanted, ready, slice)
}

/// Does what is done before each sleep; how long this one may be.
fn before(deadline: Deadline) -> Result<Duration, GaveUp> {
    before_sleep();
    let longest = meanwhile::look().longest();
    if signal::interrupted() {
        return Err(GaveUp::Interrupted);
    }
    deadline.slice(longest).ok_or(GaveUp::TimedOut)
}

fn sleep(wanted: &[(BorrowedFd<'_>, Want)], ready: &mut Vec<bool>, slice: Duration) -> Result<(), GaveUp> {
    let woken = descriptor::poll(wanted, ready, slice);
    if woken == Wake::Signal && signal::interrupted() {
        return Err(GaveUp::Interrupted);
    }
    Ok(())
}

/// Does what is done before each sleep; whether there is nothing that may end it before a slice is over, so that the
/// caller can sleep in a system call of its own.
///
/// # Errors
/// [`GaveUp::Interrupted`] at Ctrl-C.
pub fn may_sleep() -> Result<bool, GaveUp> {
    before(Deadline::Never).map(|longest| longest >= SLICE)
}

/// Waits until `descriptor` is ready, after looking on for a moment.
///
/// # Errors
/// [`GaveUp`] at the deadline or at Ctrl-C.
pub fn wait_for_descriptor(
    descriptor: BorrowedFd<'_>,
    want: Want,
    deadline: Deadline,
    glance: &Glance,
) -> Result<(), GaveUp> {
    let mut ready = Vec::with_capacity(1);
    loop {
        let slice = before(deadline)?;
        if glance.until(|| descriptor::is_ready(descriptor, want)) {
            return Ok(());
        }
        sleep(&[(descriptor, want)], &mut ready, slice)?;
        if ready.contains(&true) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::socket::pair;

    #[test]
    fn a_descriptor_is_waited_for_until_the_deadline_and_the_end_counts() {
        let (one, other) = pair().expect("two sockets");
        let glance = Glance::new();
        let soon = || Deadline::after(Some(0.02));
        assert_eq!(wait_for_descriptor(one.as_fd(), Want::Read, soon(), &glance), Err(GaveUp::TimedOut));
        let ready = |want| descriptor::is_ready(one.as_fd(), want);
        assert!(!ready(Want::Read) && ready(Want::Write));
        other.send(&[IoSlice::new(b"x")]).expect("there is room");
        assert_eq!(wait_for_descriptor(one.as_fd(), Want::Read, Deadline::Never, &glance), Ok(()));
        let (one, other) = pair().expect("two sockets");
        drop(other);
        assert_eq!(wait_for_descriptor(one.as_fd(), Want::Read, Deadline::Never, &glance), Ok(()));
    }
}
