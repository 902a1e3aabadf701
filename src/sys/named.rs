//! Shared memory by name, as POSIX has it: files in /dev/shm.
//!
//! A file comes into being without a name, with its whole size, and gets its name in one step that fails if there
//! is one already. So nobody ever sees it unfinished, and before it has its name it can be written down, by its
//! *id*, which files it is about: whoever cleans up later removes a name only from that very file.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::{Mode, fstat, lstat};
use nix::unistd::{ftruncate, linkat, unlink};

/// Where the system keeps them.
const FOLDER: &str = "/dev/shm";
/// The longest name, in bytes.
pub const NAME: usize = 255;

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
}

/// A file that has no name yet. Without one it is gone when it is dropped.
pub struct Unnamed {
    file: File,
    id: FileId,
}

fn path(name: &str) -> io::Result<CString> {
    CString::new(format!("{FOLDER}/{name}")).map_err(io::Error::from)
}

impl Unnamed {
    /// A file of `size` zero bytes for its owner only.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn new(size: usize) -> io::Result<Self> {
        let size = i64::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let file = File::from(open(FOLDER, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
        ftruncate(&file, size)?;
        let id = id_of(&fstat(&file)?);
        Ok(Self { file, id })
    }

    /// Which file it is.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// If there is a file of that name, or the system refuses.
    pub fn name(self, name: &str) -> io::Result<File> {
        let open = CString::new(format!("/proc/self/fd/{}", self.file.as_raw_fd()))?;
        let name = path(name)?;
        linkat(AT_FDCWD, open.as_c_str(), AT_FDCWD, name.as_c_str(), AtFlags::AT_SYMLINK_FOLLOW)?;
        Ok(self.file)
    }
}

/// Opens the file `name`; and how many bytes it has.
///
/// # Errors
/// If there is none, or the system refuses.
pub fn attach(name: &str) -> io::Result<(File, usize)> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = File::from(open(path(name)?.as_c_str(), flags, Mode::empty())?);
    let size = usize::try_from(fstat(&file)?.st_size).unwrap_or(0);
    Ok((file, size))
}

/// Takes the name away; who has the memory keeps it.
///
/// # Errors
/// If there is no such name, or the system refuses.
pub fn remove(name: &str) -> io::Result<()> {
    Ok(unlink(path(name)?.as_c_str())?)
}

/// Which file has that name.
pub fn id(name: &str) -> Option<FileId> {
    lstat(path(name).ok()?.as_c_str()).ok().map(|stat| id_of(&stat))
}

#[allow(clippy::unnecessary_cast, reason = "the types differ between processors")]
fn id_of(stat: &nix::sys::stat::FileStat) -> FileId {
    FileId { device: stat.st_dev as u64, inode: stat.st_ino as u64 }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::sys::mapping::{Lost, Mapping};

    fn name(what: &str) -> String {
        format!("stook-test-{}-{what}", std::process::id())
    }

    #[test]
    fn a_file_has_its_whole_size_when_it_gets_its_name() {
        let name = name("whole");
        let unnamed = Unnamed::new(10_000).expect("a file");
        let file_id = unnamed.id();
        assert_eq!(id(&name), None);
        unnamed.name(&name).expect("a name");
        assert_eq!(id(&name), Some(file_id));
        assert_eq!(attach(&name).expect("it is there").1, 10_000);
        let other = Unnamed::new(1).expect("a file").name(&name).expect_err("the name is taken");
        assert_eq!(other.kind(), io::ErrorKind::AlreadyExists);
        remove(&name).expect("it is there");
        assert_eq!(attach(&name).map(|_| ()).expect_err("it is gone").kind(), io::ErrorKind::NotFound);
        assert_eq!(remove(&name).expect_err("it is gone").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn memory_that_is_cut_short_is_lost_and_kills_nobody() {
        // One access at a time.
        let _session = crate::arena::testing::session();
        let name = name("short");
        let file = Unnamed::new(8192).expect("a file").name(&name).expect("a name");
        let mapping = Mapping::new(&file, NonZeroUsize::new(8192).expect("a size")).expect("a mapping");
        let touch = || {
            // SAFETY: inside the mapping, in an access to it.
            unsafe { mapping.base().as_ptr().add(5000).write_volatile(7) };
        };
        assert_eq!(mapping.access(touch), Ok(()));
        file.set_len(0).expect("shorter");
        assert_eq!(mapping.access(touch), Err(Lost));
        file.set_len(8192).expect("longer");
        assert_eq!(mapping.access(touch), Err(Lost), "what is lost stays so");
        remove(&name).expect("it is there");
    }
}
