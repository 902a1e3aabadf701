//! One item of a list by name: how it is stored, in terms of Python's `struct`.
//!
//! Texts and bytes are filled up with zero bytes, and Python takes off all of those at the end. A *mark* says for an
//! item that ends with zero bytes of its own how long it is, and which bytes it is about: where somebody has
//! changed the item since, the mark means nothing.

use super::cells::bits_of;

const WORD: usize = 8;
/// Texts and bytes of more have formats of more than 8 characters, which there is no room for.
pub const LONGEST: usize = 9_999_999 - WORD;

/// What a list can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Nothing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Item {
    /// The bytes of what is stored as bytes.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The bytes that it gets when the list is made.
    pub fn room(&self) -> usize {
        self.text().map_or(WORD, |text| WORD * (text.len() / WORD + 1))
    }

    /// How it is stored in that many bytes.
    pub fn format(&self, room: usize) -> String {
        match self {
            Self::Nothing => "xxxxxx?x".to_owned(),
            Self::Bool(_) => "xxxxxxx?".to_owned(),
            Self::Int(_) => "q".to_owned(),
            Self::Float(_) => "d".to_owned(),
            Self::Text(_) | Self::Bytes(_) => format!("{room}s"),
        }
    }

    /// What becomes of the bytes when they are read.
    pub fn code(&self) -> u64 {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Float(_) => 0,
            Self::Text(_) => 1,
            Self::Bytes(_) => 2,
            Self::Nothing => 3,
        }
    }

    /// Its word, if it has one.
    pub fn word(&self) -> u64 {
        match self {
            Self::Int(int) => *int as u64,
            Self::Float(float) => float.to_bits(),
            Self::Bool(bool) => bits_of(&[0, 0, 0, 0, 0, 0, 0, u8::from(*bool)]),
            Self::Nothing | Self::Text(_) | Self::Bytes(_) => 0,
        }
    }
}

/// The mark of `bytes`: 0 if they don't end with a zero byte, else their length and a hash (FNV-1a) of what is in
/// front of those at the end.
pub fn mark(bytes: &[u8]) -> u64 {
    let stripped = stripped(bytes);
    if stripped.len() == bytes.len() {
        return 0;
    }
    let hash = stripped
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (bytes.len() as u64) << 32 | u64::from(hash)
}

/// The bytes without the zero bytes at their end.
pub fn stripped(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}
