//! The journal of a call: what was finished, so that another run need not do it again.
//!
//! A file of lines, one a finished item:
//!
//! ```text
//! CHECKSUM KEY RESULT\n     all in hexadecimal: 8 bytes, 32 bytes, the result as `wire` writes it
//! ```
//!
//! The key is the SHA-256 of the program's text, the function with what it captured, and the item. The checksum
//! covers the rest of the line. Equal items have equal keys and as many records as were finished.
//!
//! Invariants
//! 1. A line is written in one piece at the end of the file, when its item is finished.
//! 2. A line that is not whole, because the writer was killed or the machine lost power, or that was changed, counts
//!    as not there. Before the first write after it, it is ended, so that it spoils no other.
//! 3. One process at a time has the file: it is locked while it is open. A child that was forked meanwhile has the
//!    descriptor too; so the lock is given back in so many words by whoever took it, and who finds it taken looks
//!    again for a moment: the workers of a job that was killed may not have ended yet.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use base16ct::lower;
use rhai::Dynamic;
use sha2::{Digest, Sha256};

use crate::wire::{self, Error, NoHandles};

/// Names a finished item.
pub type Key = [u8; 32];

const CHECKSUM: usize = 8;
/// Where a line's result begins, in characters.
const HEAD: usize = 2 * CHECKSUM + 1 + 2 * 32 + 1;
/// How long a journal that is in use is waited for.
const PATIENCE: Duration = Duration::from_millis(500);
/// How much may be lost with the machine's power.
const PACE: Duration = Duration::from_secs(1);

/// Tells the person at the terminal.
pub type Tell = fn(&str);

/// See the head of this file.
pub struct Journal {
    name: String,
    file: File,
    /// The process that opened and locked it.
    opener: u32,
    /// The program and the function.
    seed: Sha256,
    /// Where the results are that nobody has asked for yet.
    known: HashMap<Key, VecDeque<(u64, usize)>>,
    skipped: usize,
    damaged: usize,
    synced: Instant,
    /// The last line is not whole.
    torn: bool,
    tell: Tell,
}

impl Journal {
    /// Opens or makes the file `name`, for calls of `function` in `program`.
    ///
    /// # Errors
    /// `OSError` if it can't be opened, is used by another process, or is no journal.
    pub fn open(name: &str, path: &std::path::Path, parts: [&[u8]; 2], tell: Tell) -> Result<Self, Error> {
        let fault = |error: std::io::Error| {
            let kind =
                if error.kind() == std::io::ErrorKind::NotFound { "FileNotFoundError" } else { "OSError" };
            Error::new(kind, format!("the journal {name:?} can't be used: {error}"))
                .with_data("path", name.to_owned())
        };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(fault)?;
        if !lock(&file).map_err(fault)? {
            let why = format!("the journal {name:?} is in use by another call or process");
            return Err(Error::new("OSError", why).with_data("path", name.to_owned()));
        }
        let mut seed = Sha256::new();
        for part in parts {
            seed.update((part.len() as u64).to_le_bytes());
            seed.update(part);
        }
        let mut journal = Self {
            name: name.to_owned(),
            file: file.try_clone().map_err(fault)?,
            opener: std::process::id(),
            seed,
            known: HashMap::new(),
            skipped: 0,
            damaged: 0,
            synced: Instant::now(),
            torn: false,
            tell,
        };
        journal.read(&mut file).map_err(fault)?;
        if journal.known.is_empty() && journal.damaged > 0 {
            let why =
                format!("{name:?} is no journal: none of its {} lines is a record of one", journal.damaged);
            return Err(Error::new("ValueError", why).with_data("path", name.to_owned()));
        }
        Ok(journal)
    }

    fn read(&mut self, file: &mut File) -> std::io::Result<()> {
        let mut reader = BufReader::new(file);
        let (mut line, mut start) = (Vec::new(), 0);
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            if length == 0 {
                return Ok(());
            }
            let whole = line.strip_suffix(b"\n");
            self.torn = whole.is_none();
            match whole.and_then(record) {
                Some(key) => {
                    let result = (start + HEAD as u64, length - HEAD - 1);
                    self.known.entry(key).or_default().push_back(result);
                }
                None if whole.is_some_and(<[u8]>::is_empty) => {}
                None => self.damaged += 1,
            }
            start += length as u64;
        }
    }

    /// The key of an item.
    pub fn key(&self, item: &[u8]) -> Key {
        let mut hash = self.seed.clone();
        hash.update(item);
        hash.finalize().into()
    }

    /// A result recorded under `key`; each is given once.
    pub fn take(&mut self, key: &Key) -> Option<Result<Dynamic, Error>> {
        let (start, length) = self.known.get_mut(key)?.pop_front()?;
        self.skipped += 1;
        let mut text = vec![0; length];
        let read = self.file.seek(SeekFrom::Start(start)).and_then(|_| self.file.read_exact(&mut text));
        let value = read.map_err(|error| error.to_string()).and_then(|()| {
            let bytes = lower::decode_vec(&text).map_err(|error| error.to_string())?;
            wire::decode(&bytes, &[], &NoHandles).map_err(|error| error.to_string())
        });
        Some(value.map_err(|why| {
            Error::new("OSError", format!("the journal {:?} can't be read: {why}", self.name))
        }))
    }

    /// Records the result of the item with `key`.
    ///
    /// # Errors
    /// `TypeError` if it can't be kept, `OSError` if it can't be written.
    pub fn record(&mut self, key: &Key, result: &Dynamic) -> Result<(), Error> {
        let mut bytes = Vec::new();
        wire::encode(result, "result", &NoHandles, &mut bytes, &mut Vec::new()).map_err(Error::from)?;
        let body = format!("{} {}", lower::encode_string(key), lower::encode_string(&bytes));
        let line = format!("{} {body}\n", lower::encode_string(&checksum(body.as_bytes())));
        let line = if std::mem::take(&mut self.torn) { format!("\n{line}") } else { line };
        self.file.write_all(line.as_bytes()).map_err(|error| {
            Error::new("OSError", format!("the journal {:?} can't be written: {error}", self.name))
        })?;
        if self.synced.elapsed() >= PACE {
            // A system that can't keeps what it can.
            let _ = self.file.sync_data();
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// The call is over, after `items` items: says what was skipped.
    pub fn close(self, items: usize) {
        let _ = self.file.sync_data();
        if self.skipped > 0 {
            (self.tell)(&format!(
                "journal {}: {} of {items} items were done before",
                self.name, self.skipped
            ));
        }
        if self.damaged > 0 {
            (self.tell)(&format!("journal {}: {} damaged lines were left out", self.name, self.damaged));
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.opener == std::process::id() {
            // What can't be unlocked is unlocked when the last descriptor is closed.
            let _ = self.file.unlock();
        }
    }
}

/// Locks the file, or says after a moment that another has it.
fn lock(file: &File) -> std::io::Result<bool> {
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if start.elapsed() >= PATIENCE => return Ok(false),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PATIENCE / 50),
        }
    }
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let hash = Sha256::digest(body);
    hash.first_chunk().copied().unwrap_or_default()
}

/// The key of a line that is a whole record.
fn record(line: &[u8]) -> Option<Key> {
    let (sum, body) = line.split_at_checked(2 * CHECKSUM)?;
    let body = body.strip_prefix(b" ")?;
    if sum != lower::encode_string(&checksum(body)).as_bytes() {
        return None;
    }
    let mut key = [0; 32];
    lower::decode(body.get(..64)?, &mut key).ok()?;
    (body.get(64) == Some(&b' ')).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &std::path::Path) -> Result<Journal, Error> {
        Journal::open("j", path, [b"program", b"function"], |_| {})
    }

    fn result(journal: &mut Journal, item: &[u8]) -> Option<i64> {
        let key = journal.key(item);
        journal.take(&key).map(|value| value.expect("readable").cast())
    }

    #[test]
    fn what_was_recorded_is_there_as_often_as_it_was_recorded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let mut journal = open(&path).expect("a journal");
        for (item, value) in [(b"a", 1_i64), (b"a", 2), (b"b", 3)] {
            journal.record(&journal.key(item), &value.into()).expect("room");
        }
        assert!(open(&path).is_err_and(|error| error.message().contains("in use")));
        journal.close(3);
        let mut again = open(&path).expect("a journal");
        assert_eq!(
            [result(&mut again, b"a"), result(&mut again, b"a"), result(&mut again, b"a")],
            [Some(1), Some(2), None]
        );
        assert_eq!([result(&mut again, b"b"), result(&mut again, b"c")], [Some(3), None]);
        drop(again);
        let mut other = Journal::open("j", &path, [b"program", b"other"], |_| {}).expect("a journal");
        assert_eq!(result(&mut other, b"a"), None, "another function");
    }

    #[test]
    fn a_child_that_was_forked_meanwhile_keeps_no_journal() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let journal = open(&path).expect("a journal");
        let heir = journal.file.try_clone().expect("what a fork does to a descriptor");
        drop(journal);
        open(&path).expect("it was given back");
        drop(heir);
    }

    #[test]
    fn a_torn_line_spoils_no_other_wherever_it_was_torn() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let mut journal = open(&path).expect("a journal");
        journal.record(&journal.key(b"a"), &1_i64.into()).expect("room");
        let first = std::fs::read(&path).expect("there").len();
        journal.record(&journal.key(b"b"), &2_i64.into()).expect("room");
        drop(journal);
        let whole = std::fs::read(&path).expect("there");
        for length in first..=whole.len() {
            std::fs::write(&path, &whole[..length]).expect("room");
            let mut journal = open(&path).expect("a journal");
            assert_eq!(result(&mut journal, b"b"), (length == whole.len()).then_some(2), "cut at {length}");
            journal.record(&journal.key(b"c"), &3_i64.into()).expect("room");
            drop(journal);
            let mut journal = open(&path).expect("a journal");
            assert_eq!([result(&mut journal, b"a"), result(&mut journal, b"c")], [Some(1), Some(3)]);
        }
    }

    #[test]
    fn a_changed_line_counts_as_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let mut journal = open(&path).expect("a journal");
        for item in [b"a", b"b"] {
            journal.record(&journal.key(item), &1_i64.into()).expect("room");
        }
        drop(journal);
        let mut bytes = std::fs::read(&path).expect("there");
        let place = bytes.len() - 2;
        bytes[place] ^= 1;
        std::fs::write(&path, bytes).expect("room");
        let mut journal = open(&path).expect("a journal");
        assert_eq!([result(&mut journal, b"a"), result(&mut journal, b"b")], [Some(1), None]);
        assert_eq!(journal.damaged, 1);
        std::fs::write(&path, "some notes of mine\n").expect("room");
        drop(journal);
        assert!(open(&path).is_err_and(|error| error.message().contains("is no journal")));
    }
}
