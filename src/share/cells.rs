//! Elements in shared memory, each read and written in one piece.
//!
//! Invariants
//! 1. The memory lies in the segment or in a mapping, is there for as long as these cells are, begins at a
//!    multiple of 8 and is made of whole words of 8 bytes. Only atomic accesses touch it.
//! 2. An element lies at a multiple of its size, which is 1, 2, 4 or 8: it never crosses a word, so whoever
//!    writes words or elements writes elements whole. A process killed anywhere leaves each one old or new.
//! 3. Single elements are written with release and read with acquire: what a process wrote before is there for
//!    whoever sees the element. Whole ranges are only whole element by element.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Bytes that are looked at in one go.
pub const CHUNK: usize = 4096;
const WORD: usize = 8;

/// See the head of this file.
#[derive(Debug)]
pub struct Cells {
    base: NonNull<u8>,
    size: usize,
}

/// A piece of shared memory, copied.
pub struct Chunk([u64; CHUNK / WORD + 1]);

impl Cells {
    /// The `size` bytes at `base`.
    ///
    /// # Safety
    /// Invariant 1 holds for the words that hold them.
    pub unsafe fn new(base: NonNull<u8>, size: usize) -> Self {
        Self { base, size }
    }

    /// How many bytes there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Where an element begins.
    #[inline]
    fn place(&self, at: usize, size: usize) -> *mut u8 {
        // What can't be is the mistake of a caller, not of a script: indices are checked before.
        assert!(at.is_multiple_of(size) && at.checked_add(size).is_some_and(|end| end <= self.size));
        // SAFETY: inside the memory, as just looked at.
        unsafe { self.base.as_ptr().add(at) }
    }

    /// The bits of the element of `size` bytes at `at`.
    #[inline]
    pub fn load(&self, at: usize, size: usize) -> u64 {
        let place = self.place(at, size);
        // SAFETY: the place is aligned, in memory that only atomics touch (invariants 1 and 2).
        unsafe {
            match size {
                1 => (*place.cast::<AtomicU8>()).load(Ordering::Acquire).into(),
                2 => (*place.cast::<AtomicU16>()).load(Ordering::Acquire).into(),
                4 => (*place.cast::<AtomicU32>()).load(Ordering::Acquire).into(),
                _ => (*place.cast::<AtomicU64>()).load(Ordering::Acquire),
            }
        }
    }

    /// Writes the element of `size` bytes at `at`.
    #[inline]
    pub fn store(&self, at: usize, size: usize, bits: u64) {
        let place = self.place(at, size);
        // SAFETY: as in `load`.
        unsafe {
            match size {
                1 => (*place.cast::<AtomicU8>()).store(bits as u8, Ordering::Release),
                2 => (*place.cast::<AtomicU16>()).store(bits as u16, Ordering::Release),
                4 => (*place.cast::<AtomicU32>()).store(bits as u32, Ordering::Release),
                _ => (*place.cast::<AtomicU64>()).store(bits, Ordering::Release),
            }
        }
    }

    /// Writes the element of `size` bytes at `at` if it still has the bits `old`; whether it had.
    #[inline]
    pub fn replace(&self, at: usize, size: usize, old: u64, new: u64) -> bool {
        const BOTH: (Ordering, Ordering) = (Ordering::AcqRel, Ordering::Relaxed);
        let place = self.place(at, size);
        // SAFETY: as in `load`.
        unsafe {
            match size {
                1 => {
                    (*place.cast::<AtomicU8>()).compare_exchange(old as u8, new as u8, BOTH.0, BOTH.1).is_ok()
                }
                2 => (*place.cast::<AtomicU16>())
                    .compare_exchange(old as u16, new as u16, BOTH.0, BOTH.1)
                    .is_ok(),
                4 => (*place.cast::<AtomicU32>())
                    .compare_exchange(old as u32, new as u32, BOTH.0, BOTH.1)
                    .is_ok(),
                _ => (*place.cast::<AtomicU64>()).compare_exchange(old, new, BOTH.0, BOTH.1).is_ok(),
            }
        }
    }

    /// Calls `look` with copies of the bytes from `from` to `to`, piece by piece. `from` and `to` are multiples
    /// of the size of the elements, and so are the places where the pieces begin.
    pub fn chunks(&self, from: usize, to: usize, mut look: impl FnMut(&[u8])) {
        assert!(from <= to && to <= self.size);
        let mut chunk = Chunk([0; CHUNK / WORD + 1]);
        let mut at = from;
        while at < to {
            let end = (at + CHUNK).min(to);
            let first = at / WORD;
            for (word, copy) in (first..end.div_ceil(WORD)).zip(&mut chunk.0) {
                // SAFETY: the word holds one of the bytes, so it is there (invariant 1).
                let word = unsafe { &*self.base.as_ptr().cast::<AtomicU64>().add(word) };
                *copy = word.load(Ordering::Relaxed);
            }
            let bytes = chunk.bytes();
            look(&bytes[at - first * WORD..end - first * WORD]);
            at = end;
        }
    }

    /// The bytes from `from` to `to`.
    pub fn bytes(&self, from: usize, to: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(to - from);
        self.chunks(from, to, |chunk| bytes.extend_from_slice(chunk));
        bytes
    }

    /// Writes `bytes`, elements of `size` bytes, to `at`.
    pub fn write(&self, at: usize, size: usize, bytes: &[u8]) {
        let mut at = at;
        let mut rest = bytes;
        while !rest.is_empty() {
            // Whole words where they are all new, elements at the edges.
            let piece = if at.is_multiple_of(WORD) && rest.len() >= WORD { WORD } else { size };
            let (element, others) = rest.split_at(piece.min(rest.len()));
            self.store(at, piece, bits_of(element));
            at += piece;
            rest = others;
        }
    }

    /// Writes the element `bits` of `size` bytes everywhere from `from` to `to`.
    pub fn fill(&self, from: usize, to: usize, size: usize, bits: u64) {
        let mut pattern = [0; CHUNK];
        for element in pattern.chunks_exact_mut(size) {
            put_bits(bits, element);
        }
        let mut at = from;
        while at < to {
            let piece = (CHUNK - at % WORD).min(to - at);
            self.write(at, size, &pattern[..piece]);
            at += piece;
        }
    }
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        let bytes = std::mem::size_of_val(&self.0);
        // SAFETY: numbers of this process's own memory, read as bytes.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), bytes) }
    }
}

/// The bits of an element of 1, 2, 4 or 8 bytes.
#[inline]
pub fn bits_of(element: &[u8]) -> u64 {
    match *element {
        [a] => a.into(),
        [a, b] => u16::from_ne_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        _ => 0,
    }
}

/// Writes the bits of an element of 1, 2, 4 or 8 bytes.
pub fn put_bits(bits: u64, element: &mut [u8]) {
    match element.len() {
        1 => element.copy_from_slice(&(bits as u8).to_ne_bytes()),
        2 => element.copy_from_slice(&(bits as u16).to_ne_bytes()),
        4 => element.copy_from_slice(&(bits as u32).to_ne_bytes()),
        _ => element.copy_from_slice(&bits.to_ne_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(words: &mut [u64], size: usize) -> Cells {
        let base = NonNull::new(words.as_mut_ptr().cast()).expect("an address");
        // SAFETY: the words belong to the test, which uses them through the cells only.
        unsafe { Cells::new(base, size) }
    }

    #[test]
    fn elements_are_where_they_were_put_and_nowhere_else() {
        for size in [1, 2, 4, 8] {
            let mut words = [0; 4];
            let cells = over(&mut words, 32);
            cells.store(8 + size, size, u64::MAX);
            for at in (0..32).step_by(size) {
                let expected = if at == 8 + size { u64::MAX >> (64 - 8 * size) } else { 0 };
                assert_eq!(cells.load(at, size), expected, "{size} at {at}");
            }
            assert!(!cells.replace(8 + size, size, 1, 2));
            assert!(cells.replace(8 + size, size, u64::MAX, 2));
            assert_eq!(cells.load(8 + size, size), 2);
        }
    }

    #[test]
    fn ranges_are_read_and_written_at_every_edge() {
        for size in [1, 2, 4, 8] {
            let length = CHUNK + 64;
            for from in (0..24).step_by(size) {
                for to in [from, from + size, length - size, length] {
                    let mut words = vec![u64::MAX; length / WORD];
                    let cells = over(&mut words, length);
                    let bytes: Vec<u8> = (from..to).map(|at| (at % 251) as u8).collect();
                    cells.write(from, size, &bytes);
                    assert_eq!(cells.bytes(from, to), bytes);
                    assert!(cells.bytes(0, from).iter().chain(&cells.bytes(to, length)).all(|b| *b == 255));
                    cells.fill(from, to, size, 0x0102_0304_0506_0708);
                    let one = 0x0102_0304_0506_0708 & (u64::MAX >> (64 - 8 * size));
                    assert!(cells.bytes(from, to).chunks_exact(size).all(|element| bits_of(element) == one));
                    assert!(cells.bytes(0, from).iter().chain(&cells.bytes(to, length)).all(|b| *b == 255));
                }
            }
        }
    }
}
