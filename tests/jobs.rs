//! The job scripts over thousands of files: the same with 1, 2 and 8 processes, and equal to what other
//! tools say.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Files of the tree that the scripts run over.
const FILES: usize = 3200;

/// A tree of small texts, with a few files that are no text, and names that need care.
fn tree() -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    let words = ["rye", "Sheaf", "stook", "FIELD", "harvest", "row", "straw", "ear", "grain", "rain"];
    let mut number = 1_u64;
    let mut paths = Vec::new();
    let mut add = |name: &OsStr, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        paths.push(path);
    };
    for file in 0..FILES {
        let mut text = String::new();
        for _ in 0..20 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Squared, so that no two words are equally frequent.
            let choice = ((number >> 33) % 1000) as usize;
            text += words[choice * choice / 100_001];
            text += [" ", "\n", ", ", "-", "3"][choice % 5];
        }
        add(OsStr::new(&format!("d{}/f{file}.txt", file % 40)), text.as_bytes());
    }
    add(OsStr::new("with space and ä.txt"), "Rye über rye".as_bytes());
    add(OsStr::new("back\\slash"), b"rye");
    add(OsStr::new("new\nline"), b"rye");
    add(OsStr::new("binary"), b"rye\0rye");
    add(OsStr::new("latin1"), b"rye \xfcber");
    (folder, paths)
}

fn job(script: &str, folder: &Path, processes: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
    let mut command = Command::new(env!("CARGO_BIN_EXE_stook"));
    command.arg(script).arg(folder).arg(processes).output().expect("stook runs")
}

/// Runs the script with 1, 2 and 8 processes, which has to give the same each time.
fn same(script: &str, folder: &Path) -> Output {
    let one = job(script, folder, "1");
    for processes in ["2", "8"] {
        let other = job(script, folder, processes);
        assert_eq!(String::from_utf8_lossy(&one.stdout), String::from_utf8_lossy(&other.stdout));
        assert_eq!(String::from_utf8_lossy(&one.stderr), String::from_utf8_lossy(&other.stderr));
        assert_eq!(one.status, other.status);
    }
    one
}

#[test]
fn checksums_are_those_of_sha256sum() {
    let (folder, mut paths) = tree();
    let output = same("checksums.rhai", folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    paths.sort_by(|one, other| one.as_os_str().as_bytes().cmp(other.as_os_str().as_bytes()));
    let expected = Command::new("sha256sum").args(&paths).output().expect("sha256sum runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&expected.stdout));
}

#[test]
fn words_are_counted_and_what_is_no_text_is_named() {
    let (folder, paths) = tree();
    let output = same("wordcount.rhai", folder.path());
    assert_eq!(output.status.code(), Some(1), "some files are no text");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    assert!(stderr.contains("binary") && stderr.contains("latin1"), "{stderr}");

    let mut counts: HashMap<String, u64> = HashMap::new();
    for path in paths {
        let text = String::from_utf8(fs::read(path).expect("readable")).unwrap_or_default();
        if !text.contains('\0') {
            let words =
                text.split(|letter: char| !letter.is_ascii_alphabetic()).filter(|word| !word.is_empty());
            words.for_each(|word| *counts.entry(word.to_ascii_lowercase()).or_default() += 1);
        }
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let expected: Vec<String> =
        counts.iter().take(20).map(|(word, count)| format!("{count:9}  {word}")).collect();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_directory_has_to_be_named() {
    for script in ["wordcount.rhai", "checksums.rhai"] {
        let output = job(script, Path::new("/nowhere at all"), "2");
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.starts_with("usage: ") && stderr.lines().count() == 1, "{stderr}");
    }
}

/// Runs a job script; it has to end with `code`. Gives its lines on standard output and standard error.
fn lines(script: &str, arguments: &[&str], code: i32) -> (Vec<String>, Vec<String>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
    let output =
        Command::new(env!("CARGO_BIN_EXE_stook")).arg(script).args(arguments).output().expect("stook runs");
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
    let (stdout, stderr) = (lines(&output.stdout), lines(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout:?} {stderr:?}");
    (stdout, stderr)
}

#[test]
fn files_are_converted_by_a_program_and_only_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    fs::create_dir_all(from.join("deep")).expect("a folder");
    for number in 0..20 {
        fs::write(from.join(format!("deep/{number}.txt")), format!("text {number}")).expect("a file");
    }
    fs::write(from.join("other.md"), "left alone").expect("a file");
    let (from, to_text) = (from.to_str().expect("UTF-8"), to.to_str().expect("UTF-8"));
    let upper = ["sh", "-c", "tr a-z A-Z < \"$1\" > \"$2\"", "sh", "{in}", "{out:.up}"];
    let arguments: Vec<&str> = [from, r"\.txt$", to_text].into_iter().chain(upper).collect();
    let (stdout, stderr) = lines("convert.rhai", &arguments, 0);
    assert_eq!((stdout, stderr), (vec!["20 of 20 files converted".to_owned()], Vec::new()));
    assert_eq!(fs::read_to_string(to.join("deep/7.up")).expect("converted"), "TEXT 7");
    assert_eq!(fs::read_dir(to.join("deep")).expect("a folder").count(), 20, "and nothing else");
    let (stdout, _) = lines("convert.rhai", &arguments, 0);
    assert_eq!(stdout, ["0 of 20 files converted"]);
    let fails = [from, r"7\.txt$", to_text, "sh", "-c", "echo no such format >&2; exit 3", "{out:.no}"];
    let (stdout, stderr) = lines("convert.rhai", &fails, 1);
    assert_eq!(stdout, ["0 of 2 files converted"]);
    assert!(stderr.iter().all(|line| line.ends_with(".txt: sh ended with 3: no such format")), "{stderr:?}");
}

#[test]
fn a_sweep_gives_the_same_table_each_time() {
    let (table, _) = lines("ruin.rhai", &["40"], 0);
    assert_eq!(table.len(), 5);
    assert_eq!(table[0], "stake    0.44    0.47     0.5    0.53");
    assert_eq!(table[4], "theory    99.3    93.5    66.7    28.1");
    assert_eq!(lines("ruin.rhai", &["40"], 0).0, table);
}

#[test]
fn a_log_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let mut log = String::new();
    for number in 0..3000 {
        let (status, page) = if number % 10 == 0 { (404, "gone") } else { (200, "there") };
        log += &format!(
            "203.0.113.{} - frank [10/Oct/2025:13:55:36 -0700] \"GET /{page}?q={number} HTTP/1.1\" {status} {} \
             \"http://example.org/\" \"Mozilla/5.0 (X11; Linux)\"\n",
            number % 256,
            if status == 200 { "100" } else { "-" },
        );
    }
    log += "no entry\n";
    fs::write(&path, log).expect("a file");
    let (stdout, stderr) = lines("accesslog.rhai", &[path.to_str().expect("UTF-8")], 0);
    let expected = [
        "status",
        "        2700  200",
        "         300  404",
        "failed",
        "         300  404 /gone",
        "bytes",
        "      270000  /there",
        "           0  /gone",
    ];
    assert_eq!(stdout, expected);
    assert_eq!(stderr, ["1 lines are no log entries"]);
}

#[test]
fn a_job_that_was_killed_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    fs::create_dir(&files).expect("a folder");
    for number in 0..400_usize {
        let text = format!("{:04}", number % 200).repeat(100_000);
        fs::write(files.join(format!("{number:03}")), text).expect("a file");
    }
    let journal = folder.path().join("journal");
    let arguments = [files.to_str().expect("UTF-8"), journal.to_str().expect("UTF-8")];
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/duplicates.rhai");
    let mut first =
        Command::new(env!("CARGO_BIN_EXE_stook")).arg(&script).args(arguments).spawn().expect("stook runs");
    let recorded = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    while recorded() < 20 && first.try_wait().expect("ours").is_none() {
        std::thread::yield_now();
    }
    first.kill().expect("ours");
    first.wait().expect("ours");
    let before = recorded();
    let (stdout, stderr) = lines("duplicates.rhai", &arguments, 0);
    assert_eq!(stdout.iter().filter(|line| line.is_empty()).count(), 200, "pairs of equal files");
    let skipped = stderr.iter().find_map(|line| line.strip_suffix(" of 400 items were done before"));
    let skipped: usize = skipped.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("it says so");
    assert!((20..400).contains(&skipped) && skipped <= before, "{skipped} of {before}");
    let (_, stderr) = lines("duplicates.rhai", &arguments, 0);
    assert!(stderr.iter().any(|line| line.ends_with("400 of 400 items were done before")), "{stderr:?}");
}
