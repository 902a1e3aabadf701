//! Paths by pattern: `*`, `?`, `[a-z]`, `[!a-z]` within a name, `**` as a whole name for any number of directories.
//!
//! As in Python: a wildcard does not match a leading dot, directories that can't be read are passed over, links are
//! not followed by `**`. The pattern is cut at its slashes; each round turns the paths found so far into those of
//! one more part. (The crate `glob` matches the names. Its own walk leaves out names that are not UTF-8, and
//! panics on them when hidden files are to be kept out.)

use std::fs;
use std::path::Path;

use ::glob::{MatchOptions, Pattern};
use rhai::{Array, Dynamic, Engine};

use super::Outcome;
use super::path::{from_disk, to_disk};
use crate::wire::Error;

const NAMES_MATCH: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

pub fn register(engine: &mut Engine) {
    engine.register_fn("glob", |pattern: &str| -> Outcome<Array> {
        Ok(expand(pattern)?.into_iter().map(Dynamic::from).collect())
    });
}

/// The paths that match, sorted.
///
/// # Errors
/// `ValueError` for a pattern that is none.
fn expand(pattern: &str) -> Outcome<Vec<String>> {
    let (start, rest) = match pattern.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", pattern),
    };
    let (rest, only_directories) = match rest.strip_suffix('/') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let mut paths = vec![start.to_string()];
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        paths = match *part {
            "**" => paths.iter().flat_map(|dir| below(dir, last)).collect(),
            part if part.contains(['*', '?', '[']) => {
                let pattern = Pattern::new(part).map_err(|error| wrong(pattern, &error))?;
                paths.iter().flat_map(|dir| matching(dir, &pattern)).collect()
            }
            part => paths.iter().map(|dir| join(dir, part)).filter(|path| is_there(path)).collect(),
        };
    }
    if only_directories {
        paths.retain(|path| Path::new(&to_disk(path)).is_dir());
        paths.iter_mut().for_each(|path| path.push('/'));
    }
    paths.retain(|path| !path.is_empty());
    paths.sort_by(|left, right| to_disk(left).cmp(&to_disk(right)));
    paths.dedup();
    Ok(paths)
}

fn wrong(pattern: &str, error: &::glob::PatternError) -> Box<rhai::EvalAltResult> {
    Error::new("ValueError", format!("glob({pattern:?}): {}", error.msg)).raise()
}

fn is_there(path: &str) -> bool {
    fs::symlink_metadata(to_disk(path)).is_ok()
}

fn join(dir: &str, name: &str) -> String {
    match dir {
        "" => name.to_string(),
        dir if dir.ends_with('/') => format!("{dir}{name}"),
        dir => format!("{dir}/{name}"),
    }
}

/// The names in a directory, and whether each is itself one (a link is not). None if it can't be read.
fn names(dir: &str) -> impl Iterator<Item = (String, bool)> {
    let dir = if dir.is_empty() { "." } else { dir };
    fs::read_dir(to_disk(dir)).into_iter().flatten().flatten().map(|entry| {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        (from_disk(&entry.file_name()).into(), is_dir)
    })
}

fn matching(dir: &str, pattern: &Pattern) -> Vec<String> {
    names(dir)
        .filter(|(name, _)| pattern.matches_with(name, NAMES_MATCH))
        .map(|(name, _)| join(dir, &name))
        .collect()
}

/// What `**` stands for: the directory and all below it; as the last part, everything below it.
fn below(dir: &str, last: bool) -> Vec<String> {
    let mut found = if last { Vec::new() } else { vec![dir.to_string()] };
    let mut pending = vec![dir.to_string()];
    while let Some(dir) = pending.pop() {
        for (name, is_dir) in names(&dir).filter(|(name, _)| !name.starts_with('.')) {
            let path = join(&dir, &name);
            if is_dir {
                pending.push(path.clone());
            }
            if is_dir || last {
                found.push(path);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use rhai::Array;
    use tempfile::{TempDir, tempdir};

    use super::super::tests::{eval, fails};

    fn tree() -> TempDir {
        let dir = tempdir().unwrap();
        for name in ["a.txt", "b.rs", ".hidden.txt", "d/c.txt", "d/e/f.txt", "d/.g/h.txt"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    fn found(dir: &TempDir, pattern: &str) -> Vec<String> {
        let start = format!("{}/", dir.path().display());
        let paths: Array = eval(dir, &format!("glob(D + {pattern:?})"));
        paths.into_iter().map(|path| path.into_string().unwrap().replace(&start, "")).collect()
    }

    #[test]
    fn wildcards_match_within_a_name() {
        let dir = tree();
        assert_eq!(found(&dir, "/*.txt"), ["a.txt"]);
        assert_eq!(found(&dir, "/[ab].*"), ["a.txt", "b.rs"]);
        assert_eq!(found(&dir, "/?.rs"), ["b.rs"]);
        assert_eq!(found(&dir, "/.*.txt"), [".hidden.txt"]);
        assert_eq!(found(&dir, "/*/*.txt"), ["d/c.txt"]);
        assert_eq!(found(&dir, "/d/c.txt"), ["d/c.txt"]);
        assert_eq!(found(&dir, "/none/*"), [""; 0]);
        assert_eq!(found(&dir, "/*/"), ["d/"]);
    }

    #[test]
    fn two_stars_match_any_number_of_directories() {
        let dir = tree();
        symlink(".", dir.path().join("d/loop")).unwrap();
        assert_eq!(found(&dir, "/**/*.txt"), ["a.txt", "d/c.txt", "d/e/f.txt"]);
        assert_eq!(found(&dir, "/**/**/f.txt"), ["d/e/f.txt"]);
        assert_eq!(found(&dir, "/d/**"), ["d/c.txt", "d/e", "d/e/f.txt", "d/loop"]);
    }

    #[test]
    fn names_that_are_not_utf8_are_found() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join(OsStr::from_bytes(b"caf\xe9")), "").unwrap();
        let there: bool = eval(&dir, r#"exists(glob(D + "/c*")[0])"#);
        assert!(there);
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        let dir = tree();
        for pattern in ["/[a", "/a**", "/***"] {
            assert_eq!(fails(&dir, &format!("glob(D + {pattern:?})")).kind(), "ValueError");
        }
    }
}
