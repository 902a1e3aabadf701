//! The pipe that scripts know: values and bytes between two ends.
//!
//! A pipe holds 64 KiB in each direction, then `send` waits; a message that has no room even alone is sent all
//! the same, and its sender waits until it is received. A message is received whole or not at all, however many
//! processes use an end.

use rhai::Dynamic;

use crate::arena::blocks::OutOfMemory;
use crate::sync::channel::{Channel, PutError, TakeError};
use crate::sync::end::{self, End};
use crate::sync::watch::Watched;
use crate::sys::clock::Deadline;
use crate::wire::{self, EncodeError, Handles};

/// Bytes that a pipe holds in each direction.
const CAPACITY: u64 = 64 << 10;

/// One end of a pipe; a clone is the same end.
#[derive(Clone, Debug)]
pub struct PipeEnd(End);

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// This end does not send.
    #[error("connection is read-only")]
    ReadOnly,
    /// Something in the value can't travel.
    #[error(transparent)]
    Refused(#[from] EncodeError),
    /// Nobody has the other end any more.
    #[error("the other end of the pipe is closed")]
    Broken,
    /// Ctrl-C while there was no room.
    #[error("interrupted")]
    Interrupted,
    /// There is no memory for it.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// Why nothing was received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// This end does not receive.
    #[error("connection is write-only")]
    WriteOnly,
    /// Nobody has the other end any more, and everything it sent has been received.
    #[error("the other end of the pipe is closed")]
    End,
    /// Ctrl-C while there was nothing.
    #[error("interrupted")]
    Interrupted,
}

impl From<PutError> for SendError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Closed => Self::Broken,
            PutError::GaveUp(_) => Self::Interrupted,
            PutError::OutOfMemory(error) => Self::OutOfMemory(error),
        }
    }
}

impl From<TakeError> for ReceiveError {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Closed => Self::End,
            TakeError::GaveUp(_) => Self::Interrupted,
        }
    }
}

/// Makes a pipe: two ends that both send and receive, or, not `duplex`, one that receives and one that sends.
///
/// # Errors
/// [`OutOfMemory`].
pub fn pipe(duplex: bool) -> Result<(PipeEnd, PipeEnd), OutOfMemory> {
    let (first, second) = end::pair(duplex, CAPACITY)?;
    Ok((PipeEnd(first), PipeEnd(second)))
}

impl PipeEnd {
    /// The end at `offset`, which somebody holds while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        End::open(offset).map(Self)
    }

    /// Where it is: what travels.
    pub fn offset(&self) -> u64 {
        self.0.offset()
    }

    /// Whether it can receive.
    pub fn is_readable(&self) -> bool {
        self.0.inbox().is_some()
    }

    /// Whether it can send.
    pub fn is_writable(&self) -> bool {
        self.0.outbox().is_some()
    }

    fn outbox(&self) -> Result<&Channel, SendError> {
        self.0.outbox().ok_or(SendError::ReadOnly)
    }

    fn inbox(&self) -> Result<&Channel, ReceiveError> {
        self.0.inbox().ok_or(ReceiveError::WriteOnly)
    }

    /// Sends a copy of `value`.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent then.
    pub fn send(&self, value: &Dynamic, handles: &dyn Handles) -> Result<(), SendError> {
        let outbox = self.outbox()?;
        wire::with_draft(|draft, references| {
            wire::encode(value, "value", handles, draft, references)?;
            Ok(outbox.put_draft(draft, references, Deadline::Never)?)
        })
    }

    /// Sends `bytes`, as a message that is a blob.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent then.
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
        let outbox = self.outbox()?;
        wire::with_draft(|draft, _| {
            wire::encode_blob(bytes, draft);
            Ok(outbox.put_draft(draft, &[], Deadline::Never)?)
        })
    }

    /// Receives a message: `read` gets its bytes and the objects that it refers to.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub fn receive<T>(&self, read: impl FnOnce(&[u8], &[u64]) -> T) -> Result<T, ReceiveError> {
        let inbox = self.inbox()?;
        wire::with_buffer(|buffer| {
            let message = inbox.take(buffer, Deadline::Never)?;
            Ok(read(message.bytes(buffer), &message.references()))
        })
    }
}

impl Watched for PipeEnd {
    /// There is something to receive, or never will be. An end that does not receive never is ready.
    fn look(&self) -> bool {
        self.0.inbox().is_some_and(Watched::look)
    }

    fn object(&self) -> u64 {
        self.offset()
    }
}
