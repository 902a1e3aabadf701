//! Taking paths apart and putting them together, by Python's rules, without looking at the disk.

use std::os::unix::ffi::OsStrExt;

use rhai::{Array, Blob, Engine};

use super::path::{self, to_disk};
use super::{Outcome, surroundings};

pub fn register(engine: &mut Engine) {
    engine.register_fn("basename", |path: &str| basename(path).to_string());
    engine.register_fn("dirname", |path: &str| dirname(path).to_string());
    engine.register_fn("join_path", join);
    engine.register_fn("join_path", |a: &str, b: &str, c: &str| join(&join(a, b), c));
    engine.register_fn("splitext", |path: &str| -> Array {
        let (root, extension) = splitext(path);
        vec![root.to_string().into(), extension.to_string().into()]
    });
    engine.register_fn("abspath", abspath);
    engine.register_fn("fsencode", |path: &str| -> Blob { to_disk(path).as_bytes().to_vec() });
    engine.register_fn("is_utf8", path::is_utf8);
    engine.register_fn("printable", path::shown);
}

/// What follows the last slash.
pub fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// What stands before the last slash; `/` for names directly below it.
fn dirname(path: &str) -> &str {
    match path.rsplit_once('/') {
        None => "",
        Some((head, _)) => match head.trim_end_matches('/') {
            "" => path.get(..=head.len()).unwrap_or_default(),
            trimmed => trimmed,
        },
    }
}

/// `second` seen from `first`; an absolute `second` stands alone.
pub fn join(first: &str, second: &str) -> String {
    if second.starts_with('/') || first.is_empty() {
        second.to_string()
    } else if first.ends_with('/') {
        format!("{first}{second}")
    } else {
        format!("{first}/{second}")
    }
}

/// The path without its extension, and the extension with its dot. Dots that begin a name begin no extension.
fn splitext(path: &str) -> (&str, &str) {
    let name = basename(path);
    let start = path.len() - name.len();
    let dots = name.len() - name.trim_start_matches('.').len();
    match name.rfind('.') {
        Some(dot) if dot >= dots => path.split_at(start + dot),
        _ => (path, ""),
    }
}

/// The path from the root on, `.` and `..` worked out by name alone.
///
/// # Errors
/// The working directory is gone, for a relative path.
fn abspath(path: &str) -> Outcome<String> {
    let whole = if path.starts_with('/') { path.to_string() } else { join(&surroundings::getcwd()?, path) };
    let mut parts = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Ok(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::{abspath, basename, dirname, join, splitext};

    #[test]
    fn paths_come_apart_as_in_python() {
        for (path, head, tail) in [
            ("a/b.txt", "a", "b.txt"),
            ("b", "", "b"),
            ("a/b/", "a/b", ""),
            ("a//b", "a", "b"),
            ("/b", "/", "b"),
            ("//b", "//", "b"),
            ("/", "/", ""),
            ("", "", ""),
        ] {
            assert_eq!((dirname(path), basename(path)), (head, tail), "{path}");
        }
    }

    #[test]
    fn extensions_are_those_of_python() {
        for (path, root, extension) in [
            ("a.tar.gz", "a.tar", ".gz"),
            ("a.b/c", "a.b/c", ""),
            (".bashrc", ".bashrc", ""),
            ("..a.b", "..a", ".b"),
            ("d/.x.y", "d/.x", ".y"),
            ("...", "...", ""),
            ("a.", "a", "."),
            ("größe.äö", "größe", ".äö"),
        ] {
            assert_eq!(splitext(path), (root, extension), "{path}");
        }
    }

    #[test]
    fn paths_join_as_in_python() {
        for (first, second, whole) in
            [("a", "b", "a/b"), ("a/", "b", "a/b"), ("a", "/b", "/b"), ("", "b", "b"), ("a", "", "a/")]
        {
            assert_eq!(join(first, second), whole);
        }
    }

    #[test]
    fn absolute_paths_have_no_dots_left() {
        assert_eq!(abspath("/a/./b/../../../c//d/").unwrap(), "/c/d");
        assert_eq!(abspath("/").unwrap(), "/");
        assert!(abspath("x").unwrap().ends_with("/x"));
    }
}
