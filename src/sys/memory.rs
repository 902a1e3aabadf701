//! One memfd, mapped once over a huge range and grown in place.
//!
//! Invariants
//! 1. The mapping is made once per process and never unmapped or moved, so a pointer into it stays
//!    valid for the life of the process (and a robust mutex in it is never unmapped under the kernel).
//! 2. The file only grows: it is sealed against shrinking, so a byte that existed once never faults again.
//! 3. Bytes past the end of the file are mapped but must not be touched; the allocator above keeps to
//!    the size it has grown the file to.
//!
//! Mapping past the end of a file and growing it later needs no remapping, in this process or in any
//! that already runs (measured: 2-5 us for 1 TiB).

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap};
use nix::sys::uio::pwrite;
use nix::unistd::ftruncate;

/// The range asked for first; halved until the address-space limit allows it.
const RESERVE: usize = 1 << 40;
/// Below this a session makes no sense.
const RESERVE_MIN: usize = 1 << 26;
/// The descriptor under which a started child finds the segment.
pub const INHERITED_FD: RawFd = 3;

/// A growable shared segment, mapped into this process for ever.
pub struct Memory {
    fd: OwnedFd,
    base: *mut u8,
    reserve: usize,
}

// SAFETY: the base is an address that never changes; what lies behind it is reached through atomics.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Makes a new, empty segment.
    ///
    /// # Errors
    /// Whatever the kernel says about the memfd, its seal or the mapping.
    pub fn create() -> io::Result<Self> {
        let fd = memfd_create(c"stook", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK))?;
        Self::map(fd)
    }

    /// Maps the segment that a parent left as descriptor [`INHERITED_FD`], and makes that descriptor
    /// close-on-exec again.
    ///
    /// # Errors
    /// If there is no such descriptor, or it can't be mapped.
    pub fn inherit() -> io::Result<Self> {
        // SAFETY: only checks and takes the descriptor that a parent's spawn put there; the child's
        // entry calls this once, before anything else of the process opens descriptors.
        let fd = unsafe { OwnedFd::from_raw_fd(INHERITED_FD) };
        if let Err(error) = fcntl(&fd, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC)) {
            std::mem::forget(fd);
            return Err(error.into());
        }
        Self::map(fd)
    }

    fn map(fd: OwnedFd) -> io::Result<Self> {
        let mut reserve = RESERVE;
        loop {
            let Some(length) = NonZeroUsize::new(reserve) else {
                return Err(io::Error::from(io::ErrorKind::OutOfMemory));
            };
            // SAFETY: a fresh shared mapping at an address of the kernel's choosing touches no
            // existing memory; it is never unmapped (invariant 1).
            let mapped = unsafe {
                mmap(
                    None,
                    length,
                    ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                    MapFlags::MAP_SHARED | MapFlags::MAP_NORESERVE,
                    &fd,
                    0,
                )
            };
            match mapped {
                Ok(base) => {
                    // A core dump of a segment of a terabyte helps nobody; failing to say so is harmless.
                    // SAFETY: the range was mapped just above.
                    let _ = unsafe { madvise(base, reserve, MmapAdvise::MADV_DONTDUMP) };
                    let base = base.as_ptr().cast();
                    return Ok(Self { fd, base, reserve });
                }
                Err(_) if reserve > RESERVE_MIN => reserve /= 2,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Where the segment starts in this process.
    pub fn base(&self) -> *mut u8 {
        self.base
    }

    /// How many bytes the segment may ever have in this process.
    pub fn reserve(&self) -> usize {
        self.reserve
    }

    /// The descriptor, to be handed to a child.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Grows the file to `size` bytes. The caller holds the lock that serialises growth.
    ///
    /// # Errors
    /// If a file-size limit or the kernel's memory forbids it.
    pub fn grow(&self, size: usize) -> io::Result<()> {
        let size = i64::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(ftruncate(&self.fd, size)?)
    }

    /// Writes `bytes` at `offset`. The pages get there without being cleared and without a fault for each: where
    /// nothing was written before, that takes half the time.
    ///
    /// # Errors
    /// What the kernel says; some of the bytes may have been written.
    pub fn write(&self, mut bytes: &[u8], mut offset: usize) -> io::Result<()> {
        while !bytes.is_empty() {
            let place = i64::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            match pwrite(&self.fd, bytes, place) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(written) => {
                    bytes = bytes.get(written..).unwrap_or_default();
                    offset += written;
                }
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Gives the pages of a range back to the system; they read as zero afterwards.
    pub fn punch(&self, offset: usize, length: usize) {
        let (Ok(offset), Ok(length)) = (i64::try_from(offset), i64::try_from(length)) else {
            return;
        };
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        // Keeping the pages is the only consequence of a failure.
        let _ = fallocate(&self.fd, flags, offset, length);
    }

    /// Bytes of physical memory that the segment holds now.
    ///
    /// # Errors
    /// If the descriptor can't be asked.
    pub fn resident(&self) -> io::Result<u64> {
        let stat = nix::sys::stat::fstat(&self.fd)?;
        Ok(u64::try_from(stat.st_blocks).unwrap_or(0) * 512)
    }

    /// The number of the descriptor.
    pub fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// The size of a page in bytes.
pub fn page_size() -> usize {
    // SAFETY: sysconf reads a constant of the system.
    let size = unsafe { nix::libc::sysconf(nix::libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}
