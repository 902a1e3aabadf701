//! What stands in a directory, and changing it.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rhai::{Array, Dynamic, Engine, FLOAT, INT, Map};

use super::path::{from_disk, to_disk};
use super::{Outcome, fault, name, options};
use crate::wire::Error;

pub fn register(engine: &mut Engine) {
    engine.register_fn("listdir", listdir);
    engine.register_fn("getsize", getsize);
    engine.register_fn("getmtime", getmtime);
    engine.register_fn("exists", |path: &str| metadata(path).is_ok());
    engine.register_fn("is_file", |path: &str| metadata(path).is_ok_and(|found| found.is_file()));
    engine.register_fn("is_dir", |path: &str| metadata(path).is_ok_and(|found| found.is_dir()));
    engine.register_fn("mkdir", |path: &str| mkdir(path, false));
    engine.register_fn("mkdir", mkdir);
    engine.register_fn("mkdir", mkdir_with_options);
    engine.register_fn("remove", remove);
    engine.register_fn("rmtree", rmtree);
    engine.register_fn("rename", rename);
    engine.register_fn("copy", copy);
}

/// What the path leads to, links followed.
fn metadata(path: &str) -> io::Result<Metadata> {
    fs::metadata(to_disk(path))
}

fn found(path: &str) -> Outcome<Metadata> {
    metadata(path).map_err(|error| fault::on(path, &error).raise())
}

/// The names in a directory, sorted by their bytes, without `.` and `..`.
fn listdir(path: &str) -> Outcome<Array> {
    let names: io::Result<Vec<OsString>> =
        fs::read_dir(to_disk(path)).and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
    let mut names = names.map_err(|error| fault::on(path, &error).raise())?;
    names.sort();
    Ok(names.iter().map(|name| Dynamic::from(from_disk(name))).collect())
}

/// Bytes.
fn getsize(path: &str) -> Outcome<INT> {
    Ok(INT::try_from(found(path)?.len()).unwrap_or(INT::MAX))
}

/// When the content last changed, in seconds since 1970.
fn getmtime(path: &str) -> Outcome<FLOAT> {
    let found = found(path)?;
    Ok(found.mtime() as FLOAT + found.mtime_nsec() as FLOAT / 1e9)
}

fn mkdir_with_options(path: &str, mut options: Map) -> Outcome<()> {
    let exist_ok = match options::take(&mut options, "exist_ok") {
        None => false,
        Some(value) => value
            .as_bool()
            .map_err(|_| options::wrong("TypeError", "mkdir", "exist_ok", "true or false").raise())?,
    };
    options::refuse_rest(&options, "mkdir", &["exist_ok"])?;
    mkdir(path, exist_ok)
}

/// Makes a directory and those above it.
///
/// # Errors
/// `FileExistsError` when something stands there already; a directory may with `exist_ok`.
fn mkdir(path: &str, exist_ok: bool) -> Outcome<()> {
    let on_disk = to_disk(path);
    let on_disk = Path::new(&on_disk);
    let parents = match on_disk.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::create_dir_all(parent),
        _ => Ok(()),
    };
    match parents.and_then(|()| fs::create_dir(on_disk)) {
        Err(error) if exist_ok && error.kind() == ErrorKind::AlreadyExists && on_disk.is_dir() => Ok(()),
        made => made.map_err(|error| fault::on(path, &error).raise()),
    }
}

/// Removes a file or a link, not a directory.
fn remove(path: &str) -> Outcome<()> {
    fs::remove_file(to_disk(path)).map_err(|error| fault::on(path, &error).raise())
}

/// Removes a directory with all that is in it. Links in it are removed, not followed.
///
/// # Errors
/// `OSError` when the path is a file, or a link to a directory.
fn rmtree(path: &str) -> Outcome<()> {
    let on_disk = to_disk(path);
    fs::symlink_metadata(&on_disk)
        .and_then(|found| if found.is_dir() { Ok(()) } else { Err(ErrorKind::NotADirectory.into()) })
        .and_then(|()| fs::remove_dir_all(&on_disk))
        .map_err(|error| fault::on(path, &error).raise())
}

/// Gives a file or directory another path in the same file system; a file that stands there is replaced.
fn rename(from: &str, to: &str) -> Outcome<()> {
    fs::rename(to_disk(from), to_disk(to)).map_err(|error| fault::between(from, to, &error).raise())
}

/// Copies a file's content and permissions, into `to` when that is a directory.
///
/// # Errors
/// `OSError` when both are the same file, which would be emptied.
fn copy(from: &str, to: &str) -> Outcome<()> {
    let target = match metadata(to) {
        Ok(there) if there.is_dir() => name::join(to, name::basename(from)),
        _ => to.to_string(),
    };
    if let (Ok(source), Ok(there)) = (metadata(from), metadata(&target))
        && (source.dev(), source.ino()) == (there.dev(), there.ino())
    {
        let error = io::Error::other("are the same file");
        return Err(Error::raise(fault::between(from, &target, &error)));
    }
    fs::copy(to_disk(from), to_disk(&target))
        .map(drop)
        .map_err(|error| fault::between(from, &target, &error).raise())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rhai::Array;
    use tempfile::tempdir;

    use super::super::tests::{eval, fails};

    #[test]
    fn names_come_sorted() {
        let dir = tempdir().unwrap();
        for name in ["b", "a.b", "a", "Z", ".x"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let names: Array = eval(&dir, "listdir(D)");
        let names: Vec<String> = names.into_iter().map(|name| name.into_string().unwrap()).collect();
        assert_eq!(names, [".x", "Z", "a", "a.b", "b"]);
        assert_eq!(fails(&dir, r#"listdir(D + "/none")"#).kind(), "FileNotFoundError");
    }

    #[test]
    fn what_stands_there_is_told() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("f"), "12345").unwrap();
        let told: bool = eval(
            &dir,
            r#"let f = D + "/f"; let none = D + "/none";
               exists(f) && is_file(f) && !is_dir(f) && is_dir(D) && !is_file(D) && !exists(none)
               && !is_file(none) && !is_dir("a\x00b") && getsize(f) == 5 && getmtime(f) > 1.0e9"#,
        );
        assert!(told);
        assert_eq!(fails(&dir, r#"getsize(D + "/none")"#).kind(), "FileNotFoundError");
    }

    #[test]
    fn directories_are_made_with_those_above_them() {
        let dir = tempdir().unwrap();
        let made: bool =
            eval(&dir, r#"mkdir(D + "/a/b"); mkdir(D + "/a/b", #{exist_ok: true}); is_dir(D + "/a/b")"#);
        assert!(made);
        assert_eq!(fails(&dir, r#"mkdir(D + "/a")"#).kind(), "FileExistsError");
        fs::write(dir.path().join("f"), "").unwrap();
        assert_eq!(fails(&dir, r#"mkdir(D + "/f", #{exist_ok: true})"#).kind(), "FileExistsError");
        assert_eq!(fails(&dir, r#"mkdir(D + "/f/g")"#).kind(), "FileExistsError");
        assert_eq!(fails(&dir, r#"mkdir(D + "/g", #{parents: true})"#).kind(), "TypeError");
    }

    #[test]
    fn removing_keeps_to_what_it_says() {
        let dir = tempdir().unwrap();
        fs::create_dir_all(dir.path().join("keep/d")).unwrap();
        fs::write(dir.path().join("keep/f"), "").unwrap();
        fs::create_dir(dir.path().join("tree")).unwrap();
        symlink("../keep", dir.path().join("tree/link")).unwrap();
        symlink("keep", dir.path().join("link")).unwrap();

        assert_eq!(fails(&dir, r#"rmtree(D + "/link")"#).kind(), "OSError");
        assert_eq!(fails(&dir, r#"rmtree(D + "/keep/f")"#).kind(), "OSError");
        assert_eq!(fails(&dir, r#"remove(D + "/keep")"#).kind(), "OSError");
        let left: bool = eval(
            &dir,
            r#"rmtree(D + "/tree"); remove(D + "/link"); !exists(D + "/tree") && is_file(D + "/keep/f")"#,
        );
        assert!(left);
        assert_eq!(fails(&dir, r#"remove(D + "/link")"#).kind(), "FileNotFoundError");
    }

    #[test]
    fn files_are_renamed_and_copied() {
        let dir = tempdir().unwrap();
        let moved: String = eval(
            &dir,
            r#"write_text(D + "/a", "text"); mkdir(D + "/d");
               rename(D + "/a", D + "/b"); copy(D + "/b", D + "/c"); copy(D + "/c", D + "/d");
               read_text(D + "/d/c") + exists(D + "/a")"#,
        );
        assert_eq!(moved, "textfalse");

        let same = fails(&dir, r#"copy(D + "/b", D + "/d/../b")"#);
        assert!(same.message().ends_with("are the same file"), "{same}");
        assert_eq!(fs::read(dir.path().join("b")).unwrap(), b"text");

        let missing = fails(&dir, r#"rename(D + "/none", D + "/x")"#);
        assert_eq!(missing.kind(), "FileNotFoundError");
        assert!(missing.data()["to"].clone().into_string().unwrap().ends_with("/x"));
    }
}
