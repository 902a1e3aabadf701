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
    /// The kind of values of native types.
    pub native_tag: u8,
    /// Where a `Vec` keeps its pointer, its length, and how many it has room for.
    pub vec_pointer_at: i32,
    pub vec_len_at: i32,
    pub vec_room_at: i32,
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
    let mut found = [0; 16];
    for (at, byte) in found.iter_mut().enumerate() {
        // SAFETY: `probe` has checked the size. Bytes between the parts hold anything, so each is read as one that the
        // compiler may assume nothing of, and none is relied upon before `agrees` has looked.
        *byte = unsafe { std::ptr::from_ref(value).cast::<u8>().add(at).read_volatile() };
    }
    found
}

/// The value of kind `tag` with `part` at an offset, and zeros everywhere else.
fn made(tag: u8, at: usize, part: &[u8]) -> Dynamic {
    let mut bytes = [0_u8; 16];
    bytes[0] = tag;
    bytes[at..at + part.len()].copy_from_slice(part);
    // SAFETY: the kinds this is used for are plain, and zeros are valid for all their parts.
    unsafe { std::mem::transmute::<[u8; 16], Dynamic>(bytes) }
}

/// Whether a value made so is one like any other.
fn is_fresh(value: &Dynamic) -> bool {
    value.tag() == 0 && !value.is_read_only()
}

/// Where the part stands in a sample, by what a value that is made so says.
fn find(sample: &Dynamic, part: &[u8], agrees: impl Fn(&Dynamic) -> bool) -> Option<usize> {
    let found = bytes(sample);
    (1..=16 - part.len()).find(|at| {
        if &found[*at..*at + part.len()] != part {
            return false;
        }
        let value = made(found[0], *at, part);
        is_fresh(&value) && agrees(&value)
    })
}

fn probe() -> Option<Layout> {
    if SIZE != 16 || cfg!(target_endian = "big") {
        return None;
    }
    let number = 0x1122_3344_5566_7788_i64;
    let is_number = |value: &Dynamic| value.as_int() == Ok(number);
    let payload = find(&Dynamic::from_int(number), &number.to_ne_bytes(), is_number).filter(|at| *at == 8)?;
    let is_half = |value: &Dynamic| value.as_float().is_ok_and(|value| value.to_bits() == 1.5_f64.to_bits());
    let same = find(&Dynamic::from_float(1.5), &1.5_f64.to_ne_bytes(), is_half)? == payload;
    let bool_at = find(&Dynamic::TRUE, &[1], |value| value.as_bool() == Ok(true)).filter(|at| *at < 8)?;
    let last = '\u{10abcd}';
    let is_last = |value: &Dynamic| value.as_char() == Ok(last);
    let char_at = find(&Dynamic::from_char(last), &u32::from(last).to_ne_bytes(), is_last)?;
    let tag = |value: Dynamic| bytes(&value)[0];
    let (unit, int, float) = (tag(Dynamic::UNIT), tag(Dynamic::ZERO), tag(Dynamic::from_float(0.0)));
    let (truth, char) = (tag(Dynamic::TRUE), tag(Dynamic::from_char('a')));
    let array = tag(Dynamic::from_array(vec![Dynamic::UNIT]));
    let native = tag(Dynamic::from(0..1_i64));
    let others = [
        native,
        tag(Dynamic::from_blob(vec![1])),
        tag(Dynamic::from_map(Map::new())),
        tag(Dynamic::from("text")),
        tag(Dynamic::from(FnPtr::new("f").ok()?)),
        tag(Dynamic::from_int(1).into_shared()),
    ];
    let plain = [unit, int, float, char, truth];
    let all: Vec<u8> = plain.iter().chain(&others).chain([&array]).copied().collect();
    let distinct = (0..all.len()).all(|at| all[at] < 64 && !all[..at].contains(&all[at]));
    let (zero, no) = (made(unit, 1, &[0]), made(truth, bool_at, &[0]));
    let agree = same && is_fresh(&zero) && zero.is_unit() && is_fresh(&no) && no.as_bool() == Ok(false);
    let (vec_pointer_at, vec_len_at, vec_room_at) = vec_parts()?;
    let aligned = char_at % 4 == 0;
    (agree && distinct && aligned && boxed()).then_some(Layout {
        unit: unit.into(),
        int: int.into(),
        float: float.into(),
        char: char.into(),
        bool: truth.into(),
        bool_at: i32::try_from(bool_at).ok()?,
        char_at: i32::try_from(char_at).ok()?,
        payload_at: i32::try_from(payload).ok()?,
        array_tag: array,
        native_tag: native,
        vec_pointer_at,
        vec_len_at,
        vec_room_at,
        plain: plain.iter().fold(0, |mask, tag| mask | 1 << tag),
    })
}

/// Where a vector keeps its pointer, its length and its capacity.
fn vec_parts() -> Option<(i32, i32, i32)> {
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
    Some((at(array.as_ptr().addr())?, at(array.len())?, at(array.capacity())?))
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
