//! Every regular file below a directory, lazily, in the order of `LC_ALL=C sort` on whole paths.
//!
//! Symbolic links below the directory are not followed and not reported. What can't be read raises its error in
//! the `for` and ends the walk; with `on_error: "collect"` the `Error` comes in the place of a path, and the walk
//! goes on. Memory: the names of the directories on the way down. Copies share one place.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString, Map};
use walkdir::{DirEntry, WalkDir};

use super::path::{from_disk, to_disk};
use super::{Outcome, fault, options};
use crate::script::iterate;
use crate::wire::Error;

pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Walk>("Walk");
    iterate::register::<Walk, Dynamic>(engine);
    engine.register_fn("walk", |dir: ImmutableString| Walk::start(dir, OnError::Raise));
    engine.register_fn("walk", |dir: ImmutableString, on_error: ImmutableString| {
        Walk::start(dir, OnError::named(&on_error)?)
    });
    engine.register_fn("walk", |dir: ImmutableString, mut options: Map| {
        let on_error = OnError::from_options(&mut options)?;
        options::refuse_rest(&options, "walk", &["on_error"])?;
        Walk::start(dir, on_error)
    });
}

/// What becomes of a directory that can't be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnError {
    /// Its error ends the walk.
    Raise,
    /// Its error comes in the place of a path.
    Collect,
}

impl OnError {
    fn from_options(options: &mut Map) -> Outcome<Self> {
        let Some(value) = options::take(options, "on_error") else {
            return Ok(Self::Raise);
        };
        match value.as_immutable_string_ref() {
            Ok(name) => Self::named(&name),
            Err(_) => Err(options::wrong("TypeError", "walk", "on_error", "a string").raise()),
        }
    }

    fn named(name: &str) -> Outcome<Self> {
        match name {
            "raise" => Ok(Self::Raise),
            "collect" => Ok(Self::Collect),
            _ => Err(options::wrong("ValueError", "walk", "on_error", "\"raise\" or \"collect\"").raise()),
        }
    }
}

/// The iterator of `walk(dir)`.
#[derive(Clone)]
struct Walk(Rc<RefCell<Walking>>);

struct Walking {
    dir: ImmutableString,
    /// Nothing at the end.
    entries: Option<walkdir::IntoIter>,
    on_error: OnError,
}

impl Walk {
    /// # Errors
    /// `dir` is no directory, or missing.
    fn start(dir: ImmutableString, on_error: OnError) -> Outcome<Self> {
        let on_disk = to_disk(&dir);
        fs::metadata(&on_disk)
            .and_then(|found| if found.is_dir() { Ok(()) } else { Err(ErrorKind::NotADirectory.into()) })
            .map_err(|error: io::Error| fault::on(&dir, &error).raise())?;
        let entries = Some(WalkDir::new(&on_disk).sort_by(by_path).into_iter());
        Ok(Self(Rc::new(RefCell::new(Walking { dir, entries, on_error }))))
    }
}

impl Iterator for Walk {
    type Item = Outcome<Dynamic>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.borrow_mut().next()
    }
}

impl Walking {
    fn next(&mut self) -> Option<Outcome<Dynamic>> {
        loop {
            match self.entries.as_mut()?.next() {
                Some(Ok(entry)) if entry.file_type().is_file() => {
                    return Some(Ok(from_disk(entry.path().as_os_str()).into()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let error = self.fault(error);
                    return Some(match self.on_error {
                        OnError::Collect => Ok(Dynamic::from(error)),
                        OnError::Raise => {
                            self.entries = None;
                            Err(error.raise())
                        }
                    });
                }
                None => self.entries = None,
            }
        }
    }

    fn fault(&self, error: walkdir::Error) -> Error {
        let path = error.path().map_or_else(|| self.dir.clone(), |path| from_disk(path.as_os_str()));
        // Only a walk that follows links has an error that is not the system's.
        let error = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"));
        fault::on(&path, &error)
    }
}

/// Siblings in the order of the paths that come of them: a directory's name is followed by a slash.
fn by_path(left: &DirEntry, right: &DirEntry) -> Ordering {
    path_bytes(left).cmp(path_bytes(right))
}

fn path_bytes(entry: &DirEntry) -> impl Iterator<Item = u8> {
    let slash = entry.file_type().is_dir().then_some(b'/');
    entry.file_name().as_bytes().iter().copied().chain(slash)
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

    fn below(dir: &TempDir, array: Array) -> Vec<String> {
        let start = format!("{}/", dir.path().display());
        array.into_iter().map(|path| path.into_string().unwrap().replace(&start, "")).collect()
    }

    #[test]
    fn files_come_in_the_order_of_their_whole_paths() {
        let dir = tempdir().unwrap();
        for name in ["a/x", "a.txt", "a-b/y", "a/b/z", "B"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let paths: Array = eval(&dir, "let a = []; for p in walk(D) { a.push(p) } a");
        let paths = below(&dir, paths);
        assert_eq!(paths, ["B", "a-b/y", "a.txt", "a/b/z", "a/x"]);
        assert!(paths.is_sorted());
    }

    #[test]
    fn links_are_not_followed() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("f"), "").unwrap();
        symlink("f", dir.path().join("link")).unwrap();
        symlink(".", dir.path().join("loop")).unwrap();
        let paths: Array = eval(&dir, "let a = []; for p in walk(D) { a.push(p) } a");
        assert_eq!(below(&dir, paths), ["f"]);
    }

    #[test]
    fn a_name_that_is_not_utf8_can_be_opened() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join(OsStr::from_bytes(b"caf\xe9")), "au lait").unwrap();
        let text: String = eval(&dir, r#"let t = ""; for p in walk(D) { t = read_text(p) } t"#);
        assert_eq!(text, "au lait");
    }

    /// A directory that is removed under the walk can't be read, whoever asks.
    const VANISHING: &str = r#"
        write_text(D + "/a", ""); mkdir(D + "/b"); write_text(D + "/c", "");
        let seen = [];
        try {
            for p in walk(D, OPTIONS) {
                if exists(D + "/b") { rmtree(D + "/b") }
                seen.push(if type_of(p) == "string" { p } else { p.message });
            }
        } catch (e) { seen.push("caught " + e.message) }
        seen"#;

    #[test]
    fn a_directory_that_cannot_be_read_ends_the_walk() {
        let dir = tempdir().unwrap();
        let seen: Array = eval(&dir, &VANISHING.replace("OPTIONS", r#"#{on_error: "raise"}"#));
        assert_eq!(below(&dir, seen), ["a", "caught b: No such file or directory"]);
    }

    #[test]
    fn collected_errors_let_the_walk_go_on() {
        let dir = tempdir().unwrap();
        let seen: Array = eval(&dir, &VANISHING.replace("OPTIONS", r#"#{on_error: "collect"}"#));
        assert_eq!(below(&dir, seen), ["a", "b: No such file or directory", "c"]);
    }

    #[test]
    fn a_start_that_is_no_directory_fails_at_the_call() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("f"), "").unwrap();
        assert_eq!(fails(&dir, r#"walk(D + "/none")"#).kind(), "FileNotFoundError");
        assert!(fails(&dir, r#"walk(D + "/f")"#).message().ends_with("not a directory"));
    }

    #[test]
    fn options_are_checked() {
        let dir = tempdir().unwrap();
        let unknown = fails(&dir, "walk(D, #{onerror: 1})");
        assert_eq!(unknown.to_string(), "TypeError: walk() has no option 'onerror'; it knows: on_error");
        assert_eq!(fails(&dir, "walk(D, #{on_error: 1})").kind(), "TypeError");
        assert_eq!(fails(&dir, r#"walk(D, #{on_error: "skip"})"#).kind(), "ValueError");
        assert_eq!(fails(&dir, r#"walk(D, "skip")"#).kind(), "ValueError");
        assert_eq!(eval::<i64>(&dir, r#"let n = 0; for p in walk(D, "collect") { n += 1 } n"#), 0);
    }
}
