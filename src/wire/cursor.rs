//! The bytes of a message and how far they have been read.

use bincode::{de::read::Reader, error::DecodeError};

/// Reads a slice from front to back.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Bytes not yet read.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    /// Whether this is the next byte.
    pub(super) fn next_is(&self, byte: u8) -> bool {
        self.bytes.get(self.position) == Some(&byte)
    }

    /// The next `count` bytes, without copying them.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(count)?;
        let taken = self.bytes.get(self.position..end)?;
        self.position = end;
        Some(taken)
    }
}

impl Reader for Cursor<'_> {
    #[inline]
    fn read(&mut self, target: &mut [u8]) -> Result<(), DecodeError> {
        let left = self.left();
        let Some(taken) = self.take(target.len()) else {
            return Err(DecodeError::UnexpectedEnd { additional: target.len() - left });
        };
        target.copy_from_slice(taken);
        Ok(())
    }

    #[inline]
    fn peek_read(&mut self, count: usize) -> Option<&[u8]> {
        self.bytes.get(self.position..self.position.checked_add(count)?)
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        // Never past the end: `left` relies on it.
        self.position = self.position.saturating_add(count).min(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use bincode::de::read::Reader;

    use super::Cursor;

    #[test]
    fn reading_stops_at_the_end() {
        let mut cursor = Cursor::new(&[1, 2, 3, 4]);
        assert_eq!(cursor.byte(), Some(1));
        assert_eq!(cursor.take(2), Some(&[2, 3][..]));
        assert_eq!(cursor.take(2), None);
        assert_eq!(cursor.take(usize::MAX), None);
        assert_eq!((cursor.position(), cursor.left()), (3, 1));
        assert!(cursor.read(&mut [0; 2]).is_err());
        assert_eq!(cursor.peek_read(1), Some(&[4][..]));
        cursor.consume(usize::MAX);
        assert_eq!((cursor.byte(), cursor.left()), (None, 0));
    }
}
