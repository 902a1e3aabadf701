//! One program in a folder and a process group of its own, under a hang guard.
//!
//! The program and all that descends from it carry an environment variable with an id of the run, so that
//! [`super::leak`] finds them wherever they went.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::leak::{GRACE, MARK, Watch};

/// After this time a run is taken to hang.
pub const HANG: Duration = Duration::from_secs(60);

/// The most bytes kept of each stream; what follows is read and dropped.
const KEPT: usize = 4 << 20;

/// How long the streams may stay open when every process of the run is gone.
const DRAIN: Duration = Duration::from_secs(20);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this exit code, or killed by the signal of minus this number.
    Code(i32),
    /// It did not; it was killed after this time.
    Hung(Duration),
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub end: End,
    /// What it printed; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// What it reported.
    pub stderr: String,
    /// What it left behind, a line for each thing.
    pub left: Vec<String>,
}

/// The folders of one run: `work`, where it starts, and `tmp`, for temporary files.
pub struct Place {
    folder: TempDir,
    id: String,
    /// How long what a run leaves may take to go before it counts as left behind.
    pub grace: Duration,
}

impl Place {
    /// Makes empty folders.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = TempDir::with_prefix("stook-run-")?;
        fs::create_dir(folder.path().join("work"))?;
        fs::create_dir(folder.path().join("tmp"))?;
        Ok(Self { folder, id, grace: GRACE })
    }

    /// Where the run starts.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Copies all files below `from` into the folder where the run starts.
    ///
    /// # Errors
    /// If one can't be copied.
    pub fn copy_all(&self, from: &Path) -> io::Result<()> {
        for entry in walkdir::WalkDir::new(from).min_depth(1) {
            let entry = entry?;
            let to = self.work().join(entry.path().strip_prefix(from).map_err(io::Error::other)?);
            if entry.file_type().is_dir() {
                fs::create_dir(to)?;
            } else {
                fs::copy(entry.path(), to)?;
            }
        }
        Ok(())
    }

    /// Runs a program here to its end, or until `hang` is over, and removes all that is left of it.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        program: &Path,
        args: &[A],
        stdin: &str,
        hang: Duration,
    ) -> io::Result<Run> {
        let tmp = self.folder.path().join("tmp");
        let watch = Watch::begin(&self.id, self.grace)?;
        let mut child = Command::new(program)
            .args(args)
            .current_dir(self.work())
            .env(MARK, &self.id)
            .env("TMPDIR", &tmp)
            .stdin(if stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let stdout = Stream::collect(child.stdout.take());
        let stderr = Stream::collect(child.stderr.take());
        if let Some(mut pipe) = child.stdin.take() {
            let text = stdin.to_owned();
            // A program that does not read its input closes the pipe: no error.
            thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
        }
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        let end = loop {
            if let Some(status) = child.try_wait()? {
                break End::Code(status.code().unwrap_or_else(|| -status.signal().unwrap_or_default()));
            }
            if start.elapsed() > hang {
                watch.kill_all();
                child.kill()?;
                child.wait()?;
                break End::Hung(hang);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        };
        let left = match end {
            End::Code(code) => watch.end(child.id(), code >= 0, &tmp),
            End::Hung(_) => {
                watch.kill_all();
                Vec::new()
            }
        };
        Ok(Run { end, stdout: stdout.text(), stderr: stderr.text(), left })
    }
}

/// What comes out of a pipe, collected by a thread.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn collect(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let Some(mut pipe) = pipe else { return };
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let mut kept = collected.lock().unwrap_or_else(PoisonError::into_inner);
                let room = KEPT.saturating_sub(kept.len());
                kept.extend_from_slice(&buffer[..count.min(room)]);
            }
        });
        Self { bytes, reader }
    }

    /// All of it; what there is by now if somebody unknown keeps the pipe open.
    fn text(self) -> String {
        let start = Instant::now();
        while !self.reader.is_finished() && start.elapsed() < DRAIN {
            thread::sleep(Duration::from_millis(1));
        }
        let kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).into_owned()
    }
}
