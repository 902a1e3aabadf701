//! Script functions beside the same functions in CPython: those that calculate, and those of everyday jobs.
//!
//! `cargo bench --bench functions` runs every program of `benches/functions`, `-- NAME..` those whose name contains
//! one of the names. `--pool` times four calls by `Pool.map` on two workers instead of one call, `--rounds N` sets
//! the number of rounds. What stands behind `--stook` goes to stook: `-- --stook --native=off`.
//!
//! A round runs both sides, each in a process of its own that says the best time of a few runs. The figure of a
//! program is the ratio of the best times of all rounds, CPython's / stook's: above 1, stook is faster. Both sides
//! must give the same result. The first run of stook's side holds the time that compiling takes, like all others,
//! but it is the best run that counts.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// The rounds, and the runs of a round.
const ROUNDS: usize = 3;
const RUNS: &str = "5";

struct Set {
    title: &'static str,
    programs: &'static [&'static str],
    /// The geometric mean to reach, and the least ratio of each.
    mean: f64,
    least: f64,
}

const SETS: &[Set] = &[
    Set {
        title: "numeric",
        programs: &[
            "fib",
            "loop",
            "primes",
            "collatz",
            "mandelbrot",
            "nbody",
            "spectral",
            "matrix",
            "sum",
            "sieve",
        ],
        mean: 15.0,
        least: 5.0,
    },
    Set {
        title: "general",
        programs: &["strings", "words", "lines", "nested", "sorting", "maze", "levenshtein", "bank"],
        mean: 1.0,
        least: 0.5,
    },
];

/// What the command line asks for.
struct Wish {
    names: Vec<String>,
    rounds: usize,
    pool: bool,
    stook: Vec<String>,
}

impl Wish {
    fn read(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wish = Self { names: Vec::new(), rounds: ROUNDS, pool: false, stook: Vec::new() };
        let mut args = args.filter(|arg| arg != "--bench"); // added by cargo
        while let Some(arg) = args.next() {
            let known = || SETS.iter().flat_map(|set| set.programs);
            match arg.as_str() {
                "--pool" => wish.pool = true,
                "--stook" => wish.stook = args.by_ref().collect(),
                "--rounds" => {
                    let count = args.next().and_then(|count| count.parse().ok()).filter(|count| *count > 0);
                    wish.rounds = count.ok_or("--rounds needs a number above 0")?;
                }
                name if known().any(|known| known.contains(name)) => wish.names.push(arg),
                _ => {
                    let known: Vec<&str> = known().copied().collect();
                    return Err(format!(
                        "no program is called {arg}; there are {}, and --pool, --rounds N, --stook OPTION..",
                        known.join(", ")
                    ));
                }
            }
        }
        Ok(wish)
    }

    fn wants(&self, program: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| program.contains(name))
    }
}

/// The best time so far of a side, and its result.
struct Best {
    seconds: f64,
    result: String,
}

/// Runs a side of a program once and keeps the better time.
fn run(mut command: Command, wish: &Wish, lines: &Path, best: &mut Option<Best>) -> Result<(), String> {
    command.arg(if wish.pool { "pool" } else { "alone" }).arg(RUNS).arg(lines).stdin(Stdio::null());
    let title = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{title}: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let value = |label: &str| stdout.lines().find_map(|line| line.strip_prefix(label)).map(str::trim);
    let (Some(seconds), Some(result)) =
        (value("seconds:").and_then(|seconds| seconds.parse::<f64>().ok()), value("result:"))
    else {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{title}: {}: {}", output.status, stderr.lines().next().unwrap_or("no figures")));
    };
    match best {
        Some(best) => best.seconds = best.seconds.min(seconds),
        None => *best = Some(Best { seconds, result: result.to_owned() }),
    }
    Ok(())
}

/// Both sides of a program, in turns: the best times in seconds of stook and of CPython.
fn measure(program: &str, wish: &Wish, python: &Path, lines: &Path) -> Result<(f64, f64), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/functions");
    let (mut ours, mut theirs) = (None, None);
    for _ in 0..wish.rounds {
        let mut stook = Command::new(env!("CARGO_BIN_EXE_stook"));
        stook.args(&wish.stook).arg(folder.join(format!("{program}.rhai")));
        run(stook, wish, lines, &mut ours)?;
        let mut cpython = Command::new(python);
        cpython.arg(folder.join(format!("{program}.py")));
        run(cpython, wish, lines, &mut theirs)?;
    }
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return Err("no rounds".to_owned()) };
    if !same(&ours.result, &theirs.result) {
        return Err(format!("results differ: stook {}, CPython {}", ours.result, theirs.result));
    }
    Ok((ours.seconds, theirs.seconds))
}

/// Are these the same result? Numbers may be written differently: `1e-5` and `0.00001`.
fn same(ours: &str, theirs: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    ours == theirs || number(ours).is_some_and(|ours| number(theirs) == Some(ours))
}

fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

/// A file with some lines of words.
fn lines_file(folder: &Path) -> std::io::Result<PathBuf> {
    let mut text = String::new();
    let mut seed = 42_u64;
    for _ in 0..8000 {
        for _ in 0..8 {
            seed = (seed * 1_103_515_245 + 12345) % 2_147_483_648;
            let _ =
                write!(text, "{}{} ", ["rye", "barley", "oats", "a"][(seed / 4 % 4) as usize], seed % 500);
        }
        text.push('\n');
    }
    let path = folder.join("lines.txt");
    fs::write(&path, text)?;
    Ok(path)
}

/// The interpreter itself: what stands in PATH may be a script that looks for it.
fn python() -> Option<PathBuf> {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
    output.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn compare(wish: &Wish) -> Result<(), String> {
    let python = python().ok_or("there is no python3 to compare with")?;
    let folder = tempfile::tempdir().map_err(|error| format!("no folder for temporary files: {error}"))?;
    let lines = lines_file(folder.path()).map_err(|error| format!("lines.txt: {error}"))?;
    let mut failed = false;
    println!("{:12} {:>8} {:>8} {:>11} {:>11}", "program", "ratio", "least", "stook", "CPython");
    for set in SETS {
        let mut ratios = Vec::new();
        for program in set.programs.iter().filter(|program| wish.wants(program)) {
            match measure(program, wish, &python, &lines) {
                Ok((ours, theirs)) => {
                    let ratio = theirs / ours;
                    let verdict = if ratio < set.least { "missed" } else { "" };
                    let (least, ours, theirs) = (set.least, ours * 1e3, theirs * 1e3);
                    println!(
                        "{program:12} {ratio:>8.2} {least:>8.1} {ours:>8.2} ms {theirs:>8.2} ms  {verdict}"
                    );
                    ratios.push(ratio);
                }
                Err(error) => {
                    println!("{program:12}  failed: {error}");
                    failed = true;
                }
            }
        }
        if !ratios.is_empty() {
            let mean = geometric_mean(&ratios);
            let verdict = if mean < set.mean { "missed" } else { "met" };
            println!("{:12} {mean:>8.2} {:>8.1}  geometric mean, {verdict}\n", set.title, set.mean);
        }
    }
    if failed { Err("not all programs ran".to_owned()) } else { Ok(()) }
}

fn main() -> ExitCode {
    let wish = match Wish::read(env::args().skip(1)) {
        Ok(wish) => wish,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match compare(&wish) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
