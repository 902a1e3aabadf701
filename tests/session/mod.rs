//! A script that runs beside the test: the test reads its lines, sends signals to it and its processes, and sees
//! how it ended and what it left behind.
//!
//! Every wait has a hang guard of 30 s, which fails with what was seen so far. What a failed test leaves is killed.

#![allow(dead_code, reason = "each test file uses its part of this")]

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigHandler, Signal, kill, killpg, signal};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::leak::{GRACE, MARK, Watch};
use crate::support::trial::program;

/// After this time without what is waited for, a test fails.
const HANG: Duration = Duration::from_secs(30);

/// A running script, in a process group and folder of its own.
pub struct Session {
    child: Child,
    id: String,
    folder: TempDir,
    watch: Option<Watch>,
    lines: Receiver<String>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    seen: Vec<String>,
}

/// How a session ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, or minus the signal that ended it.
    pub code: i32,
    /// The lines that nobody had read.
    pub rest: Vec<String>,
    /// All that stood on standard error.
    pub stderr: String,
}

impl Session {
    /// Starts `script` with `args`.
    pub fn start(script: &str, args: &[&str]) -> Self {
        Self::begin(&[], script, args)
    }

    /// Starts `script`, whose processes are started by `method`.
    pub fn under(method: &str, script: &str) -> Self {
        Self::begin(&["--start-method", method], script, &[])
    }

    fn begin(options: &[&str], script: &str, args: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("session-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = TempDir::with_prefix("stook-run-").expect("a folder");
        fs::create_dir(folder.path().join("tmp")).expect("a folder");
        fs::write(folder.path().join("script.rhai"), script).expect("a script");
        let watch = Watch::begin(&id, GRACE).expect("a watch");
        // Tests that run in the background of a shell have it ignored, and so would the program.
        // SAFETY: there is no handler.
        unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }.expect("SIGINT is a signal");
        let mut child = Command::new(program())
            .args(options)
            .arg("script.rhai")
            .args(args)
            .current_dir(folder.path())
            .env(MARK, &id)
            .env("TMPDIR", folder.path().join("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("the program");
        let (send, lines) = channel();
        let stderr = Arc::new(Mutex::new(String::new()));
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let collected = Arc::clone(&stderr);
        let readers = vec![
            thread::spawn(move || {
                let reader = out.into_iter().flat_map(|out| BufReader::new(out).lines());
                reader.map_while(Result::ok).for_each(|line| drop(send.send(line)));
            }),
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                let Some(mut err) = err else { return };
                while let Ok(count @ 1..) = err.read(&mut buffer) {
                    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                    collected.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
                }
            }),
        ];
        Self { child, id, folder, watch: Some(watch), lines, stderr, readers, seen: Vec::new() }
    }

    /// The next line on standard output.
    pub fn line(&mut self) -> String {
        match self.lines.recv_timeout(HANG) {
            Ok(line) => {
                self.seen.push(line.clone());
                line
            }
            Err(RecvTimeoutError::Timeout) => self.hangs("a line"),
            Err(RecvTimeoutError::Disconnected) => self.fails("there is no further line"),
        }
    }

    /// The next line, which is `WORD N N ...`: the numbers.
    pub fn numbers(&mut self, word: &str) -> Vec<i32> {
        let line = self.line();
        let numbers = line.strip_prefix(word).map(|rest| rest.split_whitespace().map(str::parse).collect());
        match numbers {
            Some(Ok(numbers)) => numbers,
            _ => self.fails(&format!("`{line}` is not `{word}` and numbers")),
        }
    }

    /// Waits until `done`.
    pub fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            if start.elapsed() > HANG {
                self.hangs(what);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal to the first process.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the first process is there");
    }

    /// Sends a signal to the process group, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        killpg(self.pid(), signal).expect("the process group is there");
    }

    /// Writes a file where the script runs.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file");
    }

    /// Waits until the first process sleeps, as one does that waits for something.
    pub fn settles(&self) {
        let mut asleep = 0;
        self.until("the first process's sleep", || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
            let sleeps = stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'));
            asleep = if sleeps { asleep + 1 } else { 0 };
            asleep == 5
        });
    }

    /// The pids of the session's living processes.
    pub fn processes(&self) -> Vec<i32> {
        let mark = format!("{MARK}={}", self.id).into_bytes();
        let is_ours = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == mark)
        };
        all_pids().into_iter().filter(is_ours).collect()
    }

    /// The pids of the session's zombies.
    pub fn zombies(&self) -> Vec<i32> {
        self.group(|state| state == "Z")
    }

    /// The pids of the session's living processes but the first, also of such that hardly came up yet.
    pub fn others(&self) -> Vec<i32> {
        let mut others = self.group(|state| state != "Z");
        others.retain(|pid| *pid != self.pid().as_raw());
        others
    }

    /// The members of the session's process group whose state is `wanted`.
    fn group(&self, wanted: impl Fn(&str) -> bool) -> Vec<i32> {
        let group = self.pid().to_string();
        let is_member = |stat: &str| {
            let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
            fields.next().is_some_and(&wanted) && fields.nth(1) == Some(&group)
        };
        all_pids().into_iter().filter(|pid| is_member(&proc_file(*pid, "stat"))).collect()
    }

    /// Waits for the end; nothing may be left then.
    pub fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("the program is ours") {
                Some(status) => break status,
                None if start.elapsed() > HANG => self.hangs("its end"),
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let tmp: PathBuf = self.folder.path().join("tmp");
        let left = self.watch.take().map(|watch| watch.end(self.child.id(), status.code().is_some(), &tmp));
        let left = left.unwrap_or_default();
        if !left.is_empty() {
            self.fails(&format!("left behind: {}", left.join(", ")));
        }
        // With no process left the pipes are closed.
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
        let rest = self.lines.try_iter().collect();
        Ended { code, rest, stderr: self.errors() }
    }

    /// The first process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    fn errors(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hangs(&self, what: &str) -> ! {
        self.fails(&format!("waited {} s for {what}", HANG.as_secs()))
    }

    fn fails(&self, what: &str) -> ! {
        let seen = self.seen.iter().cloned().chain(self.lines.try_iter()).collect::<Vec<_>>().join("\n");
        panic!(
            "{what}\n--- stdout\n{seen}\n--- stderr\n{}\n--- processes {:?}",
            self.errors(),
            self.processes()
        );
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.kill_all();
            // It was killed; nothing is to be known of its end.
            let _ = self.child.wait();
        }
    }
}

/// The start methods.
pub const METHODS: [&str; 3] = ["spawn", "fork", "forkserver"];

/// A random time below `limit`; a different one in each call and run.
pub fn below(limit: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 1_000_000;
    limit.mul_f64(random as f64 / 1e6)
}

/// Whether a process runs: it is there and no zombie.
pub fn runs(pid: i32) -> bool {
    proc_file(pid, "stat").rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A process's parent; 0 if it is gone.
pub fn parent(pid: i32) -> i32 {
    let stat = proc_file(pid, "stat");
    let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
    parent.unwrap_or_default()
}

/// All processes of the machine.
pub fn all_pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// What the system says of a process; nothing if it is gone.
pub fn proc_file(pid: i32, name: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default()
}
