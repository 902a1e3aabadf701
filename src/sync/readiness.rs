//! Sleeping until descriptors are ready, as `wait` sleeps on words: in slices, heeding Ctrl-C.

use std::os::fd::BorrowedFd;

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
    before_sleep();
    let longest = meanwhile::look().longest();
    if signal::interrupted() {
        return Err(GaveUp::Interrupted);
    }
    let Some(slice) = deadline.slice(longest) else { return Err(GaveUp::TimedOut) };
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
    before_sleep();
    let longest = meanwhile::look().longest();
    if signal::interrupted() { Err(GaveUp::Interrupted) } else { Ok(longest >= SLICE) }
}

/// Waits until `descriptor` is ready.
///
/// # Errors
/// [`GaveUp`] at the deadline or at Ctrl-C.
pub fn wait_for_descriptor(descriptor: BorrowedFd<'_>, want: Want, deadline: Deadline) -> Result<(), GaveUp> {
    let mut ready = Vec::with_capacity(1);
    loop {
        sleep_on_descriptors(&[(descriptor, want)], &mut ready, deadline)?;
        if ready.contains(&true) {
            return Ok(());
        }
    }
}

/// Whether `descriptor` is ready now.
pub fn is_ready(descriptor: BorrowedFd<'_>, want: Want) -> bool {
    let mut ready = Vec::with_capacity(1);
    descriptor::poll(&[(descriptor, want)], &mut ready, std::time::Duration::ZERO);
    ready.contains(&true)
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
        let soon = || Deadline::after(Some(0.02));
        assert_eq!(wait_for_descriptor(one.as_fd(), Want::Read, soon()), Err(GaveUp::TimedOut));
        assert!(!is_ready(one.as_fd(), Want::Read) && is_ready(one.as_fd(), Want::Write));
        other.send(&[IoSlice::new(b"x")]).expect("there is room");
        assert_eq!(wait_for_descriptor(one.as_fd(), Want::Read, Deadline::Never), Ok(()));
        let (one, other) = pair().expect("two sockets");
        drop(other);
        assert_eq!(wait_for_descriptor(one.as_fd(), Want::Read, Deadline::Never), Ok(()));
    }
}
