//! Lines to standard output and error that other processes' lines don't cut in two.

use std::io;

use nix::errno::Errno;
use nix::libc;

use super::memory::Memory;

/// What a pipe takes in one piece, by POSIX at least 512 and on Linux 4096 bytes.
const PIPE_BUF: usize = 4096;

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Stream {
    /// Standard output.
    Out = 1,
    /// Standard error.
    Err = 2,
}

/// Writes `bytes` whole. Up to [`PIPE_BUF`] bytes go out in one system call, which the kernel does not mix with
/// others'; more may take several, and nobody else writes meanwhile. A record lock on the segment sees to that,
/// held by one long writer or by many short ones; the kernel drops it when its holder dies. Without a segment
/// there is nobody else.
///
/// # Errors
/// What the kernel says: a closed pipe, a full disk.
pub fn write_whole(stream: Stream, bytes: &[u8], memory: Option<&Memory>) -> io::Result<()> {
    let kind = if bytes.len() > PIPE_BUF { libc::F_WRLCK } else { libc::F_RDLCK };
    let lock = memory.map(|memory| Record::lock(memory, stream, kind));
    let result = write_all(stream, bytes);
    drop(lock);
    result
}

fn write_all(stream: Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the pointer and length are those of a live slice.
        let written = unsafe { libc::write(stream as i32, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(_) => match Errno::last() {
                Errno::EINTR => {}
                Errno::EAGAIN => wait_until_writable(stream),
                error => return Err(error.into()),
            },
        }
    }
    Ok(())
}

/// A terminal or pipe that somebody made non-blocking.
fn wait_until_writable(stream: Stream) {
    let mut entry = libc::pollfd { fd: stream as i32, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one valid pollfd.
    unsafe { libc::poll(&raw mut entry, 1, 1000) };
}

/// A POSIX record lock on one byte of the segment's file: owned by the process, gone when it dies.
struct Record<'a> {
    memory: &'a Memory,
    stream: Stream,
}

impl<'a> Record<'a> {
    fn lock(memory: &'a Memory, stream: Stream, kind: libc::c_int) -> Self {
        let record = Self { memory, stream };
        record.set(kind);
        record
    }

    fn set(&self, kind: libc::c_int) {
        // SAFETY: all fields of this C structure may be zero.
        let mut request: libc::flock = unsafe { std::mem::zeroed() };
        request.l_type = kind as libc::c_short;
        request.l_whence = libc::SEEK_SET as libc::c_short;
        request.l_start = self.stream as libc::off_t;
        request.l_len = 1;
        loop {
            // SAFETY: a valid flock structure for a descriptor that lives as long as the process.
            let code = unsafe { libc::fcntl(self.memory.raw_fd(), libc::F_SETLKW, &raw const request) };
            if code == 0 || Errno::last() != Errno::EINTR {
                return;
            }
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.set(libc::F_UNLCK);
    }
}
