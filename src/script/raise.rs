//! Errors of the layers below, as errors of scripts.

use rhai::{EvalAltResult, Position};

use crate::arena::blocks::OutOfMemory;
use crate::process::child::StartError;
use crate::process::start::PackError;
use crate::queue::{ReceiveError, SendError};
use crate::sync::channel::{PutError, TakeError};
use crate::sync::wait::GaveUp;
use crate::sys::signal;
use crate::wire::{DecodeError, EncodeError, Error};

/// What a function of a script gives.
pub type RhaiResult = Result<rhai::Dynamic, Raise>;

/// An error of a script.
pub type Raise = Box<EvalAltResult>;

/// Raises an error of `kind`.
pub fn raise(kind: &str, message: impl Into<String>) -> Raise {
    Error::new(kind, message.into()).raise()
}

/// The error, from `position` if it says no place itself.
pub fn placed(mut error: Raise, position: Position) -> Raise {
    if error.position().is_none() {
        error.set_position(position);
    }
    error
}

/// Ctrl-C while a call waited: the script may catch it, and go on.
pub fn interrupted() -> Raise {
    signal::take_interrupt();
    raise("KeyboardInterrupt", "")
}

/// The session has no memory left.
pub fn out_of_memory(error: OutOfMemory) -> Raise {
    raise("MemoryError", error.to_string())
}

/// A value can't travel.
pub fn refused(error: EncodeError) -> Raise {
    Error::from(error).raise()
}

/// A process was not started.
pub fn not_started(error: StartError) -> Raise {
    match error {
        StartError::Pack(error) => not_packed(error),
        StartError::Memory(error) => out_of_memory(error),
        StartError::Interrupted => interrupted(),
        StartError::Server(_) => raise("RuntimeError", error.to_string()),
        StartError::TableFull(_) | StartError::Gone => raise("OSError", error.to_string()),
        StartError::System(ref system) if system.kind() == std::io::ErrorKind::NotFound => {
            raise("FileNotFoundError", format!("the program to run is not there: {system}"))
        }
        StartError::System(_) => raise("OSError", error.to_string()),
    }
}

/// Values were not packed.
pub fn not_packed(error: PackError) -> Raise {
    match error {
        PackError::Refused(error) => refused(error),
        PackError::OutOfMemory(error) => out_of_memory(error),
    }
}

/// A value was not put into a queue.
pub fn not_put(error: SendError) -> Raise {
    match error {
        SendError::Refused(error) => refused(error),
        SendError::Put(PutError::GaveUp(GaveUp::TimedOut)) => raise("Full", ""),
        SendError::Put(PutError::GaveUp(GaveUp::Interrupted)) => interrupted(),
        SendError::Put(PutError::Closed) => raise("ShutDown", "the queue is shut down"),
        SendError::Put(PutError::OutOfMemory(error)) => out_of_memory(error),
    }
}

/// No value was got from a queue.
pub fn not_got(error: ReceiveError) -> Raise {
    match error {
        ReceiveError::Take(TakeError::GaveUp(GaveUp::TimedOut)) => raise("Empty", ""),
        ReceiveError::Take(TakeError::GaveUp(GaveUp::Interrupted)) => interrupted(),
        ReceiveError::Take(TakeError::Closed) => raise("ShutDown", "the queue is shut down and empty"),
        ReceiveError::Decode(error) => unreadable(error),
    }
}

/// What arrived is no value, or holds a handle that can't be had.
pub fn unreadable(error: DecodeError) -> Raise {
    if let Some(reason) = error.reason {
        return reason.raise();
    }
    raise("RuntimeError", format!("what arrived can't be read: {error}"))
}
