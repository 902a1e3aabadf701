//! The rules of the source tree: who may use whom, where unsafe code stands, how long a file is.
//!
//! Each rule is a function from a source file to the places that break it. Each has a test over the whole tree
//! and a test on a few made-up lines that shows that it can fail.

mod source;

use std::path::Path;

use source::{Source, UsedPath};
use walkdir::WalkDir;

/// The layers, lowest first. A file uses its own folder and lower rows; folders of one row keep apart.
const ROWS: &[&[&str]] = &[
    &["sys"],
    &["arena"],
    &["sync"],
    &["share"],
    &["wire"],
    &["call"],
    &["process"],
    &["queue", "pipe", "socket", "pool", "manager"],
    &["script"],
    &["native"],
    &["diag"],
    &["repl"],
    &["cli"],
];

/// Who may use whom within a row all the same.
const WITHIN_A_ROW: &[(&str, &str)] = &[("pool", "queue"), ("manager", "socket")];

/// Where unsafe code may stand: folders, and single files.
const UNSAFE: &[&str] = &[
    "sys",
    "arena",
    "sync",
    "share",
    "native/codegen/machine.rs",
    "native/enter.rs",
    "native/layout.rs",
    "native/runtime/helpers.rs",
    "native/runtime/walking.rs",
];

/// The only folders that may name a crate.
const CRATES: &[(&str, &[&str])] = &[("libc", &["sys"]), ("nix", &["sys"]), ("bincode", &["wire"])];

/// Where the engine itself is known: folders, and single files.
const ENGINE: &[&str] = &["script", "native", "repl", "wire/raised.rs"];

/// What makes a file know the engine: these names of Rhai's root ...
const ENGINE_ITEMS: &[&str] = &["Engine", "Module", "plugin", "*"];

/// ... and any method whose name begins with one of these.
const REGISTRATIONS: &[&str] = &[
    "register_fn",
    "register_raw_fn",
    "register_type",
    "register_get",
    "register_set",
    "register_indexer",
    "register_iterator",
    "register_global_module",
    "register_static_module",
    "register_custom",
];

/// The most lines of a file.
const LONGEST: usize = 400;

/// The files that tie everything together.
const ROOTS: &[&str] = &["lib.rs", "main.rs"];

fn row(folder: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&folder))
}

fn may_use(from: &str, to: &str) -> bool {
    from == to || row(to) < row(from) || WITHIN_A_ROW.contains(&(from, to))
}

fn is_root(source: &Source) -> bool {
    ROOTS.contains(&source.file.as_str())
}

fn folder(source: &Source) -> &str {
    source.file.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

fn stands_in(source: &Source, places: &[&str]) -> bool {
    places.contains(&folder(source)) || places.contains(&source.file.as_str())
}

fn at(source: &Source, line: usize, what: &str) -> String {
    format!("src/{}:{line}: {what}", source.file)
}

/// Files use their own folder and the rows below theirs.
fn layers(source: &Source) -> Vec<String> {
    if is_root(source) {
        return Vec::new();
    }
    let from = folder(source);
    if row(from).is_none() {
        return vec![at(source, 1, &format!("`{from}` has no row in the table of layers"))];
    }
    let complaint = |path: &UsedPath| match path.root_module()? {
        "" => Some(at(source, path.line, "takes in the crate's root, which hides who uses whom")),
        to if row(to).is_none() => {
            Some(at(source, path.line, &format!("`{to}` has no row in the table of layers")))
        }
        to if may_use(from, to) => None,
        to => Some(at(source, path.line, &format!("`{from}` may not use `{to}`"))),
    };
    source.paths.iter().filter(|path| !path.test).filter_map(complaint).collect()
}

/// Unsafe code stands in a few folders only, in tests too.
fn unsafe_places(source: &Source) -> Vec<String> {
    if stands_in(source, UNSAFE) {
        return Vec::new();
    }
    source.unsafe_code.iter().map(|code| at(source, code.line, "unsafe code has no place here")).collect()
}

/// Every unsafe block and implementation has a reason in front of it.
fn unsafe_reasons(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let owing = source.unsafe_code.iter().filter(|code| code.owes_reason);
    let without = owing.filter(|code| !has_reason(&lines, code.line));
    without.map(|code| at(source, code.line, "unsafe code without a `SAFETY:` comment in front")).collect()
}

/// Looks upwards from line `number` (the first is 1) to the comment in front of the statement it belongs to.
fn has_reason(lines: &[&str], number: usize) -> bool {
    let above = lines.iter().take(number.saturating_sub(1)).rev();
    for line in above {
        if line.starts_with("//") {
            if line.contains("SAFETY:") {
                return true;
            }
        } else if line.is_empty() || (line.ends_with([';', '{', '}']) && !line.starts_with("#[")) {
            return false; // the end of what stands before the statement
        }
    }
    false
}

/// Some crates are known to one folder only.
fn crates(source: &Source) -> Vec<String> {
    let complaint = |path: &UsedPath| {
        let name = path.segments.first().filter(|_| path.imported || path.segments.len() > 1)?;
        let (_, places) = CRATES.iter().find(|(known, _)| known == name)?;
        let allowed = stands_in(source, places);
        (!allowed).then(|| at(source, path.line, &format!("`{name}` is used in {} only", places.join(", "))))
    };
    source.paths.iter().filter(|path| !path.test).filter_map(complaint).collect()
}

/// The engine is known to a few places only.
fn engine(source: &Source) -> Vec<String> {
    if stands_in(source, ENGINE) {
        return Vec::new();
    }
    let complaint = |path: &UsedPath| {
        let names: Vec<&str> = path.segments.iter().map(String::as_str).collect();
        let what = match names.as_slice() {
            ["rhai", item, ..] if ENGINE_ITEMS.contains(item) => format!("rhai::{item}"),
            [.., last] if REGISTRATIONS.iter().any(|known| last.starts_with(known)) => (*last).to_owned(),
            _ => return None,
        };
        Some(at(source, path.line, &format!("`{what}` is for {} only", ENGINE.join(", "))))
    };
    source.paths.iter().filter(|path| !path.test).filter_map(complaint).collect()
}

/// A file begins by saying what it is for, and stays short.
fn shape(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    if !source.text.starts_with("//!") {
        broken.push(at(source, 1, "does not start with a `//!` header"));
    }
    let lines = source.text.lines().count();
    if lines > LONGEST {
        broken.push(at(source, lines, &format!("is longer than {LONGEST} lines")));
    }
    broken
}

/// Every source file of the crate; those declared as `#[cfg(test)] mod NAME;` are test code throughout.
fn tree() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    for entry in WalkDir::new(&root).sort_by_file_name() {
        let entry = entry.expect("src can be read");
        if entry.path().extension().is_some_and(|extension| extension == "rs") {
            let file =
                entry.path().strip_prefix(&root).expect("below src").to_str().expect("a name in UTF-8");
            let text = std::fs::read_to_string(entry.path()).expect("a source file in UTF-8");
            sources.push(Source::read(file, &text).unwrap_or_else(|error| panic!("{error}")));
        }
    }
    assert!(!sources.is_empty(), "no source file below {}", root.display());
    let mut test_modules: Vec<Vec<String>> = Vec::new();
    for source in &sources {
        test_modules
            .extend(source.test_modules.iter().map(|name| [source.module(), vec![name.clone()]].concat()));
    }
    for source in &mut sources {
        if test_modules.iter().any(|module| source.module().starts_with(module)) {
            source.paths.iter_mut().for_each(|path| path.test = true);
        }
    }
    sources
}

/// Fails with every place that breaks the rule.
fn hold(rule: fn(&Source) -> Vec<String>) {
    let broken: Vec<String> = tree().iter().flat_map(rule).collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// How often the rule is broken by a file of this text.
fn broken(rule: fn(&Source) -> Vec<String>, file: &str, text: &str) -> usize {
    rule(&Source::read(file, text).expect("made-up source consists of tokens")).len()
}

#[test]
fn the_layers_hold() {
    hold(layers);
}

#[test]
fn unsafe_code_stands_in_its_folders() {
    hold(unsafe_places);
}

#[test]
fn unsafe_code_gives_its_reason() {
    hold(unsafe_reasons);
}

#[test]
fn crates_stay_in_their_folders() {
    hold(crates);
}

#[test]
fn the_engine_stays_in_its_folders() {
    hold(engine);
}

#[test]
fn files_say_what_they_are_for_and_are_short() {
    hold(shape);
}

#[test]
fn the_layer_rule_can_fail() {
    assert_eq!(broken(layers, "queue/mod.rs", "use crate::sync::channel; use crate::queue::x;"), 0);
    assert_eq!(broken(layers, "queue/mod.rs", "use crate::pool::Pool;"), 1);
    assert_eq!(broken(layers, "pool/mod.rs", "use crate::queue::Queue;"), 0, "the exception");
    assert_eq!(broken(layers, "pipe/mod.rs", "use crate::queue::Queue;"), 1, "same row");
    assert_eq!(broken(layers, "sys/clock.rs", "fn f() { crate::arena::at(1) }"), 1, "without `use`");
    assert_eq!(broken(layers, "sys/clock.rs", "use crate::{sys::x, arena::{y, z}, wire};"), 3, "a group");
    assert_eq!(broken(layers, "sys/clock.rs", "use super::super::arena;"), 1, "by `super`");
    assert_eq!(broken(layers, "sys/clock.rs", "use super::futex; mod a { use super::super::memory; }"), 0);
    assert_eq!(broken(layers, "sys/clock.rs", "mod a { use super::super::super::arena; }"), 1, "from within");
    assert_eq!(
        broken(layers, "sys/clock.rs", "macro_rules! m { () => { $crate::pool::f() } }"),
        1,
        "a macro"
    );
    assert_eq!(
        broken(layers, "cli/mod.rs", "use crate::*; use crate as stook; use crate::{self};"),
        3,
        "the root"
    );
    assert_eq!(broken(layers, "cli/mod.rs", "pub(crate) struct A; pub(in crate::cli) struct B;"), 0);
    assert_eq!(broken(layers, "cli/mod.rs", "use crate::drawer::x;"), 1, "unknown folder");
    assert_eq!(broken(layers, "drawer/mod.rs", ""), 1, "without a row");
    assert_eq!(broken(layers, "lib.rs", "pub use crate::cli::main;"), 0, "the root ties all together");
    assert_eq!(
        broken(layers, "sys/a.rs", "// crate::cli::x\n/* crate::cli */ const A: &str = \"crate::cli::x\";"),
        0
    );
    assert_eq!(broken(layers, "sys/a.rs", "#[cfg(test)] mod tests { use crate::cli::x; }"), 0);
    assert_eq!(broken(layers, "sys/a.rs", "#[cfg(not(test))] mod real { use crate::cli::x; }"), 1);
    assert_eq!(
        broken(layers, "sys/a.rs", "#[cfg(test)] use crate::cli::x; use crate::cli::y;"),
        1,
        "only the second"
    );
}

#[test]
fn the_unsafe_rules_can_fail() {
    let block = "fn f() { unsafe { g() } }";
    assert_eq!(broken(unsafe_places, "arena/a.rs", block), 0);
    assert_eq!(broken(unsafe_places, "pool/a.rs", block), 1);
    assert_eq!(broken(unsafe_places, "pool/a.rs", "unsafe fn f() {} unsafe impl Send for A {}"), 2);
    assert_eq!(broken(unsafe_places, "pool/a.rs", "#[cfg(test)] mod tests { fn f() { unsafe { g() } } }"), 1);
    assert_eq!(broken(unsafe_places, "pool/a.rs", "// unsafe\nconst A: &str = \"unsafe {\";"), 0);
    assert_eq!(broken(unsafe_reasons, "arena/a.rs", block), 1);
    assert_eq!(
        broken(unsafe_reasons, "arena/a.rs", "// SAFETY: old.\nlet a = 1;\nlet b = unsafe { g() };"),
        1
    );
    assert_eq!(
        broken(
            unsafe_reasons,
            "arena/a.rs",
            "// SAFETY: by invariant 1,\n// always.\nlet b =\n  unsafe { g() };"
        ),
        0
    );
    assert_eq!(
        broken(
            unsafe_reasons,
            "arena/a.rs",
            "// SAFETY: plain data.\n#[allow(x)]\nunsafe impl Send for A {}"
        ),
        0
    );
    let two = "// SAFETY: plain data.\nunsafe impl Send for A {}\nunsafe impl Sync for A {}";
    assert_eq!(broken(unsafe_reasons, "arena/a.rs", two), 1, "each needs its own");
    assert_eq!(broken(unsafe_reasons, "arena/a.rs", "/// # Safety\n/// Never.\nunsafe fn f() {}"), 0);
}

#[test]
fn the_crate_rule_can_fail() {
    assert_eq!(broken(crates, "sys/a.rs", "use nix::libc; use libc::c_int;"), 0);
    assert_eq!(broken(crates, "arena/a.rs", "use nix::libc; fn f() -> libc::c_int { 0 }"), 2);
    assert_eq!(broken(crates, "arena/a.rs", "use {std::io, ::nix::errno::Errno}; use libc as c;"), 2);
    assert_eq!(broken(crates, "arena/a.rs", "extern crate libc;"), 1);
    assert_eq!(broken(crates, "arena/a.rs", "let nix = 1; f(nix);"), 0, "a plain name");
    assert_eq!(broken(crates, "wire/a.rs", "use bincode::enc::Encoder;"), 0);
    assert_eq!(broken(crates, "pool/a.rs", "#[derive(bincode::Encode)] struct A;"), 1);
}

#[test]
fn the_engine_rule_can_fail() {
    let registers = "use rhai::{Dynamic, Engine}; fn f(m: &mut rhai::Module) { m.register_raw_fn(1) }";
    assert_eq!(broken(engine, "script/a.rs", registers), 0);
    assert_eq!(broken(engine, "wire/raised.rs", registers), 0);
    assert_eq!(broken(engine, "wire/encode.rs", registers), 3);
    assert_eq!(broken(engine, "pool/a.rs", "use rhai::*;"), 1);
    assert_eq!(broken(engine, "pool/a.rs", "use rhai::{Dynamic, FnPtr, NativeCallContext};"), 0);
}

#[test]
fn the_shape_rule_can_fail() {
    assert_eq!(broken(shape, "sys/a.rs", "//! Says it.\n"), 0);
    assert_eq!(broken(shape, "sys/a.rs", "// Says it.\n"), 1);
    assert_eq!(broken(shape, "sys/a.rs", &format!("//! Says it.\n{}", "\n".repeat(LONGEST))), 1);
    assert_eq!(broken(shape, "sys/a.rs", &format!("//! Says it.\n{}", "\n".repeat(LONGEST - 1))), 0);
}
