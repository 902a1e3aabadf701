//! How much of the table of behaviours the cases cover.
//!
//! `cargo test --test conformance -- --nocapture` shows the report: for each area the rows that apply to
//! scripts, those that a case covers, and the ids that are open.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use support::behaviours::{Applicable, Behaviour, table};
use support::case::Case;
use walkdir::WalkDir;

/// The areas that are complete: a case covers each of their rows that applies, and this stays so.
const COMPLETE: &[&str] = &[
    "array",
    "asyncresult",
    "barrier",
    "condition",
    "connection",
    "event",
    "joinablequeue",
    "listener",
    "lock",
    "mainguard",
    "manager",
    "manager.remote",
    "misc",
    "pool",
    "pool.errors",
    "process",
    "queue",
    "rlock",
    "semaphore",
    "shareablelist",
    "sharedmemory",
    "simplequeue",
    "startmethods",
    "value",
    "wait",
];

/// The ids that each case covers, by the case's path, and each test in Rust of what no case can do.
fn covered() -> BTreeMap<String, Vec<String>> {
    let mut covered = by_cases();
    covered.extend(by_tests());
    covered
}

/// What stands behind `// covers:` in the tests beside this one.
fn by_tests() -> BTreeMap<String, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = fs::read_dir(folder).expect("tests can be read").map(|entry| entry.expect("an entry").path());
    let sources = files.filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let ids = |file: &Path| -> Vec<String> {
        let text = fs::read_to_string(file).expect("a test in UTF-8");
        let lines = text.lines().filter_map(|line| line.strip_prefix("// covers: "));
        lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
    };
    sources.map(|file| (file.display().to_string(), ids(&file))).collect()
}

fn by_cases() -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = WalkDir::new(&root).into_iter().map(|entry| entry.expect("tests/cases can be read"));
    let scripts =
        entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rhai"));
    scripts
        .map(|entry| {
            let text = fs::read_to_string(entry.path()).expect("a case in UTF-8");
            let case =
                Case::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", entry.path().display()));
            (entry.path().strip_prefix(&root).expect("below").display().to_string(), case.covers)
        })
        .collect()
}

/// Where the cases fall short: ids that the table lacks, and open rows of complete areas.
fn shortcomings(
    rows: &[Behaviour],
    covered: &BTreeMap<String, Vec<String>>,
    complete: &[&str],
) -> Vec<String> {
    let mut found = Vec::new();
    for (case, ids) in covered {
        let unknown = ids.iter().filter(|id| !rows.iter().any(|row| &row.id == *id));
        found.extend(unknown.map(|id| format!("{case} covers `{id}`, which the table lacks")));
    }
    let ids: BTreeSet<&String> = covered.values().flatten().collect();
    for area in complete {
        let here: Vec<&Behaviour> = rows.iter().filter(|row| row.area == *area).collect();
        if here.is_empty() {
            found.push(format!("`{area}` is no area of the table"));
        }
        let open = here.into_iter().filter(|row| row.applicable != Applicable::No && !ids.contains(&row.id));
        found.extend(
            open.map(|row| format!("no case covers {}, and `{area}` is said to be complete", row.id)),
        );
    }
    found
}

/// The report as text.
fn report(rows: &[Behaviour], covered: &BTreeMap<String, Vec<String>>) -> String {
    let ids: BTreeSet<&String> = covered.values().flatten().collect();
    let mut areas: BTreeMap<&str, (usize, usize, Vec<&str>)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.applicable != Applicable::No) {
        let (apply, covered, open) = areas.entry(&row.area).or_default();
        *apply += 1;
        match ids.contains(&row.id) {
            true => *covered += 1,
            false => open.push(row.id.rsplit('.').next().unwrap_or(&row.id)),
        }
    }
    let total = areas.values().fold((0, 0), |sum, area| (sum.0 + area.0, sum.1 + area.1));
    let mut lines = vec![format!("{:16} {:>7} {:>8}  open", "area", "applies", "covered")];
    for (area, (apply, covered, open)) in &areas {
        lines.push(format!("{area:16} {apply:7} {covered:8}  {}", open.join(" ")));
    }
    lines.push(format!("{:16} {:7} {:8}  {}", "all", total.0, total.1, total.0 - total.1));
    lines.join("\n")
}

#[test]
fn cases_cover_what_they_say() {
    let rows = table().expect("the table of behaviours");
    let covered = covered();
    println!("{}", report(&rows, &covered));
    let found = shortcomings(&rows, &covered, COMPLETE);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn shortcomings_are_found() {
    let row = |id: &str, applicable| Behaviour { id: id.to_owned(), area: "a".to_owned(), applicable };
    let rows = [row("a.01", Applicable::Yes), row("a.02", Applicable::Adapted), row("a.03", Applicable::No)];
    let covers = |ids: &[&str]| {
        BTreeMap::from([("a/case.rhai".to_owned(), ids.iter().map(|id| (*id).to_owned()).collect())])
    };
    assert_eq!(shortcomings(&rows, &covers(&["a.01"]), &[]).len(), 0);
    assert_eq!(shortcomings(&rows, &covers(&["a.01", "a.09"]), &[]).len(), 1, "unknown");
    assert_eq!(shortcomings(&rows, &covers(&["a.01"]), &["a"]).len(), 1, "a.02 is open");
    assert_eq!(shortcomings(&rows, &covers(&["a.01", "a.02"]), &["a"]).len(), 0);
    assert_eq!(shortcomings(&rows, &covers(&[]), &["b"]).len(), 1, "no such area");
    assert!(report(&rows, &covers(&["a.01"])).contains("a                      2        1  02"));
}
