//! Values to bytes.
//!
//! Scalars are written without any allocation but the growth of the output. Shared variables are
//! looked through; those open at the moment are remembered, so that a value that contains itself
//! is found at once instead of after [`MAX_DEPTH`] copies of what stands beside it.

use std::{
    ops::{Range, RangeInclusive},
    time::Instant,
};

use bincode::{
    config::{Configuration, standard},
    enc::{Encode, Encoder, EncoderImpl, write::Writer},
};
use rhai::{Dynamic, FnPtr, INT, ImmutableString, Map};

use super::{
    error::Error,
    format::{self, MAX_DEPTH},
    function,
    handle::Handles,
    output::Output,
    refusal::{EncodeError, Refusal, Segment},
    timestamp,
};

/// Appends the bytes of `value` to `out`, and the offsets of the handles inside it to
/// `attachments`. The bytes hold indices into the whole of `attachments`, also into what was in
/// it before; [`super::decode`] wants the same list.
///
/// # Errors
/// If something in the value can't travel. Its path starts with `root`; `out` and `attachments`
/// are what they were.
pub fn encode(
    value: &Dynamic,
    root: &str,
    handles: &dyn Handles,
    out: &mut impl Output,
    attachments: &mut Vec<u64>,
) -> Result<(), EncodeError> {
    all_or_nothing(root, handles, out, attachments, |encoding| encoding.value(value))
}

/// Like [`encode`] for an array of these values, which need not stand in one.
///
/// # Errors
/// As [`encode`]; the paths start with `root[0]`, `root[1]`, ...
pub fn encode_all(
    values: &[Dynamic],
    root: &str,
    handles: &dyn Handles,
    out: &mut impl Output,
    attachments: &mut Vec<u64>,
) -> Result<(), EncodeError> {
    all_or_nothing(root, handles, out, attachments, |encoding| encoding.array(values))
}

/// Appends the head of an array of `count` values: what [`encode`] appends for each of them makes it whole.
pub fn begin_array(count: usize, out: &mut impl Output) {
    out.push(format::ARRAY);
    // A number has a varint, and the sink takes it.
    let _ = (count as u64).encode(&mut EncoderImpl::new(Sink(&mut *out), standard()));
}

/// Appends the bytes of the blob that holds `bytes`.
pub fn encode_blob(bytes: &[u8], out: &mut impl Output) {
    out.push(format::BLOB);
    // A number has a varint, and the sink takes it.
    let _ = (bytes.len() as u64).encode(&mut EncoderImpl::new(Sink(&mut *out), standard()));
    out.extend(bytes);
}

fn all_or_nothing<O: Output>(
    root: &str,
    handles: &dyn Handles,
    out: &mut O,
    attachments: &mut Vec<u64>,
    write: impl FnOnce(&mut Encoding<'_, O>) -> Outcome,
) -> Result<(), EncodeError> {
    let (bytes_before, attachments_before) = (out.mark(), attachments.len());
    let outcome = write(&mut Encoding {
        encoder: EncoderImpl::new(Sink(&mut *out), standard()),
        attachments,
        handles,
        depth: 0,
        open: Vec::new(),
    });
    outcome.map_err(|refusal| {
        out.back_to(bytes_before);
        attachments.truncate(attachments_before);
        refusal.at_root(root)
    })
}

type Outcome = Result<(), Box<Refusal>>;

/// Writes to an output, which can't fail.
struct Sink<'a, O>(&'a mut O);

impl<O: Output> Writer for Sink<'_, O> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        // Most writes are of one byte: the short numbers.
        match bytes {
            [byte] => self.0.push(*byte),
            bytes => self.0.extend(bytes),
        }
        Ok(())
    }
}

struct Encoding<'a, O: Output> {
    encoder: EncoderImpl<Sink<'a, O>, Configuration>,
    attachments: &'a mut Vec<u64>,
    handles: &'a dyn Handles,
    /// Containers around the value being written.
    depth: usize,
    /// The shared variables around it, compared by address only.
    open: Vec<*const Dynamic>,
}

impl<O: Output> Encoding<'_, O> {
    /// Ints, also shared ones, on the spot: most long arrays are full of them.
    #[inline]
    fn value(&mut self, value: &Dynamic) -> Outcome {
        match value.as_int() {
            Ok(int) => self.tagged(format::INT, int),
            Err(_) => self.other(value),
        }
    }

    fn other(&mut self, value: &Dynamic) -> Outcome {
        if value.is_shared() {
            // The accessors below don't see shared variables, or panic if those are locked.
            self.shared(value)
        } else if value.is_variant() {
            self.custom(value)
        } else if let Some(text) = value.read_lock::<ImmutableString>() {
            self.tag(format::STRING);
            self.bytes(text.as_bytes())
        } else if let Ok(float) = value.as_float() {
            self.tagged(format::FLOAT, float)
        } else if let Ok(truth) = value.as_bool() {
            self.tag(if truth { format::TRUE } else { format::FALSE });
            Ok(())
        } else if value.is_unit() {
            self.tag(format::UNIT);
            Ok(())
        } else if let Ok(array) = value.as_array_ref() {
            self.array(&array)
        } else if let Ok(map) = value.as_map_ref() {
            self.tag(format::MAP);
            self.nested(value, |inside| inside.entries(&map))
        } else if let Ok(blob) = value.as_blob_ref() {
            self.tag(format::BLOB);
            self.bytes(&blob)
        } else if let Ok(char) = value.as_char() {
            self.tagged(format::CHAR, u32::from(char))
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            self.function(value, &function)
        } else if let Some(instant) = value.read_lock::<Instant>() {
            self.tagged(format::TIMESTAMP, timestamp::to_nanos(*instant))
        } else {
            Err(Refusal::custom_type(value.type_name()))
        }
    }

    /// A custom type: one of those that Rhai or this layer defines, or a handle.
    fn custom(&mut self, value: &Dynamic) -> Outcome {
        if let Some(range) = value.read_lock::<Range<INT>>() {
            self.tagged(format::RANGE, (range.start, range.end))
        } else if let Some(range) = value.read_lock::<RangeInclusive<INT>>() {
            self.tagged(format::RANGE_INCLUSIVE, (*range.start(), *range.end()))
        } else if let Some(error) = value.read_lock::<Error>() {
            self.error(value, &error)
        } else if let Some(offset) = self.handles.detach(value) {
            self.tagged(format::HANDLE, self.attachments.len() as u64)?;
            self.attachments.push(offset);
            Ok(())
        } else if let Some(reason) = self.handles.refusal(value) {
            Err(Refusal::new(value.type_name(), reason))
        } else {
            Err(Refusal::custom_type(value.type_name()))
        }
    }

    fn shared(&mut self, value: &Dynamic) -> Outcome {
        let Some(inner) = value.read_lock::<Dynamic>() else {
            return Err(Refusal::new(
                "shared variable",
                "it is a shared variable that is being changed at this moment",
            ));
        };
        let variable: *const Dynamic = &*inner;
        if self.open.contains(&variable) {
            return Err(Refusal::new(inner.type_name(), "it contains itself"));
        }
        // Shared variables directly inside each other, which scripts can't make, would otherwise
        // recurse without passing a container.
        if self.open.len() > MAX_DEPTH {
            return Err(too_deep("shared variable"));
        }
        self.open.push(variable);
        let outcome = self.value(&inner);
        self.open.pop();
        outcome
    }

    fn array(&mut self, values: &[Dynamic]) -> Outcome {
        self.tag(format::ARRAY);
        self.enter("array")?;
        self.count(values.len())?;
        for (index, value) in values.iter().enumerate() {
            self.value(value).map_err(|refusal| refusal.inside(Segment::Index(index)))?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn entries(&mut self, map: &Map) -> Outcome {
        self.count(map.len())?;
        for (key, value) in map {
            self.bytes(key.as_bytes())?;
            self.value(value).map_err(|refusal| refusal.inside(Segment::Key(key.to_string())))?;
        }
        Ok(())
    }

    fn function(&mut self, value: &Dynamic, pointer: &FnPtr) -> Outcome {
        let name = pointer.fn_name();
        if function::embeds_native_code(pointer) {
            return Err(Refusal::new(
                value.type_name(),
                format!("the function pointer {name} embeds native code of the process that made it"),
            ));
        }
        if !function::is_portable_name(name) {
            return Err(Refusal::new(
                value.type_name(),
                format!("{name:?} is not the name of a function in other processes"),
            ));
        }
        self.tag(format::FUNCTION);
        self.bytes(name.as_bytes())?;
        let captured = pointer.curry();
        self.count(captured.len())?;
        if captured.is_empty() {
            return Ok(());
        }
        self.nested(value, |inside| {
            for (index, value) in captured.iter().enumerate() {
                if value.is_shared() {
                    inside.tag(format::SHARED);
                }
                inside.value(value).map_err(|refusal| refusal.inside(Segment::Captured(index)))?;
            }
            Ok(())
        })
    }

    fn error(&mut self, value: &Dynamic, error: &Error) -> Outcome {
        self.tag(format::ERROR);
        self.bytes(error.kind().as_bytes())?;
        self.bytes(error.message().as_bytes())?;
        self.bytes(error.traceback().as_bytes())?;
        self.count(error.kinds().len())?;
        for kind in error.kinds() {
            self.bytes(kind.as_bytes())?;
        }
        if error.data().is_empty() {
            return self.count(0);
        }
        self.nested(value, |inside| {
            inside.entries(error.data()).map_err(|refusal| refusal.inside(Segment::Data))
        })
    }

    /// Writes the inside of a container.
    fn nested(&mut self, container: &Dynamic, write: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        self.enter(container.type_name())?;
        write(self)?;
        self.depth -= 1;
        Ok(())
    }

    #[inline]
    fn enter(&mut self, type_name: &str) -> Outcome {
        if self.depth == MAX_DEPTH {
            return Err(too_deep(type_name));
        }
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn tag(&mut self, tag: u8) {
        self.encoder.writer().0.push(tag);
    }

    #[inline]
    fn tagged(&mut self, tag: u8, payload: impl Encode) -> Outcome {
        self.tag(tag);
        Ok(payload.encode(&mut self.encoder)?)
    }

    #[inline]
    fn count(&mut self, count: usize) -> Outcome {
        Ok((count as u64).encode(&mut self.encoder)?)
    }

    /// A length and that many bytes, copied in one piece.
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) -> Outcome {
        self.count(bytes.len())?;
        Ok(self.encoder.writer().write(bytes)?)
    }
}

#[cold]
fn too_deep(type_name: &str) -> Box<Refusal> {
    Refusal::new(type_name, format!("it stands deeper than {MAX_DEPTH} levels inside other values"))
}
