//! `Array`: elements by index and by slice, and what is made of all of them natively.

use std::ops::{Range, RangeInclusive};

use rhai::{Dynamic, Engine, EvalAltResult, INT, NativeCallContext};

use super::access::{add, at_length, briefly, get, set};
use super::convert::{
    all_copied, beyond, clipped, copied, element, elements, pack, place, scalar, sliced, text, text_bytes,
    utf8,
};
use super::make;
use super::value::set_record;
use crate::script::iterate;
use crate::script::raise::{Raise, RhaiResult, raise};
use crate::share::block::Block;
use crate::share::code::Code;
use crate::share::fold::{End, Span, Sum};
use crate::share::view::{Array, Record};

/// As many elements as `print` shows.
const SHOWN: usize = 10;

/// Registers what an array can do.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Array>("Array")
        .register_fn("to_string", shown)
        .register_fn("to_debug", shown)
        .register_fn("len", |array: &mut Array| array.len() as INT)
        .register_get("len", |array: &mut Array| array.len() as INT)
        .register_fn("is_empty", |array: &mut Array| array.is_empty())
        .register_fn("to_array", |context: NativeCallContext, array: &mut Array| {
            at_length(&context, array, |block| all_copied(block, 0, block.len()))
        })
        .register_fn("contains", contains)
        .register_fn("add", |context: NativeCallContext, array: &mut Array, index: INT, amount: Dynamic| {
            let code = number(array, "add")?;
            add(&context, array, code, at(array, index)? * code.size(), &amount)
        })
        .register_fn("fill", fill)
        .register_fn("sum", sum)
        .register_fn("min", |context: NativeCallContext, array: &mut Array| end(&context, array, End::Least))
        .register_fn("max", |context: NativeCallContext, array: &mut Array| {
            end(&context, array, End::Greatest)
        })
        .register_get("value", get_value)
        .register_get("raw", |context: NativeCallContext, array: &mut Array| {
            bytes_only(array, "raw")?;
            at_length(&context, array, |block| Dynamic::from_blob(block.cells().bytes(0, block.len())))
        })
        .register_indexer_get(|context: NativeCallContext, array: &mut Array, range: RangeInclusive<INT>| {
            let end = beyond(*range.end(), array.len());
            slice(&context, array, *range.start()..end)
        })
        .register_indexer_get(|context: NativeCallContext, array: &mut Array, range: Range<INT>| {
            slice(&context, array, range)
        })
        .register_indexer_get(|context: NativeCallContext, array: &mut Array, index: INT| {
            let index = at(array, index)?;
            match array.shape().code() {
                Some(code) => get(&context, array, code, index * code.size()),
                None => Ok(Dynamic::from(Record { block: (**array).clone(), index })),
            }
        });
    setters(engine);
    iterate::register::<Array, Dynamic>(engine);
    make::common::<Array>(engine);
}

fn setters(engine: &mut Engine) {
    engine.register_set("value", set_value).register_set(
        "raw",
        |context: NativeCallContext, array: &mut Array, new: Dynamic| -> Result<(), Raise> {
            bytes_only(array, "raw")?;
            let bytes = bytes_of(&new)?;
            fits(array, bytes.len())?;
            at_length(&context, array, |block| block.cells().write(0, 1, &bytes))
        },
    );
    engine.register_indexer_set(
        |context: NativeCallContext, array: &mut Array, range: RangeInclusive<INT>, new: Dynamic| {
            let end = beyond(*range.end(), array.len());
            set_slice(&context, array, *range.start()..end, new)
        },
    );
    engine.register_indexer_set(
        |context: NativeCallContext, array: &mut Array, range: Range<INT>, new: Dynamic| {
            set_slice(&context, array, range, new)
        },
    );
    engine.register_indexer_set(|context: NativeCallContext, array: &mut Array, index: INT, new: Dynamic| {
        let index = at(array, index)?;
        match array.shape().code() {
            Some(code) => set(&context, array, code, index * code.size(), &new),
            None => set_record(&context, &Record { block: (**array).clone(), index }, &new),
        }
    });
}

/// The place of element `index`.
#[inline]
fn at(array: &Block, index: INT) -> Result<usize, Raise> {
    place(index, array.len()).ok_or_else(|| {
        let length = array.len();
        raise("IndexError", format!("index {index} is out of range: the array has {length} elements"))
    })
}

fn slice(context: &NativeCallContext, array: &Array, range: Range<INT>) -> RhaiResult {
    let (from, to) = clipped(range.start, range.end, array.len());
    if array.shape().code().is_none() {
        let record = |index| Dynamic::from(Record { block: (**array).clone(), index });
        return Ok(Dynamic::from_array((from..to).map(record).collect()));
    }
    at_length(context, array, |block| sliced(block, from, to))
}

fn set_slice(
    context: &NativeCallContext,
    array: &Array,
    range: Range<INT>,
    new: Dynamic,
) -> Result<(), Raise> {
    let (from, to) = clipped(range.start, range.end, array.len());
    let shape = array.shape();
    let bytes = elements(context, shape, new)?;
    let (places, given) = (to - from, bytes.len() / shape.size());
    if places != given {
        return Err(raise(
            "ValueError",
            format!(
                "{given} values for the {places} elements from {from} to {to}: an array's length is fixed"
            ),
        ));
    }
    at_length(context, array, |block| write(block, from, &bytes))
}

/// Writes whole elements from element `from` on.
fn write(block: &Block, from: usize, bytes: &[u8]) {
    let size = block.shape().size();
    if let Some(code) = block.shape().code() {
        return block.cells().write(from * size, code.size(), bytes);
    }
    for (index, record) in bytes.chunks_exact(size).enumerate() {
        for field in block.shape().fields() {
            let place = field.at..field.at + field.code.size();
            block.cells().write((from + index) * size + field.at, field.code.size(), &record[place]);
        }
    }
}

fn fill(context: NativeCallContext, array: &mut Array, value: Dynamic) -> Result<(), Raise> {
    let size = array.shape().size();
    if let Some(code) = array.shape().code() {
        let bits = pack(code, &value)?;
        return at_length(&context, array, |block| block.cells().fill(0, block.cells().size(), size, bits));
    }
    let record = element(array.shape(), &value)?;
    at_length(&context, array, |block| (0..block.len()).for_each(|index| write(block, index, &record)))
}

/// The typecode of an array of single elements.
fn number(array: &Array, method: &str) -> Result<Code, Raise> {
    let code = array.shape().code().filter(|code| code.is_number() || *code == Code::Bool);
    code.ok_or_else(|| raise("TypeError", format!("{method}() is for arrays of numbers")))
}

fn whole(block: &Block, code: Code) -> Span<'_> {
    Span { cells: block.cells(), code, from: 0, to: block.cells().size() }
}

fn sum(context: NativeCallContext, array: &mut Array) -> RhaiResult {
    let code = number(array, "sum")?;
    match at_length(&context, array, |block| whole(block, code).sum())? {
        Some(Sum::Float(sum)) => Ok(sum.into()),
        Some(Sum::Int(sum)) => INT::try_from(sum)
            .map(Dynamic::from)
            .map_err(|_| raise("OverflowError", format!("the sum {sum} does not fit an int"))),
        None => Ok(Dynamic::UNIT),
    }
}

fn end(context: &NativeCallContext, array: &Array, end: End) -> RhaiResult {
    let method = if end == End::Least { "min" } else { "max" };
    let code = number(array, method)?;
    if array.is_empty() {
        return Err(raise("ValueError", format!("{method}() of an array without elements")));
    }
    let found = at_length(context, array, |block| whole(block, code).end(end))?;
    found.map(super::convert::dynamic).ok_or_else(|| raise("TypeError", format!("{method}() is for numbers")))
}

fn contains(context: NativeCallContext, array: &mut Array, value: Dynamic) -> Result<bool, Raise> {
    let Some(code) = array.shape().code() else { return Ok(false) };
    let Some(bits) = scalar(&value).and_then(|scalar| code.pack(scalar).ok()) else { return Ok(false) };
    // By value and not by bits: floats have two zeros.
    let wanted = code.unpack(bits);
    at_length(&context, array, |block| {
        let size = code.size();
        (0..block.len()).any(|index| code.unpack(block.cells().load(index * size, size)) == wanted)
    })
}

/// `value` of an array of bytes is its text up to the first zero byte, of characters up to the first NUL.
fn get_value(context: NativeCallContext, array: &mut Array) -> RhaiResult {
    match array.shape().code() {
        Some(Code::Byte) => {
            let mut bytes = at_length(&context, array, |block| block.cells().bytes(0, block.len()))?;
            bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
            let text = utf8(bytes);
            text.map(Dynamic::from)
                .ok_or_else(|| raise("ValueError", "the bytes are no UTF-8 text; 'raw' gives them as a blob"))
        }
        Some(Code::Char) => {
            let text = at_length(&context, array, |block| text(block, 0, block.len()))?;
            Ok(text.split('\0').next().unwrap_or_default().into())
        }
        _ => Err(no_text("value")),
    }
}

fn set_value(context: NativeCallContext, array: &mut Array, new: Dynamic) -> Result<(), Raise> {
    let code = array.shape().code().filter(|code| matches!(code, Code::Byte | Code::Char));
    let Some(code) = code else { return Err(no_text("value")) };
    let mut bytes = match code {
        Code::Byte => bytes_of(&new)?,
        _ => elements(&context, array.shape(), new)?,
    };
    let length = bytes.len() / code.size();
    fits(array, length)?;
    if length < array.len() {
        bytes.resize(bytes.len() + code.size(), 0);
    }
    at_length(&context, array, |block| block.cells().write(0, code.size(), &bytes))
}

fn bytes_only(array: &Array, name: &str) -> Result<(), Raise> {
    if array.shape().code() == Some(Code::Byte) { Ok(()) } else { Err(no_text(name)) }
}

fn no_text(name: &str) -> Raise {
    let which = if name == "raw" { "typecode 'c'" } else { "typecode 'c' or 'u'" };
    raise("AttributeError", format!("only arrays of {which} have '{name}'"))
}

fn bytes_of(value: &Dynamic) -> Result<Vec<u8>, Raise> {
    text_bytes(value).ok_or_else(|| {
        let value = crate::script::signature::described(value);
        raise("TypeError", format!("bytes come from a string or a blob, not {value}"))
    })
}

fn fits(array: &Array, length: usize) -> Result<(), Raise> {
    if length <= array.len() {
        return Ok(());
    }
    Err(raise("ValueError", format!("{length} elements do not fit an array of {}", array.len())))
}

fn shown(array: &mut Array) -> String {
    let some = all_copied(array, 0, array.len().min(SHOWN));
    let some: Vec<String> = some.iter().map(|item| format!("{item:?}")).collect();
    let more = if array.len() > SHOWN { format!(", ... {} in all", array.len()) } else { String::new() };
    let code = array.shape().code().map(|code| format!("'{}' ", code.letter())).unwrap_or_default();
    format!("<Array {code}[{}{more}]>", some.join(", "))
}

/// What a `for` loop goes through, one element after the other.
pub struct Items {
    array: Array,
    next: usize,
}

impl Iterator for Items {
    type Item = Result<Dynamic, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next;
        if index == self.array.len() {
            return None;
        }
        self.next += 1;
        if self.array.shape().code().is_none() {
            return Some(Ok(Dynamic::from(Record { block: (*self.array).clone(), index })));
        }
        Some(briefly(&self.array, |block| copied(block, index)))
    }
}

impl IntoIterator for Array {
    type Item = Result<Dynamic, Box<EvalAltResult>>;
    type IntoIter = Items;

    fn into_iter(self) -> Items {
        Items { array: self, next: 0 }
    }
}
