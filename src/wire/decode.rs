//! Bytes to values.
//!
//! The bytes may come from anybody. Every length is compared with the bytes that are left before
//! anything is allocated for it: an element or an entry has at least one byte, so an honest count
//! never exceeds them. Arrays start small and grow as their elements arrive, so that nested
//! announcements can't add up to more memory than the bytes stand for.

use std::fmt;

use bincode::{
    config::{Configuration, standard},
    de::{Decode, Decoder, DecoderImpl},
};
use rhai::{Array, Dynamic, INT, ImmutableString, Map};

use super::{
    cursor::Cursor,
    error::Error,
    format::{self, MAX_DEPTH},
    function,
    handle::Handles,
    timestamp,
};

/// Elements that an array or a list gets room for before the first one arrives.
const FIRST_ROOM: usize = 1024;

/// The value that [`super::encode`] made `bytes` and `attachments` of.
///
/// # Errors
/// If `bytes` are not exactly one value, or `handles` can't attach what they refer to.
pub fn decode(bytes: &[u8], attachments: &[u64], handles: &dyn Handles) -> Result<Dynamic, DecodeError> {
    let mut decoding = Decoding::new(bytes, attachments, handles);
    let value = decoding.value().map_err(|error| *error)?;
    match decoding.cursor().left() {
        0 => Ok(value),
        _ => Err(*decoding.expected("the end of the message")),
    }
}

/// The values that [`super::encode`] wrote one after another.
///
/// # Errors
/// As [`decode`].
pub fn decode_row(
    bytes: &[u8],
    attachments: &[u64],
    handles: &dyn Handles,
) -> Result<Vec<Dynamic>, DecodeError> {
    let mut decoding = Decoding::new(bytes, attachments, handles);
    let mut values = Vec::new();
    while decoding.cursor().left() > 0 {
        values.push(decoding.value().map_err(|error| *error)?);
    }
    Ok(values)
}

/// The bytes of the blob that a message is, without copying them; `None` if it is no blob.
pub fn blob(message: &[u8]) -> Option<&[u8]> {
    let mut decoder = DecoderImpl::new(Cursor::new(message), standard(), ());
    let tag = decoder.reader().byte()?;
    let length = u64::decode(&mut decoder).ok().filter(|_| tag == format::BLOB)?;
    let bytes = decoder.reader().take(usize::try_from(length).ok()?)?;
    (decoder.reader().left() == 0).then_some(bytes)
}

/// Bytes that are no message, or a message with a handle that can't be had.
#[derive(Clone, Debug)]
pub struct DecodeError {
    /// How many bytes stand before the one that is wrong.
    pub position: usize,
    /// What should have stood there.
    pub expected: &'static str,
    /// What is the matter with a handle, if that is the receiver's to know; the message is no damaged one then.
    pub reason: Option<Error>,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.reason {
            return reason.fmt(f);
        }
        write!(f, "damaged message: expected {} at byte {}", self.expected, self.position)
    }
}

impl std::error::Error for DecodeError {}

/// Boxed, so that a value returns in registers.
type Outcome<T> = Result<T, Box<DecodeError>>;

struct Decoding<'a> {
    decoder: DecoderImpl<Cursor<'a>, Configuration, ()>,
    attachments: &'a [u64],
    handles: &'a dyn Handles,
    /// Containers around the value being read.
    depth: usize,
}

impl<'a> Decoding<'a> {
    fn new(bytes: &'a [u8], attachments: &'a [u64], handles: &'a dyn Handles) -> Self {
        let decoder = DecoderImpl::new(Cursor::new(bytes), standard(), ());
        Self { decoder, attachments, handles, depth: 0 }
    }

    /// Ints on the spot: most long arrays are full of them.
    #[inline]
    fn value(&mut self) -> Outcome<Dynamic> {
        match self.cursor().byte() {
            Some(format::INT) => Ok(self.int()?.into()),
            Some(tag) => self.other(tag),
            None => Err(self.expected("a value")),
        }
    }

    /// What follows a tag that is not an int's.
    fn other(&mut self, tag: u8) -> Outcome<Dynamic> {
        let start = self.cursor().position() - 1;
        Ok(match tag {
            format::UNIT => Dynamic::UNIT,
            format::FALSE => Dynamic::FALSE,
            format::TRUE => Dynamic::TRUE,
            format::FLOAT => self.number::<f64>("a float")?.into(),
            format::CHAR => self.char()?.into(),
            format::STRING => self.string()?.into(),
            format::BLOB => {
                let length = self.count("the length of a blob")?;
                Dynamic::from_blob(self.take(length, "a blob")?.to_vec())
            }
            format::ARRAY => {
                self.enter()?;
                let count = self.count("the length of an array")?;
                let array = self.values(count)?;
                self.depth -= 1;
                Dynamic::from_array(array)
            }
            format::MAP => {
                self.enter()?;
                let count = self.count("the length of a map")?;
                let map = self.entries(count)?;
                self.depth -= 1;
                Dynamic::from_map(map)
            }
            format::RANGE => Dynamic::from(self.int()?..self.int()?),
            format::RANGE_INCLUSIVE => Dynamic::from(self.int()?..=self.int()?),
            format::TIMESTAMP => {
                let nanos = self.number("a timestamp")?;
                match timestamp::from_nanos(nanos) {
                    Some(instant) => Dynamic::from_timestamp(instant),
                    None => return Err(expected_at(start, "a timestamp this machine can hold")),
                }
            }
            format::FUNCTION => self.function()?,
            format::ERROR => Dynamic::from(self.error()?),
            format::HANDLE => {
                let index: u64 = self.number("the number of a handle")?;
                let unknown = || expected_at(start, "a handle known here");
                let offset = usize::try_from(index).ok().and_then(|index| self.attachments.get(index));
                match self.handles.try_attach(*offset.ok_or_else(unknown)?) {
                    Ok(handle) => handle.ok_or_else(unknown)?,
                    Err(reason) => return Err(DecodeError { reason: Some(reason), ..*unknown() }.into()),
                }
            }
            _ => return Err(expected_at(start, "a value")),
        })
    }

    fn int(&mut self) -> Outcome<INT> {
        self.number("an int")
    }

    fn char(&mut self) -> Outcome<char> {
        let start = self.cursor().position();
        let code = self.number("a char")?;
        char::from_u32(code).ok_or_else(|| expected_at(start, "a char"))
    }

    /// A text, still in the bytes of the message.
    fn text(&mut self, what: &'static str) -> Outcome<&'a str> {
        let length = self.count(what)?;
        let start = self.cursor().position();
        let bytes = self.take(length, what)?;
        str::from_utf8(bytes).map_err(|error| expected_at(start + error.valid_up_to(), "text in UTF-8"))
    }

    fn string(&mut self) -> Outcome<ImmutableString> {
        self.text("a string").map(ImmutableString::from)
    }

    fn values(&mut self, count: usize) -> Outcome<Array> {
        let mut values = Array::with_capacity(count.min(FIRST_ROOM));
        for _ in 0..count {
            values.push(self.value()?);
        }
        Ok(values)
    }

    fn entries(&mut self, count: usize) -> Outcome<Map> {
        let mut map = Map::new();
        for _ in 0..count {
            let start = self.cursor().position();
            let key = self.text("the key of a map")?;
            let value = self.value()?;
            if map.insert(key.into(), value).is_some() {
                return Err(expected_at(start, "a key that has not come before"));
            }
        }
        Ok(map)
    }

    fn function(&mut self) -> Outcome<Dynamic> {
        let start = self.cursor().position();
        let name = self.text("the name of a function")?;
        let Some(mut pointer) = function::named(name) else {
            return Err(expected_at(start, "the name of a function"));
        };
        let count = self.count("the number of captured values")?;
        if count > 0 {
            self.enter()?;
            pointer.set_curry(self.captured(count)?);
            self.depth -= 1;
        }
        Ok(pointer.into())
    }

    fn captured(&mut self, count: usize) -> Outcome<Array> {
        let mut values = Array::with_capacity(count.min(FIRST_ROOM));
        for _ in 0..count {
            let shared = self.cursor().next_is(format::SHARED);
            if shared {
                self.cursor().byte();
            }
            let value = self.value()?;
            values.push(if shared { value.into_shared() } else { value });
        }
        Ok(values)
    }

    fn error(&mut self) -> Outcome<Error> {
        let kind = self.string()?;
        let message = self.string()?;
        let traceback = self.string()?;
        let count = self.count("the number of kinds")?;
        let mut kinds = Vec::with_capacity(count.min(FIRST_ROOM));
        for _ in 0..count {
            kinds.push(self.string()?);
        }
        let count = self.count("the length of an error's data")?;
        let mut data = Map::new();
        if count > 0 {
            self.enter()?;
            data = self.entries(count)?;
            self.depth -= 1;
        }
        Ok(Error::received(kind, message, traceback, kinds, data))
    }

    fn enter(&mut self) -> Outcome<()> {
        if self.depth == MAX_DEPTH {
            return Err(self.expected("no more than 256 levels of values inside values"));
        }
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn number<T: Decode<()>>(&mut self, what: &'static str) -> Outcome<T> {
        let start = self.cursor().position();
        T::decode(&mut self.decoder).map_err(|_| expected_at(start, what))
    }

    /// A number of things that have at least one byte each.
    #[inline]
    fn count(&mut self, what: &'static str) -> Outcome<usize> {
        let start = self.cursor().position();
        let count: u64 = self.number(what)?;
        match usize::try_from(count) {
            Ok(count) if count <= self.cursor().left() => Ok(count),
            _ => Err(expected_at(start, what)),
        }
    }

    #[inline]
    fn take(&mut self, length: usize, what: &'static str) -> Outcome<&'a [u8]> {
        match self.cursor().take(length) {
            Some(bytes) => Ok(bytes),
            None => Err(self.expected(what)),
        }
    }

    #[inline]
    fn cursor(&mut self) -> &mut Cursor<'a> {
        self.decoder.reader()
    }

    #[cold]
    fn expected(&mut self, expected: &'static str) -> Box<DecodeError> {
        expected_at(self.cursor().position(), expected)
    }
}

#[cold]
fn expected_at(position: usize, expected: &'static str) -> Box<DecodeError> {
    Box::new(DecodeError { position, expected, reason: None })
}
