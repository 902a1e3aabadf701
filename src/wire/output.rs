//! Where the bytes of a value are written to.

use crate::sync::draft::Draft;

/// Takes bytes, and can forget the last of them. It does not fail: a [`Draft`] that has no memory for something
/// large says so when it is sealed.
pub trait Output {
    /// Writes one byte.
    fn push(&mut self, byte: u8);

    /// Writes some bytes.
    fn extend(&mut self, bytes: &[u8]);

    /// How much was written, for [`Output::back_to`].
    fn mark(&self) -> usize;

    /// Forgets what was written since `mark`.
    fn back_to(&mut self, mark: usize);
}

impl Output for Vec<u8> {
    #[inline]
    fn push(&mut self, byte: u8) {
        self.push(byte);
    }

    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn mark(&self) -> usize {
        self.len()
    }

    fn back_to(&mut self, mark: usize) {
        self.truncate(mark);
    }
}

/// A draft holds one message: it forgets all of it.
impl Output for Draft {
    #[inline]
    fn push(&mut self, byte: u8) {
        self.push(byte);
    }

    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        self.extend(bytes);
    }

    fn mark(&self) -> usize {
        0
    }

    fn back_to(&mut self, _: usize) {
        self.clear();
    }
}
