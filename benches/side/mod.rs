//! What is compared: programs, how they are started, and what the machine has to run them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What is run and timed.
#[derive(Clone, Copy)]
pub enum Side {
    /// `stook -e CODE`.
    Code(&'static str),
    /// A script of `benches/pairs` with its arguments.
    Pair(&'static str, &'static [&'static str]),
    /// A script of `scripts` over the directory of files, on so many processes.
    Job(&'static str, &'static str),
    /// `python3 -c CODE`.
    PythonCode(&'static str),
    /// A Python script of `benches/pairs` with its arguments.
    Python(&'static str, &'static [&'static str]),
    /// The same over the directory of files, on so many processes.
    PythonJob(&'static str, &'static str),
    /// A Rust program with an empty `main`.
    Empty,
    /// A figure in a line of that name, which the side that it is compared with prints.
    Stated(&'static str),
}

impl Side {
    /// It works on the directory of files.
    pub fn reads_files(self) -> bool {
        matches!(self, Side::Job(..) | Side::PythonJob(..))
    }

    /// What the machine lacks to run it.
    pub fn lack(self, tools: &Tools) -> Option<String> {
        if matches!(self, Side::Stated(_)) { None } else { self.command(tools).err() }
    }

    /// What people call it.
    pub fn title(self) -> String {
        match self {
            Side::Code(code) => format!("stook -e {code}"),
            Side::Pair(name, arguments) => format!("{name}.rhai {}", arguments.join(" ")),
            Side::Job(name, processes) => format!("{name}.rhai on {processes}"),
            Side::PythonCode(code) => format!("python3 -c {code}"),
            Side::Python(name, arguments) => format!("{name}.py {}", arguments.join(" ")),
            Side::PythonJob(name, processes) => format!("{name}.py on {processes}"),
            Side::Empty => "empty Rust program".to_owned(),
            Side::Stated(name) => name.to_owned(),
        }
    }

    /// The command line; the error says what the machine lacks.
    fn command(self, tools: &Tools) -> Result<Command, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = match self {
            Side::Code(_) | Side::Pair(..) | Side::Job(..) => Command::new(env!("CARGO_BIN_EXE_stook")),
            Side::PythonCode(_) | Side::Python(..) | Side::PythonJob(..) => {
                Command::new(tools.python.as_ref().ok_or("there is no python3")?)
            }
            Side::Empty => Command::new(tools.empty.as_ref().ok_or("rustc made no empty program")?),
            Side::Stated(_) => return Err("it is no program".to_owned()),
        };
        match self {
            Side::Code(code) => command.args(["-e", code]),
            Side::PythonCode(code) => command.args(["-c", code]),
            Side::Pair(name, arguments) => {
                command.arg(root.join(format!("benches/pairs/{name}.rhai"))).args(arguments)
            }
            Side::Python(name, arguments) => {
                command.arg(root.join(format!("benches/pairs/{name}.py"))).args(arguments)
            }
            Side::Job(name, _) => command.arg(root.join(format!("scripts/{name}.rhai"))),
            Side::PythonJob(name, _) => command.arg(root.join(format!("benches/pairs/{name}.py"))),
            Side::Empty | Side::Stated(_) => &mut command,
        };
        if let Side::Job(_, processes) | Side::PythonJob(_, processes) = self {
            let files = tools.files.as_ref().ok_or("there is no directory of files; set STOOK_BENCH_DIR")?;
            command.arg(files).arg(processes);
        }
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// How often a round runs it, to take the mean.
    pub fn repeat(self) -> u32 {
        if matches!(self, Side::Code(_) | Side::PythonCode(_) | Side::Empty) { 20 } else { 1 }
    }

    /// One run: its time in seconds and what it printed. The scripts of `benches/pairs` say their time in a line
    /// `seconds: X`, or what memory they needed in a line `MiB: X`; all else is timed as a whole process.
    ///
    /// # Errors
    /// If the machine lacks what it needs, or it fails.
    pub fn run(self, tools: &Tools) -> Result<(f64, String), String> {
        let mut command = self.command(tools)?;
        let start = Instant::now();
        let output = command.output().map_err(|error| format!("{}: {error}", self.title()))?;
        let elapsed = start.elapsed().as_secs_f64();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        // A job over files exits with 1 when it reported some of them.
        let fine = output.status.success() || (self.reads_files() && output.status.code() == Some(1));
        if !fine || (self.reads_files() && stdout.is_empty()) {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let first = stderr.lines().next().unwrap_or("without a word");
            return Err(format!("{}: {}: {first}", self.title(), output.status));
        }
        if !matches!(self, Side::Pair(..) | Side::Python(..)) {
            return Ok((elapsed, stdout));
        }
        let printed = figure(&stdout, "seconds").or_else(|| figure(&stdout, "MiB"));
        Ok((printed.ok_or_else(|| format!("{} printed no `seconds:` or `MiB:`", self.title()))?, stdout))
    }
}

/// The figure in a line `name: X`.
pub fn figure(printed: &str, name: &str) -> Option<f64> {
    let after = |line: &'_ str| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok();
    printed.lines().find_map(after)
}

/// What the machine has.
pub struct Tools {
    /// The interpreter itself: what stands in PATH may be a script that looks for it, which takes its time.
    python: Option<PathBuf>,
    /// A directory with many files.
    pub files: Option<PathBuf>,
    /// The empty Rust program.
    empty: Option<PathBuf>,
    /// Where it stands.
    _folder: tempfile::TempDir,
}

impl Tools {
    /// Looks for all of it.
    ///
    /// # Errors
    /// If there is no folder for temporary files.
    pub fn find() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (source, empty) = (folder.path().join("empty.rs"), folder.path().join("empty"));
        std::fs::write(&source, "fn main() {}\n")?;
        let compiled = answer(Command::new("rustc").arg("-O").arg("-o").arg(&empty).arg(&source));
        let python = answer(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]));
        Ok(Self {
            python: python.map(PathBuf::from),
            files: files(),
            empty: compiled.map(|_| empty),
            _folder: folder,
        })
    }
}

/// What a command prints, trimmed; none if it fails.
fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The directory that was asked for, or the toolchain's documents, or the sources of crates.
fn files() -> Option<PathBuf> {
    if let Some(asked) = env::var_os("STOOK_BENCH_DIR") {
        return Some(PathBuf::from(asked));
    }
    let toolchain = answer(Command::new("rustc").args(["--print", "sysroot"]));
    let documents = toolchain.map(|root| PathBuf::from(root).join("share/doc"));
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let sources = home.map(|home| home.join("registry/src"));
    [documents, sources].into_iter().flatten().find(|folder| folder.is_dir())
}
