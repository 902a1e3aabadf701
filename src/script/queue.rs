//! `Queue`.

use rhai::{Dynamic, Engine, NativeCallContext};

use super::carry::Carry;
use super::raise::{RhaiResult, not_got, not_put, out_of_memory, raise};
use super::runtime;
use super::signature::{Arguments, Signature};
use crate::process::method::Method;
use crate::queue::Queue;
use crate::sys::clock::Deadline;

static NEW: Signature = Signature { name: "Queue", parameters: &["maxsize"], required: 0 };
static PUT: Signature =
    Signature { name: "Queue.put", parameters: &["value", "block", "timeout"], required: 1 };
static GET: Signature = Signature { name: "Queue.get", parameters: &["block", "timeout"], required: 0 };
static PUT_NOWAIT: Signature = Signature { name: "Queue.put_nowait", parameters: &["value"], required: 1 };
static GET_NOWAIT: Signature = Signature { name: "Queue.get_nowait", parameters: &[], required: 0 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["Queue"];

/// Registers the type.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Queue>("Queue")
        .register_fn("to_string", |queue: &mut Queue| text(queue))
        .register_fn("to_debug", |queue: &mut Queue| text(queue))
        .register_fn("==", |one: Queue, other: Queue| one.channel().offset() == other.channel().offset())
        .register_fn("!=", |one: Queue, other: Queue| one.channel().offset() != other.channel().offset())
        .register_fn("qsize", |queue: &mut Queue| i64::try_from(queue.channel().len()).unwrap_or(i64::MAX))
        .register_fn("empty", |queue: &mut Queue| queue.channel().is_empty())
        .register_fn("full", |queue: &mut Queue| {
            let channel = queue.channel();
            channel.limit() != 0 && channel.len() >= channel.limit()
        });
    NEW.context_function(engine, new);
    PUT.method(engine, put);
    GET.method(engine, get);
    PUT_NOWAIT.method(engine, |_, queue: Queue, mut arguments| {
        queue.put(&arguments.any(0), &Carry, Deadline::after(Some(0.0))).map_err(not_put)?;
        Ok(Dynamic::UNIT)
    });
    GET_NOWAIT
        .method(engine, |_, queue: Queue, _| queue.get(&Carry, Deadline::after(Some(0.0))).map_err(not_got));
    // The two that loops are made of, without the way through a signature.
    engine.register_fn("put", |context: NativeCallContext, queue: &mut Queue, value: Dynamic| {
        runtime::at(&context);
        queue.put(&value, &Carry, Deadline::Never).map_err(not_put)
    });
    engine.register_fn("get", |context: NativeCallContext, queue: &mut Queue| {
        runtime::at(&context);
        queue.get(&Carry, Deadline::Never).map_err(not_got)
    });
}

fn text(queue: &Queue) -> String {
    let channel = queue.channel();
    match channel.limit() {
        0 => format!("<Queue with {} items>", channel.len()),
        limit => format!("<Queue with {} of {limit} items>", channel.len()),
    }
}

fn new(_: &NativeCallContext, _: Option<Method>, mut arguments: Arguments) -> RhaiResult {
    // As in Python, zero and less are no limit.
    let limit = arguments.int(0)?.unwrap_or(0);
    Queue::new(u64::try_from(limit).unwrap_or(0)).map(Dynamic::from).map_err(out_of_memory)
}

fn put(_: &NativeCallContext, queue: Queue, mut arguments: Arguments) -> RhaiResult {
    let value = arguments.any(0);
    let deadline = deadline("Queue.put", &mut arguments, 1)?;
    queue.put(&value, &Carry, deadline).map_err(not_put)?;
    Ok(Dynamic::UNIT)
}

fn get(_: &NativeCallContext, queue: Queue, mut arguments: Arguments) -> RhaiResult {
    let deadline = deadline("Queue.get", &mut arguments, 0)?;
    queue.get(&Carry, deadline).map_err(not_got)
}

/// `block, timeout` from parameter `first` on; a number in place of `block` is the time-out.
fn deadline(call: &str, arguments: &mut Arguments, first: usize) -> Result<Deadline, super::raise::Raise> {
    let block = arguments.any(first);
    if block.is_int() || block.is_float() {
        if arguments.value(first + 1).is_some() {
            return Err(raise(
                "TypeError",
                format!("{call}() got two time-outs: a number in place of 'block' is one"),
            ));
        }
        return Ok(Deadline::after(super::signature::seconds(&block)));
    }
    let deadline = arguments.deadline(first + 1)?;
    match block.as_bool() {
        Ok(false) => Ok(Deadline::after(Some(0.0))),
        Ok(true) => Ok(deadline),
        Err(_) if block.is_unit() => Ok(deadline),
        Err(_) => Err(raise("TypeError", format!("{call}() wants true or false for 'block'"))),
    }
}
