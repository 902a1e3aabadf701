//! Signal handlers: what they may do is set a word, reap, wake.
//!
//! Invariants
//! 1. A handler only stores to atomics and makes system calls; it takes no lock and allocates nothing.
//! 2. Hooks are plain functions set once before the handler is installed; they obey invariant 1.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask};

/// How often SIGINT came since they are counted.
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
/// Whether one came that nobody has taken yet.
static PENDING: AtomicBool = AtomicBool::new(false);
static IS_OURS: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
static ON_CHILD: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
static ON_PARENT_DEATH: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
static ON_DESCRIPTOR: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
static ON_SECOND_INTERRUPT: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// The signal that a dead parent sends to its children's children: catchable, used by nobody else.
pub const PARENT_DEATH: Signal = Signal::SIGPWR;

fn install(signal: Signal, handler: SigHandler) {
    let flags = match handler {
        SigHandler::SigAction(_) => SaFlags::SA_RESTART | SaFlags::SA_SIGINFO,
        _ => SaFlags::SA_RESTART,
    };
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: the handlers given here obey invariant 1. Failure is impossible for these signals.
    let _ = unsafe { sigaction(signal, &action) };
}

fn run_hook(hook: &AtomicPtr<()>) {
    let pointer = hook.load(Ordering::Acquire);
    if !pointer.is_null() {
        // SAFETY: only ever set from a `fn()` by `hook_into`.
        let function: fn() = unsafe { std::mem::transmute::<*mut (), fn()>(pointer) };
        // The interrupted code may be about to look at errno.
        let saved = nix::errno::Errno::last_raw();
        function();
        nix::errno::Errno::set_raw(saved);
    }
}

fn hook_into(hook: &AtomicPtr<()>, function: fn()) {
    hook.store(function as *mut (), Ordering::Release);
}

extern "C" fn child_handler(_: libc::c_int) {
    run_hook(&ON_CHILD);
}

extern "C" fn parent_death_handler(_: libc::c_int) {
    run_hook(&ON_PARENT_DEATH);
}

extern "C" fn descriptor_handler(_: libc::c_int) {
    run_hook(&ON_DESCRIPTOR);
}

/// Ctrl-C is the first process's business. What a process of the session sends to another one is meant.
extern "C" fn sent_interrupt_handler(
    _: libc::c_int,
    information: *mut libc::siginfo_t,
    _: *mut libc::c_void,
) {
    let pointer = IS_OURS.load(Ordering::Acquire);
    if pointer.is_null() || information.is_null() {
        return;
    }
    // SAFETY: only ever set from a `fn(u32) -> bool` by `heed_sent_interrupts`; the kernel gives a valid
    // structure, whose sender is there for the codes asked about.
    let (is_ours, sender) = unsafe {
        let code = (*information).si_code;
        let sent = code == libc::SI_USER || code == libc::SI_TKILL || code == libc::SI_QUEUE;
        let sender = if sent { (*information).si_pid() } else { 0 };
        (std::mem::transmute::<*mut (), fn(u32) -> bool>(pointer), sender)
    };
    if u32::try_from(sender).is_ok_and(|sender| sender != 0 && is_ours(sender)) {
        PENDING.store(true, Ordering::Release);
    }
}

extern "C" fn interrupt_handler(_: libc::c_int) {
    PENDING.store(true, Ordering::Release);
    // The second Ctrl-C does not wait for anybody: the first process ends, and with it the tree.
    if INTERRUPTS.fetch_add(1, Ordering::AcqRel) >= 1 {
        run_hook(&ON_SECOND_INTERRUPT);
        super::process::exit_now(130);
    }
}

/// The byte that says that an interrupt waits, for code that cannot call [`interrupted`].
pub fn pending_flag() -> *const u8 {
    PENDING.as_ptr().cast_const().cast()
}

/// Calls `function` in the handler of SIGINT when Ctrl-C comes a second time; the process ends after it.
pub fn on_second_interrupt(function: fn()) {
    hook_into(&ON_SECOND_INTERRUPT, function);
}

/// Calls `function` in the handler of SIGCHLD.
pub fn on_child_death(function: fn()) {
    hook_into(&ON_CHILD, function);
    install(Signal::SIGCHLD, SigHandler::Handler(child_handler));
}

/// Calls `function` in the handler of [`PARENT_DEATH`].
pub fn on_parent_death(function: fn()) {
    hook_into(&ON_PARENT_DEATH, function);
    install(PARENT_DEATH, SigHandler::Handler(parent_death_handler));
}

/// Calls `function` in the handler of SIGIO: a descriptor that was asked to say so is ready.
pub fn on_descriptor(function: fn()) {
    if ON_DESCRIPTOR.load(Ordering::Acquire).is_null() {
        hook_into(&ON_DESCRIPTOR, function);
        install(Signal::SIGIO, SigHandler::Handler(descriptor_handler));
    }
}

/// From now on Ctrl-C is counted and the script told, and a second one ends the process at once.
pub fn count_interrupts() {
    INTERRUPTS.store(0, Ordering::Release);
    PENDING.store(false, Ordering::Release);
    install(Signal::SIGINT, SigHandler::Handler(interrupt_handler));
}

/// From now on Ctrl-C means nothing to this process: its first process deals with it. SIGINT from a process
/// for which `is_ours` holds does.
pub fn heed_sent_interrupts(is_ours: fn(u32) -> bool) {
    IS_OURS.store(is_ours as *mut (), Ordering::Release);
    PENDING.store(false, Ordering::Release);
    install(Signal::SIGINT, SigHandler::SigAction(sent_interrupt_handler));
    SigSet::from(Signal::SIGINT).thread_unblock().unwrap_or_default();
}

/// Whether SIGINT means nothing to this process. Shells start what runs in the background so, as Ctrl-C is not
/// for it.
pub fn ignores_interrupts() -> bool {
    // SAFETY: all zeros is a value of this structure.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: asks only, and the structure is there for the length of the call.
    let asked = unsafe { libc::sigaction(libc::SIGINT, std::ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// From now on SIGINT means nothing to this process.
pub fn ignore_interrupts() {
    install(Signal::SIGINT, SigHandler::SigIgn);
}

/// Signals that are held back until this is dropped.
#[must_use]
pub struct HeldBack(SigSet);

/// Holds all signals back: a fork is about to change what they mean.
pub fn hold_back() -> HeldBack {
    let mut before = SigSet::empty();
    // It can't fail with these arguments.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before));
    HeldBack(before)
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None);
    }
}

/// Holds no signal back, whatever the program that started this one did: a death that is held back is noticed
/// late, and a child would hold back what its parent does.
pub fn hold_nothing_back() {
    // It can't fail with these arguments.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// Whether Ctrl-C came and nobody took it yet.
pub fn interrupted() -> bool {
    PENDING.load(Ordering::Relaxed)
}

/// Takes a Ctrl-C: the script is told of it.
pub fn take_interrupt() {
    PENDING.store(false, Ordering::Release);
}

/// Nobody in the script wanted the Ctrl-C: it is there again, for whatever waits from now on.
pub fn give_back_interrupt() {
    PENDING.store(true, Ordering::Release);
}

/// Writing to a closed pipe or past a file-size limit gives an error and does not kill.
pub fn ignore_write_signals() {
    install(Signal::SIGPIPE, SigHandler::SigIgn);
    install(Signal::SIGXFSZ, SigHandler::SigIgn);
}

/// SIGTERM ends this process, also where the session's first process was started with it ignored.
pub fn let_termination_kill() {
    install(Signal::SIGTERM, SigHandler::SigDfl);
}

/// A crash kills the process at once, with its own signal: the language's run time would look at it first
/// and let one that another process sent pass by.
pub fn let_crashes_kill() {
    for signal in [Signal::SIGSEGV, Signal::SIGBUS] {
        install(signal, SigHandler::SigDfl);
    }
}
