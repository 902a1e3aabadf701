//! What goes wrong with listeners, clients and messages between them, as errors of scripts.

use std::io;

use crate::script::files::fault;
use crate::script::raise::{Raise, interrupted, raise, refused};
use crate::socket::client::ConnectError;
use crate::socket::end::EndError;
use crate::socket::framing::FrameError;
use crate::socket::greeting::GreetingError;
use crate::socket::listener::AcceptError;
use crate::socket::stream::StreamError;
use crate::sync::wait::GaveUp;
use crate::sys::address::Address;

/// What the system said about `address`.
pub fn of_system(address: &Address, error: &io::Error) -> Raise {
    fault::on(&address.to_string(), error).raise()
}

/// Nobody was accepted.
pub fn not_accepted(error: AcceptError, address: &Address) -> Raise {
    match error {
        AcceptError::GaveUp(GaveUp::Interrupted) => interrupted(),
        AcceptError::GaveUp(GaveUp::TimedOut) => {
            raise("TimeoutError", format!("no client came to {address} in time"))
        }
        AcceptError::Refused { .. } => raise("AuthenticationError", error.to_string()),
        AcceptError::System(error) => of_system(address, &error),
    }
}

/// There is no connection to the listener at `address`.
pub fn not_connected(error: ConnectError, address: &Address) -> Raise {
    match error {
        ConnectError::GaveUp(GaveUp::Interrupted) => interrupted(),
        ConnectError::GaveUp(GaveUp::TimedOut) => raise(
            "TimeoutError",
            format!("the listener at {address} did not answer in time: is it in accept()?"),
        ),
        ConnectError::Greeting(GreetingError::Refused(refused)) => {
            raise("AuthenticationError", format!("no connection to the listener at {address}: {refused}"))
        }
        ConnectError::Greeting(GreetingError::Ended) => {
            raise("EOFError", format!("the listener at {address} closed the connection, or was killed"))
        }
        ConnectError::Greeting(GreetingError::System(error)) | ConnectError::System(error) => {
            of_system(address, &error)
        }
    }
}

/// A message was not sent or received.
fn of_stream(error: StreamError) -> Raise {
    match error {
        StreamError::GaveUp(GaveUp::Interrupted) => interrupted(),
        StreamError::GaveUp(GaveUp::TimedOut) => raise("TimeoutError", "no message came in time"),
        StreamError::Ended => raise("EOFError", error.to_string()),
        StreamError::Closed => raise("BrokenPipeError", error.to_string()),
        StreamError::Memory => raise("MemoryError", error.to_string()),
        StreamError::Frame(FrameError::Refused) => raise("AuthenticationError", error.to_string()),
        StreamError::CutOff | StreamError::Spoiled | StreamError::Frame(_) => {
            raise("OSError", error.to_string())
        }
        StreamError::System(error) => fault::on("the connection", &error).raise(),
    }
}

/// An end of a connection did not do what was asked.
pub fn of_end(error: EndError) -> Raise {
    match error {
        EndError::Lost(_) => raise("OSError", error.to_string()),
        EndError::Refused(error) => refused(error),
        EndError::Stream(error) => of_stream(error),
    }
}
