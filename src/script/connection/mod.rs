//! `Pipe`, and what scripts do with a connection.
//!
//! | file | concept |
//! |---|---|
//! | `value` | a connection as one process has it |
//! | `carrier` | what carries its messages: a pipe or a socket |

mod carrier;
mod value;

use std::ops::Deref;

use rhai::{Array, Blob, Dynamic, Engine, NativeCallContext};

use super::raise::{Raise, RhaiResult, out_of_memory, raise};
use super::runtime;
use super::signature::{Arguments, Signature, described};
use crate::pipe::{self, PipeEnd};
use crate::socket::end::SocketEnd;
use crate::sys::clock::Deadline;
use crate::wire::Error;
use carrier::Carrier;
pub use value::Connection;

static PIPE: Signature = Signature { name: "Pipe", parameters: &["duplex"], required: 0 };
static POLL: Signature = Signature { name: "Connection.poll", parameters: &["timeout"], required: 0 };
static SEND_BYTES: Signature =
    Signature { name: "Connection.send_bytes", parameters: &["bytes", "offset", "size"], required: 1 };
static RECV_BYTES: Signature =
    Signature { name: "Connection.recv_bytes", parameters: &["maxlength"], required: 0 };
static RECV_BYTES_INTO: Signature =
    Signature { name: "Connection.recv_bytes_into", parameters: &["blob", "offset"], required: 1 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["Pipe"];

/// The shared object, if `value` is a connection that is open.
pub fn offset(value: &Dynamic) -> Option<u64> {
    value.read_lock::<Connection>().and_then(|connection| connection.offset())
}

/// Whether `value` is a connection that this process has closed.
pub fn is_closed(value: &Dynamic) -> bool {
    value.read_lock::<Connection>().is_some_and(|connection| connection.is_closed())
}

/// The pipe's end at `offset`.
pub fn open(offset: u64) -> Option<Dynamic> {
    PipeEnd::open(offset).ok().map(of_pipe)
}

fn of_pipe(end: PipeEnd) -> Dynamic {
    Dynamic::from(Connection::from(Carrier::Pipe(end)))
}

/// The connection over a socket whose end is `end`.
pub fn of_socket(end: SocketEnd) -> Dynamic {
    Dynamic::from(Connection::from(Carrier::Socket(end)))
}

/// Registers the type.
pub fn register(engine: &mut Engine) {
    PIPE.context_function(engine, |_, _, mut arguments| {
        let duplex = arguments.bool(0)?.unwrap_or(true);
        let (first, second) = pipe::pipe(duplex).map_err(out_of_memory)?;
        let ends: Array = [first, second].map(of_pipe).into();
        Ok(ends.into())
    });
    POLL.method(engine, |_, connection: Connection, mut arguments: Arguments| {
        // Nothing is no waiting here, and `()` is for ever.
        let given = arguments.is_given(0);
        let deadline = if given { arguments.deadline(0)? } else { Deadline::after(Some(0.0)) };
        connection.poll(deadline).map(Dynamic::from)
    });
    SEND_BYTES.method(engine, send_bytes);
    RECV_BYTES.method(engine, |_, connection: Connection, mut arguments: Arguments| {
        let most = arguments.int(0)?.map(usize::try_from).transpose();
        let most = most.map_err(|_| raise("ValueError", "negative maxlength"))?;
        connection.receive(most, |bytes| Ok(Dynamic::from_blob(bytes.to_vec())))
    });
    RECV_BYTES_INTO.method(engine, |_, connection: Connection, mut arguments: Arguments| {
        recv_bytes_into_argument(&connection, &arguments.any(0))
    });
    engine
        .register_type_with_name::<Connection>("Connection")
        .register_fn("send", |context: NativeCallContext, connection: &mut Connection, value: Dynamic| {
            runtime::at(&context);
            connection.send(&value)
        })
        // Without the way through a signature a shared blob is read where it is: it may be large.
        .register_fn(
            "send_bytes",
            |context: NativeCallContext, connection: &mut Connection, value: Dynamic| {
                runtime::at(&context);
                connection.send_bytes(&blob(&value)?)
            },
        )
        .register_fn("recv", |context: NativeCallContext, connection: &mut Connection| {
            runtime::at(&context);
            connection.recv()
        })
        // The engine lets a function change its first argument only.
        .register_fn("recv_bytes_into", |blob: &mut Blob, connection: Connection| {
            recv_bytes_into(&connection, blob, 0)
        })
        .register_fn("recv_bytes_into", |blob: &mut Blob, connection: Connection, offset: i64| {
            recv_bytes_into(&connection, blob, offset)
        })
        .register_fn("close", |connection: &mut Connection| connection.close())
        .register_fn("fileno", |connection: &mut Connection| connection.number())
        .register_get("closed", |connection: &mut Connection| connection.is_closed())
        .register_get("readable", |connection: &mut Connection| connection.is_readable())
        .register_get("writable", |connection: &mut Connection| connection.is_writable())
        .register_fn("__enter__", |connection: &mut Connection| connection.clone())
        .register_fn("__exit__", |connection: &mut Connection| connection.close())
        .register_fn("to_string", |connection: &mut Connection| connection.text())
        .register_fn("to_debug", |connection: &mut Connection| connection.text())
        .register_fn("==", |one: Connection, other: Connection| one.is(&other))
        .register_fn("!=", |one: Connection, other: Connection| !one.is(&other));
}

fn blob(value: &Dynamic) -> Result<impl Deref<Target = Blob>, Raise> {
    let refused = || raise("TypeError", format!("send_bytes() sends a blob, not {}", described(value)));
    value.read_lock::<Blob>().ok_or_else(refused)
}

fn send_bytes(_: &NativeCallContext, connection: Connection, mut arguments: Arguments) -> RhaiResult {
    let value = arguments.any(0);
    let blob = blob(&value)?;
    let refuse = |what: &str| raise("ValueError", format!("send_bytes(): {what}"));
    let offset = arguments.int(1)?.unwrap_or(0);
    let offset = usize::try_from(offset).map_err(|_| refuse("offset is negative"))?;
    let rest = blob.get(offset..).ok_or_else(|| refuse("buffer length < offset"))?;
    let bytes = match arguments.int(2)? {
        None => rest,
        Some(size) => {
            let size = usize::try_from(size).map_err(|_| refuse("size is negative"))?;
            rest.get(..size).ok_or_else(|| refuse("buffer length < offset + size"))?
        }
    };
    connection.send_bytes(bytes)?;
    Ok(Dynamic::UNIT)
}

/// Receives a message of bytes into `blob`, from `offset` on; how many it were.
fn recv_bytes_into(connection: &Connection, blob: &mut [u8], offset: i64) -> Result<i64, Raise> {
    let size = blob.len();
    let refuse = |what: &str| raise("ValueError", format!("recv_bytes_into(): {what}"));
    let offset = usize::try_from(offset).map_err(|_| refuse("negative offset"))?;
    let place = blob.get_mut(offset..).ok_or_else(|| refuse("offset too large"))?;
    connection.receive(None, |bytes| match place.get_mut(..bytes.len()) {
        Some(place) => {
            place.copy_from_slice(bytes);
            Ok(i64::try_from(bytes.len()).unwrap_or(i64::MAX))
        }
        None => {
            let (length, room) = (bytes.len(), size - offset);
            let message =
                format!("a message of {length} bytes, and room for {room}: it is in the error's data");
            let message = Error::new("BufferTooShort", message);
            Err(message.with_data("message", Dynamic::from_blob(bytes.to_vec())).raise())
        }
    })
}

/// A blob that is an argument is a copy: what was received would be lost with it.
fn recv_bytes_into_argument(connection: &Connection, value: &Dynamic) -> RhaiResult {
    connection.number()?;
    let what = described(value);
    let advice = "the blob stands in front: blob.recv_bytes_into(connection, offset)";
    Err(raise("TypeError", format!("recv_bytes_into() can't change {what} that is an argument; {advice}")))
}
