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

/// The pages that large values are made of, where the system has such.
const HUGE: usize = 2 << 20;

/// A copy of `bytes`. Where they are many, the system is asked for huge pages first: it finds and clears one of them
/// faster than the five hundred small ones.
pub fn copied(bytes: &[u8]) -> Vec<u8> {
    let mut copy: Vec<u8> = Vec::with_capacity(bytes.len());
    if bytes.len() >= 2 * HUGE {
        let start = copy.as_ptr().addr().next_multiple_of(HUGE);
        let end = (copy.as_ptr().addr() + bytes.len()) / HUGE * HUGE;
        let ahead = start - copy.as_ptr().addr();
        // SAFETY: whole pages inside the vector's own memory, of which only the size changes. If the system has
        // no others, they stay as they are.
        unsafe {
            let place = copy.as_mut_ptr().wrapping_add(ahead);
            libc::madvise(place.cast(), end - start, libc::MADV_HUGEPAGE);
        }
    }
    copy.extend_from_slice(bytes);
    copy
}

#[cfg(test)]
mod tests {
    use super::{HUGE, copied};

    #[test]
    fn a_copy_is_the_same_whatever_its_pages() {
        for length in [0, 1, HUGE, 2 * HUGE, 3 * HUGE + 5] {
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            assert!(copied(&bytes) == bytes, "{length} bytes");
        }
    }
}
