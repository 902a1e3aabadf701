//! Descriptors: waiting until they are ready, and taking over those of other processes.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::futex::Wake;

/// What somebody waits for at a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Something to read, a client to accept, or the end.
    Read,
    /// Room to write, or the end.
    Write,
}

impl Want {
    fn flags(self) -> PollFlags {
        match self {
            Self::Read => PollFlags::POLLIN,
            Self::Write => PollFlags::POLLOUT,
        }
    }
}

/// Whether `descriptor` is ready now. Errors and hang-ups count, as in [`poll`].
pub fn is_ready(descriptor: BorrowedFd<'_>, want: Want) -> bool {
    nix::poll::poll(&mut [PollFd::new(descriptor, want.flags())], PollTimeout::ZERO)
        .is_ok_and(|count| count > 0)
}

/// Waits until one of `wanted` is ready, for at most `limit`; which are is then in `ready`, one for each.
pub fn poll(wanted: &[(BorrowedFd<'_>, Want)], ready: &mut Vec<bool>, limit: Duration) -> Wake {
    let mut entries: Vec<PollFd<'_>> =
        wanted.iter().map(|(descriptor, want)| PollFd::new(*descriptor, want.flags())).collect();
    // A part of a millisecond is a whole one: this may not end before its time.
    let limit = limit.as_nanos().div_ceil(1_000_000);
    let limit = i32::try_from(limit).ok().and_then(|limit| PollTimeout::try_from(limit).ok());
    let result = nix::poll::poll(&mut entries, limit.unwrap_or(PollTimeout::MAX));
    ready.clear();
    // Errors and hang-ups count: the call that is made next says what it is.
    ready.extend(entries.iter().map(|entry| entry.any() == Some(true)));
    match result {
        Ok(0) => Wake::TimedOut,
        Err(Errno::EINTR) => {
            ready.fill(false);
            Wake::Signal
        }
        _ => Wake::Woken,
    }
}

/// Whether the open file `number` sends this process SIGIO when it becomes ready.
pub fn send_signals(number: RawFd, wanted: bool) {
    // SAFETY: these calls set attributes of a descriptor, and touch no memory. One that can't do it is looked at
    // after each slice.
    unsafe {
        let flags = libc::fcntl(number, libc::F_GETFL);
        if flags >= 0 {
            if wanted {
                libc::fcntl(number, libc::F_SETOWN, libc::getpid());
            }
            let flags = if wanted { flags | libc::O_ASYNC } else { flags & !libc::O_ASYNC };
            libc::fcntl(number, libc::F_SETFL, flags);
        }
    }
}

/// Takes over the descriptor `number` of the process `pid`: the same open file, in this process.
///
/// # Errors
/// `ESRCH` if there is no such process, `EBADF` if it has no such descriptor, `EPERM` where the system forbids
/// it, `ENOSYS` where it can't be done.
pub fn take_over(pid: u32, number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: makes a new descriptor, closed in other programs, and touches no memory.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let process = owned(process)?;
    // SAFETY: as above.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_fd().as_raw_fd(), number, 0) })
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(result) {
        // SAFETY: a system call has just made this descriptor, and nobody else knows it.
        Ok(number) if number >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
        _ => Err(Errno::last().into()),
    }
}

/// The process `pid` and its descendants may take over this process's descriptors, where the system (its Yama
/// module) lets ancestors only.
pub fn share_with(pid: u32) {
    // Systems without that module have nothing to allow.
    // SAFETY: only sets an attribute of this process.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::c_ulong::from(pid), 0, 0, 0) };
}

/// From now on the descriptor `number`, whoever has it in this process, is open to /dev/null.
pub fn open_to_nothing(number: RawFd) {
    if let Ok(null) = File::open("/dev/null") {
        // SAFETY: the number stays open, so whoever owns it may close it.
        unsafe { libc::dup3(null.as_raw_fd(), number, libc::O_CLOEXEC) };
    }
}

/// Closes all descriptors but those of `kept`; the three streams are empty afterwards.
///
/// What else this process has of them must not be used any more.
pub fn close_all_but(kept: &[RawFd]) {
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        // Streams that can't be replaced stay.
        let _ = nix::unistd::dup2_stdin(&null);
        let _ = nix::unistd::dup2_stdout(&null);
        let _ = nix::unistd::dup2_stderr(&null);
    }
    let mut kept: Vec<libc::c_uint> = kept.iter().filter_map(|number| u32::try_from(*number).ok()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for number in kept.into_iter().chain([libc::c_uint::MAX]) {
        if first < number {
            let last = if number == libc::c_uint::MAX { number } else { number - 1 };
            // SAFETY: by this function's contract, what is closed is not used again. A kernel without the call
            // leaves them open until the process ends.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
        first = first.max(number.saturating_add(1));
    }
}

/// Whether this error means that the system forbids to take over descriptors, whatever process has them.
pub fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES | libc::ENOSYS))
}
