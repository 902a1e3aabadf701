//! Birth, death and signals of processes.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::Mode;

use super::environment::environment;
use super::memory::INHERITED_FD;

/// How a process ended: an exit code, or the number of the signal that killed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It called exit with this code (0 to 255).
    Exited(i32),
    /// This signal killed it.
    Signalled(i32),
}

/// What asking after a child gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It still runs.
    Running,
    /// It ended and is a zombie.
    Ended(End),
    /// It is not a child of this process.
    NotOurs,
}

/// This very program, whatever became of its file.
pub const SELF: &CStr = c"/proc/self/exe";

/// Starts `program` (mostly [`SELF`]) with `arguments` (the first is the name it shows), the segment `memory`
/// as descriptor 3 and an empty standard input. Ctrl-C waits until the child says what it means to it. Gives
/// the new process's id.
///
/// `posix_spawn` and not fork and exec: in a parent of 512 MiB it costs 0.5 ms instead of 20.
///
/// # Errors
/// If there is no such program, or the system has no room for another process.
pub fn spawn(program: &CStr, memory: BorrowedFd<'_>, arguments: &[CString]) -> io::Result<u32> {
    let mut actions = PosixSpawnFileActions::init()?;
    // adddup2 onto the same number clears close-on-exec as well, so this holds for every number.
    actions.add_dup2(memory.as_raw_fd(), INHERITED_FD)?;
    actions.add_open(0, c"/dev/null", OFlag::O_RDONLY, Mode::empty())?;
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
    attributes.set_sigmask(&SigSet::from(Signal::SIGINT))?;
    attributes.set_sigdefault(&SigSet::from_iter([
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGPIPE,
        Signal::SIGCHLD,
    ]))?;
    let environment: Vec<CString> = environment();
    let pid = posix_spawn(program, &actions, &attributes, arguments, &environment)?;
    Ok(u32::try_from(pid.as_raw()).unwrap_or(0))
}

/// Descriptors that this process was started with stay its own: no program that it starts gets them, other
/// than its three streams.
pub fn keep_descriptors() {
    // SAFETY: only sets a flag of descriptors. A kernel without the call lets children inherit them.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

/// Standard input is empty from now on.
///
/// # Errors
/// If /dev/null can't be opened.
pub fn empty_stdin() -> io::Result<()> {
    let null = nix::fcntl::open(c"/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::dup2_stdin(null)?;
    Ok(())
}

/// Forks this process; gives the child's id to the parent and `None` to the child.
///
/// # Errors
/// If the system has no room for another process.
///
/// # Safety
/// The process runs one thread, or the child only calls what is safe after a fork of many threads.
pub unsafe fn fork() -> io::Result<Option<u32>> {
    // SAFETY: by this function's contract.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(Some(u32::try_from(child.as_raw()).unwrap_or(0))),
        nix::unistd::ForkResult::Child => Ok(None),
    }
}

/// As [`fork`], of a process that runs one thread, as every stook process does.
///
/// # Errors
/// If the system has no room for another process.
pub fn fork_alone() -> io::Result<Option<u32>> {
    debug_assert_eq!(std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count), 1);
    // SAFETY: there is one thread: nothing in the binary starts another.
    unsafe { fork() }
}

/// Asks after the child `pid` without waiting. If it has ended, its zombie stays. Only system calls: may be used
/// in a signal handler.
pub fn look(pid: u32) -> Seen {
    let Some(information) = ask(libc::P_PID, pid) else { return Seen::NotOurs };
    // SAFETY: the call filled these fields, or left zeros for a child that runs.
    let (found, number) = unsafe { (information.si_pid(), information.si_status()) };
    match information.si_code {
        _ if found == 0 => Seen::Running,
        libc::CLD_EXITED => Seen::Ended(End::Exited(number)),
        _ => Seen::Ended(End::Signalled(number)),
    }
}

/// Other programs that this process runs now.
static PROGRAMS: AtomicU32 = AtomicU32::new(0);

/// While this lives, the process waits for a program of its own, which nobody else may take away: [`any_ended`]
/// finds nothing.
#[must_use]
pub(super) struct OwnProgram(());

impl OwnProgram {
    /// Before it is started.
    pub(super) fn expect() -> Self {
        PROGRAMS.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for OwnProgram {
    fn drop(&mut self) {
        PROGRAMS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A child of this process that has ended, if there is one, whoever started it. Its zombie stays. Only system
/// calls.
pub fn any_ended() -> Option<u32> {
    if PROGRAMS.load(Ordering::SeqCst) != 0 {
        return None;
    }
    // SAFETY: the call filled this field, or left zeros if all children run.
    let found = unsafe { ask(libc::P_ALL, 0)?.si_pid() };
    u32::try_from(found).ok().filter(|pid| *pid != 0)
}

/// Whether this process has children, whoever started them.
pub fn has_children() -> bool {
    ask(libc::P_ALL, 0).is_some()
}

/// Asks after children that have ended; `None` if this process has no such children.
fn ask(which: libc::idtype_t, id: u32) -> Option<libc::siginfo_t> {
    // SAFETY: all zeros is a value of this structure.
    let mut information: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    loop {
        // SAFETY: the structure is there for the length of the call.
        if unsafe { libc::waitid(which, id, &raw mut information, flags) } == 0 {
            return Some(information);
        }
        if Errno::last() != Errno::EINTR {
            return None;
        }
    }
}

/// Takes away the zombie of the child `pid`; whether there was one. Only a system call.
pub fn take_away(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    // SAFETY: it may be called without a place for the status.
    pid > 0 && unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) } == pid
}

/// Whether there is a process `pid`, if only as a zombie. Only a system call.
pub fn exists(pid: u32) -> bool {
    let Some(pid) = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 0) else { return false };
    // SAFETY: the signal 0 does nothing.
    unsafe { libc::kill(pid, 0) == 0 || Errno::last() != Errno::ESRCH }
}

/// Sends `signal` to `pid`. A process that is gone already is no error, and neither is one whose id is
/// not known yet: 0, which the system would take for the caller's whole group.
///
/// # Errors
/// `EINVAL` for a number that is no signal, `EPERM` for another user's process.
pub fn kill(pid: u32, signal: i32) -> io::Result<()> {
    let Some(pid) = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 0) else { return Ok(()) };
    // SAFETY: kill touches no memory of this process.
    if unsafe { libc::kill(pid, signal) } == 0 {
        return Ok(());
    }
    match Errno::last() {
        Errno::ESRCH => Ok(()),
        error => Err(error.into()),
    }
}

/// Asks for `signal` when this process's parent dies. Bound to the parent's *thread* that started us,
/// which is its only one.
pub fn signal_on_parent_death(signal: i32) {
    // Without it a child outlives a killed parent until its next look at the table.
    let _ = nix::sys::prctl::set_pdeathsig(Signal::try_from(signal).ok());
}

/// What the system's process list calls this process, up to 15 bytes.
pub fn show_name(name: &CStr) {
    let _ = nix::sys::prctl::set_name(name);
}

/// Orphaned descendants become children of this process instead of init's.
pub fn become_subreaper() {
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// This process has nothing to do with the terminal any more, holds nobody's standard output open, and heeds no
/// signal that can be held back.
pub fn step_aside() {
    let _ = nix::unistd::setsid();
    if let Ok(null) = nix::fcntl::open(c"/dev/null", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()) {
        let _ = nix::unistd::dup2_stdout(null);
    }
    std::mem::forget(super::signal::hold_back());
}

/// Something that says when the process `pid` ends; `None` if the system has nothing of that kind, or there is no
/// such process.
pub fn end_of(pid: u32) -> Option<OwnedFd> {
    // SAFETY: the call takes two numbers and gives a descriptor that nobody else has.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let descriptor = i32::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)?;
    // SAFETY: as above.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Sleeps until the process has ended that `end` is of; without one, a moment. The caller looks at the state again.
pub fn wait_for_end(end: Option<&OwnedFd>) {
    const MOMENT: libc::c_int = 250;
    let (fd, limit) = end.map_or((-1, MOMENT), |end| (end.as_raw_fd(), -1));
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd; a descriptor below 0 is passed over.
    unsafe { libc::poll(&raw mut entry, 1, limit) };
}

/// Ends the process at once: no destructors, no buffers, no handlers.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit only ends the process.
    unsafe { libc::_exit(code) }
}

/// The system's error for a lack of memory.
pub const OUT_OF_MEMORY: i32 = libc::ENOMEM;

/// The number of SIGINT.
pub const SIGINT: i32 = libc::SIGINT;
/// The number of SIGTERM.
pub const SIGTERM: i32 = libc::SIGTERM;
/// The number of SIGKILL.
pub const SIGKILL: i32 = libc::SIGKILL;

/// The name of a signal, such as `SIGKILL`; its number where it has no name.
pub fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}
