//! Native code beside the interpreter, on programs that are made up.
//!
//! `STOOK_NATIVE_PROGRAMS=1000000 cargo test --release --test native` tries so many, `STOOK_NATIVE_SEED=N` begins
//! with another one than the first. What differs is made smaller before it is shown.
//!
//! The programs run in processes of their own, some thousands in each, so that one that crashes is found too: it
//! is the one whose number the process wrote last.

mod corpus;

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use corpus::batch::{self, Tally};
use corpus::differ::Differ;
use corpus::grammar::Program;

/// How many programs are tried without being told.
const PROGRAMS: u64 = 4000;
/// How many a process tries.
const BATCH: u64 = 1000;
/// How many differing programs are shown.
const SHOWN: usize = 5;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn made_up_programs_behave_the_same() {
    let first = number("STOOK_NATIVE_SEED").unwrap_or(0);
    let end = first + number("STOOK_NATIVE_PROGRAMS").unwrap_or(PROGRAMS);
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let next = std::sync::atomic::AtomicU64::new(first);
    let (mut total, mut reports) = (Tally::default(), Vec::new());
    std::thread::scope(|scope| {
        let (next, folder) = (&next, folder.path());
        let work = move || {
            let mut found = Vec::new();
            loop {
                let from = next.fetch_add(BATCH, std::sync::atomic::Ordering::Relaxed);
                if from >= end {
                    return found;
                }
                found.push(in_a_process(from, end.min(from + BATCH), folder));
            }
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for (tally, report) in threads.into_iter().flat_map(|thread| thread.join().expect("no panic")) {
            total.merge(&tally);
            reports.extend(report);
        }
    });
    println!("{total:?}");
    assert!(reports.is_empty(), "{} and more\n\n{}", reports.len(), reports.join("\n"));
    // Without these a grammar or a compiler that does nothing would pass.
    let calls = total.native + total.refused + total.long;
    assert!(total.unreadable * 50 < total.programs, "too many programs can't be read: {total:?}");
    assert!(total.long * 20 < calls, "too many calls take too long: {total:?}");
    assert!(total.failed * 10 > calls && total.failed * 10 < calls * 8, "errors, but not only: {total:?}");
    assert!(total.native * 100 >= calls * NATIVE, "too few calls ran natively: {total:?}");
}

/// At least so many calls of a hundred run natively.
const NATIVE: usize = 90;

/// Tries the programs from `first` to before `end` in a process, and goes on behind one that crashes; the tally, and
/// what differs or crashed.
fn in_a_process(first: u64, end: u64, folder: &Path) -> (Tally, Vec<String>) {
    let mark = folder.join(format!("{first}"));
    let (mut first, mut total, mut reports) = (first, Tally::default(), Vec::new());
    loop {
        let output = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "a_process_of_programs", "--ignored", "--nocapture", "--test-threads=1"])
            .env("STOOK_NATIVE_BATCH", format!("{first} {end} {}", mark.display()))
            .stdin(Stdio::null())
            .output()
            .expect("this program runs");
        let stdout = String::from_utf8_lossy(&output.stdout);
        if let Some(tally) = stdout.lines().find_map(|line| Tally::read(line.strip_prefix("tally: ")?)) {
            total.merge(&tally);
        }
        reports.extend(stdout.split('\x01').skip(1).step_by(2).map(str::to_owned));
        if output.status.success() {
            return (total, reports);
        }
        let seed = fs::read_to_string(&mark).ok().and_then(|seed| seed.parse().ok());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let Some(seed) = seed else {
            reports.push(format!("{}\n{stderr}", output.status));
            return (total, reports);
        };
        let (program, stderr) =
            batch::smallest(batch::program(seed), stderr, CRASHES, |candidate| crash(candidate, folder));
        reports.push(format!("seed {seed}: {}\n{}\n{stderr}", output.status, program.source()));
        if seed + 1 >= end || reports.len() > SHOWN {
            return (total, reports);
        }
        first = seed + 1;
    }
}

/// How many smaller programs are tried for one that crashes.
const CRASHES: usize = 300;

/// What a process prints on standard error that runs this program and crashes.
fn crash(program: &Program, folder: &Path) -> Option<String> {
    let file = folder.join(format!("{:?}.rhai", std::thread::current().id()));
    fs::write(&file, program.source()).ok()?;
    let output = Command::new(env::current_exe().ok()?)
        .args(["--exact", "a_process_of_one_program", "--ignored", "--nocapture", "--test-threads=1"])
        .env("STOOK_NATIVE_PROGRAM", format!("{} {}", program.entry, file.display()))
        .stdin(Stdio::null())
        .output()
        .ok()?;
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
#[ignore = "what the other test runs in a process of its own; by hand: the entry's name and a file"]
fn a_process_of_one_program() {
    let program =
        env::var("STOOK_NATIVE_PROGRAM").expect("STOOK_NATIVE_PROGRAM: the function to call, a file");
    let (entry, file) = program.split_once(' ').expect("two words");
    let source = fs::read_to_string(file).expect("the file can be read");
    match Differ::new().run(&source, entry) {
        Ok(findings) => {
            println!("\nnative {} refused {} {:#?}", findings.native, findings.refused, findings.states);
            println!("{}", findings.told());
        }
        Err(error) => println!("{error}"),
    }
}

#[test]
#[ignore = "what the other test runs in processes of its own"]
fn a_process_of_programs() {
    let batch = env::var("STOOK_NATIVE_BATCH").expect("STOOK_NATIVE_BATCH: the first seed, the end, a file");
    let mut words = batch.splitn(3, ' ');
    let mut seed = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("a seed");
    let (first, end) = (seed(), seed());
    let mark = words.next().expect("a file for the seed");
    let differ = Differ::new();
    let mut tally = Tally::default();
    let mut shown = 0;
    for seed in first..end {
        fs::write(mark, seed.to_string()).expect("the file for the seed can be written");
        let program = batch::program(seed);
        let findings = differ.run(&program.source(), &program.entry);
        if let Err(error) = &findings
            && env::var_os("STOOK_NATIVE_UNREADABLE").is_some()
        {
            println!("\n{error}\n{}", program.source());
        }
        tally.add(&findings);
        if let Ok(findings) = findings
            && !findings.differences.is_empty()
            && shown < SHOWN
        {
            shown += 1;
            let (program, findings) = batch::smallest_difference(&differ, program, findings);
            println!("\x01{}\x01", batch::report(seed, &program, &findings));
        }
    }
    println!("\ntally: {}", tally.words());
}

#[test]
fn programs_are_made_smaller_until_nothing_can_go() {
    let program =
        (0..).map(batch::program).find(|program| program.source().contains("**")).expect("a program");
    let (small, ()) =
        batch::smallest(program, (), usize::MAX, |candidate| candidate.source().contains("**").then_some(()));
    let source = small.source();
    assert!(source.contains("**") && source.len() < 150, "{source}");
}
