//! Files that stand for listening sockets: made with them, and removed with them.
//!
//! Invariants
//! 1. A file is removed only if it is the very one (device and inode) that was made: somebody else may have put
//!    another in its place.
//! 2. A file on which nobody listens, left by a program that was killed, makes room for a new one. Stook
//!    processes look and listen one after the other, so that none takes away what another has just made: they
//!    hold a lock on the directory.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::address::{Address, LONGEST};
use super::identity;
use super::socket::Socket;

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub device: u64,
    pub inode: u64,
}

/// The file that stands for a listening socket.
#[derive(Clone, Debug)]
pub struct SocketFile {
    /// Its name, for every process wherever it is.
    pub path: PathBuf,
    pub identity: Identity,
    /// Whether its directory was made for it.
    pub alone: bool,
}

/// What the directories of automatic addresses are called.
const PREFIX: &str = "stook-listener-";
/// The file in there.
const NAME: &str = "socket";

impl SocketFile {
    /// The file at `path`, on which a socket listens.
    fn at(path: &Path, alone: bool) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        let identity = Identity { device: metadata.dev(), inode: metadata.ino() };
        Ok(Self { path: std::path::absolute(path)?, identity, alone })
    }

    /// Removes it, if it is still there; and its directory, if that was made for it.
    pub fn remove(&self) {
        let there = Self::at(&self.path, self.alone);
        if there.is_ok_and(|there| there.identity == self.identity) {
            // Nothing can be done about a directory that has become read-only.
            let _ = fs::remove_file(&self.path);
        }
        if let Some(directory) = self.path.parent().filter(|_| self.alone) {
            let _ = fs::remove_dir(directory);
        }
    }

    /// The name's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.path.as_os_str().as_bytes()
    }

    /// The file that was called so.
    pub fn named(bytes: &[u8], identity: Identity, alone: bool) -> Self {
        Self { path: PathBuf::from(OsStr::from_bytes(bytes)), identity, alone }
    }
}

/// Listens at the socket file `path`.
///
/// # Errors
/// If somebody listens there, or the file can't be made.
pub fn listen(path: &Path, backlog: i32) -> io::Result<(Socket, SocketFile)> {
    listen_in(path, backlog, false)
}

fn listen_in(path: &Path, backlog: i32, alone: bool) -> io::Result<(Socket, SocketFile)> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = File::open(directory.unwrap_or(Path::new(".")))?;
    // Where there are no locks, those who start at the same moment are on their own.
    let _lock = Flock::lock(directory, FlockArg::LockExclusive);
    let address = Address::Path(path.to_owned());
    let socket = match Socket::listen(&address, backlog) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_left_over(path) => {
            fs::remove_file(path)?;
            Socket::listen(&address, backlog)?
        }
        result => result?,
    };
    Ok((socket, SocketFile::at(path, alone)?))
}

/// Whether `path` is a socket file of this user on which nobody listens.
fn is_left_over(path: &Path) -> bool {
    let ours = fs::symlink_metadata(path).is_ok_and(|metadata| {
        metadata.file_type().is_socket() && metadata.uid() == nix::unistd::geteuid().as_raw()
    });
    let refused = |error: io::Error| error.kind() == ErrorKind::ConnectionRefused;
    ours && Socket::connect(&Address::Path(path.to_owned())).is_err_and(refused)
}

/// Listens at a socket file of its own, in a directory of its own that only this user can enter.
///
/// # Errors
/// If the system's directory for temporary files takes none.
pub fn listen_anywhere(backlog: i32) -> io::Result<(Socket, SocketFile)> {
    let wanted = std::env::temp_dir();
    // A socket's address is short; /tmp is what there is if the directory's name is not.
    let longest = LONGEST - PREFIX.len() - NAME.len() - 2 - 16;
    let fits = wanted.as_os_str().len() <= longest;
    let base = if fits { wanted } else { PathBuf::from("/tmp") };
    sweep(&base);
    loop {
        let mut number = [0; 8];
        identity::random(&mut number)?;
        let directory = base.join(format!("{PREFIX}{:016x}", u64::from_le_bytes(number)));
        match fs::DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => {
                let listening = listen_in(&directory.join(NAME), backlog, true);
                if listening.is_err() {
                    let _ = fs::remove_dir(&directory);
                }
                return listening;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes what programs left that were killed with everybody who could have removed it.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    let ours = |name: &OsStr| name.as_bytes().starts_with(PREFIX.as_bytes());
    for entry in entries.flatten().filter(|entry| ours(&entry.file_name())) {
        let path = entry.path().join(NAME);
        // One that is being made is locked until somebody listens there.
        let lock = File::open(entry.path()).map(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock));
        if matches!(lock, Ok(Ok(_))) && is_left_over(&path) {
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_removed_with_its_directory_and_only_if_it_is_the_same() {
        let (_socket, file) = listen_anywhere(1).expect("a place for temporary files");
        assert!(file.path.exists());
        file.remove();
        assert!(!file.path.exists() && !file.path.parent().expect("a directory").exists());

        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s");
        let (_first, file) = listen(&path, 1).expect("free");
        fs::remove_file(&path).expect("it is there");
        let (_second, other) = listen(&path, 1).expect("free again");
        // The file system may give the new file the old one's number; then it is the same for everybody.
        if file.identity != other.identity {
            file.remove();
            assert!(path.exists(), "another listener's file stays");
        }
        other.remove();
        assert!(!path.exists() && directory.path().exists());
    }

    #[test]
    fn what_nobody_listens_on_makes_room_and_what_somebody_listens_on_does_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s");
        let (socket, _) = listen(&path, 1).expect("free");
        let taken = listen(&path, 1).expect_err("somebody listens");
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        drop(socket);
        listen(&path, 1).expect("nobody listens any more");

        let path = directory.path().join("plain");
        fs::write(&path, "mine").expect("a file");
        assert_eq!(listen(&path, 1).expect_err("no socket").kind(), ErrorKind::AddrInUse);
        assert_eq!(fs::read(&path).expect("untouched"), b"mine");
    }

    #[test]
    fn what_was_left_in_the_directory_for_temporary_files_goes() {
        let (socket, left) = listen_anywhere(1).expect("a place for temporary files");
        let (_other, file) = listen_anywhere(1).expect("a place");
        assert!(left.path.exists(), "somebody listens there");
        drop(socket);
        let (_third, third) = listen_anywhere(1).expect("a place");
        assert!(!left.path.parent().expect("a directory").exists());
        assert!(file.path.exists());
        file.remove();
        third.remove();
    }
}
