//! Whether a run was as its case expects, and in what way not.

use std::fmt::Write;

use regex::Regex;

use super::case::{Case, Output};
use super::run::{End, Run};

/// The most lines of a stream that a complaint repeats.
const SHOWN: usize = 200;

/// Compares a run with what was expected.
///
/// # Errors
/// A text for people that shows each difference.
pub fn judge(case: &Case, run: &Run) -> Result<(), String> {
    let mut wrong = Vec::new();
    match run.end {
        End::Hung(time) => wrong.push(format!("still running after {} s, killed", time.as_secs())),
        End::Code(code) if code != case.exit => wrong.push(format!("exit {code} instead of {}", case.exit)),
        End::Code(_) => {}
    }
    wrong.extend(difference(&case.output, &run.stdout).map(|text| format!("stdout differs\n{text}")));
    for pattern in &case.stderr {
        if !run.stderr.lines().any(|line| pattern.is_match(line)) {
            wrong.push(format!("no line on stderr matches {pattern}"));
        }
    }
    let unexpected = |line: &&str| !case.stderr.iter().any(|pattern| pattern.is_match(line));
    if case.stderr_whole
        && let Some(line) = run.stderr.lines().find(unexpected)
    {
        wrong.push(format!("nothing expects this line on stderr: {line}"));
    }
    if case.stderr.is_empty() && !run.stderr.is_empty() {
        wrong.push("something stands on stderr".to_owned());
    }
    wrong.extend(run.left.iter().map(|thing| format!("left behind: {thing}")));
    if wrong.is_empty() {
        return Ok(());
    }
    let mut text = wrong.join("\n");
    for (name, stream) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        show(&mut text, name, stream);
    }
    Err(text)
}

/// Compares what was printed with what was expected; none if they are equal.
fn difference(expected: &[Output], printed: &str) -> Option<String> {
    let printed: Vec<&str> = printed.lines().collect();
    let mut rest = printed.as_slice();
    for output in expected {
        let next = rest.get(..1).unwrap_or(rest);
        let (wanted, got) = match output {
            Output::Line(line) => (vec![line.as_str()], next),
            Output::Matching(pattern) if next.iter().any(|line| matches(pattern, line)) => {
                (next.to_vec(), next)
            }
            Output::Matching(pattern) => {
                return Some(marked(printed.len() - rest.len() + 1, &[pattern], next));
            }
            Output::AnyOrder(lines) => {
                (lines.iter().map(String::as_str).collect(), rest.get(..lines.len()).unwrap_or(rest))
            }
        };
        let missing = without(&wanted, got);
        let extra = without(got, &wanted);
        if !missing.is_empty() || !extra.is_empty() {
            let line = printed.len() - rest.len() + 1;
            return Some(marked(line, &missing, &extra));
        }
        rest = &rest[got.len()..];
    }
    (!rest.is_empty()).then(|| marked(printed.len() - rest.len() + 1, &[], rest))
}

fn matches(pattern: &str, line: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(line))
}

/// The lines of `all` that `taken` does not have, each counted as often as it stands there.
fn without<'a>(all: &[&'a str], taken: &[&str]) -> Vec<&'a str> {
    let mut taken = taken.to_vec();
    let mut rest = all.to_vec();
    rest.retain(|line| match taken.iter().position(|other| other == line) {
        Some(place) => {
            taken.swap_remove(place);
            false
        }
        None => true,
    });
    rest
}

fn marked(line: usize, missing: &[&str], extra: &[&str]) -> String {
    let mut text = format!("  at line {line} (- expected, + printed)");
    for (mark, lines) in [('-', missing), ('+', extra)] {
        for one in lines.iter().take(SHOWN) {
            // Writing to a string can't fail.
            let _ = write!(text, "\n  {mark} {one}");
        }
    }
    text
}

fn show(text: &mut String, name: &str, stream: &str) {
    let count = stream.lines().count();
    let _ = write!(text, "\n--- {name}: {count} lines");
    for line in stream.lines().take(SHOWN) {
        let _ = write!(text, "\n{line}");
    }
    if count > SHOWN {
        let _ = write!(text, "\n... {} more", count - SHOWN);
    }
}
