//! `SharedMemory`: memory by name, and the view of its bytes.

use std::num::NonZeroUsize;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, INT, NativeCallContext};

use super::convert::{beyond, clipped, dynamic, place, text_bytes};
use crate::process::watcher;
use crate::script::iterate;
use crate::script::raise::{Raise, RhaiResult, not_started, out_of_memory, raise};
use crate::script::runtime;
use crate::script::signature::{Signature, described};
use crate::share::cells::Cells;
use crate::share::code::Scalar;
use crate::share::named::{Named, NamedError, Unusable};
use crate::wire::Error;

static SHARED_MEMORY: Signature =
    Signature { name: "SharedMemory", parameters: &["name", "create", "size"], required: 0 };

/// Memory by name. A clone is the same.
#[derive(Clone, Debug)]
pub struct SharedMemory(pub Rc<Named>);

/// Its bytes, for as long as this process has it open.
#[derive(Clone, Debug)]
pub struct Buffer(Rc<Named>);

/// Registers the types and the constructor.
pub fn register(engine: &mut Engine) {
    SHARED_MEMORY.function(engine, |_, mut arguments| {
        let name = arguments.string(0)?;
        let create = arguments.bool(1)?.unwrap_or(false);
        let size = arguments.int(2)?;
        let named =
            if create { made(name.as_deref(), size, false)? } else { attached(name.as_deref(), size)? };
        Ok(Dynamic::from(SharedMemory(Rc::new(named))))
    });
    engine
        .register_type_with_name::<SharedMemory>("SharedMemory")
        .register_fn("to_string", text)
        .register_fn("to_debug", text)
        .register_fn("==", |one: SharedMemory, other: SharedMemory| one.0.name() == other.0.name())
        .register_fn("!=", |one: SharedMemory, other: SharedMemory| one.0.name() != other.0.name())
        .register_get("name", |memory: &mut SharedMemory| memory.0.name().to_owned())
        .register_get("size", |memory: &mut SharedMemory| memory.0.size() as INT)
        .register_get("buf", |memory: &mut SharedMemory| match memory.0.is_open() {
            true => Dynamic::from(Buffer(Rc::clone(&memory.0))),
            false => Dynamic::UNIT,
        })
        // After `memory.buf[i] = x` the engine assigns the view to where it came from.
        .register_set("buf", |_: &mut SharedMemory, _: Buffer| {})
        .register_fn("close", |memory: &mut SharedMemory| memory.0.close())
        .register_fn("unlink", |memory: &mut SharedMemory| memory.0.unlink().map_err(not_named))
        // Shared, as what 'with' names is a constant otherwise, and its bytes could not be assigned to.
        .register_fn("__enter__", |memory: &mut SharedMemory| Dynamic::from(memory.clone()).into_shared())
        .register_fn("__exit__", |memory: &mut SharedMemory| memory.0.close());
    buffer(engine);
}

fn text(memory: &mut SharedMemory) -> String {
    format!("SharedMemory({:?}, size: {})", memory.0.name(), memory.0.size())
}

/// Makes memory by name; what may be left of it is cleaned up at the session's end.
pub fn made(name: Option<&str>, size: Option<INT>, list: bool) -> Result<Named, Raise> {
    let size = size.unwrap_or(0);
    let bytes = usize::try_from(size).ok().and_then(NonZeroUsize::new);
    let bytes =
        bytes.ok_or_else(|| raise("ValueError", format!("'size' is a number above 0, not {size}")))?;
    watched()?;
    Named::create(name, bytes, list).map_err(not_named)
}

/// Before anything gets a name there is somebody who takes it away.
pub fn watched() -> Result<(), Raise> {
    watcher::running().map_err(not_started)
}

fn attached(name: Option<&str>, size: Option<INT>) -> Result<Named, Raise> {
    // The real size is that of the memory; as in Python, only a senseless one is looked at.
    if size.is_some_and(|size| size < 0) {
        return Err(raise("ValueError", "'size' is not below 0"));
    }
    let name =
        name.ok_or_else(|| raise("ValueError", "'name' may only be left out with #{ create: true }"))?;
    Named::attach(name, false).map_err(not_named)
}

/// Memory by name was not had.
pub fn not_named(error: NamedError) -> Raise {
    if let NamedError::Memory(error) = error {
        return out_of_memory(error);
    }
    reason(&error).raise()
}

/// The same for whoever received it.
pub fn reason(error: &NamedError) -> Error {
    let kind = match error {
        NamedError::Name(_) | NamedError::Empty(_) => "ValueError",
        NamedError::Exists(_) => "FileExistsError",
        NamedError::Missing(_) => "FileNotFoundError",
        NamedError::System { .. } => "OSError",
        NamedError::Memory(_) => "MemoryError",
    };
    Error::new(kind, error.to_string())
}

/// Its bytes can't be had.
pub fn unusable(name: &str, error: Unusable) -> Raise {
    let kind = if error == Unusable::Closed { "ValueError" } else { "OSError" };
    raise(kind, format!("shared memory '{name}': {error}"))
}

fn buffer(engine: &mut Engine) {
    engine
        .register_type_with_name::<Buffer>("SharedMemoryBuffer")
        .register_fn("to_string", |buffer: &mut Buffer| buffer.text())
        .register_fn("to_debug", |buffer: &mut Buffer| buffer.text())
        .register_fn("len", |buffer: &mut Buffer| buffer.0.size() as INT)
        .register_get("len", |buffer: &mut Buffer| buffer.0.size() as INT)
        .register_fn("to_blob", |buffer: &mut Buffer| buffer.slice(0, buffer.0.size()))
        .register_indexer_get(|buffer: &mut Buffer, range: RangeInclusive<INT>| {
            buffer.get_range(*range.start()..beyond(*range.end(), buffer.0.size()))
        })
        .register_indexer_get(|buffer: &mut Buffer, range: Range<INT>| buffer.get_range(range))
        .register_indexer_get(|buffer: &mut Buffer, index: INT| {
            let at = buffer.at(index)?;
            Ok::<_, Raise>(buffer.access(|cells| cells.load(at, 1))? as INT)
        })
        .register_indexer_set(
            |context: NativeCallContext, buffer: &mut Buffer, range: RangeInclusive<INT>, new: Dynamic| {
                let end = beyond(*range.end(), buffer.0.size());
                buffer.set_range(&context, *range.start()..end, new)
            },
        )
        .register_indexer_set(
            |context: NativeCallContext, buffer: &mut Buffer, range: Range<INT>, new: Dynamic| {
                buffer.set_range(&context, range, new)
            },
        )
        .register_indexer_set(|buffer: &mut Buffer, index: INT, new: Dynamic| {
            let at = buffer.at(index)?;
            let byte = byte(&new)?;
            buffer.access(|cells| cells.store(at, 1, byte.into()))
        });
    iterate::register::<Buffer, Dynamic>(engine);
}

/// A byte as scripts give it.
fn byte(value: &Dynamic) -> Result<u8, Raise> {
    let int = value.as_int().map_err(|_| {
        let value = described(value);
        raise("TypeError", format!("a byte is an int from 0 to 255, not {value}"))
    })?;
    u8::try_from(int).map_err(|_| raise("ValueError", format!("a byte is an int from 0 to 255, not {int}")))
}

impl Buffer {
    fn access<T>(&self, what: impl FnOnce(&Cells) -> T) -> Result<T, Raise> {
        self.0.access(what).map_err(|error| unusable(self.0.name(), error))
    }

    fn at(&self, index: INT) -> Result<usize, Raise> {
        let size = self.0.size();
        place(index, size).ok_or_else(|| {
            raise("IndexError", format!("index {index} is out of range: there are {size} bytes"))
        })
    }

    fn slice(&self, from: usize, to: usize) -> RhaiResult {
        self.access(|cells| Dynamic::from_blob(cells.bytes(from, to)))
    }

    fn get_range(&self, range: Range<INT>) -> RhaiResult {
        let (from, to) = clipped(range.start, range.end, self.0.size());
        self.slice(from, to)
    }

    fn set_range(&self, context: &NativeCallContext, range: Range<INT>, new: Dynamic) -> Result<(), Raise> {
        runtime::at(context);
        let (from, to) = clipped(range.start, range.end, self.0.size());
        let bytes = match (text_bytes(&new), new.as_array_ref()) {
            (Some(bytes), _) => bytes,
            (None, Ok(items)) => items.iter().map(byte).collect::<Result<_, _>>()?,
            (None, Err(_)) => {
                let new = described(&new);
                return Err(raise(
                    "TypeError",
                    format!("bytes come from a blob, a string or an array, not {new}"),
                ));
            }
        };
        if bytes.len() != to - from {
            let (given, places) = (bytes.len(), to - from);
            return Err(raise("ValueError", format!("{given} bytes for the {places} from {from} to {to}")));
        }
        self.access(|cells| cells.write(from, 1, &bytes))
    }

    fn text(&self) -> String {
        let closed = if self.0.is_open() { "" } else { ", closed" };
        format!("<{} bytes of {:?}{closed}>", self.0.size(), self.0.name())
    }
}

/// What a `for` loop goes through, one byte after the other.
pub struct Bytes {
    buffer: Buffer,
    next: usize,
}

impl Iterator for Bytes {
    type Item = Result<Dynamic, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next;
        if at >= self.buffer.0.size() {
            return None;
        }
        self.next += 1;
        let byte = self.buffer.access(|cells| dynamic(Scalar::Int(cells.load(at, 1) as i64)));
        if byte.is_err() {
            self.next = usize::MAX;
        }
        Some(byte)
    }
}

impl IntoIterator for Buffer {
    type Item = Result<Dynamic, Box<EvalAltResult>>;
    type IntoIter = Bytes;

    fn into_iter(self) -> Bytes {
        Bytes { buffer: self, next: 0 }
    }
}
