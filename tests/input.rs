//! Bad input gives one clear message and a non-zero exit, and never a panic.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn stook() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stook"));
    command.stdin(Stdio::null());
    command
}

/// Runs a command that has to fail with `code`, and gives what stands on stderr.
fn refused(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("stook starts");
    let stderr = String::from_utf8(output.stderr).expect("messages are text");
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(!stderr.is_empty(), "there is a message");
    stderr
}

/// Runs a script from the command line that has to fail with 1.
fn script(text: &str) -> String {
    refused(stook().args(["-e", text]), 1)
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("a file");
    path
}

#[test]
fn a_script_that_is_not_there_or_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = refused(stook().arg("gone.rhai"), 2);
    assert!(missing.contains("gone.rhai") && missing.contains("No such file"), "{missing}");
    assert_eq!(missing.lines().count(), 1);
    let directory = refused(stook().arg(folder.path()), 2);
    assert!(directory.contains("is a directory"), "{directory}");
}

#[test]
fn a_script_that_is_not_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(folder.path(), "binary.rhai", b"print(1);\n\xff\xfe");
    let message = refused(stook().arg(path), 2);
    assert!(
        message.contains("binary.rhai") && message.contains("UTF-8") && message.contains("byte 10"),
        "{message}"
    );
}

#[test]
fn a_syntax_error_shows_the_line_and_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(folder.path(), "wrong.rhai", b"let a = 1;\nlet b = ;\n");
    let message = refused(stook().arg(path), 1);
    assert!(message.contains("syntax error"), "{message}");
    assert!(message.contains("wrong.rhai:2:9") && message.contains("let b = ;"), "{message}");
    let lines: Vec<&str> = message.lines().collect();
    let at = lines.iter().position(|line| line.contains("let b = ;")).expect("the line");
    let column = lines[at].find("let b").expect("its begin") + 8;
    assert_eq!(lines[at + 1].find('^'), Some(column), "{message}");
}

#[test]
fn options_that_nobody_knows() {
    assert!(refused(stook().arg("--frobnicate"), 2).contains("--frobnicate"));
    assert!(refused(stook().args(["--start-method", "magic", "-e", "1"]), 2).contains("magic"));
    assert!(refused(stook().arg("--process=garbage"), 2).contains("stook's own use"));
    assert!(refused(stook().arg("--process=1:1"), 2).contains("stook's own use"));
}

#[test]
fn an_argument_that_is_not_text() {
    let message = refused(stook().args(["-e", "1", "fine"]).arg(OsStr::from_bytes(b"wr\xffong")), 2);
    assert!(message.contains("argument 2") && message.contains("UTF-8"), "{message}");
}

#[test]
fn values_that_cannot_travel_are_named_with_their_place() {
    let message = script("let p = Process(|x| x, [#{cfg: #{handler: Process(|| 1)}}]); p.start();");
    assert!(message.contains("TypeError") && message.contains("args[0].cfg.handler"), "{message}");
    let message = script("with Pool(1) as p { p.map(|x| x, [1, 2, [p]], 1); }");
    assert!(message.contains("TypeError") && message.contains("iterable[2][0]"), "{message}");
    let message = script("let q = Queue(); let a = []; for i in 0..300 { a = [a]; } q.put(a);");
    assert!(message.contains("TypeError") && message.contains("256"), "{message}");
}

#[test]
fn pools_and_options_that_make_no_sense() {
    assert!(script("Pool(0)").contains("ValueError"));
    assert!(script("Pool(-3)").contains("ValueError"));
    assert!(script("Pool(\"two\")").contains("TypeError"));
    let message = script("Pool(#{process: 2})");
    assert!(message.contains("'process'") && message.contains("processes"), "{message}");
    assert!(script("with 5 as x { }").contains("TypeError"));
}

#[test]
fn recursion_without_end_is_one_message() {
    for text in
        ["fn f(x) { f(x + 1) } f(0)", "fn f(x) { with Queue() { } } fn g(x) { [x].map(|y| g(y)) } g(1)"]
    {
        let message = script(text);
        assert!(message.contains("Stack overflow"), "{message}");
        assert!(message.lines().count() < 40, "{} lines", message.lines().count());
    }
}

#[test]
fn a_script_without_the_guard_is_explained_and_starts_no_storm() {
    let folder = tempfile::tempdir().expect("a folder");
    // Each process that comes as far as the top level leaves a file.
    let text = "write_text(`ran-${getpid()}`, \"\"); let p = Process(|| print(\"target\")); p.start(); p.join(); print(p.exitcode);";
    let path = written(folder.path(), "storm.rhai", text.as_bytes());
    let output = stook().current_dir(folder.path()).arg(path).output().expect("stook starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("RuntimeError") && stderr.contains("if __name__ == \"__main__\""), "{stderr}");
    let ran = fs::read_dir(folder.path()).expect("the folder").flatten();
    let ran = ran.filter(|entry| entry.file_name().to_string_lossy().starts_with("ran-")).count();
    assert_eq!(ran, 2, "the parent and one child");
}

#[test]
fn a_reader_that_goes_away_ends_the_script() {
    let mut child = stook();
    let mut child =
        child.args(["-e", "loop { print(\"y\"); }"]).stdout(Stdio::piped()).spawn().expect("stook starts");
    drop(child.stdout.take());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(141));
}

#[test]
fn scripts_come_from_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "#!/usr/bin/env stook\nfn f(x) { x + 1 }\nif __name__ == \"__main__\" { with Pool(1) as p { print(p.map(f, [1])); } print(args); }\n";
    let path = written(folder.path(), "no-suffix", text.as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    let expected = "[2]\n[\"a\", \"--flag\"]\n";
    assert_eq!(printed(&stook().arg(&path).args(["a", "--flag"]).output().expect("runs")), expected);
    let relative = stook().current_dir(folder.path()).args(["no-suffix", "a", "--flag"]).output();
    assert_eq!(printed(&relative.expect("runs")), expected);
    let body = text.lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(printed(&stook().args(["-e", &body, "a", "--flag"]).output().expect("runs")), expected);

    let mut piped = Command::new(env!("CARGO_BIN_EXE_stook"));
    let piped =
        piped.args(["-", "a", "--flag"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut piped = piped.spawn().expect("stook starts");
    piped.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    assert_eq!(printed(&piped.wait_with_output().expect("it ends")), expected);

    // As a command of its own, found by `env` on the path.
    let binaries = Path::new(env!("CARGO_BIN_EXE_stook")).parent().expect("a folder");
    let search = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap_or_default());
    let direct = Command::new(&path).args(["a", "--flag"]).env("PATH", search).stdin(Stdio::null()).output();
    assert_eq!(printed(&direct.expect("runs")), expected);
}
