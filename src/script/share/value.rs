//! `Value`: one element, or a record of named fields.

use rhai::{Dynamic, Engine, FLOAT, INT, ImmutableString, NativeCallContext};

use super::access::{add, get, set};
use super::convert::{copied, element, field};
use super::{access, make};
use crate::script::raise::{Raise, RhaiResult, raise};
use crate::script::runtime;
use crate::share::code::Code;
use crate::share::view::{Record, Value};

/// Registers what a value can do.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Value>("Value")
        .register_fn("to_string", text)
        .register_fn("to_debug", text)
        .register_get("value", get_value)
        .register_indexer_get(|context: NativeCallContext, value: &mut Value, name: ImmutableString| {
            get_field(&context, value, &name)
        })
        .register_fn("add", |context: NativeCallContext, value: &mut Value, amount: Dynamic| {
            add(&context, value, number(value)?, 0, &amount)
        })
        // The same on the value itself, where `value.value += 1` is two steps.
        .register_fn("+=", |context: NativeCallContext, value: &mut Value, amount: INT| {
            add(&context, value, number(value)?, 0, &amount.into()).map(drop)
        })
        .register_fn("+=", |context: NativeCallContext, value: &mut Value, amount: FLOAT| {
            add(&context, value, number(value)?, 0, &amount.into()).map(drop)
        });
    engine
        .register_set("value", |context: NativeCallContext, value: &mut Value, new: Dynamic| {
            set_value(&context, value, &new)
        })
        .register_indexer_set(
            |context: NativeCallContext, value: &mut Value, name: ImmutableString, new: Dynamic| {
                set_field(&context, value, &name, &new)
            },
        );
    record(engine);
    make::common::<Value>(engine);
}

fn get_value(context: NativeCallContext, value: &mut Value) -> RhaiResult {
    match value.shape().code() {
        Some(code) => get(&context, value, code, 0),
        None => get_field(&context, value, "value"),
    }
}

fn set_value(context: &NativeCallContext, value: &Value, new: &Dynamic) -> Result<(), Raise> {
    match value.shape().code() {
        Some(code) => set(context, value, code, 0, new),
        None => set_field(context, value, "value", new),
    }
}

fn get_field(context: &NativeCallContext, value: &Value, name: &str) -> RhaiResult {
    let field = field(value.shape(), name)?;
    get(context, value, field.code, field.at)
}

fn set_field(context: &NativeCallContext, value: &Value, name: &str, new: &Dynamic) -> Result<(), Raise> {
    let field = field(value.shape(), name)?;
    set(context, value, field.code, field.at, new)
}

/// The typecode of something that can be added to.
fn number(value: &Value) -> Result<Code, Raise> {
    let wanted = || raise("TypeError", "add() is for a value of one number, not for a record");
    value.shape().code().ok_or_else(wanted)
}

fn text(value: &mut Value) -> String {
    let held = if value.is_empty() { Dynamic::UNIT } else { copied(value, 0) };
    match value.shape().code() {
        Some(code) => format!("<Value '{}' {held:?}>", code.letter()),
        None => format!("<Value {held:?}>"),
    }
}

/// What one record of an array can do.
fn record(engine: &mut Engine) {
    let text = |record: &mut Record| format!("{:?}", copied(&record.block, record.index));
    let same =
        |one: &Record, other: &Record| one.index == other.index && one.block.shows_the_same(&other.block);
    engine
        .register_type_with_name::<Record>("Record")
        .register_fn("to_string", text)
        .register_fn("to_debug", text)
        .register_fn("==", move |one: Record, other: Record| same(&one, &other))
        .register_fn("!=", move |one: Record, other: Record| !same(&one, &other))
        .register_fn("to_map", |context: NativeCallContext, record: &mut Record| {
            runtime::at(&context);
            access::briefly(&record.block, |block| copied(block, record.index))
        })
        .register_indexer_get(|context: NativeCallContext, record: &mut Record, name: ImmutableString| {
            let field = field(record.block.shape(), &name)?;
            get(&context, &record.block, field.code, start(record) + field.at)
        });
    engine.register_indexer_set(
        |context: NativeCallContext, record: &mut Record, name: ImmutableString, new: Dynamic| {
            let field = field(record.block.shape(), &name)?;
            set(&context, &record.block, field.code, start(record) + field.at, &new)
        },
    );
}

fn start(record: &Record) -> usize {
    record.index * record.block.shape().size()
}

/// Writes the record `index` of `block`.
pub fn set_record(context: &NativeCallContext, record: &Record, new: &Dynamic) -> Result<(), Raise> {
    // After `array[i].x = 1` the engine assigns the record to the place that it was taken from.
    if new
        .read_lock::<Record>()
        .is_some_and(|new| new.index == record.index && new.block.shows_the_same(&record.block))
    {
        return Ok(());
    }
    runtime::at(context);
    let shape = record.block.shape();
    let bytes = element(shape, new)?;
    access::briefly(&record.block, |block| {
        for field in shape.fields() {
            let place = field.at..field.at + field.code.size();
            block.cells().write(start(record) + field.at, field.code.size(), &bytes[place]);
        }
    })
}
