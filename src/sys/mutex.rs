//! A robust, process-shared mutex: when its owner dies, the kernel says so to the next one.
//!
//! Invariants
//! 1. It lives in the segment and is initialised once, by whoever makes the object around it, before
//!    any other process can know its address; its bytes are never used for anything else afterwards
//!    (this avoids glibc's bug 14485, an unlock racing with the reuse of the memory).
//! 2. Only the thread that locked it unlocks it.
//! 3. A signal handler never locks one.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::libc;

/// The thread id inside the lock word of glibc's robust mutexes (the kernel's `FUTEX_TID_MASK`).
const TID_MASK: u32 = 0x3fff_ffff;
/// Set by the kernel when the owner died (`FUTEX_OWNER_DIED`).
const OWNER_DIED: u32 = 0x4000_0000;

/// Looks at a lock that is held before sleeping for it.
const SPINS: u32 = 64;

/// How a lock was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The last owner left it properly.
    Clean,
    /// The last owner died while it held the lock; what it protects may need repair.
    OwnerDied,
}

/// See the head of this file.
#[repr(C)]
pub struct RobustMutex {
    raw: UnsafeCell<libc::pthread_mutex_t>,
}

// SAFETY: a process-shared pthread mutex is made to be used from many threads and processes.
unsafe impl Sync for RobustMutex {}

impl RobustMutex {
    /// Initialises the mutex in place.
    ///
    /// # Safety
    /// `place` is valid, aligned memory of the segment that no other process uses yet (invariant 1).
    pub unsafe fn init(place: *mut Self) {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: the attribute object is initialised before use and destroyed after it; `place` is
        // valid by this function's contract. None of these calls can fail with these constants.
        unsafe {
            libc::pthread_mutexattr_init(attributes.as_mut_ptr());
            libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED);
            libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST);
            libc::pthread_mutex_init((*place).raw.get(), attributes.as_ptr());
            libc::pthread_mutexattr_destroy(attributes.as_mut_ptr());
        }
    }

    /// Locks, waiting for the owner if there is one.
    #[inline]
    pub fn lock(&self) -> Acquired {
        // Who sleeps for it costs its owner a system call, too: worth a moment where it is held for a few stores.
        for _ in 0..SPINS {
            if !self.is_held_by_the_living() {
                break;
            }
            std::hint::spin_loop();
        }
        // SAFETY: initialised by invariant 1.
        let code = unsafe { libc::pthread_mutex_lock(self.raw.get()) };
        self.acquired(code)
    }

    /// Locks if nobody holds it.
    pub fn try_lock(&self) -> Option<Acquired> {
        // SAFETY: initialised by invariant 1.
        match unsafe { libc::pthread_mutex_trylock(self.raw.get()) } {
            libc::EBUSY => None,
            code => Some(self.acquired(code)),
        }
    }

    fn acquired(&self, code: libc::c_int) -> Acquired {
        if code == libc::EOWNERDEAD {
            // The caller repairs while it holds the lock; should it die before it is done, the next
            // one is told again, because an owner that dies always sets the flag anew.
            // SAFETY: this thread holds the mutex in the inconsistent state.
            unsafe { libc::pthread_mutex_consistent(self.raw.get()) };
            Acquired::OwnerDied
        } else {
            Acquired::Clean
        }
    }

    /// Unlocks.
    ///
    /// # Safety
    /// The calling thread holds the lock (invariant 2).
    pub unsafe fn unlock(&self) {
        // SAFETY: held by this function's contract.
        unsafe { libc::pthread_mutex_unlock(self.raw.get()) };
    }

    /// Whether a living thread holds the mutex, with one load.
    pub fn is_held_by_the_living(&self) -> bool {
        let word = self.word().load(Ordering::Acquire);
        word & TID_MASK != 0 && word & OWNER_DIED == 0
    }

    /// The lock word, the first field of glibc's `pthread_mutex_t` on every architecture.
    fn word(&self) -> &AtomicU32 {
        // SAFETY: the first four bytes are an aligned int that glibc itself only changes atomically.
        unsafe { &*self.raw.get().cast::<AtomicU32>() }
    }
}

#[cfg(not(target_env = "gnu"))]
compile_error!("stook reads the lock word of glibc's robust mutexes: build it for a *-linux-gnu target");
