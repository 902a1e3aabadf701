//! Messages in a stream of bytes: each is its length, 8 bytes little endian, and then its bytes.
//!
//! Invariants
//! 1. What a length announces is not believed: the buffer grows as bytes arrive, to at most twice what is there
//!    and a piece more.
//! 2. Nothing behind a message is asked for: the next one may be another process's.

use std::collections::TryReserveError;

/// Bytes of a length.
pub const HEADER: usize = 8;
/// The longest message: no machine has memory for more.
const LONGEST: u64 = 1 << 46;
/// The buffer grows by at least this much, if so much is announced.
const PIECE: u64 = 64 << 10;
/// In a length's place: a listener refuses a client that did not begin with a handshake.
pub const REFUSED: u64 = u64::MAX;

/// What is wrong with a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The listener wants a key.
    #[error("the listener wants a key, and this client gave none")]
    Refused,
    /// No message is so long.
    #[error("a message of {0} bytes is announced: the other side does not speak this protocol")]
    Absurd(u64),
    /// Longer than the caller wants.
    #[error("the message has {length} bytes, {limit} are allowed")]
    TooLong { length: u64, limit: u64 },
}

/// The length of a message, as it goes ahead of it.
pub fn header(message: &[u8]) -> [u8; HEADER] {
    (message.len() as u64).to_le_bytes()
}

/// A message that is being received.
pub struct Incoming<'a> {
    body: &'a mut Vec<u8>,
    limit: u64,
    header: [u8; HEADER],
    /// How many bytes of the header are there, then how many of the body.
    have: usize,
    /// Announced, once the header is there.
    length: Option<u64>,
}

impl<'a> Incoming<'a> {
    /// A message of at most `limit` bytes, to be put into `body`.
    pub fn new(body: &'a mut Vec<u8>, limit: Option<u64>) -> Self {
        body.clear();
        Self { body, limit: limit.unwrap_or(LONGEST), header: [0; HEADER], have: 0, length: None }
    }

    /// Where the next bytes are to be put; empty when the message is whole.
    ///
    /// # Errors
    /// If there is no memory for what has arrived.
    pub fn room(&mut self) -> Result<&mut [u8], TryReserveError> {
        let Some(length) = self.length else {
            return Ok(self.header.get_mut(self.have..).unwrap_or_default());
        };
        if self.have == self.body.len() {
            let have = self.have as u64;
            let more = (length - have).min(have.max(PIECE)) as usize;
            self.body.try_reserve(more)?;
            self.body.resize(self.have + more, 0);
        }
        Ok(self.body.get_mut(self.have..).unwrap_or_default())
    }

    /// `count` bytes have been put there; whether the message is whole.
    ///
    /// # Errors
    /// [`FrameError`]; nothing more can be read from this stream then.
    pub fn filled(&mut self, count: usize) -> Result<bool, FrameError> {
        self.have += count;
        let length = match self.length {
            Some(length) => length,
            None if self.have < HEADER => return Ok(false),
            None => {
                let length = u64::from_le_bytes(self.header);
                match length {
                    REFUSED => return Err(FrameError::Refused),
                    _ if length > LONGEST => return Err(FrameError::Absurd(length)),
                    _ if length > self.limit => {
                        return Err(FrameError::TooLong { length, limit: self.limit });
                    }
                    _ => {}
                }
                self.have = 0;
                *self.length.insert(length)
            }
        };
        Ok(self.have as u64 == length)
    }

    /// Whether nothing of it has arrived yet.
    pub fn is_untouched(&self) -> bool {
        self.have == 0 && self.length.is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `bytes` in pieces of at most these sizes; what is left of them when a message is whole.
    fn feed<'a>(
        incoming: &mut Incoming<'_>,
        mut bytes: &'a [u8],
        pieces: &[usize],
    ) -> Result<Option<&'a [u8]>, FrameError> {
        let mut pieces = pieces.iter().copied().cycle();
        loop {
            let received = incoming.body.len();
            let room = incoming.room().expect("memory");
            assert!(room.len() <= received.max(PIECE as usize), "memory for what was only announced");
            let count = room.len().min(bytes.len()).min(pieces.next().unwrap_or(1));
            if count == 0 {
                return Ok(None);
            }
            let (now, later) = bytes.split_at(count);
            room[..count].copy_from_slice(now);
            bytes = later;
            if incoming.filled(count)? {
                return Ok(Some(bytes));
            }
        }
    }

    proptest! {
        #[test]
        fn messages_arrive_however_they_are_cut(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            pieces in prop::collection::vec(1_usize..400, 1..20),
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|body| [&header(body)[..], body].concat()).collect();
            let mut left = &stream[..];
            for message in &messages {
                let mut body = Vec::new();
                left = feed(&mut Incoming::new(&mut body, None), left, &pieces).expect("sound").expect("whole");
                prop_assert_eq!(&body, message);
            }
            prop_assert!(left.is_empty());
        }

        #[test]
        fn any_bytes_give_a_message_an_error_or_too_little(
            bytes in prop::collection::vec(any::<u8>(), 0..2000),
            pieces in prop::collection::vec(1_usize..400, 1..20),
            limit in prop::option::of(0_u64..1000),
        ) {
            let mut body = Vec::new();
            let result = feed(&mut Incoming::new(&mut body, limit), &bytes, &pieces);
            if let Ok(Some(left)) = result {
                prop_assert_eq!(left.len() + body.len() + HEADER, bytes.len());
            }
        }
    }

    #[test]
    fn absurd_and_too_long_messages_are_refused_by_their_length() {
        let length = |length: u64, limit| {
            let mut body = Vec::new();
            let result = feed(&mut Incoming::new(&mut body, limit), &length.to_le_bytes(), &[3]).map(drop);
            assert_eq!(body.capacity(), 0, "nothing is allocated");
            result
        };
        assert_eq!(length(1 << 63, None), Err(FrameError::Absurd(1 << 63)));
        assert_eq!(length(u64::MAX, None), Err(FrameError::Refused));
        assert_eq!(length(11, Some(10)), Err(FrameError::TooLong { length: 11, limit: 10 }));
        assert_eq!(length(0, Some(0)), Ok(()));
    }

    #[test]
    fn memory_grows_with_what_arrives() {
        let mut body = Vec::new();
        let mut incoming = Incoming::new(&mut body, None);
        let announced = (1_u64 << 45).to_le_bytes();
        assert_eq!(feed(&mut incoming, &announced, &[8]), Ok(None));
        assert_eq!(feed(&mut incoming, &vec![1; 1 << 20], &[1000]), Ok(None));
        assert!(body.capacity() <= 4 << 20, "{} bytes for one MiB", body.capacity());
    }
}
