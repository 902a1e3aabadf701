//! Steps into arrays, maps and strings, and what is asked of them most.
//!
//! Pointers follow invariants 1 and 2 of the folder.

use rhai::Dynamic;

/// A value that a map has no entry for. It is only read.
static NOTHING: Nothing = Nothing(Dynamic::UNIT);

struct Nothing(Dynamic);

// SAFETY: a unit owns nothing, and nobody writes to it.
unsafe impl Sync for Nothing {}

/// A map's entry to read, or `()`; 0 if the engine is to look.
pub extern "C" fn item(from: &Dynamic, key: &Dynamic) -> *const Dynamic {
    let (Ok(name), false) = (key.as_immutable_string_ref(), from.is_shared()) else {
        return std::ptr::null();
    };
    match from.as_map_ref() {
        Ok(map) => map.get(name.as_str()).map_or(&raw const NOTHING.0, std::ptr::from_ref),
        Err(_) => std::ptr::null(),
    }
}

/// A map's entry to go on from; 0 if there is none.
pub extern "C" fn item_there(from: &mut Dynamic, key: &Dynamic) -> *mut Dynamic {
    let (Ok(name), false) = (key.as_immutable_string_ref(), from.is_shared()) else {
        return std::ptr::null_mut();
    };
    match from.as_map_mut() {
        Ok(mut map) => map.get_mut(name.as_str()).map_or(std::ptr::null_mut(), std::ptr::from_mut),
        Err(_) => std::ptr::null_mut(),
    }
}

/// A map's entry to write to, made if need be; 0 if the engine is to write.
pub extern "C" fn item_to_set(from: &mut Dynamic, key: &Dynamic) -> *mut Dynamic {
    let Ok(name) = key.as_immutable_string_ref() else { return std::ptr::null_mut() };
    if from.is_shared() || from.is_read_only() {
        return std::ptr::null_mut();
    }
    let Ok(mut map) = from.as_map_mut() else { return std::ptr::null_mut() };
    if let Some(found) = map.get_mut(name.as_str()) {
        return found;
    }
    map.entry(name.as_str().into()).or_insert(Dynamic::UNIT)
}

/// A character of a string; 0 if there is none or this is no string.
pub extern "C" fn character(from: &Dynamic, index: &Dynamic, out: *mut Dynamic) -> i64 {
    let (Ok(text), Ok(index), false) = (from.as_immutable_string_ref(), index.as_int(), from.is_shared())
    else {
        return 0;
    };
    let at = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    let found = match index {
        0.. if text.is_ascii() => text.as_bytes().get(at).map(|byte| char::from(*byte)),
        0.. => text.chars().nth(at),
        _ => text.chars().rev().nth(at - 1),
    };
    let Some(found) = found else { return 0 };
    // SAFETY: the result's place is plain.
    unsafe { out.write(Dynamic::from_char(found)) };
    1
}

/// Appends to an array; 0, and nothing is taken, if this is none.
pub extern "C" fn push(to: &mut Dynamic, item: &mut Dynamic) -> i64 {
    if to.is_shared() || to.is_read_only() {
        return 0;
    }
    match to.as_array_mut() {
        Ok(mut array) => {
            array.push(std::mem::take(item));
            1
        }
        Err(_) => 0,
    }
}

/// The length of what has one here, else -1.
pub extern "C" fn length(of: &Dynamic) -> i64 {
    if of.is_shared() {
        return -1;
    }
    let found = if let Ok(array) = of.as_array_ref() {
        array.len()
    } else if let Ok(text) = of.as_immutable_string_ref() {
        if text.is_ascii() { text.len() } else { text.chars().count() }
    } else if let Ok(map) = of.as_map_ref() {
        if map.contains_key("len") {
            return -1;
        }
        map.len()
    } else if let Ok(blob) = of.as_blob_ref() {
        blob.len()
    } else {
        return -1;
    };
    i64::try_from(found).unwrap_or(-1)
}
