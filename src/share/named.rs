//! Shared memory by name, as one process has it. Any program that knows the name can have the same memory.
//!
//! ```text
//! made, or attached by name --use--> closed by this process
//!                  \--unlinked by anybody: the name is gone, who has the memory keeps it
//! ```
//!
//! A value of this type travels as its name: who receives it attaches anew, and is told if the name is gone. The
//! names that the session makes are written down (see `tracked`), so that none is left when it ends.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cells::Cells;
use super::tracked;
use crate::arena::blocks::OutOfMemory;
use crate::arena::handle::{Handle, Kind, Object};
use crate::arena::segment::at;
use crate::sys::identity;
use crate::sys::mapping::{Lost, Mapping};
use crate::sys::named::{self, NAME, Unnamed};

/// What names that nobody chose begin with: what Python's do.
const PREFIX: &str = "psm_";
const WORDS: usize = (NAME + 1) / 8;

/// What travels: an object that only has a name.
#[repr(C)]
struct Ticket {
    object: Object,
    list: AtomicU64,
    name: [AtomicU64; WORDS],
}

/// Why there is no such memory.
#[derive(Debug, thiserror::Error)]
pub enum NamedError {
    /// Not a name that a file may have.
    #[error("a name of shared memory is 1 to {NAME} bytes without '/' or a NUL character; not {0:?}")]
    Name(String),
    /// A program is just making it, or made it without memory.
    #[error("shared memory '{0}' has no bytes")]
    Empty(String),
    /// Nobody has it, or it was unlinked.
    #[error("there is no shared memory of the name '{0}'")]
    Missing(String),
    /// Somebody has it.
    #[error("there is shared memory of the name '{0}' already")]
    Exists(String),
    /// The system says no.
    #[error("shared memory '{name}': {error}")]
    System { name: String, error: io::Error },
    /// The session has no memory left.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
}

/// Why the bytes can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// This process has closed the memory.
    #[error("it is closed in this process")]
    Closed,
    /// The memory is not there any more.
    #[error(transparent)]
    Lost(#[from] Lost),
}

impl NamedError {
    fn system(name: &str, error: io::Error) -> Self {
        let name = name.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing(name),
            io::ErrorKind::AlreadyExists => Self::Exists(name),
            _ => Self::System { name, error },
        }
    }
}

/// See the head of this file.
#[derive(Debug)]
pub struct Named {
    name: String,
    size: usize,
    mapping: RefCell<Option<Mapping>>,
    ticket: Handle,
}

/// A name as the system has it: without slashes in front.
fn checked(name: &str) -> Result<&str, NamedError> {
    let bare = name.trim_start_matches('/');
    let wrong = bare.contains(['/', '\0']) || matches!(bare, "" | "." | "..") || bare.len() > NAME;
    if wrong { Err(NamedError::Name(name.to_owned())) } else { Ok(bare) }
}

fn random_name() -> io::Result<String> {
    let mut bytes = [0; 4];
    identity::random(&mut bytes)?;
    Ok(format!("{PREFIX}{:08x}", u32::from_ne_bytes(bytes)))
}

impl Named {
    /// Makes memory of `size` zero bytes under `name`, or under one that is free. `list` says whether it is a list
    /// to scripts.
    ///
    /// # Errors
    /// [`NamedError`]; nothing is left of the attempt.
    pub fn create(name: Option<&str>, size: NonZeroUsize, list: bool) -> Result<Self, NamedError> {
        let given = name.map(checked).transpose()?;
        loop {
            let system = |error| NamedError::system(given.unwrap_or(PREFIX), error);
            let name = given.map_or_else(random_name, |name| Ok(name.to_owned())).map_err(system)?;
            let unnamed = Unnamed::new(size.get()).map_err(system)?;
            let note = tracked::note(&name, unnamed.id())?;
            match unnamed.name(&name) {
                Ok(file) => {
                    // It has its name, so it is to lose it if there is no memory for the rest.
                    return Self::of(name.clone(), &file, size, list).inspect_err(|_| drop(unlink(&name)));
                }
                Err(error) => {
                    note.withdraw();
                    if given.is_some() || error.kind() != io::ErrorKind::AlreadyExists {
                        return Err(system(error));
                    }
                }
            }
        }
    }

    /// The memory that has `name`.
    ///
    /// # Errors
    /// [`NamedError`].
    pub fn attach(name: &str, list: bool) -> Result<Self, NamedError> {
        let name = checked(name)?;
        let attached = named::attach(name);
        let (file, size) = attached.map_err(|error| NamedError::system(name, error))?;
        let size = NonZeroUsize::new(size).ok_or_else(|| NamedError::Empty(name.to_owned()))?;
        Self::of(name.to_owned(), &file, size, list)
    }

    /// The memory that the object at `offset`, which somebody holds, is the name of; and whether it is a list.
    ///
    /// # Errors
    /// [`NamedError`].
    pub fn open(offset: u64) -> Result<(Self, bool), NamedError> {
        // SAFETY: only called with offsets of tickets that somebody holds.
        let ticket: &Ticket = unsafe { at(offset) };
        let words = ticket.name.iter().flat_map(|word| word.load(Ordering::Acquire).to_ne_bytes());
        let bytes: Vec<u8> = words.take_while(|byte| *byte != 0).collect();
        let list = ticket.list.load(Ordering::Acquire) != 0;
        Self::attach(&String::from_utf8_lossy(&bytes), list).map(|named| (named, list))
    }

    fn of(name: String, file: &File, size: NonZeroUsize, list: bool) -> Result<Self, NamedError> {
        let mapping = Mapping::new(file, size);
        let mapping = mapping.map_err(|error| NamedError::system(&name, error))?;
        let ticket = Handle::create(Kind::Named, size_of::<Ticket>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let ticket: &Ticket = unsafe { &*place.cast() };
            ticket.list.store(list.into(), Ordering::Relaxed);
            let mut bytes = [0; WORDS * 8];
            bytes[..name.len()].copy_from_slice(name.as_bytes());
            for (word, piece) in ticket.name.iter().zip(bytes.as_chunks().0) {
                word.store(u64::from_ne_bytes(*piece), Ordering::Relaxed);
            }
        })?;
        Ok(Self { name, size: size.get(), mapping: RefCell::new(Some(mapping)), ticket })
    }

    /// Its name, without a slash in front.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes when this process got it.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The object that travels for it.
    pub fn offset(&self) -> u64 {
        self.ticket.offset()
    }

    /// Whether this process still has the memory.
    pub fn is_open(&self) -> bool {
        self.mapping.borrow().is_some()
    }

    /// This process is done with it.
    pub fn close(&self) {
        self.mapping.take();
    }

    /// Does `what` with its bytes.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn access<T>(&self, what: impl FnOnce(&Cells) -> T) -> Result<T, Unusable> {
        let mapping = self.mapping.borrow();
        let mapping = mapping.as_ref().ok_or(Unusable::Closed)?;
        // SAFETY: a mapping begins at a page and goes on to the end of one, so it has whole words; it is there for
        // as long as it is borrowed, and only used through cells.
        let cells = unsafe { Cells::new(mapping.base(), self.size) };
        Ok(mapping.access(|| what(&cells))?)
    }

    /// Takes the name away, whoever made it.
    ///
    /// # Errors
    /// If the name is gone already.
    pub fn unlink(&self) -> Result<(), NamedError> {
        unlink(&self.name)
    }
}

/// Takes the name of shared memory away.
///
/// # Errors
/// If there is no such name, or the system refuses.
pub fn unlink(name: &str) -> Result<(), NamedError> {
    let id = named::id(name);
    named::remove(name).map_err(|error| NamedError::system(name, error))?;
    tracked::forget(name, id);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::arena::blocks::used;
    use crate::arena::testing::{Child, Random, session};

    fn size(bytes: usize) -> NonZeroUsize {
        NonZeroUsize::new(bytes).expect("a size")
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(checked("/abc").expect("a name"), "abc");
        for name in ["", "/", ".", "..", "a/b", "a\0b", "x".repeat(256).as_str()] {
            assert!(checked(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_nobody_unlinked_is_cleaned_up_and_what_is_not_ours_stays() {
        let _session = session();
        assert_eq!(tracked::clean_up(), []);
        let kept = Named::create(None, size(8), false).expect("memory");
        let gone = Named::create(None, size(8), false).expect("memory");
        let other = Named::create(None, size(8), false).expect("memory");
        gone.unlink().expect("its name is there");
        assert!(gone.unlink().is_err(), "once only");
        // Somebody else takes the name away and gives it to a file of its own.
        named::remove(other.name()).expect("its name is there");
        let foreign = Unnamed::new(8).expect("a file").name(other.name()).expect("a name");
        let left: Vec<String> = tracked::clean_up().into_iter().map(|one| one.name).collect();
        assert_eq!(left, [kept.name()]);
        assert!(named::id(other.name()).is_some(), "it is not ours");
        drop(foreign);
        named::remove(other.name()).expect("it is there");
        assert_eq!(tracked::clean_up(), []);
    }

    #[test]
    fn whatever_a_killed_process_made_is_known() {
        let _session = session();
        let prefix = format!("stook-test-{}-killed", identity::pid());
        let make = || {
            for number in 0.. {
                let name = format!("{prefix}-{number}");
                let named = Named::create(Some(&name), size(64), false).expect("memory");
                named.access(|cells| cells.store(0, 8, 7)).expect("its bytes");
                if number % 3 == 0 {
                    named.unlink().expect("its name is there");
                }
            }
        };
        let mut random = Random::seeded();
        for _ in 0..20 {
            let child = Child::run(make);
            child.entered();
            std::thread::sleep(Duration::from_micros(random.below(1500)));
            let pid = child.pid;
            child.kill();
            let left = tracked::clean_up();
            assert!(left.iter().all(|one| one.pid == u64::from(pid)));
            let there = std::fs::read_dir("/dev/shm").expect("it can be read").flatten();
            let names: Vec<_> = there.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            assert!(names.iter().all(|name| !name.starts_with(&prefix)), "{names:?}");
        }
        let before = used();
        drop(Named::create(None, size(64), false).expect("memory"));
        assert_eq!(used(), before, "a free record is used again");
        assert_eq!(tracked::clean_up().len(), 1);
    }
}
