//! What has arrived over a stream, cut into messages.

use std::ops::Range;

use crate::socket::framing::{FrameError, HEADER};

/// Bytes that are made room for at once.
const PIECE: usize = 16 << 10;
/// A buffer that grew beyond this is not kept.
const KEEP: usize = 1 << 20;

/// Bytes that have arrived.
///
/// What a length announces is not believed: the buffer grows as bytes arrive.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// The bytes that have arrived and were not taken stand here.
    have: Range<usize>,
    limit: u64,
}

impl Inbox {
    /// For messages of at most `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { bytes: Vec::new(), have: 0..0, limit }
    }

    /// Where the next bytes are to be put.
    pub fn room(&mut self) -> &mut [u8] {
        if self.have.is_empty() {
            if self.bytes.len() > KEEP {
                self.bytes = Vec::new();
            }
            self.have = 0..0;
        }
        if self.have.start > 0 && self.bytes.len() - self.have.end < PIECE {
            self.bytes.copy_within(self.have.clone(), 0);
            self.have = 0..self.have.len();
        }
        if self.bytes.len() - self.have.end < PIECE {
            let more = self.have.len().max(PIECE);
            self.bytes.resize(self.have.end + more, 0);
        }
        self.bytes.get_mut(self.have.end..).unwrap_or_default()
    }

    /// `count` bytes have been put there.
    pub fn filled(&mut self, count: usize) {
        self.have.end = (self.have.end + count).min(self.bytes.len());
    }

    /// The next whole message's bytes, taken out.
    ///
    /// # Errors
    /// If a longer one than allowed is announced: nothing more can be read.
    pub fn take(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let bytes = self.bytes.get(self.have.clone()).unwrap_or_default();
        let Some((length, rest)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
        let length = u64::from_le_bytes(*length);
        if length > self.limit {
            return Err(FrameError::TooLong { length, limit: self.limit });
        }
        let Some(body) = usize::try_from(length).ok().and_then(|length| rest.get(..length)) else {
            return Ok(None);
        };
        self.have.start += HEADER + body.len();
        Ok(Some(body))
    }

    /// Whether nothing is there, not even a part of a message.
    pub fn is_empty(&self) -> bool {
        self.have.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::{Kind, LONGEST, read, write_bare};
    use super::*;

    #[test]
    fn what_is_announced_takes_no_memory() {
        let mut inbox = Inbox::new(LONGEST);
        let announced = LONGEST.to_le_bytes();
        inbox.room()[..8].copy_from_slice(&announced);
        inbox.filled(8);
        assert_eq!(inbox.take(), Ok(None));
        assert!(inbox.room().len() <= 4 * PIECE);
        let mut inbox = Inbox::new(10);
        inbox.room()[..8].copy_from_slice(&11_u64.to_le_bytes());
        inbox.filled(8);
        assert_eq!(inbox.take(), Err(FrameError::TooLong { length: 11, limit: 10 }));
    }

    proptest! {
        #[test]
        fn messages_arrive_however_they_are_cut(
            texts in prop::collection::vec("[a-z]{0,40}", 1..20),
            pieces in prop::collection::vec(1_usize..60, 1..20),
        ) {
            let mut stream = Vec::new();
            texts.iter().for_each(|text| write_bare(&mut stream, Kind::Hello, 1, 0, text, b"v"));
            let (mut inbox, mut left, mut arrived) = (Inbox::new(1000), &stream[..], Vec::new());
            for piece in pieces.iter().cycle() {
                let count = (*piece).min(left.len());
                inbox.room()[..count].copy_from_slice(&left[..count]);
                inbox.filled(count);
                left = &left[count..];
                while let Some(bytes) = inbox.take().expect("short enough") {
                    arrived.push(read(bytes).expect("a message").text.to_owned());
                }
                if left.is_empty() {
                    break;
                }
            }
            prop_assert!(inbox.is_empty());
            prop_assert_eq!(arrived, texts);
        }
    }
}
