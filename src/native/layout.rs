//! Where a `Dynamic` keeps its parts in memory, found by looking at values and never assumed.
//!
//! Invariants
//! 1. A layout exists only if every sample agrees with it; on any doubt there is none and nothing is compiled.
//! 2. The plain kinds own no memory: such a value may be copied and overwritten as 16 bytes.

use std::sync::OnceLock;

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map};

/// Bytes of a value.
pub const SIZE: usize = size_of::<Dynamic>();

/// See the head of this file. Offsets are in bytes, `word` is the first eight bytes of a fresh value.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub unit: u64,
    pub int: u64,
    pub float: u64,
    pub char: u64,
    pub bool: u64,
    /// Where a bool keeps its byte.
    pub bool_at: i32,
    /// Where a character keeps its four bytes.
    pub char_at: i32,
    /// Where numbers and pointers stand.
    pub payload_at: i32,
    pub array_tag: u8,
    /// Where a `Vec` keeps its pointer and its length.
    pub vec_pointer_at: i32,
    pub vec_len_at: i32,
    /// Bit `n` is set if kind `n` is plain.
    pub plain: u64,
}

impl Layout {
    /// The kind of a value whose first word is `word`.
    pub const fn tag(word: u64) -> u8 {
        word.to_ne_bytes()[0]
    }
}

fn bytes(value: &Dynamic) -> [u8; 16] {
    // SAFETY: `probe` has checked the size; any initialised or padding byte may be read as a `MaybeUninit`, and the
    // samples are made in memory that was zeroed first.
    unsafe { std::ptr::from_ref(value).cast::<[u8; 16]>().read() }
}

/// The bytes of a value written over zeroed memory, so that padding reads as zero.
fn sample(value: Dynamic) -> [u8; 16] {
    let mut place = std::mem::MaybeUninit::<Dynamic>::zeroed();
    place.write(value);
    // SAFETY: just written.
    let value = unsafe { place.assume_init() };
    let found = bytes(&value);
    drop(value);
    found
}

fn word(bytes: [u8; 16]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    u64::from_ne_bytes(first)
}

fn find(bytes: &[u8; 16], what: &[u8]) -> Option<usize> {
    (1..=16 - what.len()).find(|at| &bytes[*at..*at + what.len()] == what)
}

fn probe() -> Option<Layout> {
    if SIZE != 16 || cfg!(target_endian = "big") {
        return None;
    }
    let number = 0x1122_3344_5566_7788_i64;
    let int = sample(Dynamic::from_int(number));
    let payload = find(&int, &number.to_ne_bytes()).filter(|at| *at == 8)?;
    let other = sample(Dynamic::from_int(-2));
    let float = sample(Dynamic::from_float(1.5));
    let (yes, no) = (sample(Dynamic::TRUE), sample(Dynamic::FALSE));
    let bool_at = (1..8).find(|at| yes[*at] == 1 && no[*at] == 0)?;
    let char = sample(Dynamic::from_char('\u{10abcd}'));
    let char_at = find(&char, &0x10_abcd_u32.to_ne_bytes()).filter(|at| at % 4 == 0)?;
    let unit = sample(Dynamic::UNIT);
    let array = sample(Dynamic::from_array(vec![Dynamic::UNIT]));
    let blob = sample(Dynamic::from_blob(vec![1]));
    let map = sample(Dynamic::from_map(Map::new()));
    let text = sample(Dynamic::from("text"));
    let function = sample(Dynamic::from(FnPtr::new("f").ok()?));
    let shared = sample(Dynamic::from_int(1).into_shared());
    let mut clean_char = char;
    clean_char[char_at..char_at + 4].fill(0);
    let agrees = word(int) == word(other)
        && float[payload..payload + 8] == 1.5_f64.to_ne_bytes()
        && other[payload..payload + 8] == (-2_i64).to_ne_bytes()
        && word(yes) == word(no) | 1 << (8 * bool_at);
    let plain = [unit[0], int[0], float[0], char[0], no[0]];
    let others = [array[0], blob[0], map[0], text[0], function[0], shared[0]];
    let all: Vec<u8> = plain.iter().chain(&others).copied().collect();
    let distinct = (0..all.len()).all(|at| all[at] < 64 && !all[..at].contains(&all[at]));
    let (vec_pointer_at, vec_len_at) = vec_parts()?;
    (agrees && distinct && boxed()).then_some(Layout {
        unit: word(unit),
        int: word(int),
        float: word(float),
        char: word(clean_char),
        bool: word(no),
        bool_at: i32::try_from(bool_at).ok()?,
        char_at: i32::try_from(char_at).ok()?,
        payload_at: i32::try_from(payload).ok()?,
        array_tag: array[0],
        vec_pointer_at,
        vec_len_at,
        plain: plain.iter().fold(0, |mask, tag| mask | 1 << tag),
    })
}

/// Where a vector keeps its pointer and its length.
fn vec_parts() -> Option<(i32, i32)> {
    const WORDS: usize = 3;
    if size_of::<Array>() != WORDS * 8 {
        return None;
    }
    let mut array = Array::with_capacity(7);
    array.extend([Dynamic::UNIT, Dynamic::UNIT, Dynamic::UNIT]);
    // SAFETY: a vector is three initialised words, by the size just checked.
    let words = unsafe { std::ptr::from_ref(&array).cast::<[usize; WORDS]>().read() };
    let at = |wanted: usize| {
        let mut places = (0..WORDS).filter(|at| words[*at] == wanted);
        let found = places.next()?;
        places.next().is_none().then(|| i32::try_from(found * 8).ok())?
    };
    Some((at(array.as_ptr().addr())?, at(array.len())?))
}

/// Whether an array's payload is a pointer to its vector.
fn boxed() -> bool {
    let mut value = Dynamic::from_array(vec![Dynamic::UNIT]);
    let found = bytes(&value);
    let mut pointer = [0; 8];
    pointer.copy_from_slice(&found[8..]);
    let vector = value.as_array_mut().map_or(0, |array| std::ptr::from_ref::<Array>(&array).addr());
    usize::from_ne_bytes(pointer) == vector && size_of::<ImmutableString>() == 8
}

/// This build's layout.
pub fn layout() -> Option<Layout> {
    static FOUND: OnceLock<Option<Layout>> = OnceLock::new();
    *FOUND.get_or_init(probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_has_a_layout() {
        assert!(layout().is_some());
    }
}
