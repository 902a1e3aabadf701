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
