//! Values of scripts as elements of shared memory, and back.

use rhai::{Array, Blob, Dynamic, INT, ImmutableString, Map, NativeCallContext};

use crate::script::raise::{Raise, raise};
use crate::script::signature::{collected, described};
use crate::share::block::Block;
use crate::share::cells::{bits_of, put_bits};
use crate::share::code::{Code, LETTERS, Scalar, Unfit};
use crate::share::shape::{Field, NAME, Shape};
use crate::share::view;

/// What an element holds, as scripts see it.
#[inline]
pub fn dynamic(value: Scalar) -> Dynamic {
    match value {
        Scalar::Int(int) => Dynamic::from_int(int),
        Scalar::Float(float) => Dynamic::from_float(float),
        Scalar::Char(char) => Dynamic::from_char(char),
        Scalar::Bool(bool) => Dynamic::from_bool(bool),
    }
}

/// A value that may be an element: also a text of one character and a blob of one byte.
#[inline]
pub fn scalar(value: &Dynamic) -> Option<Scalar> {
    if let Ok(int) = value.as_int() {
        Some(Scalar::Int(int))
    } else if let Ok(float) = value.as_float() {
        Some(Scalar::Float(float))
    } else {
        other_scalar(value)
    }
}

fn other_scalar(value: &Dynamic) -> Option<Scalar> {
    if let Ok(char) = value.as_char() {
        Some(Scalar::Char(char))
    } else if let Ok(bool) = value.as_bool() {
        Some(Scalar::Bool(bool))
    } else if let Ok(text) = value.as_immutable_string_ref() {
        let mut chars = text.chars();
        chars.next().filter(|_| chars.next().is_none()).map(Scalar::Char)
    } else {
        let blob = value.as_blob_ref().ok()?;
        let [byte] = **blob else { return None };
        Some(Scalar::Char(char::from(byte)))
    }
}

/// The bits of an element that holds `value`.
#[inline]
pub fn pack(code: Code, value: &Dynamic) -> Result<u64, Raise> {
    match scalar(value).ok_or(Unfit::Type).and_then(|scalar| code.pack(scalar)) {
        Ok(bits) => Ok(bits),
        Err(unfit) => Err(refused(code, value, unfit)),
    }
}

/// Why `value` is not stored.
#[cold]
pub fn refused(code: Code, value: &Dynamic, unfit: Unfit) -> Raise {
    let letter = code.letter();
    let holds = match (code, code.range()) {
        (_, Some((least, greatest))) => format!("ints from {least} to {greatest}"),
        (Code::Byte, _) => "one byte: a character up to U+00FF, or an int from 0 to 255".to_owned(),
        (Code::Char, _) => "one character".to_owned(),
        (Code::Bool, _) => "true or false".to_owned(),
        _ => "numbers".to_owned(),
    };
    let value = described(value);
    match unfit {
        Unfit::Type => raise("TypeError", format!("typecode '{letter}' holds {holds}, not {value}")),
        Unfit::Range => {
            raise("OverflowError", format!("{value} does not fit typecode '{letter}', which holds {holds}"))
        }
    }
}

/// The shape that a script gives as a letter or as a map of fields.
pub fn shape(value: &Dynamic) -> Result<Shape, Raise> {
    let Ok(fields) = value.as_map_ref() else { return code(value).map(Shape::Single) };
    if fields.is_empty() {
        return Err(raise("TypeError", "a record has at least one field: #{ name: typecode }"));
    }
    let mut named = Vec::with_capacity(fields.len());
    for (name, letter) in fields.iter() {
        if name.len() > NAME {
            return Err(raise("ValueError", format!("a field's name has at most {NAME} bytes: '{name}'")));
        }
        named.push((name.to_string(), code(letter)?));
    }
    Ok(Shape::record(named))
}

fn code(value: &Dynamic) -> Result<Code, Raise> {
    let letter = match scalar(value) {
        Some(Scalar::Char(char)) => u8::try_from(char).ok(),
        _ => None,
    };
    letter.and_then(Code::of).ok_or_else(|| {
        let value = described(value);
        raise("TypeError", format!("a typecode is one of {LETTERS}, or a map of fields; not {value}"))
    })
}

/// The field `name` of a record.
pub fn field<'a>(shape: &'a Shape, name: &str) -> Result<&'a Field, Raise> {
    shape.field(name).ok_or_else(|| {
        let known: Vec<&str> = shape.fields().iter().map(|field| field.name.as_str()).collect();
        if known.is_empty() {
            return raise("AttributeError", format!("a Value has no property '{name}'"));
        }
        raise("AttributeError", format!("the record has no field '{name}'; it has: {}", known.join(", ")))
    })
}

/// The bytes of an element that holds `value`. Fields of a record that the map does not name are zero.
pub fn element(shape: &Shape, value: &Dynamic) -> Result<Vec<u8>, Raise> {
    let mut bytes = vec![0; shape.size()];
    match shape {
        Shape::Single(code) => put_bits(pack(*code, value)?, &mut bytes),
        Shape::Record { .. } => {
            if let Some(record) = value.read_lock::<view::Record>().filter(|r| r.block.shape() == shape) {
                let from = record.index * shape.size();
                return Ok(record.block.cells().bytes(from, from + shape.size()));
            }
            let Ok(fields) = value.as_map_ref() else {
                let value = described(value);
                return Err(raise(
                    "TypeError",
                    format!("a record is given as a map of its fields, not {value}"),
                ));
            };
            for (name, value) in fields.iter() {
                let field = field(shape, name)?;
                let bits = pack(field.code, value)?;
                put_bits(bits, &mut bytes[field.at..field.at + field.code.size()]);
            }
        }
    }
    Ok(bytes)
}

/// The bytes of elements that hold what `value` gives: an array, a text or a blob, another shared array, or
/// anything that can be iterated over.
pub fn elements(context: &NativeCallContext, shape: &Shape, value: Dynamic) -> Result<Vec<u8>, Raise> {
    if shape.code() == Some(Code::Byte)
        && let Some(bytes) = text_bytes(&value)
    {
        return Ok(bytes);
    }
    if let Some(array) = value.read_lock::<view::Array>().filter(|array| array.shape() == shape) {
        return Ok(array.cells().bytes(0, array.cells().size()));
    }
    let items = match value.try_cast_result::<Array>() {
        Ok(items) => items,
        Err(value) => collected(context, value.clone()).map_err(|error| match *error {
            rhai::EvalAltResult::ErrorFor(..) => raise(
                "TypeError",
                format!("elements come from something to iterate over, not {}", described(&value)),
            ),
            error => error.into(),
        })?,
    };
    let mut bytes = Vec::with_capacity(items.len() * shape.size());
    match shape {
        Shape::Single(code) => {
            let mut one = vec![0; code.size()];
            for item in &items {
                put_bits(pack(*code, item)?, &mut one);
                bytes.extend_from_slice(&one);
            }
        }
        Shape::Record { .. } => {
            for item in &items {
                bytes.extend(element(shape, item)?);
            }
        }
    }
    Ok(bytes)
}

/// The bytes of a text or a blob.
pub fn text_bytes(value: &Dynamic) -> Option<Vec<u8>> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Some(text.as_bytes().to_vec());
    }
    value.as_blob_ref().ok().map(|blob| blob.to_vec())
}

/// A copy of element `index`, which is there.
pub fn copied(block: &Block, index: usize) -> Dynamic {
    let size = block.shape().size();
    match block.shape() {
        Shape::Single(code) => dynamic(code.unpack(block.cells().load(index * size, size))),
        Shape::Record { fields, .. } => {
            let one = |field: &Field| {
                let bits = block.cells().load(index * size + field.at, field.code.size());
                (field.name.as_str().into(), dynamic(field.code.unpack(bits)))
            };
            Dynamic::from_map(fields.iter().map(one).collect::<Map>())
        }
    }
}

/// Copies of the elements from `from` to `to`, which are there.
pub fn all_copied(block: &Block, from: usize, to: usize) -> Array {
    let Some(code) = block.shape().code() else {
        return (from..to).map(|index| copied(block, index)).collect();
    };
    let size = code.size();
    let mut items = Array::with_capacity(to - from);
    block.cells().chunks(from * size, to * size, |chunk| {
        items.extend(chunk.chunks_exact(size).map(|element| dynamic(code.unpack(bits_of(element)))));
    });
    items
}

/// The elements from `from` to `to` as a slice gives them: bytes are a blob, characters a text.
pub fn sliced(block: &Block, from: usize, to: usize) -> Dynamic {
    match block.shape().code() {
        Some(Code::Byte) => Dynamic::from_blob(block.cells().bytes(from, to)),
        Some(Code::Char) => text(block, from, to).into(),
        _ => Dynamic::from_array(all_copied(block, from, to)),
    }
}

/// Characters as a text.
pub fn text(block: &Block, from: usize, to: usize) -> ImmutableString {
    let chars = all_copied(block, from, to);
    chars.iter().filter_map(|char| char.as_char().ok()).collect::<String>().into()
}

/// Where `index` is among `length` elements, counted from the end if it is negative.
#[inline]
pub fn place(index: INT, length: usize) -> Option<usize> {
    let length = length as INT;
    let place = if index < 0 { index.checked_add(length)? } else { index };
    (0 <= place && place < length).then_some(place as usize)
}

/// The elements from `start` to `end` among `length`, cut to those that are there. Negative ones count from the
/// end.
pub fn clipped(start: INT, end: INT, length: usize) -> (usize, usize) {
    let length = length as INT;
    let clip = |bound: INT| if bound < 0 { bound.saturating_add(length) } else { bound }.clamp(0, length);
    let (from, to) = (clip(start), clip(end));
    (from as usize, to.max(from) as usize)
}

/// The end of a range that includes its last element.
pub fn beyond(last: INT, length: usize) -> INT {
    if last == -1 { length as INT } else { last.saturating_add(1) }
}

/// A blob as a text; `None` if it is none.
pub fn utf8(bytes: Blob) -> Option<String> {
    String::from_utf8(bytes).ok()
}
