//! The process's own memory, as the C library hands it out.

use nix::libc;

/// Free bytes at the end of the heap that are not given back to the system.
const KEPT: libc::c_int = 256 << 20;

/// Large values stay in the heap, and what they leave there is used again. The C library would map each
/// of them anew, and the system's first touch of a page costs more than copying what goes into it.
pub fn keep_large() {
    // SAFETY: sets two numbers of the allocator, before there is a second thread. What it refuses stays as it was.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}
