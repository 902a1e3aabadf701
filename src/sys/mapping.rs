//! Files mapped as memory that another program may cut short.
//!
//! A page behind the end of its file does not exist: touching it kills the process with SIGBUS, and so does a page
//! for which /dev/shm has no room left. So every access says first what it is about to touch; the handler of the
//! signal then puts empty pages there, notes that the memory is lost, and lets the access go on.
//!
//! Invariants
//! 1. The handler acts only on addresses inside the mapping that is being accessed, of which there is one at a
//!    time (one thread). Any other SIGBUS kills the process, as without it.
//! 2. The handler only reads and stores atomics and makes system calls.
//! 3. A mapping whose pages were replaced is lost for good: what is read from it is worth nothing.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, compiler_fence};

use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::memory::page_size;

/// The memory that is being accessed; nothing between accesses.
static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);
/// Whether the access that goes on found pages missing.
static MISSED: AtomicBool = AtomicBool::new(false);
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The file does not have the memory any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was cut short by another program, or /dev/shm is full")]
pub struct Lost;

/// See the head of this file.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    size: NonZeroUsize,
    lost: Cell<bool>,
}

impl Mapping {
    /// Maps the first `size` bytes of `file` for reading and writing.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn new(file: &File, size: NonZeroUsize) -> io::Result<Self> {
        install();
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a fresh mapping at an address of the kernel's choosing touches no existing memory.
        let base = unsafe { mmap(None, size, protection, MapFlags::MAP_SHARED, file, 0) }?;
        Ok(Self { base: base.cast(), size, lost: Cell::new(false) })
    }

    /// Where the memory begins, at a page. It goes on to the end of a page.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Does `what`, which touches nothing of a file but this memory.
    ///
    /// # Errors
    /// [`Lost`]; what was read is worth nothing then, and what was written nobody sees.
    pub fn access<T>(&self, what: impl FnOnce() -> T) -> Result<T, Lost> {
        if self.lost.get() {
            return Err(Lost);
        }
        let start = self.base.as_ptr().addr();
        START.store(start, Ordering::Relaxed);
        END.store(start + self.size.get().next_multiple_of(page_size()), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        let result = what();
        compiler_fence(Ordering::SeqCst);
        END.store(0, Ordering::Relaxed);
        if MISSED.swap(false, Ordering::Relaxed) {
            self.lost.set(true);
            return Err(Lost);
        }
        Ok(result)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nothing refers to it but this.
        let _ = unsafe { munmap(self.base.cast(), self.size.get()) };
    }
}

fn install() {
    if INSTALLED.swap(true, Ordering::Relaxed) {
        return;
    }
    let handler = SigHandler::SigAction(missing_page);
    let action = SigAction::new(handler, SaFlags::SA_SIGINFO, SigSet::empty());
    // SAFETY: the handler obeys invariant 2. It can't fail for this signal.
    let _ = unsafe { sigaction(Signal::SIGBUS, &action) };
}

extern "C" fn missing_page(signal: libc::c_int, information: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid structure, whose address is there for faults, which have codes above 0.
    let (address, fault) = unsafe { ((*information).si_addr().addr(), (*information).si_code > 0) };
    let (start, end) = (START.load(Ordering::Relaxed), END.load(Ordering::Relaxed));
    if fault && start <= address && address < end {
        MISSED.store(true, Ordering::Relaxed);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: replaces the pages of the mapping that is being accessed (invariant 1), which is lost.
        let new = unsafe {
            libc::mmap(std::ptr::without_provenance_mut(start), end - start, protection, flags, -1, 0)
        };
        if new != libc::MAP_FAILED {
            return;
        }
    }
    // SAFETY: system calls only. A fault comes again and kills; a signal that was sent is sent once more.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        if !fault {
            libc::raise(signal);
        }
    }
}
