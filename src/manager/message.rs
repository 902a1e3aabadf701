//! What a manager's server and its clients say to each other, without I/O.
//!
//! ```text
//! [length: 8][kind: 1][number: 8][object: 8][attachments: 4][bytes of text: 4][text][value ...][attachment: 8]*
//! ```
//!
//! All numbers are little endian; the value is one of `wire`'s, and the attachments are those of its handles.
//!
//! | kind | from | number | object | text | value |
//! |---|---|---|---|---|---|
//! | GREETING | server | | | | 32 random bytes |
//! | HELLO | client | its process id | | its name | proof that it is of the server's session, or nothing |
//! | WELCOME | server | 1 if it is | | | |
//! | CALL | client | of the request | the receiver, 0 for the server itself | the method | the arguments |
//! | CANCEL | client | of the request | | | |
//! | RECEIVED | client | of the request | | | |
//! | DROP | client | how often it had it | the object | | |
//! | RESULT | server | of the request | | a word to the caller, or nothing | the result |
//! | RAISED | server | of the request | | where it was raised | what was thrown |
//! | CANCELLED | server | of the request | | | |
//!
//! Invariants
//! 1. A client says CANCEL of a call that it waits for, and waits on: there is one answer to each call.
//! 2. A result with attachments is kept by the server until the client has said RECEIVED: the objects that it refers
//!    to live until the client holds them itself.
//! 3. A client of another session holds an object from the result that refers to it until it says DROP, and as often
//!    as it was referred to. In the server's own session the arena counts (see `ticket`).

use crate::socket::framing::{FrameError, HEADER, header};

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Greeting = 1,
    Hello = 2,
    Welcome = 3,
    Call = 4,
    Cancel = 5,
    Received = 6,
    Drop = 7,
    Result = 8,
    Raised = 9,
    Cancelled = 10,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Greeting,
        Self::Hello,
        Self::Welcome,
        Self::Call,
        Self::Cancel,
        Self::Received,
        Self::Drop,
        Self::Result,
        Self::Raised,
        Self::Cancelled,
    ];
}

/// The longest message, in bytes.
pub const LONGEST: u64 = 1 << 30;

/// Bytes before the text.
const HEAD: usize = 1 + 8 + 8 + 4 + 4;
/// A message that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: Kind,
    pub number: u64,
    pub object: u64,
    pub text: &'a str,
    /// The bytes of the value.
    pub value: &'a [u8],
    pub attachments: Vec<u64>,
}

/// Splits the message off whose bytes these are; `None` if they are none.
pub fn read(bytes: &[u8]) -> Option<Message<'_>> {
    let (kind, rest) = bytes.split_first()?;
    let kind = Kind::ALL.into_iter().find(|known| *known as u8 == *kind)?;
    let (number, rest) = rest.split_first_chunk()?;
    let (object, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let tail = (u32::from_le_bytes(*count) as usize).checked_mul(8)?;
    let (value, tail) = rest.split_at_checked(rest.len().checked_sub(tail)?)?;
    let (words, _) = tail.as_chunks();
    Some(Message {
        kind,
        number: u64::from_le_bytes(*number),
        object: u64::from_le_bytes(*object),
        text: str::from_utf8(text).ok()?,
        value,
        attachments: words.iter().map(|word| u64::from_le_bytes(*word)).collect(),
    })
}

/// Appends a message whose value `write` appends, with the attachments that it gives.
///
/// # Errors
/// Those of `write`; nothing is appended then.
pub fn write<E>(
    out: &mut Vec<u8>,
    kind: Kind,
    number: u64,
    object: u64,
    text: &str,
    write: impl FnOnce(&mut Vec<u8>, &mut Vec<u64>) -> Result<(), E>,
) -> Result<usize, E> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    out.push(kind as u8);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&object.to_le_bytes());
    let count = out.len();
    out.extend_from_slice(&[0; 4]);
    // No name of a method and no traceback is longer.
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    let mut attachments = Vec::new();
    if let Err(error) = write(out, &mut attachments) {
        out.truncate(start);
        return Err(error);
    }
    for word in &attachments {
        out.extend_from_slice(&word.to_le_bytes());
    }
    if let Some(place) = out.get_mut(count..count + 4) {
        place.copy_from_slice(&(attachments.len() as u32).to_le_bytes());
    }
    let (before, body) = out.split_at_mut(start + HEADER);
    if let Some(place) = before.get_mut(start..) {
        place.copy_from_slice(&header(body));
    }
    Ok(attachments.len())
}

/// Takes back the message that was appended behind `before`, if it is longer than the other side would read.
///
/// # Errors
/// [`FrameError::TooLong`].
pub fn check(out: &mut Vec<u8>, before: usize) -> Result<(), FrameError> {
    let length = (out.len() - before).saturating_sub(HEADER) as u64;
    if length <= LONGEST {
        return Ok(());
    }
    out.truncate(before);
    Err(FrameError::TooLong { length, limit: LONGEST })
}

/// Appends a message without a value.
pub fn write_bare(out: &mut Vec<u8>, kind: Kind, number: u64, object: u64, text: &str, value: &[u8]) {
    let appended = write(out, kind, number, object, text, |out, _| {
        out.extend_from_slice(value);
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(_) = appended;
}

/// The least bytes of a message.
pub const SHORTEST: usize = HEAD;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let mut out = vec![9];
        let count = write(&mut out, Kind::Call, 7, 8, "push", |out, attachments| {
            out.extend_from_slice(b"value");
            attachments.extend([1, u64::MAX]);
            Ok::<(), ()>(())
        });
        assert_eq!(count, Ok(2));
        let message = read(&out[1 + HEADER..]).expect("a message");
        assert_eq!((message.kind, message.number, message.object, message.text), (Kind::Call, 7, 8, "push"));
        assert_eq!((message.value, message.attachments.as_slice()), (&b"value"[..], &[1, u64::MAX][..]));
        assert_eq!(write(&mut out, Kind::Call, 7, 8, "push", |_, _| Err(())), Err(()));
        assert_eq!(out.len(), 1 + HEADER + SHORTEST + 4 + 5 + 16, "what was refused leaves nothing behind");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(message) = read(&bytes) {
                prop_assert_eq!(
                    bytes.len(),
                    HEAD + message.text.len() + message.value.len() + 8 * message.attachments.len()
                );
            }
        }
    }
}
