//! What goes wrong between a proxy and its object, as errors of scripts.

use std::io::ErrorKind;

use rhai::{Dynamic, EvalAltResult, Position};

use crate::manager::link::LinkError;
use crate::manager::site::CallError;
use crate::script::raise::{Raise, interrupted, raise, refused, unreadable};
use crate::script::runtime;
use crate::script::socket::fault::not_connected;
use crate::socket::client::ConnectError;
use crate::socket::framing::FrameError;
use crate::sync::wait::GaveUp;
use crate::wire::{Error, Raised};

/// An error that the server raised, raised here: the value as it was, with the calls there noted in it where it has
/// room for that, and in the report if nobody catches it.
pub fn raised(raised: Raised) -> Raise {
    let Raised { value, traceback } = raised;
    if traceback.is_empty() {
        return EvalAltResult::ErrorRuntime(value, Position::NONE).into();
    }
    let bare =
        value.read_lock::<Error>().filter(|error| error.traceback().is_empty()).map(|error| error.clone());
    let value = bare.map_or(value, |error| Dynamic::from(error.with_traceback(traceback.as_str())));
    runtime::note_traceback(traceback);
    EvalAltResult::ErrorRuntime(value, Position::NONE).into()
}

/// A call gave nothing.
pub fn not_called(error: CallError) -> Raise {
    match error {
        CallError::Raised(error) => raised(*error),
        CallError::Refused(error) => refused(*error),
        CallError::NoServer => raise(
            "RuntimeError",
            "this proxy is of the manager's server that this process was once, or was forked off: it leads nowhere here",
        ),
        CallError::Connect(address, error) if is_nobody(&error) => raise(
            "ConnectionRefusedError",
            format!("no manager serves at {address} any more: it was shut down, has ended, or was killed"),
        ),
        CallError::Connect(address, error) => not_connected(*error, &address),
        CallError::Link(address, error) => match *error {
            LinkError::GaveUp(GaveUp::Interrupted) => interrupted(),
            LinkError::Unreadable(error) => unreadable(error),
            LinkError::Frame(error @ FrameError::TooLong { .. }) => {
                raise("ValueError", format!("this is too much for one call of a manager: {error}"))
            }
            error => {
                let kind = match &error {
                    LinkError::Gone => "EOFError",
                    LinkError::GaveUp(_) => "TimeoutError",
                    _ => "OSError",
                };
                raise(kind, format!("the manager at {address}: {error}"))
            }
        },
    }
}

/// Whether nobody serves there.
fn is_nobody(error: &ConnectError) -> bool {
    matches!(error, ConnectError::System(error)
        if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused))
}
