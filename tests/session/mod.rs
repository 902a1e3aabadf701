//! A script that runs beside the test: the test reads its lines, sends signals to it and its processes, and sees
//! how it ended and what it left behind.
//!
//! Every wait has a hang guard of 30 s, which fails with what was seen so far. What a failed test leaves is killed.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
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
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("session-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = TempDir::with_prefix("stook-run-").expect("a folder");
        fs::create_dir(folder.path().join("tmp")).expect("a folder");
        fs::write(folder.path().join("script.rhai"), script).expect("a script");
        let watch = Watch::begin(&id, GRACE).expect("a watch");
        let mut child = Command::new(program())
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

    /// The pids of the session's living processes.
    pub fn processes(&self) -> Vec<i32> {
        let mark = format!("{MARK}={}", self.id).into_bytes();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == mark)
        })
        .collect()
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

    fn pid(&self) -> Pid {
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

/// Whether a process runs: it is there and no zombie.
pub fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
