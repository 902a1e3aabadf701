//! What a run left behind: processes, zombies, shared memory, temporary files.
//!
//! Processes are found by an environment variable that the run's first process hands down. The test itself
//! adopts orphans (as a sub-reaper), so that none is gone before it is seen. A process shows no environment
//! while it changes its program, so an orphan without one is looked at again; a zombie has none any more and is
//! found by its process group. A run whose first process was killed by a signal could not wait for its
//! children, so their zombies are no fault of it.
//!
//! /dev/shm belongs to the whole machine. A new entry there is put down to the run unless a process that lives
//! has it open, and only if it stays.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// The environment variable that names the run.
pub const MARK: &str = "STOOK_CASE";

/// How long dying processes and the memory of other runs may take to go, unless a run says otherwise.
pub const GRACE: Duration = Duration::from_secs(20);

/// The time between two looks at what is left.
const AGAIN: Duration = Duration::from_millis(100);

/// A watch over one run.
pub struct Watch {
    mark: Vec<u8>,
    shared: BTreeSet<Shared>,
    grace: Duration,
}

/// An entry of /dev/shm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shared {
    path: PathBuf,
    inode: u64,
}

struct Process {
    pid: i32,
    name: String,
    state: char,
    parent: u32,
    group: u32,
}

/// What a process has to do with the run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kin {
    /// It descends from it.
    Ours,
    /// An orphan that shows no environment.
    Unclear,
    /// Nothing.
    Stranger,
}

impl Watch {
    /// Starts to watch, before the run whose processes carry `id` begins.
    ///
    /// # Errors
    /// If orphans can't be adopted.
    pub fn begin(id: &str, grace: Duration) -> io::Result<Self> {
        prctl::set_child_subreaper(true)?;
        Ok(Self { mark: format!("{MARK}={id}").into_bytes(), shared: shared_memory(), grace })
    }

    /// What is left of the run when its first process, the head of `group`, has ended, `by_itself` or not;
    /// processes that are left are killed.
    pub fn end(&self, group: u32, by_itself: bool, tmp: &Path) -> Vec<String> {
        let mut left = Vec::new();
        let living = || self.processes(&[Kin::Ours, Kin::Unclear]);
        if !within(self.grace, || living().is_empty()) {
            // One of another run that is ending at this very moment shows no environment either: it is gone when
            // it is looked at again.
            let first: Vec<i32> = living().iter().map(|one| one.pid).collect();
            thread::sleep(AGAIN);
            let stay = living().into_iter().filter(|one| first.contains(&one.pid));
            left.extend(stay.map(|one| format!("process {} ({})", one.pid, one.name)));
            self.kill_all();
        }
        let zombies = zombies(group);
        if by_itself {
            left.extend(zombies.iter().map(|one| format!("zombie {} ({})", one.pid, one.name)));
        }
        for zombie in &zombies {
            // Not ours after all if this fails; then its own parent has it.
            let _ = waitpid(Pid::from_raw(zombie.pid), Some(WaitPidFlag::WNOHANG));
        }
        let new: BTreeSet<Shared> = shared_memory().difference(&self.shared).cloned().collect();
        let stays = || -> BTreeSet<Shared> {
            let there: BTreeSet<Shared> = shared_memory().intersection(&new).cloned().collect();
            there.into_iter().filter(|entry| !held(&entry.path)).collect()
        };
        if !within(self.grace, || stays().is_empty()) {
            left.extend(stays().iter().map(|entry| format!("shared memory {}", entry.path.display())));
        }
        if let Ok(entries) = fs::read_dir(tmp) {
            left.extend(entries.flatten().map(|entry| format!("temporary file {}", entry.path().display())));
        }
        left
    }

    /// Kills every process of the run and waits until they are gone.
    pub fn kill_all(&self) {
        within(GRACE, || {
            let processes = self.processes(&[Kin::Ours]);
            for process in &processes {
                // One that has just ended needs no signal.
                let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
            }
            processes.is_empty()
        });
    }

    /// The living processes of these kinds.
    fn processes(&self, kinds: &[Kin]) -> Vec<Process> {
        let mut processes = all_processes();
        processes
            .retain(|process| !['Z', 'X'].contains(&process.state) && kinds.contains(&self.kin(process)));
        processes
    }

    fn kin(&self, process: &Process) -> Kin {
        let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|entry| entry == self.mark) {
            Kin::Ours
        } else if environment.is_empty() && process.parent == std::process::id() {
            Kin::Unclear
        } else {
            Kin::Stranger
        }
    }
}

/// Waits until `done`, and says whether it came to that in `time`.
fn within(time: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    while !done() {
        if start.elapsed() > time {
            return false;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
    true
}

fn zombies(group: u32) -> Vec<Process> {
    let mut processes = all_processes();
    processes.retain(|process| process.state == 'Z' && process.group == group);
    processes
}

fn all_processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(process).collect()
}

/// Reads `/proc/PID/stat`: the pid, the name in brackets, the state, the parent, the group.
fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some(Process { pid, name: name.to_owned(), state, parent, group })
}

fn shared_memory() -> BTreeSet<Shared> {
    let Ok(entries) = fs::read_dir("/dev/shm") else { return BTreeSet::new() };
    entries.flatten().map(|entry| Shared { path: entry.path(), inode: entry.ino() }).collect()
}

/// Whether a living process has this file mapped or open.
fn held(file: &Path) -> bool {
    let Some(name) = file.to_str() else { return false };
    all_processes().iter().any(|process| {
        let maps = fs::read(format!("/proc/{}/maps", process.pid)).unwrap_or_default();
        let files = fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
        String::from_utf8_lossy(&maps).lines().any(|line| line.ends_with(name))
            || files.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|open| open == file)
    })
}
