//! A file line by line, in memory for one line.
//!
//! Copies of the iterator share one place in the file, as Python's file objects do. After an error it is at its
//! end.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::rc::Rc;

use rhai::{Engine, ImmutableString};

use super::path::to_disk;
use super::{Outcome, fault};
use crate::script::iterate;

pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Lines>("Lines");
    iterate::register::<Lines, ImmutableString>(engine);
    engine.register_fn("lines", |path: ImmutableString| Lines::open(path));
}

/// The iterator of `lines(path)`.
#[derive(Clone)]
struct Lines(Rc<RefCell<Reading>>);

struct Reading {
    path: ImmutableString,
    /// Nothing at the end.
    reader: Option<BufReader<File>>,
    /// Bytes before the next line.
    offset: u64,
    line: Vec<u8>,
}

impl Lines {
    fn open(path: ImmutableString) -> Outcome<Self> {
        let file = File::open(to_disk(&path)).map_err(|error| fault::on(&path, &error).raise())?;
        let reader = Some(BufReader::new(file));
        Ok(Self(Rc::new(RefCell::new(Reading { path, reader, offset: 0, line: Vec::new() }))))
    }
}

impl Iterator for Lines {
    type Item = Outcome<ImmutableString>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reading = self.0.borrow_mut();
        let next = reading.next().transpose();
        if !matches!(next, Some(Ok(_))) {
            reading.reader = None;
        }
        next
    }
}

impl Reading {
    fn next(&mut self) -> Outcome<Option<ImmutableString>> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        self.line.clear();
        match reader.read_until(b'\n', &mut self.line) {
            Ok(0) => Ok(None),
            Ok(count) => {
                let text = str::from_utf8(&self.line).map_err(|error| {
                    fault::not_text(&self.path, self.offset + error.valid_up_to() as u64).raise()
                })?;
                self.offset += count as u64;
                Ok(Some(without_end(text).into()))
            }
            Err(error) => Err(fault::on(&self.path, &error).raise()),
        }
    }
}

/// The line without its `\n` or `\r\n`.
fn without_end(line: &str) -> &str {
    match line.strip_suffix('\n') {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rhai::Array;
    use tempfile::tempdir;

    use super::super::tests::{eval, fails};

    fn texts(array: Array) -> Vec<String> {
        array.into_iter().map(|line| line.into_string().unwrap()).collect()
    }

    #[test]
    fn lines_come_without_their_ends() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("f"), "eins\r\n\n drei\rx\nvier").unwrap();
        let lines: Array = eval(&dir, r#"let a = []; for l in lines(D + "/f") { a.push(l) } a"#);
        assert_eq!(texts(lines), ["eins", "", " drei\rx", "vier"]);
    }

    #[test]
    fn an_empty_file_has_no_lines() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("f"), "").unwrap();
        let count: i64 = eval(&dir, r#"let n = 0; for l in lines(D + "/f") { n += 1 } n"#);
        assert_eq!(count, 0);
    }

    #[test]
    fn copies_share_one_place() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("f"), "1\n2\n3\n").unwrap();
        let seen: Array = eval(
            &dir,
            r#"let a = []; let all = lines(D + "/f"); for l in all { a.push(l); break } for l in all { a.push(l) } a"#,
        );
        assert_eq!(texts(seen), ["1", "2", "3"]);
    }

    #[test]
    fn a_bad_line_can_be_caught_around_the_loop() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("f"), b"eins\nz\xffwei\ndrei\n").unwrap();
        let caught: Array = eval(
            &dir,
            r#"let a = []; let all = lines(D + "/f");
               try { for l in all { a.push(l) } } catch (e) { a.push(e.message) }
               for l in all { a.push(l) } a"#,
        );
        let caught = texts(caught);
        assert_eq!(caught.len(), 2);
        assert_eq!(caught[0], "eins");
        assert!(caught[1].ends_with("not UTF-8 at byte 6"), "{caught:?}");
    }

    #[test]
    fn a_file_that_does_not_open_fails_at_the_call() {
        let dir = tempdir().unwrap();
        assert_eq!(fails(&dir, r#"lines(D + "/none")"#).kind(), "FileNotFoundError");
        assert_eq!(fails(&dir, r#"for l in lines(D) { print(l) }"#).kind(), "OSError");
    }
}
