//! How values and arrays are made: `Value`, `RawValue`, `Array`, `RawArray`; and what all of them have.

use std::any::TypeId;
use std::ops::Deref;
use std::rc::Rc;

use rhai::{Dynamic, Engine, Map, NativeCallContext};

use super::access::at_length;
use super::convert::{element, elements, shape};
use crate::process::method::Method;
use crate::script::locks::hold::{self, Hold};
use crate::script::raise::{Raise, RhaiResult, out_of_memory, raise};
use crate::script::runtime;
use crate::script::signature::{Arguments, Context, Signature, described};
use crate::script::with::door::Ways;
use crate::share::block::{Block, Flavor};
use crate::share::gate::Gate;
use crate::share::shape::Shape;
use crate::share::view::{Array, Value};
use crate::sync::lock::Lock;
use crate::sync::rlock::RLock;
use crate::sys::clock::Deadline;

static VALUE: Signature = Signature { name: "Value", parameters: &["typecode", "init", "lock"], required: 1 };
static RAW_VALUE: Signature = Signature { name: "RawValue", parameters: &["typecode", "init"], required: 1 };
static ARRAY: Signature =
    Signature { name: "Array", parameters: &["typecode", "size_or_values", "lock"], required: 2 };
static ACQUIRE: Signature = Signature { name: "acquire", parameters: &["block", "timeout"], required: 0 };
static RAW_ARRAY: Signature =
    Signature { name: "RawArray", parameters: &["typecode", "size_or_values"], required: 2 };

/// Registers the constructors.
pub fn register(engine: &mut Engine) {
    VALUE.context_function(engine, |_, _: Option<Method>, mut arguments| {
        let lock = arguments.any(2);
        value(&arguments.any(0), arguments.any(1), &lock)
    });
    RAW_VALUE.context_function(engine, |_, _, mut arguments| {
        value(&arguments.any(0), arguments.any(1), &Dynamic::FALSE)
    });
    ARRAY.context_function(engine, |context, _, mut arguments| {
        let lock = arguments.any(2);
        array(context, &mut arguments, &lock)
    });
    RAW_ARRAY.context_function(engine, |context, _, mut arguments| {
        array(context, &mut arguments, &Dynamic::FALSE)
    });
    of_a_record(engine, "Value", Dynamic::UNIT);
    of_a_record(engine, "RawValue", Dynamic::FALSE);
}

/// A map behind a record's fields is what the record begins with, where a signature would take it for options.
fn of_a_record(engine: &mut Engine, name: &'static str, lock: Dynamic) {
    let make = move |context: &NativeCallContext, given: &mut [&mut Dynamic]| -> RhaiResult {
        runtime::at(context);
        let [fields, init] = given else { return Ok(Dynamic::UNIT) };
        let options = init.as_map_ref().is_ok_and(|init| {
            let only_lock = init.len() == 1 && init.contains_key("lock");
            only_lock && fields.as_map_ref().is_ok_and(|fields| !fields.contains_key("lock"))
        });
        if options && !lock.is_bool() {
            let lock = init.as_map_ref().ok().and_then(|init| init.get("lock").cloned());
            return value(fields, Dynamic::UNIT, &lock.unwrap_or_default());
        }
        value(fields, init.flatten_clone(), &lock)
    };
    let (map, any) = (TypeId::of::<Map>(), TypeId::of::<Dynamic>());
    let of_context = make.clone();
    engine.register_raw_fn(
        name,
        [map, any],
        move |context: NativeCallContext, given: &mut [&mut Dynamic]| make(&context, given),
    );
    engine.register_raw_fn(
        name,
        [TypeId::of::<Context>(), map, any],
        move |context: NativeCallContext, given: &mut [&mut Dynamic]| {
            of_context(&context, given.split_first_mut().map_or(&mut [], |(_, given)| given))
        },
    );
}

fn value(typecode: &Dynamic, init: Dynamic, lock: &Dynamic) -> RhaiResult {
    let shape = shape(typecode)?;
    let bytes = if init.is_unit() { Vec::new() } else { element(&shape, &init)? };
    let block = new(Flavor::Value, &shape, 1, lock)?;
    block.cells().write(0, 1, &bytes);
    Ok(Dynamic::from(Value::from(Rc::new(block))))
}

fn array(context: &NativeCallContext, arguments: &mut Arguments, lock: &Dynamic) -> RhaiResult {
    let shape = shape(&arguments.any(0))?;
    let given = arguments.any(1);
    let (length, bytes) = if let Ok(size) = given.as_int() {
        let length = usize::try_from(size)
            .map_err(|_| raise("ValueError", format!("an array has 0 or more elements, not {size}")))?;
        (length, Vec::new())
    } else if given.is_float() || given.is_unit() {
        let given = described(&given);
        return Err(raise("TypeError", format!("an array is made of a size or of values, not of {given}")));
    } else {
        let bytes = elements(context, &shape, given)?;
        (bytes.len() / shape.size(), bytes)
    };
    let block = new(Flavor::Array, &shape, length, lock)?;
    block.cells().write(0, 1, &bytes);
    Ok(Dynamic::from(Array::from(Rc::new(block))))
}

fn new(flavor: Flavor, shape: &Shape, length: usize, lock: &Dynamic) -> Result<Block, Raise> {
    let gate = gate(lock)?;
    Block::new(flavor, shape, length, gate.as_ref()).map_err(out_of_memory)
}

/// The lock that a script asks for: one that can be taken again by who has it, unless it says otherwise.
fn gate(lock: &Dynamic) -> Result<Option<Gate>, Raise> {
    if lock.is_unit() || lock.as_bool() == Ok(true) {
        return RLock::new().map(Gate::RLock).map(Some).map_err(out_of_memory);
    }
    if lock.is_bool() {
        return Ok(None);
    }
    if let Some(lock) = lock.read_lock::<RLock>() {
        return Ok(Some(Gate::RLock(lock.clone())));
    }
    if let Some(lock) = lock.read_lock::<Lock>() {
        return Ok(Some(Gate::Lock(lock.clone())));
    }
    let lock = described(lock);
    Err(raise(
        "AttributeError",
        format!("'lock' is true, false, a Lock or an RLock: {lock} can't be acquired"),
    ))
}

/// The block, if `value` is a value or an array.
pub fn offset(value: &Dynamic) -> Option<u64> {
    let one = value.read_lock::<Value>().map(|value| value.offset());
    one.or_else(|| value.read_lock::<Array>().map(|array| array.offset()))
}

/// The block at `offset`, as a value of its kind.
pub fn open(offset: u64) -> Option<Dynamic> {
    Block::open(offset).ok().map(dynamic)
}

/// A block as scripts have it.
fn dynamic(block: Block) -> Dynamic {
    match block.flavor() {
        Flavor::Value => Dynamic::from(Value::from(Rc::new(block))),
        Flavor::Array => Dynamic::from(Array::from(Rc::new(block))),
    }
}

/// What values and arrays have.
pub fn common<T>(engine: &mut Engine)
where
    T: Deref<Target = Rc<Block>> + From<Rc<Block>> + Clone + 'static,
{
    engine
        .register_fn("==", |one: T, other: T| one.shows_the_same(&other))
        .register_fn("!=", |one: T, other: T| !one.shows_the_same(&other))
        .register_fn("copy", |context: NativeCallContext, block: &mut T| copy(&context, block).map(T::from))
        .register_fn("get_lock", |block: &mut T| -> RhaiResult {
            Ok(match locked(block, "get_lock")? {
                Gate::Lock(lock) => Dynamic::from(lock.clone()),
                Gate::RLock(lock) => Dynamic::from(lock.clone()),
            })
        })
        .register_fn("get_obj", |block: &mut T| -> Result<T, Raise> {
            locked(block, "get_obj")?;
            block.view().map(Rc::new).map(T::from).map_err(out_of_memory)
        })
        .register_fn("release", |block: &mut T| release(locked(block, "release")?));
    Ways::new(
        |block: &T| acquire(locked(block, "with")?, Deadline::Never).map(drop),
        // What 'with' names is a constant unless it is shared, and this one has something to assign to.
        |block: &T| Dynamic::from(block.clone()).into_shared(),
        |block: &T| release(locked(block, "with")?),
    )
    .with_lock(|block| block.gate().is_some())
    .register();
    // The engine itself says nothing about an index of a type that it finds no function for.
    engine.register_indexer_set(|block: &mut T, index: Dynamic, _: Dynamic| -> Result<(), Raise> {
        let (kind, index) = (kind(block), described(&index));
        Err(raise("TypeError", format!("no element of {kind} is at {index}")))
    });
    ACQUIRE.method(engine, |_, block: T, mut arguments| {
        let deadline = arguments.block_and_timeout(0)?;
        acquire(locked(&block, "acquire")?, deadline).map(Dynamic::from)
    });
}

/// The lock of a block that has one.
fn locked<'a>(block: &'a Block, method: &str) -> Result<&'a Gate, Raise> {
    block
        .gate()
        .ok_or_else(|| raise("AttributeError", format!("{} without a lock has no '{method}'", kind(block))))
}

fn kind(block: &Block) -> &'static str {
    if block.flavor() == Flavor::Value { "a Value" } else { "an Array" }
}

fn acquire(gate: &Gate, deadline: Deadline) -> Result<bool, Raise> {
    match gate {
        Gate::Lock(lock) => hold::acquire(lock, deadline),
        Gate::RLock(lock) => hold::acquire(lock, deadline),
    }
}

fn release(gate: &Gate) -> Result<(), Raise> {
    match gate {
        Gate::Lock(lock) => Hold::release(lock),
        Gate::RLock(lock) => Hold::release(lock),
    }
}

/// Memory of its own with the same elements; with a lock of its own if there is one.
fn copy(context: &NativeCallContext, block: &Block) -> Result<Rc<Block>, Raise> {
    let lock = block.gate().is_some().into();
    let copy = new(block.flavor(), block.shape(), block.len(), &lock)?;
    at_length(context, block, |block| {
        let mut at = 0;
        block.cells().chunks(0, block.cells().size(), |chunk| {
            copy.cells().write(at, 1, chunk);
            at += chunk.len();
        });
    })?;
    Ok(Rc::new(copy))
}
