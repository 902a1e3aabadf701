//! What carries a connection's messages: a pipe, inside of the session, or a socket, which may lead out of it.

use rhai::Dynamic;

use crate::arena::table::Waiting;
use crate::pipe::{self, PipeEnd};
use crate::script::carry::{Abroad, Carry};
use crate::script::raise::{Raise, interrupted, out_of_memory, raise, refused};
use crate::script::socket::fault;
use crate::socket::end::SocketEnd;
use crate::sync::watch::{self, Watched};
use crate::sys::clock::Deadline;
use crate::wire::Handles;

/// See the head of this file. A clone is the same end.
#[derive(Clone)]
pub enum Carrier {
    Pipe(PipeEnd),
    Socket(SocketEnd),
}

impl Carrier {
    /// What travels; a socket that never got here has nothing that could.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Pipe(end) => Some(end.offset()),
            Self::Socket(end) => end.offset(),
        }
    }

    /// A socket's descriptor. A pipe has none: a number that tells it from the others of the session.
    pub fn number(&self) -> Result<i64, Raise> {
        match self {
            Self::Pipe(end) => Ok(i64::try_from(end.offset()).unwrap_or(0)),
            Self::Socket(end) => end.number().map(i64::from).map_err(fault::of_end),
        }
    }

    /// Whether it can receive at all.
    pub fn is_readable(&self) -> bool {
        match self {
            Self::Pipe(end) => end.is_readable(),
            Self::Socket(end) => end.is_readable(),
        }
    }

    /// Whether it can send at all.
    pub fn is_writable(&self) -> bool {
        match self {
            Self::Pipe(end) => end.is_writable(),
            Self::Socket(end) => end.is_writable(),
        }
    }

    /// What becomes of the shared objects in a message.
    pub fn handles(&self) -> &'static dyn Handles {
        match self {
            Self::Pipe(_) => &Carry,
            Self::Socket(_) => &Abroad,
        }
    }

    /// Sends a copy of `value`.
    pub fn send(&self, value: &Dynamic) -> Result<(), Raise> {
        match self {
            Self::Pipe(end) => end.send(value, self.handles()).map_err(not_sent),
            Self::Socket(end) => end.send(value, self.handles()).map_err(fault::of_end),
        }
    }

    /// Sends these bytes as one message.
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), Raise> {
        match self {
            Self::Pipe(end) => end.send_bytes(bytes).map_err(not_sent),
            Self::Socket(end) => end.send_bytes(bytes).map_err(fault::of_end),
        }
    }

    /// Receives a message, which `read` gets with the objects that it refers to. A socket takes none that is too
    /// long for a blob of `most` bytes.
    pub fn receive<T>(&self, most: Option<usize>, read: impl FnOnce(&[u8], &[u64]) -> T) -> Result<T, Raise> {
        match self {
            Self::Pipe(end) => end.receive(read).map_err(not_received),
            Self::Socket(end) => {
                let most = most.map(|most| most as u64);
                end.receive(most, |message| read(message, &[])).map_err(fault::of_end)
            }
        }
    }

    /// Waits until there is something to receive, or never will be; whether that is so.
    pub fn poll(&self, deadline: Deadline) -> Result<bool, Raise> {
        match self {
            Self::Pipe(end) => {
                let ready = watch::wait(&[end], deadline, Waiting::Get).map_err(|_| interrupted())?;
                Ok(ready.contains(&true))
            }
            Self::Socket(end) => end.poll(deadline).map_err(fault::of_end),
        }
    }

    /// As `wait` sees it.
    pub fn watched(&self) -> Box<dyn Watched> {
        match self {
            Self::Pipe(end) => Box::new(end.clone()),
            Self::Socket(end) => Box::new(end.clone()),
        }
    }
}

fn not_sent(error: pipe::SendError) -> Raise {
    match error {
        pipe::SendError::Refused(error) => refused(error),
        pipe::SendError::Interrupted => interrupted(),
        pipe::SendError::OutOfMemory(error) => out_of_memory(error),
        pipe::SendError::ReadOnly => raise("OSError", error.to_string()),
        pipe::SendError::Broken => raise("BrokenPipeError", error.to_string()),
    }
}

fn not_received(error: pipe::ReceiveError) -> Raise {
    match error {
        pipe::ReceiveError::Interrupted => interrupted(),
        pipe::ReceiveError::WriteOnly => raise("OSError", error.to_string()),
        pipe::ReceiveError::End => raise("EOFError", error.to_string()),
    }
}
