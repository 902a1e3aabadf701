//! For unit tests: one session for the whole test process, used by one test at a time.

use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use super::{handle, inherit, parcel, segment, sweep, table};
use crate::sys::process::{self, End, SIGKILL, Seen};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
static START: Once = Once::new();

/// The session; other tests wait until it is dropped.
pub fn session() -> MutexGuard<'static, ()> {
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    START.call_once(|| {
        segment::create(None).expect("a segment");
        parcel::register();
        // The lifeline belongs to a thread: one that outlives every test.
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let id = table::claim("first", table::Role::Process).expect("a slot");
            let entered = table::enter(id);
            sender.send(entered).expect("the test waits");
            loop {
                std::thread::park();
            }
        });
        assert!(receiver.recv().expect("the thread sends"));
        // The process's table of handles is made now, so that tests can count what they leave behind.
        drop(parcel::Parcel::new(b"", &[]).expect("memory"));
    });
    guard
}

/// A forked child of the test that is in the process table and runs `body` until it returns or is killed.
pub struct Child {
    pub pid: u32,
    pub id: table::ProcessId,
}

impl Child {
    /// Forks. The child uses the arena and system calls only.
    pub fn run(body: impl FnOnce()) -> Self {
        let id = table::claim("child", table::Role::Process).expect("a slot");
        Self::run_as(id, || {
            handle::forget_all();
            body();
        })
    }

    /// Forks a child that holds what this process holds.
    pub fn inherit(body: impl FnOnce()) -> Self {
        let id = table::claim("child", table::Role::Process).expect("a slot");
        inherit::copy_to(id.slot().expect("just claimed")).expect("memory");
        Self::run_as(id, body)
    }

    fn run_as(id: table::ProcessId, body: impl FnOnce()) -> Self {
        // SAFETY: the child runs `body`, which allocates nothing that another thread could have locked
        // at the moment of the fork but the test's own heap; glibc's malloc is safe after fork.
        match unsafe { process::fork() }.expect("a process") {
            Some(pid) => {
                id.slot().expect("just claimed").set_pid(pid);
                Self { pid, id }
            }
            None => {
                table::leave_by_fork();
                if table::enter(id) {
                    body();
                }
                process::exit_now(0);
            }
        }
    }

    /// Waits until the child has entered the table.
    pub fn entered(&self) {
        while self.id.slot().is_some_and(|slot| slot.state() == table::STARTING) {
            std::thread::yield_now();
        }
    }

    /// Kills it, sweeps, and frees its slot.
    pub fn kill(self) {
        process::kill(self.pid, SIGKILL).expect("may be killed");
        self.wait();
    }

    /// Waits for its end, sweeps, and frees its slot.
    pub fn wait(self) -> Option<End> {
        loop {
            match process::look(self.pid) {
                Seen::Running => std::thread::yield_now(),
                Seen::Ended(end) => {
                    process::take_away(self.pid);
                    self.id.slot().expect("its slot").presume_dead();
                    // What it left unfinished is swept before the next look.
                    sweep::release(self.id);
                    return Some(end);
                }
                // It had ended before its id was known: its slot says how.
                Seen::NotOurs => {
                    let end = self.id.slot().and_then(table::Slot::end);
                    sweep::release(self.id);
                    return end;
                }
            }
        }
    }
}

/// A small generator of numbers that look random (xorshift64), seeded from the clock and the process.
pub struct Random(u64);

impl Random {
    /// A generator with a seed of its own.
    pub fn seeded() -> Self {
        let seed = crate::sys::clock::monotonic_ns() ^ u64::from(crate::sys::identity::pid()) << 32;
        Self(seed | 1)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
