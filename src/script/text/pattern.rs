//! Regular expressions: the crate `regex`'s syntax, with the results of Python's `re`.
//!
//! Patterns are compiled once: the last few stay, so that a pattern in a loop costs a look-up.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::{Captures, Regex};
use rhai::{Array, Dynamic, Engine, INT, Map};

use super::Outcome;
use crate::wire::Error;

/// So many compiled patterns stay; then all are dropped. A script that uses more in turn is rare.
const KEPT: usize = 64;

thread_local! {
    static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default();
}

pub fn register(engine: &mut Engine) {
    engine.register_fn("findall", findall);
    engine.register_fn("search", search);
    engine.register_fn("sub", sub);
    engine.register_fn("split_re", split);
}

/// The compiled pattern.
///
/// # Errors
/// `ValueError` with what is wrong with it and where.
fn compiled(pattern: &str) -> Outcome<Regex> {
    COMPILED.with_borrow_mut(|kept| {
        if let Some(regex) = kept.get(pattern) {
            return Ok(regex.clone());
        }
        let regex = Regex::new(pattern).map_err(|error| {
            Error::new("ValueError", error.to_string()).with_data("pattern", pattern.to_string()).raise()
        })?;
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(pattern.to_string(), regex.clone());
        Ok(regex)
    })
}

/// All matches that don't overlap: their texts; with one group, the group's; with more, an array of them each.
/// A group that took no part is an empty text.
fn findall(pattern: &str, text: &str) -> Outcome<Array> {
    let regex = compiled(pattern)?;
    Ok(match regex.captures_len() {
        1 => regex.find_iter(text).map(|found| found.as_str().into()).collect(),
        2 => regex.captures_iter(text).map(|found| group(&found, 1)).collect(),
        count => regex
            .captures_iter(text)
            .map(|found| (1..count).map(|index| group(&found, index)).collect::<Array>().into())
            .collect(),
    })
}

fn group(captures: &Captures, index: usize) -> Dynamic {
    captures.get(index).map_or("", |found| found.as_str()).into()
}

/// The first match as a map: `text`, `start` and `end` in characters, `groups`, and `named` groups; `()` for none.
/// A group that took no part is `()`.
fn search(pattern: &str, text: &str) -> Outcome<Dynamic> {
    let regex = compiled(pattern)?;
    let Some(captures) = regex.captures(text) else {
        return Ok(Dynamic::UNIT);
    };
    let taken = |found: Option<regex::Match>| found.map_or(Dynamic::UNIT, |found| found.as_str().into());
    let groups: Array = captures.iter().skip(1).map(taken).collect();
    let named: Map =
        regex.capture_names().flatten().map(|name| (name.into(), taken(captures.name(name)))).collect();
    let whole = captures.get_match();
    let start = characters(text.get(..whole.start()).unwrap_or_default());
    let end = start + characters(whole.as_str());
    Ok(Map::from([
        ("text".into(), whole.as_str().into()),
        ("start".into(), start.into()),
        ("end".into(), end.into()),
        ("groups".into(), groups.into()),
        ("named".into(), named.into()),
    ])
    .into())
}

fn characters(text: &str) -> INT {
    INT::try_from(text.chars().count()).unwrap_or(INT::MAX)
}

/// The text with every match replaced; `$1` and `${name}` stand for groups, `$$` for a dollar.
fn sub(pattern: &str, replacement: &str, text: &str) -> Outcome<String> {
    Ok(compiled(pattern)?.replace_all(text, replacement).into_owned())
}

/// What stands between the matches.
fn split(pattern: &str, text: &str) -> Outcome<Array> {
    Ok(compiled(pattern)?.split(text).map(Into::into).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{eval, fails, shown};

    #[test]
    fn findall_gives_what_python_gives() {
        assert_eq!(shown(r#"findall("[a-z]+", "ab, c-D")"#), r#"["ab", "c"]"#);
        assert_eq!(shown(r#"findall("([a-z])=", "a=1 b=2")"#), r#"["a", "b"]"#);
        assert_eq!(shown(r#"findall("(a)|(b)", "ab")"#), r#"[["a", ""], ["", "b"]]"#);
        assert_eq!(shown(r#"findall("x", "ab")"#), "[]");
    }

    #[test]
    fn search_gives_places_in_characters() {
        let found: String = eval(
            r#"let m = search("(?<key>[a-z]+)=(\\d+)?", "öö key=1");
               [m.text, m.start, m.end, m.groups, m.named.key].to_string()"#,
        );
        assert_eq!(found, r#"["key=1", 3, 8, ["key", "1"], "key"]"#);
        assert!(eval::<bool>(r#"search("x", "ab") == ()"#));
        assert!(eval::<bool>(r#"search("a(x)?", "ab").groups[0] == ()"#));
    }

    #[test]
    fn sub_and_split() {
        assert_eq!(eval::<String>(r#"sub("(\\w+)@(\\w+)", "$2 at $1", "a@b c@d")"#), "b at a d at c");
        assert_eq!(shown(r#"split_re("[,;] *", "a, b;c,")"#), r#"["a", "b", "c", ""]"#);
    }

    #[test]
    fn a_bad_pattern_is_explained() {
        let error = fails(r#"findall("a(b", "text")"#);
        assert_eq!(error.kind(), "ValueError");
        assert!(error.message().contains("unclosed group"), "{error}");
        assert_eq!(error.data()["pattern"].clone().into_string().unwrap(), "a(b");
    }

    #[test]
    fn more_patterns_than_are_kept_still_work() {
        let count: i64 =
            eval(r#"let n = 0; for i in 0..200 { n += findall("^" + i + "$", i.to_string()).len() } n"#);
        assert_eq!(count, 200);
    }
}
