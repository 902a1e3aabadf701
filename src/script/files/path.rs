//! Names on the disk as strings of scripts, and back, without loss.
//!
//! A name on Linux is any bytes but NUL; a string is UTF-8. Each byte that is not part of valid UTF-8 stands in
//! the string as one private character, U+10F700 + byte (U+10F780 to U+10F7FF), as Python does with lone
//! surrogates (PEP 383). A valid character of that range is taken byte by byte in the same way, so that
//!
//! 1. `to_disk(from_disk(name)) == name` for every name;
//! 2. text without such a character stands for itself.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rhai::ImmutableString;

/// The private character of byte 0; only those of 0x80 and above are used.
const BASE: u32 = 0x10_F700;

/// How the UTF-8 form of every private character begins; no character below U+100000 has this byte.
const LEAD: u8 = 0xF4;

/// The name on the disk that a script's string stands for.
#[must_use]
pub fn to_disk(text: &str) -> Cow<'_, OsStr> {
    if !text.as_bytes().contains(&LEAD) {
        return Cow::Borrowed(OsStr::new(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match hidden_byte(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(OsString::from_vec(bytes))
}

/// The string that stands for a name on the disk.
#[must_use]
pub fn from_disk(name: &OsStr) -> ImmutableString {
    let bytes = name.as_bytes();
    if !bytes.contains(&LEAD)
        && let Ok(text) = str::from_utf8(bytes)
    {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if hidden_byte(character).is_some() {
                character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| text.push(hide(byte)));
            } else {
                text.push(character);
            }
        }
        chunk.invalid().iter().for_each(|&byte| text.push(hide(byte)));
    }
    text.into()
}

/// The path for people, on one line: control characters and bytes that are not UTF-8 as escapes.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match hidden_byte(character) {
            // Writing to a string does not fail.
            Some(byte) => drop(write!(shown, "\\x{byte:02x}")),
            None if character.is_control() => shown.extend(character.escape_default()),
            None => shown.push(character),
        }
    }
    shown
}

/// Does the string stand for a name that is UTF-8, so that printing the one prints the other?
#[must_use]
pub fn is_utf8(text: &str) -> bool {
    !text.as_bytes().contains(&LEAD) || !text.chars().any(|character| hidden_byte(character).is_some())
}

/// The character of a byte from 0x80 on.
fn hide(byte: u8) -> char {
    char::from_u32(BASE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that a private character stands for.
fn hidden_byte(character: char) -> Option<u8> {
    let byte = u32::from(character).checked_sub(BASE)?;
    u8::try_from(byte).ok().filter(|byte| *byte >= 0x80)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use proptest::prelude::*;

    use super::{from_disk, is_utf8, shown, to_disk};

    #[test]
    fn text_stands_for_itself() {
        for text in ["", "a/b.txt", "größe", "\u{10FFFF}", "日本"] {
            assert_eq!(to_disk(text).as_bytes(), text.as_bytes());
            assert_eq!(from_disk(OsStr::new(text)), text);
            assert!(is_utf8(text));
        }
    }

    #[test]
    fn a_byte_that_is_not_utf8_is_one_private_character() {
        let name = from_disk(OsStr::from_bytes(b"caf\xe9\n"));
        assert_eq!(name, "caf\u{10F7E9}\n");
        assert_eq!(shown(&name), "caf\\xe9\\n");
        assert!(!is_utf8(&name));
    }

    #[test]
    fn a_private_character_on_the_disk_is_not_mistaken_for_a_byte() {
        let name = OsStr::new("x\u{10F7E9}");
        assert_eq!(to_disk(&from_disk(name)), name);
        assert_ne!(from_disk(name), from_disk(OsStr::from_bytes(b"x\xe9")));
    }

    proptest! {
        #[test]
        fn every_name_survives(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let name = OsStr::from_bytes(&bytes);
            let text = from_disk(name);
            prop_assert_eq!(&*to_disk(&text), name);
        }

        #[test]
        fn every_name_near_the_private_range_survives(
            bytes in prop::collection::vec(prop::sample::select(vec![0xf4, 0x8f, 0x9e, 0x9f, 0x80, 0xbf, b'a']), 0..12)
        ) {
            let name = OsStr::from_bytes(&bytes);
            let text = from_disk(name);
            prop_assert_eq!(&*to_disk(&text), name);
        }
    }
}
