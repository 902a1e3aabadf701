//! Every script of `tests/cases` as a test, named `AREA::FILE::METHOD`, and the harness's own tests.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use support::behaviours;
use support::case::{Case, Methods, Output};
use support::run::{End, HANG, Place, Run};
use support::trial::{broken, of_script, offered_methods, run_script};
use support::verdict::judge;
use walkdir::WalkDir;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = harness();
    match offered_methods() {
        Ok(methods) => trials.extend(cases(&methods)),
        Err(error) => trials.push(broken("harness::start_methods", error)),
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// A test for each script and start method.
fn cases(methods: &[String]) -> Vec<Trial> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut trials = Vec::new();
    let scripts = WalkDir::new(&root).sort_by_file_name().into_iter().filter_entry(|entry| {
        entry.depth() < 2 || entry.path().extension().is_none_or(|extension| extension != "d")
    });
    for entry in scripts {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return vec![broken("harness::cases", error.to_string())],
        };
        if entry.path().extension().is_none_or(|extension| extension != "rhai") {
            continue;
        }
        let name = entry.path().strip_prefix(&root).unwrap_or(entry.path()).with_extension("");
        let name = name.to_string_lossy().replace('/', "::");
        if entry.depth() == 2 {
            trials.extend(of_script(&name, entry.path(), methods));
        } else {
            trials.push(broken(&name, "a case stands directly in the folder of its area".to_owned()));
        }
    }
    trials
}

/// The harness tested by itself: what must fail fails.
fn harness() -> Vec<Trial> {
    let tests: &[(&str, fn())] = &[
        ("reads_every_comment", reads_every_comment),
        ("refuses_comments_that_make_no_sense", refuses_comments_that_make_no_sense),
        ("judges_output", judges_output),
        ("judges_stderr_exit_and_leaks", judges_stderr_exit_and_leaks),
        ("reads_the_table_of_behaviours", reads_the_table_of_behaviours),
        ("sees_how_a_program_ends", sees_how_a_program_ends),
        ("sees_what_hangs", sees_what_hangs),
        ("sees_what_is_left_behind", sees_what_is_left_behind),
        ("fails_a_script_that_expects_something_else", fails_a_script_that_expects_something_else),
    ];
    tests
        .iter()
        .map(|&(name, test)| {
            Trial::test(format!("harness::{name}"), move || {
                test();
                Ok::<(), Failed>(())
            })
        })
        .collect()
}

fn case(script: &str) -> Case {
    Case::parse(script).expect("a case")
}

fn run(code: i32, stdout: &str, stderr: &str) -> Run {
    Run { end: End::Code(code), stdout: stdout.to_owned(), stderr: stderr.to_owned(), left: Vec::new() }
}

fn reads_every_comment() {
    let text = "// covers: process.01 queue.02\n// methods: spawn fork\n// args: a  b\n// stdin: x y\n// stdin:\n\
        let a = \"http://x\"; // expect: http://x\n// expect:\n// expect-unordered: b\n//expect-unordered: c\n\
        // expect:  two spaces\n// expect matching: ^\\d$\n// exit: -9\n// options: --memory 5\n// stdout: closed\n// stderr: full\n// stderr: whole\n// as: -e\n// program: copied\n// expect stderr: ^Error: \\d+$\n// nothing: else\n";
    let case = case(text);
    let line = |text: &str| Output::Line(text.to_owned());
    let any_order = Output::AnyOrder(vec!["b".to_owned(), "c".to_owned()]);
    let digit = Output::Matching("^\\d$".to_owned());
    assert_eq!(case.output, [line("http://x"), line(""), any_order, line(" two spaces"), digit]);
    assert_eq!((case.stderr.len(), case.stderr_whole), (1, true));
    assert_eq!(case.exit, -9);
    assert_eq!(case.args, ["a", "b"]);
    assert_eq!(case.options, ["--memory", "5"]);
    assert_eq!(case.redirections, [">&-", "2>/dev/full"]);
    assert_eq!((case.run_as.as_deref(), case.copied_program), (Some("-e"), true));
    assert_eq!(case.stdin, "x y\n\n");
    assert_eq!(case.covers, ["process.01", "queue.02"]);
    assert_eq!(case.methods, Methods::Only(vec!["spawn".to_owned(), "fork".to_owned()]));
    let plain = Case::parse("print(1);").expect("a case");
    assert_eq!((plain.methods, plain.exit), (Methods::All, 0));
}

fn refuses_comments_that_make_no_sense() {
    let senseless = [
        "// exit: soon",
        "// methods: thread",
        "// methods:",
        "// methods: any spawn",
        "// expect stderr: (",
        "// expect matching: (",
        "// expects: 1",
        "print(1); // Expect: 1",
        "// expect stdout: 1",
        "// expect : 1",
        "// stdout: open",
        "// program: another",
    ];
    for text in senseless {
        assert!(Case::parse(text).is_err(), "{text}");
    }
}

fn judges_output() {
    let expected = "// expect: a\n// expect-unordered: b\n// expect-unordered: c\n// expect: d";
    for (stdout, right) in [
        ("a\nb\nc\nd\n", true),
        ("a\nc\nb\nd\n", true),
        ("a\nb\nc\nd", true),
        ("", false),
        ("a\nb\nc\n", false),
        ("a\nb\nb\nd\n", false),
        ("b\na\nc\nd\n", false),
        ("a\nb\nd\nc\n", false),
        ("a\nb\nc\nd\n\n", false),
        ("a \nb\nc\nd\n", false),
    ] {
        assert_eq!(judge(&case(expected), &run(0, stdout, "")).is_ok(), right, "{stdout:?}");
    }
    let pattern = case("// expect matching: ^a+$\n// expect: b");
    for (stdout, right) in
        [("aa\nb\n", true), ("^a+$\nb\n", false), ("b\n", false), ("", false), ("aa\n", false)]
    {
        assert_eq!(judge(&pattern, &run(0, stdout, "")).is_ok(), right, "{stdout:?}");
    }
    let text = judge(&case("// expect: a"), &run(0, "b\n", "")).expect_err("they differ");
    assert!(text.contains("\n  - a\n  + b\n"), "{text}");
    assert!(judge(&case(""), &run(0, "b\n", "")).is_err(), "nothing expected");
}

fn judges_stderr_exit_and_leaks() {
    let expected = case("// expect stderr: ^A\n// expect stderr: b$\n// exit: 3");
    assert!(judge(&expected, &run(3, "", "x\nAb\n")).is_ok(), "one line may match both");
    assert!(judge(&expected, &run(3, "", "Aa\n")).is_err());
    assert!(judge(&expected, &run(0, "", "Ab\n")).is_err(), "the exit code");
    assert!(judge(&case(""), &run(0, "", "warning\n")).is_err(), "nothing expected on stderr");
    assert!(judge(&case("// exit: -9"), &run(-9, "", "")).is_ok());
    let whole = case("// stderr: whole\n// expect stderr: ^A\n// expect stderr: b$");
    assert!(judge(&whole, &run(0, "", "A\nb\nAb\n")).is_ok());
    assert!(judge(&whole, &run(0, "", "A\nx\nb\n")).is_err(), "a line that nothing expects");
    let hung = Run { end: End::Hung(HANG), ..run(0, "so far\n", "") };
    let text = judge(&case("// expect: so far"), &hung).expect_err("it hung");
    assert!(text.contains("still running") && text.contains("so far"), "{text}");
    let leaky = Run { left: vec!["process 1".to_owned()], ..run(0, "", "") };
    assert!(judge(&case(""), &leaky).is_err(), "something is left");
}

fn reads_the_table_of_behaviours() {
    let row = |text: &str| behaviours::parse(&format!("heading\n{text}"));
    assert_eq!(row("a.b.01\ta.b\ttest\tText.\tadapted\tnote").expect("a row").len(), 1);
    assert!(row("a.01\ta\ttest\tText.\tyes").is_err(), "five columns");
    assert!(row("a.01\ta\ttest\tText.\tmaybe\t").is_err(), "maybe");
    assert!(row("a.01\tb\ttest\tText.\tyes\t").is_err(), "another area");
    assert!(row("a.01\ta\tt\tT\tyes\t\na.01\ta\tt\tT\tyes\t").is_err(), "twice");
}

/// Runs a line of shell as if it were a case.
fn shell(line: &str, stdin: &str, hang: Duration) -> Run {
    let place = Place::new().expect("a folder");
    place.run(Path::new("/bin/sh"), &["-c", line], stdin, hang).expect("a shell")
}

/// What a line of shell that leaves something behind leaves behind.
fn left_by(line: &str) -> Vec<String> {
    let mut place = Place::new().expect("a folder");
    place.grace = Duration::from_millis(500); // what is left here stays
    place.run(Path::new("/bin/sh"), &["-c", line], "", HANG).expect("a shell").left
}

fn sees_how_a_program_ends() {
    let seen = shell("cat; echo b >&2; exit 3", "a\n", HANG);
    assert_eq!((seen.end, seen.stdout.as_str(), seen.stderr.as_str()), (End::Code(3), "a\n", "b\n"));
    assert!(seen.left.is_empty(), "{:?}", seen.left);
    assert_eq!(shell("kill -9 $$", "", HANG).end, End::Code(-9));
    assert_eq!(shell("read x || exit 4", "", HANG).end, End::Code(4), "an empty stdin");
    assert_eq!(shell("ls; ls $TMPDIR", "", HANG).stdout, "", "an empty folder");
    assert!(shell("sleep 0.1 & wait", "", HANG).left.is_empty());
    assert!(shell("sleep 0.1 & kill -9 $$", "", HANG).left.is_empty(), "a killed parent can't wait");
}

fn sees_what_hangs() {
    let hang = Duration::from_millis(500);
    let seen = shell("echo so far; sleep 1000 & wait", "", hang);
    assert_eq!(seen.end, End::Hung(hang));
    assert_eq!(seen.stdout, "so far\n");
}

fn sees_what_is_left_behind() {
    let one = |line: &str, what: &str| {
        let left = left_by(line);
        assert!(left.len() == 1 && left[0].starts_with(what), "{line}: {left:?}");
    };
    one("echo > $TMPDIR/a", "temporary file");
    one("setsid sleep 1000 & true", "process");
    one("env -i sleep 2 & true", "process"); // it shows no environment at all
    let zombie = shell("sleep 0.1 & true", "", HANG).left;
    assert!(zombie.len() == 1 && zombie[0].starts_with("zombie"), "{zombie:?}");
    let name = format!("stook-test-{}", std::process::id());
    let shared = left_by(&format!("echo > /dev/shm/{name}"));
    fs::remove_file(format!("/dev/shm/{name}")).expect("the leak");
    assert_eq!(shared, [format!("shared memory /dev/shm/{name}")]);
}

fn fails_a_script_that_expects_something_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let verdict = |text: &str| {
        let script = folder.path().join("case.rhai");
        fs::write(&script, text).expect("a script");
        let case = case(text);
        let run = run_script(&script, &case, &[]).expect("a run");
        judge(&case, &run)
    };
    assert_eq!(verdict("print(1); // expect: 1"), Ok(()));
    assert!(verdict("print(1); // expect: 2").is_err());
    assert!(verdict("print(1); // expect: 1\n// exit: 1").is_err());
    assert!(verdict("print(1);").is_err());
    assert!(verdict("throw 1;").is_err());
    for place in ["-", "-e", "script", "other.rhai"] {
        let name = if place == "-" { "<stdin>" } else { place };
        let name = if place == "-e" { "<command line>" } else { name };
        assert_eq!(
            verdict(&format!("// as: {place}\nthrow 1;\n// exit: 1\n// expect stderr: {name}")),
            Ok(())
        );
    }
    assert_eq!(verdict("print(exists(\"stook\")); // expect: true\n// program: copied"), Ok(()));
    assert_eq!(verdict("print(1);\n// stdout: closed"), Ok(()));
    assert_eq!(verdict("try { queue.put(1) } catch { throw 1 }\n// exit: 1\n// stderr: closed"), Ok(()));
    assert_eq!(
        verdict(
            "let q = Queue(); try { q.put(blob(9_000_000)) } catch (e) { print(e.kind); } // expect: MemoryError\n\
                 // options: --memory 1000000"
        ),
        Ok(())
    );
}
