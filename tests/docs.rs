//! What the documents and the scripts directory show works: every block, command and script.
//!
//! | block | must |
//! |---|---|
//! | `rhai` | run and exit with 0 |
//! | `rhai`, then `text` with nothing between them | run, exit with 0 and print exactly that |
//! | `rhai,no_run` | compile |
//! | `console` in README.md | have only lines `$ COMMAND` whose command is known to exist, and their output |

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use support::case::{Case, Output};
use support::run::{HANG, Place, Run};
use support::trial::{broken, of_script, offered_methods, program};
use support::verdict::judge;
use walkdir::WalkDir;

/// The first commands that a reader of README.md types.
const FIRST_COMMANDS: &[&str] = &["cargo run --release -- scripts/wordcount.rhai .", "cargo test"];

/// A fenced block of a document.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// What stands behind the opening fence.
    kind: String,
    /// The line of the opening fence; the first line is 1.
    line: usize,
    /// The line behind the closing fence.
    end: usize,
    text: String,
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = vec![
        Trial::test("docs::finds_blocks", checked(finds_blocks)),
        Trial::test("docs::knows_commands", checked(knows_commands)),
        Trial::test("docs::judges_blocks", checked(judges_blocks)),
        Trial::test("docs::finds_dead_links", checked(finds_dead_links)),
        Trial::test("README.md::commands", commands),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in documents(root) {
        trials.extend(of_document(root, &file));
        let name = format!("{}::links", file.strip_prefix(root).unwrap_or(&file).display());
        trials.push(Trial::test(name, move || match dead_links(&file)?.as_slice() {
            [] => Ok(()),
            dead => Err(dead.join("\n").into()),
        }));
    }
    match offered_methods() {
        Ok(methods) => trials.extend(of_scripts(root, &methods)),
        Err(error) => trials.push(broken("scripts::start_methods", error)),
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn checked(test: fn()) -> impl FnOnce() -> Result<(), Failed> {
    move || {
        test();
        Ok(())
    }
}

/// README.md, all below docs, and what else explains something.
fn documents(root: &Path) -> Vec<PathBuf> {
    let mut files = vec![root.join("README.md"), root.join("scripts/README.md")];
    files.extend(below(&root.join("docs"), "md"));
    files
}

/// All files of this extension below a folder, which need not be there.
fn below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    let files = entries.map(walkdir::DirEntry::into_path);
    files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// The links of a document to files that are not there or have nothing in them; itself, if it has nothing in it.
fn dead_links(file: &Path) -> std::io::Result<Vec<String>> {
    let text = fs::read_to_string(file)?;
    let folder = file.parent().unwrap_or(file);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    let names = files.map(|target| target.split('#').next().unwrap_or(target));
    let is_dead = |name: &&str| match fs::metadata(folder.join(name)) {
        Ok(found) => found.is_file() && found.len() == 0,
        Err(_) => true,
    };
    let itself = text.is_empty().then(|| "it is empty".to_owned());
    Ok(itself.into_iter().chain(names.filter(is_dead).map(|name| format!("there is no {name}"))).collect())
}

/// The blocks of a document.
fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, Block)> = None;
    for (index, line) in document.lines().enumerate() {
        let unindented = line.trim_start();
        let ticks = unindented.len() - unindented.trim_start_matches('`').len();
        let (fence, kind) = unindented.split_at(ticks);
        match &mut open {
            None if fence.len() >= 3 => {
                let block = Block {
                    kind: kind.trim().to_owned(),
                    line: index + 1,
                    end: index + 1,
                    text: String::new(),
                };
                open = Some((fence, block));
            }
            None => {}
            Some((opening, _)) if fence.len() >= opening.len() && kind.trim().is_empty() => {
                blocks.extend(open.take().map(|(_, block)| Block { end: index + 2, ..block }));
            }
            Some((_, block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
        }
    }
    blocks.extend(open.map(|(_, block)| block));
    blocks
}

/// The tests of a document, one for each block of script, named by its line.
fn of_document(root: &Path, file: &Path) -> Vec<Trial> {
    let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return vec![broken(&name, error.to_string())],
    };
    let all = blocks(&text);
    let mut trials = Vec::new();
    for (index, block) in all.iter().enumerate() {
        let test_name = format!("{name}::{}", block.line);
        let script = block.text.clone();
        let between = |next: &&Block| {
            let lines = text.lines().skip(block.end - 1).take(next.line.saturating_sub(block.end));
            next.kind == "text" && lines.map(str::trim).all(str::is_empty)
        };
        match block.kind.as_str() {
            "rhai" => {
                let output = all.get(index + 1).filter(between).map(|next| next.text.clone());
                trials.push(Trial::test(test_name, move || Ok(run_block(&script, output.as_deref())?)));
            }
            "rhai,no_run" => trials.push(Trial::test(test_name, move || Ok(check(&script)?))),
            kind if kind.starts_with("rhai") => {
                trials.push(broken(&test_name, format!("`{kind}` is neither rhai nor rhai,no_run")));
            }
            _ => {}
        }
    }
    trials
}

/// Every script below `scripts` compiles; those that say what they print do so.
fn of_scripts(root: &Path, methods: &[String]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for file in below(&root.join("scripts"), "rhai") {
        let name = file.strip_prefix(root).unwrap_or(&file).with_extension("");
        let name = name.to_string_lossy().replace('/', "::");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => {
                trials.push(broken(&name, error.to_string()));
                continue;
            }
        };
        if Case::parse(&text).map_or(true, |case| case.expects_output()) {
            trials.extend(of_script(&name, &file, methods));
        }
        trials.push(Trial::test(format!("{name}::check"), move || Ok(check(&text)?)));
    }
    trials
}

/// Runs the program on a script in a folder of its own.
fn stook(option: Option<&str>, script: &str) -> Result<Run, String> {
    let failed = |error: std::io::Error| error.to_string();
    let place = Place::new().map_err(failed)?;
    fs::write(place.work().join("block.rhai"), script).map_err(failed)?;
    let args: Vec<&str> = option.into_iter().chain(["block.rhai"]).collect();
    place.run(program(), &args, "", HANG).map_err(failed)
}

fn check(script: &str) -> Result<(), String> {
    let run = stook(Some("--check"), script)?;
    judge(&nothing_expected(), &run)
}

fn run_block(script: &str, output: Option<&str>) -> Result<(), String> {
    let run = stook(None, script)?;
    let mut case = nothing_expected();
    let expected = output.unwrap_or(&run.stdout);
    case.output = expected.lines().map(|line| Output::Line(line.to_owned())).collect();
    judge(&case, &run)
}

fn nothing_expected() -> Case {
    Case::parse("").unwrap_or_else(|error| unreachable!("an empty script is a case: {error}"))
}

/// The commands of README.md exist, and the first ones are there.
fn commands() -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("README.md")).map_err(|error| format!("README.md: {error}"))?;
    let wrong = wrong_commands(root, &text);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn wrong_commands(root: &Path, readme: &str) -> Vec<String> {
    let consoles: Vec<Block> = blocks(readme).into_iter().filter(|block| block.kind == "console").collect();
    let typed: Vec<&str> = consoles
        .iter()
        .flat_map(|block| block.text.lines())
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    let mut wrong: Vec<String> =
        typed.iter().filter(|line| !known(root, line)).map(|line| format!("nobody knows `{line}`")).collect();
    wrong.extend(
        FIRST_COMMANDS
            .iter()
            .filter(|line| !typed.contains(line))
            .map(|line| format!("`{line}` is not there")),
    );
    wrong
}

/// Whether a command exists: a tool that every reader has, or this program with scripts that are there.
fn known(root: &Path, line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let scripts_exist = |words: &[&str]| {
        let mut scripts = words.iter().filter(|word| word.ends_with(".rhai") && word.starts_with("scripts/"));
        scripts.all(|script| root.join(script).is_file())
    };
    match words.as_slice() {
        ["cd" | "git", ..] => true,
        ["cargo", "test" | "bench" | "build" | "install" | "doc" | "fmt" | "clippy", ..] => true,
        ["cargo", "run", "--release", "--", words @ ..] | ["stook", words @ ..] => scripts_exist(words),
        [file, ..] => root.join(file).is_file(),
        [] => false,
    }
}

fn finds_blocks() {
    let found =
        blocks("a\n```rhai\nprint(1);\n```\n\n```text\n1\n```\n  ````md\n```\n````\n```rhai,no_run\n");
    let kinds: Vec<_> =
        found.iter().map(|block| (block.kind.as_str(), block.line, block.text.as_str())).collect();
    assert_eq!(
        kinds,
        [("rhai", 2, "print(1);\n"), ("text", 6, "1\n"), ("md", 9, "```\n"), ("rhai,no_run", 12, "")]
    );
    assert_eq!(found[0].end, 5);
}

fn finds_dead_links() {
    let folder = tempfile::tempdir().expect("a folder");
    let dead = |text: &str| {
        let file = folder.path().join("a.md");
        fs::write(&file, text).expect("a document");
        dead_links(&file).expect("it can be read").len()
    };
    fs::write(folder.path().join("empty.md"), "").expect("a document");
    assert_eq!(dead("[a](a.md#part) [b](#part) [c](https://example.org/gone.md)"), 0);
    assert_eq!(dead("[a](gone.md) [b](empty.md)"), 2);
    assert_eq!(dead(""), 1);
}

fn knows_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("scripts")).expect("a folder");
    fs::write(folder.path().join("scripts/wordcount.rhai"), "").expect("a script");
    let wrong = |lines: &str| wrong_commands(folder.path(), &format!("```console\n{lines}\n```\n")).len();
    let first = "$ cargo run --release -- scripts/wordcount.rhai .\nthe 9\n$ cargo test";
    assert_eq!(wrong(first), 0);
    assert_eq!(wrong("$ cargo test"), 1, "one is missing");
    assert_eq!(wrong(&format!("{first}\n$ stook scripts/gone.rhai")), 1);
    assert_eq!(wrong(&format!("{first}\n$ frobnicate")), 1);
}

fn judges_blocks() {
    assert_eq!(run_block("print(1);", Some("1\n")), Ok(()));
    assert_eq!(run_block("print(1);", None), Ok(()));
    assert!(run_block("print(1);", Some("2\n")).is_err());
    assert!(run_block("print(1);", Some("")).is_err());
    assert!(run_block("throw 1;", None).is_err());
    assert_eq!(check("throw 1;"), Ok(()));
    assert!(check("let = 1;").is_err());
}
