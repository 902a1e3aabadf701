//! `Listener` and `Client`: connections over sockets, also with processes of other sessions.
//!
//! | file | concept |
//! |---|---|
//! | `address` | addresses as scripts write and read them |
//! | `listener` | a listener as scripts have it |
//! | `fault` | errors of sockets, as errors of scripts |

pub mod address;
pub mod fault;
mod listener;

use rhai::{Dynamic, Engine};

use super::connection;
use super::raise::{Raise, RhaiResult, not_started, raise};
use super::signature::{Arguments, Signature};
use crate::process::method::Method;
use crate::process::watcher;
use crate::socket::client;
use crate::socket::end::SocketEnd;
use crate::socket::listener::Listener as Listening;
use crate::sys::address::Address;
use crate::sys::clock::Deadline;
use listener::Listener;

static LISTENER: Signature =
    Signature { name: "Listener", parameters: &["address", "family", "backlog", "authkey"], required: 0 };
static CLIENT: Signature =
    Signature { name: "Client", parameters: &["address", "family", "authkey", "timeout"], required: 1 };
static ACCEPT: Signature = Signature { name: "Listener.accept", parameters: &["timeout"], required: 0 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["Listener", "Client"];

/// Clients that may wait with the system.
const BACKLOG: i64 = 128;
/// How long a client waits for its listener to answer, in seconds, unless it says how long.
const ANSWER: f64 = 60.0;

/// The shared object behind a listener that is open. It can't be sent, but a forked child has it all the same.
pub fn listener(value: &Dynamic) -> Option<u64> {
    value.read_lock::<Listener>().and_then(|listener| listener.offset())
}

/// Registers the functions and the type.
pub fn register(engine: &mut Engine) {
    LISTENER.context_function(engine, |_, _: Option<Method>, arguments| listen(arguments));
    CLIENT.context_function(engine, |_, _, arguments| connect(arguments));
    ACCEPT.method(engine, |_, listener: Listener, mut arguments| {
        let deadline = arguments.deadline(0)?;
        Ok(connection::of_socket(SocketEnd::Open(listener.accept(deadline)?)))
    });
    engine
        .register_type_with_name::<Listener>("Listener")
        .register_fn("close", |listener: &mut Listener| listener.close())
        .register_get("address", |listener: &mut Listener| listener.address())
        .register_get("last_accepted", |listener: &mut Listener| listener.last_accepted())
        .register_fn("to_string", |listener: &mut Listener| listener.text())
        .register_fn("to_debug", |listener: &mut Listener| listener.text())
        .register_fn("__enter__", |listener: &mut Listener| listener.clone())
        .register_fn("__exit__", |listener: &mut Listener| listener.close());
}

fn listen(mut arguments: Arguments) -> RhaiResult {
    let family = address::family(arguments.string(1)?)?;
    let wanted = arguments.value(0).map(|value| address::named(&value, family)).transpose()?;
    let backlog = arguments.int(2)?.unwrap_or(BACKLOG);
    let backlog = i32::try_from(backlog).map_err(|_| {
        raise("OverflowError", format!("the backlog is a number of clients that may wait, not {backlog}"))
    })?;
    let key = arguments.bytes(3)?;
    if wanted.as_ref().is_none_or(|address| matches!(address, Address::Path(_))) {
        // Before there is a socket file there is somebody who takes it away.
        watcher::running().map_err(not_started)?;
    }
    let listening = Listening::new(wanted.clone(), family, backlog, key);
    let listening = listening.map_err(|error| match &wanted {
        Some(address) => fault::of_system(address, &error),
        None => raise("OSError", format!("there is no place to listen at: {error}")),
    })?;
    Ok(Dynamic::from(Listener::new(listening)))
}

fn connect(mut arguments: Arguments) -> RhaiResult {
    let family = address::family(arguments.string(1)?)?;
    let address = address::named(&arguments.any(0), family)?;
    let key = arguments.bytes(2)?;
    let deadline = Deadline::after(Some(arguments.seconds(3)?.unwrap_or(ANSWER)));
    let open = client::connect(&address, key.as_deref(), deadline);
    let open = open.map_err(|error| -> Raise { fault::not_connected(error, &address) })?;
    Ok(connection::of_socket(SocketEnd::Open(open)))
}
