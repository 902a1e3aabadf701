//! What people give to the program: scripts, options and arguments, good and bad. Bad input gives one clear message
//! on standard error and an exit code other than 0, never a panic and never a flood of processes.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use regex::Regex;
use support::run::{End, Place, Run};
use support::trial::program;

/// After this time a run is taken to hang.
const HANG: Duration = Duration::from_secs(30);
/// The most lines of a clear message.
const CLEAR: usize = 14;

/// Runs the program with `args` in a folder with `files`.
fn run_in<A: AsRef<OsStr>>(files: &[(&str, &[u8])], args: &[A], stdin: &str) -> Run {
    let place = Place::new().expect("a folder");
    write(&place, files);
    place.run(program(), args, stdin, HANG).expect("the program")
}

fn write(place: &Place, files: &[(&str, &[u8])]) {
    for (name, text) in files {
        let path = place.work().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}

fn run(args: &[&str]) -> Run {
    run_in(&[], args, "")
}

/// A line of shell in which `stook` is the program.
fn shell(line: &str, stdin: &str) -> Run {
    let place = Place::new().expect("a folder");
    symlink(program(), place.work().join("stook")).expect("a link");
    place.run(Path::new("/bin/sh"), &["-c", line], stdin, HANG).expect("a shell")
}

/// The run failed with this exit code, a short text that has a line for each pattern, and nothing else.
#[track_caller]
fn refused(run: &Run, code: i32, patterns: &[&str]) {
    assert_eq!(run.end, End::Code(code), "{run:#?}");
    assert_eq!(run.stdout, "", "{run:#?}");
    told(run, patterns);
}

/// There is a short text on standard error that has a line for each pattern; nothing is left behind.
#[track_caller]
fn told(run: &Run, patterns: &[&str]) {
    for pattern in patterns {
        let regex = Regex::new(pattern).expect("a fixed pattern");
        assert!(run.stderr.lines().any(|line| regex.is_match(line)), "no line matches {pattern}: {run:#?}");
    }
    assert!(run.stderr.lines().count() <= CLEAR, "too long: {run:#?}");
    for word in ["panicked", "RUST_BACKTRACE", "Os {", "src/"] {
        assert!(!run.stderr.contains(word), "`{word}` is no word for people: {run:#?}");
    }
    assert!(run.left.is_empty(), "{run:#?}");
}

/// The run went well and printed exactly this.
#[track_caller]
fn printed(run: &Run, stdout: &str) {
    assert_eq!((run.end, run.stdout.as_str(), run.stderr.as_str()), (End::Code(0), stdout, ""), "{run:#?}");
    assert!(run.left.is_empty(), "{run:#?}");
}

#[test]
fn no_such_file() {
    refused(&run(&["none.rhai"]), 2, &["none.rhai.*[Nn]o such file"]);
    refused(&run(&["none/none.rhai"]), 2, &["none/none.rhai"]);
    refused(&run(&[""]), 2, &["."]);
}

#[test]
fn a_directory() {
    refused(&run(&["."]), 2, &["directory"]);
    refused(&run_in(&[("lib.rhai/a", b"")], &["lib.rhai"], ""), 2, &["lib.rhai.*directory"]);
}

#[test]
fn a_file_that_cannot_be_read() {
    // Reading it fails even for the superuser.
    refused(&run(&["/proc/self/mem"]), 2, &["/proc/self/mem"]);
    refused(
        &run_in(&[("file", b"")], &["file/script.rhai"], ""),
        2,
        &["file/script.rhai.*[Nn]ot a directory"],
    );
}

#[test]
fn a_syntax_error_shows_its_line() {
    let script = b"let a = 1;\nlet b = (a + 2;\nprint(b);\n";
    for args in [&["bad.rhai"][..], &["--check", "bad.rhai"]] {
        let run = run_in(&[("bad.rhai", script)], args, "");
        // The caret stands below the semicolon.
        refused(
            &run,
            1,
            &[r"^error: syntax error: ", r"bad\.rhai:2:15", r"^2 \| let b = \(a \+ 2;$", r"^  \| {15}\^$"],
        );
    }
    refused(&run(&["-e", "let"]), 1, &["^error: syntax error: ", "<command line>:1:"]);
    refused(&run_in(&[], &["-"], "print(1"), 1, &["^error: syntax error: ", "<stdin>:1:"]);
}

#[test]
fn a_syntax_error_in_an_imported_file_names_that_file() {
    let files: &[(&str, &[u8])] = &[
        ("main.rhai", b"import \"part\" as part;\nprint(1);\n"),
        ("part.rhai", b"fn ok() { 1 }\nfn bad( {\n"),
    ];
    refused(&run_in(files, &["main.rhai"], ""), 1, &[r"part\.rhai.*2"]);
}

#[test]
fn a_missing_import() {
    let run = run_in(&[("main.rhai", b"\nimport \"part\" as part;\n")], &["main.rhai"], "");
    refused(&run, 1, &[r"main\.rhai:2:", "part"]);
}

#[test]
fn a_script_that_is_not_text() {
    refused(&run_in(&[("a.rhai", b"print(\"\xff\");")], &["a.rhai"], ""), 2, &[r"a\.rhai.*UTF-8.*\b7\b"]);
    let import: &[(&str, &[u8])] = &[("a.rhai", b"import \"b\" as b;"), ("b.rhai", b"// \xc3\x28")];
    refused(&run_in(import, &["a.rhai"], ""), 1, &[r"b\.rhai.*UTF-8.*\b3\b"]);
    refused(&shell("printf 'print(\"\\377\");' | ./stook -", ""), 2, &["<stdin>.*UTF-8"]);
    // A program is no script.
    let binary = program().to_str().expect("a path in UTF-8");
    refused(&run(&[binary]), 2, &["UTF-8"]);
}

#[test]
fn an_argument_that_is_not_text() {
    let args = [OsStr::new("-e"), OsStr::new("print(args)"), OsStr::new("good"), OsStr::from_bytes(b"b\xff")];
    refused(&run_in(&[], &args, ""), 2, &["argument 2.*UTF-8"]);
    let args = [OsStr::from_bytes(b"\xff.rhai")];
    refused(&run_in(&[], &args, ""), 2, &["\\.rhai.*[Nn]o such file"]);
    let args = [OsStr::new("-e"), OsStr::from_bytes(b"print(\xff)")];
    refused(&run_in(&[], &args, ""), 2, &["UTF-8"]);
}

#[test]
fn an_option_that_there_is_not() {
    refused(&run(&["--nonsense"]), 2, &["--nonsense"]);
    refused(&run(&["--start-method", "thread", "a.rhai"]), 2, &["thread", "spawn"]);
    refused(&run(&["--memory", "lots", "a.rhai"]), 2, &["lots"]);
    refused(&run(&["-e"]), 2, &["CODE"]);
}

#[test]
fn the_inner_option_is_not_for_people() {
    for value in [
        "garbage",
        "",
        "1",
        "1:1",
        "0:0",
        "0:1",
        "99999999999:1",
        "-1:-1",
        "1:1:1",
        "18446744073709551615:4294967295",
    ] {
        let option = format!("--process={value}");
        refused(&run(&[&option]), 2, &["stook"]);
        // As if there were a session: descriptors that are something else.
        let line = format!("exec 3</etc/passwd 4</dev/null 5</; ./stook {option}");
        refused(&shell(&line, ""), 2, &["stook"]);
    }
}

#[test]
fn what_cannot_travel_is_named() {
    let script =
        "if __name__ == \"__main__\" {\n    let p = Process(|| ());\n    Process(|x| (), [p]).start();\n}";
    let place = [r"^error: TypeError: args\[0\] can't be sent", r"main\.rhai:3:"];
    refused(&run_in(&[("main.rhai", script.as_bytes())], &["main.rhai"], ""), 1, &place);
}

#[test]
fn the_place_in_an_iterable_is_named() {
    let script = "if is_main() { with Pool(1) as p { p.map(|x| x, [1, 2, [p]], 1); } }";
    refused(&run(&["-e", script]), 1, &[r"^error: TypeError: iterable\[2\]\[0\] can't be sent"]);
}

#[test]
fn values_that_make_no_sense() {
    refused(&run(&["-e", "Pool(0);"]), 1, &["^error: ValueError: .*0", "<command line>:1:1"]);
    refused(
        &run(&["-e", "Pool(#{process: 2});"]),
        1,
        &["^error: TypeError: Pool\\(\\).*'process'.*processes"],
    );
    refused(&run(&["-e", "Process(5);"]), 1, &["^error: TypeError: Process\\(\\).*'target'.*5"]);
    refused(&run(&["-e", "Queue(\"x\");"]), 1, &["^error: TypeError: Queue\\(\\).*'maxsize'"]);
    refused(&run(&["-e", "sleep([]);"]), 1, &["^error: TypeError: sleep\\(\\).*'seconds'"]);
    refused(&run(&["-e", "Queue(1, 2, 3);"]), 1, &["Queue"]);
    refused(&run(&["-e", "with 5 { }"]), 1, &["^error: TypeError: 'with'"]);
}

#[test]
fn recursion_without_end() {
    for script in [
        "fn f(x) { f(x + 1) + 1 }\nf(0)",
        "fn f(x) { g(x) + 1 }\nfn g(x) { f(x) + 1 }\nf(0)",
        "let f = |me, x| me.call(me, x + 1);\nf.call(f, 1)",
        "fn f(x) { for i in [1] { if true { switch x { 0 => f(0), _ => [f(x)] } } } }\nf(1)",
        "fn f(x) { let text = `${f(x)}`; text }\nf(1)",
        // No error that a script can catch.
        "fn f(x) { try { f(x) } catch (e) { f(x) } }\nf(1)",
        // Where the syntax tree is walked.
        "fn f(x) { if x < 0 { with x as y { } } f(x + 1) + 1 }\nf(0)",
        "fn f(pool) { with pool { f(pool) } }\nif is_main() { f(Pool(1)) }",
    ] {
        refused(&run(&["-e", script]), 1, &["^error: Stack overflow"]);
    }
    // Through native functions, each of which is a call of the report.
    for script in ["fn f(x) { [x].map(|y| f(y + 1)) }\nf(0)", "fn f(x) { eval(\"f(1)\") }\nf(1)"] {
        let run = run(&["-e", script]);
        assert_eq!(run.end, End::Code(1), "{run:#?}");
        assert_eq!(run.stderr.matches("error: Stack overflow").count(), 1, "{run:#?}");
        assert!(run.stderr.lines().count() < 40 && !run.stderr.contains("panicked"), "{run:#?}");
    }
}

#[test]
fn expressions_nested_too_deeply() {
    let nested = format!("print({}1{});", "(".repeat(50_000), ")".repeat(50_000));
    let run = run_in(&[("deep.rhai", nested.as_bytes())], &["deep.rhai"], "");
    assert_eq!(run.end, End::Code(1), "{:?}", run.end);
    assert!(run.stderr.contains("deep.rhai") && !run.stderr.contains("panicked"), "{}", run.stderr.len());
}

#[test]
fn a_script_without_the_guard_is_explained() {
    // Each process that loads the script prints a line.
    for (script, children) in [
        (
            "print(\"process\");\nlet p = Process(|| print(\"target\"));\np.start();\np.join();\nprint(p.exitcode);",
            1,
        ),
        ("print(\"process\");\nfor i in 0..3 { Process(|| ()).start(); }\nprint(1);", 3),
    ] {
        let run = run_in(&[("main.rhai", script.as_bytes())], &["main.rhai"], "");
        assert_eq!(run.end, End::Code(0), "{run:#?}");
        let processes = run.stdout.lines().filter(|line| *line == "process").count();
        assert_eq!(processes, children + 1, "{run:#?}");
        assert_eq!(run.stdout.lines().filter(|line| *line == "1").count(), 1, "{run:#?}");
        assert!(!run.stdout.contains("target"), "{run:#?}");
        assert_eq!(run.stderr.matches("RuntimeError").count(), children, "{run:#?}");
        assert_eq!(run.stderr.matches("if __name__ == \"__main__\" {").count(), children, "{run:#?}");
        assert!(run.left.is_empty(), "{run:#?}");
    }
    let run = run(&["-e", "print(\"process\"); Pool(4).map(|x| x, [1]);"]);
    assert_eq!(run.end, End::Code(1), "{run:#?}");
    // The pool ends its other workers when one of them can't work.
    assert!((2..=5).contains(&run.stdout.lines().count()), "{run:#?}");
    assert!(run.stderr.contains("if __name__ == \"__main__\" {"), "{run:#?}");
}

#[test]
fn output_to_a_closed_pipe() {
    let many = "for i in 0..20000 { print(i); }";
    printed(&shell(&format!("./stook -e '{many}' | head -1"), ""), "0\n");
    let error = "for i in 0..20000 { eprint(i); } throw \"end\";";
    printed(&shell(&format!("./stook -e '{error}' 2>&1 | head -1"), ""), "0\n");
    let children =
        "if is_main() { let p = Process(|| { for i in 0..20000 { print(1); } }); p.start(); p.join(); }";
    printed(&shell(&format!("./stook -e '{children}' | head -1"), ""), "1\n");
}

#[test]
fn a_reader_that_goes_away_ends_the_script() {
    let run = shell("{ ./stook -e 'loop { print(1); }'; echo \"code $?\" >&2; } | head -1", "");
    assert_eq!(
        (run.end, run.stdout.as_str(), run.stderr.as_str()),
        (End::Code(0), "1\n", "code 141\n"),
        "{run:#?}"
    );
    assert!(run.left.is_empty(), "{run:#?}");
}

#[test]
fn children_work_without_standard_streams() {
    let script = "if is_main() {\n    let p = Process(|| { print(1); eprint(2); });\n    p.start();\n    p.join();\n    \
                  write_text(\"code\", `${p.exitcode}`);\n}";
    for closed in [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        let line = format!("./stook -e '{script}' {closed}; status=$?; cat code; exit $status");
        let run = shell(&line, "");
        assert_eq!(run.end, End::Code(0), "{closed}: {run:#?}");
        let (out, err) = (
            if closed.starts_with(">&-") || closed.contains(" >&-") { "0" } else { "1\n0" },
            if closed.contains("2>&-") { "" } else { "2\n" },
        );
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), (out, err), "{closed}: {run:#?}");
        assert!(run.left.is_empty(), "{closed}: {run:#?}");
    }
}

#[test]
fn lines_of_many_processes_stay_whole() {
    let script = "if is_main() {\n    let all = [];\n    for letter in \"abcd\" {\n        \
                  all.push(Process(|text| { for i in 0..10 { print(text); } }, [blob_text(letter)]));\n    }\n    \
                  for p in all { p.start(); }\n    for p in all { p.join(); }\n}\n\
                  fn blob_text(letter) { let text = \"\"; text.pad(70000, letter); text }";
    let run = run_in(&[("main.rhai", script.as_bytes())], &["main.rhai"], "");
    assert_eq!((run.end, run.stderr.as_str()), (End::Code(0), ""));
    let mut counts = [0; 4];
    for line in run.stdout.lines() {
        let first = line.chars().next().expect("no line is empty");
        assert!(line.len() == 70_000 && line.chars().all(|letter| letter == first), "a torn line");
        counts[usize::from(first as u8 - b'a')] += 1;
    }
    assert_eq!(counts, [10; 4]);
}

/// Two workers, each of which runs a function of the script.
const POOL: &str = "fn square(x) { x * x }\nif __name__ == \"__main__\" {\n    \
                    with Pool(2) as pool { print(pool.map(square, [1, 2, 3])); }\n}\n";

#[test]
fn scripts_from_anywhere_start_processes() {
    let squares = "[1, 4, 9]\n";
    printed(&run(&["-e", POOL]), squares);
    printed(&run_in(&[], &["-"], POOL), squares);
    printed(&run_in::<&str>(&[], &[], POOL), squares);
    printed(&run_in(&[("script", POOL.as_bytes())], &["script"], ""), squares);
    printed(&run_in(&[("-script", POOL.as_bytes())], &["--", "-script"], ""), squares);
    let deep: &[(&str, &[u8])] = &[("a/b/script.rhai", POOL.as_bytes()), ("a/c/x", b"")];
    printed(&run_in(deep, &["a/c/../b/./script.rhai"], ""), squares);
    let named: &[(&str, &[u8])] = &[("name with ä and \".rhai", POOL.as_bytes())];
    printed(&run_in(named, &["name with ä and \".rhai"], ""), squares);
}

#[test]
fn a_script_in_a_pipe_or_behind_a_link() {
    let line = format!(
        "cat > real.rhai <<'END'\n{POOL}END\nln -s real.rhai link; ./stook link; ./stook /dev/stdin < link"
    );
    printed(&shell(&line, ""), "[1, 4, 9]\n[1, 4, 9]\n");
    // Imports stand beside the file itself.
    let line = "mkdir real; echo 'fn one() { 1 }' > real/part.rhai; ln -s real/main.rhai link; cat > real/main.rhai <<'END'
import \"part\" as part;
if is_main() { chdir(\"/\"); let p = Process(|| print(part::one())); p.start(); p.join(); }
END
./stook link";
    printed(&shell(line, ""), "1\n");
}

#[test]
fn an_executable_script() {
    // The shell writes it, so that no other test of this process has it open for writing.
    let line = format!(
        "{{ echo \"#!$PWD/stook\"; cat <<'END'\nprint(args);\n{POOL}END\n}} > script; chmod +x script; ./script a '--b c' -e"
    );
    let run = shell(&line.replace("print(args);", "if is_main() { print(args); }"), "");
    printed(&run, "[\"a\", \"--b c\", \"-e\"]\n[1, 4, 9]\n");
}

#[test]
fn the_first_line_counts_in_positions() {
    let run = run_in(&[("a.rhai", b"#!/usr/bin/env stook\nthrow 5;\n")], &["a.rhai"], "");
    refused(&run, 1, &[r"a\.rhai:2:"]);
    printed(&run_in(&[("a.rhai", b"#!/usr/bin/env stook")], &["a.rhai"], ""), "");
}

#[test]
fn arguments() {
    let print: &[(&str, &[u8])] = &[("a.rhai", b"print(args);")];
    printed(&run_in(print, &["a.rhai"], ""), "[]\n");
    printed(
        &run_in(print, &["a.rhai", "", "a b", "-e", "--check", "--", "ä"], ""),
        "[\"\", \"a b\", \"-e\", \"--check\", \"--\", \"ä\"]\n",
    );
    printed(&run(&["-e", "print(args)", "x", "-y"]), "[\"x\", \"-y\"]\n");
    printed(&run_in(&[], &["-", "x", "--y"], "print(args);"), "[\"x\", \"--y\"]\n");
    printed(&run(&["-e", "-1; print(args)"]), "[]\n");
}

#[test]
fn check_runs_nothing() {
    printed(&run_in(&[("a.rhai", b"print(1); throw 2;")], &["--check", "a.rhai"], ""), "");
}

#[test]
fn empty_scripts_and_foreign_line_ends() {
    printed(&run_in(&[("a.rhai", b"")], &["a.rhai"], ""), "");
    printed(&run(&["-e", ""]), "");
    printed(&run_in(&[], &["-"], ""), "");
    printed(&run_in(&[("a.rhai", b"print(1);\r\nprint(2);\r\n")], &["a.rhai"], ""), "1\n2\n");
}

#[test]
fn a_temporary_folder_that_is_not_there() {
    printed(&shell(&format!("TMPDIR=/none ./stook -e '{POOL}'"), ""), "[1, 4, 9]\n");
}

#[test]
fn a_script_whose_folder_is_gone() {
    let line =
        "mkdir gone; cd gone; rmdir ../gone; ../stook -e 'if is_main() { print(Pool(1).map(|x| x, [1])); }'";
    printed(&shell(line, ""), "[1]\n");
}

#[test]
fn little_memory() {
    let script = "let queue = Queue();\ntry { loop { queue.put(blob(1000000)); } } catch (e) { print(e.kind); }\n\
                  queue.get();\nqueue.put(1);\nprint(queue.qsize() > 1);";
    printed(&run(&["--memory", "50000000", "-e", script]), "MemoryError\ntrue\n");
    let run = run(&["--memory", "1", "-e", "Queue();"]);
    assert!(matches!(run.end, End::Code(1 | 2)), "{run:#?}");
    told(&run, &["memory"]);
}

#[test]
fn permissions_of_a_script_are_not_asked_for() {
    let place = Place::new().expect("a folder");
    write(&place, &[("a.rhai", b"print(1);")]);
    fs::set_permissions(place.work().join("a.rhai"), fs::Permissions::from_mode(0o400)).expect("permissions");
    printed(&place.run(program(), &["a.rhai"], "", HANG).expect("the program"), "1\n");
}
