//! The queue that scripts know: values through a channel.
//!
//! `put` hands the encoded value over before it returns: there is no feeder, so nothing is lost when the
//! process ends or is killed right after, and join before get does not block.
//!
//! | file | concept |
//! |---|---|
//! | `view` | a queue as one process has it |

pub mod view;

use rhai::Dynamic;

use crate::arena::blocks::OutOfMemory;
use crate::sync::channel::{Channel, PutError, Shape, TakeError};
use crate::sys::clock::Deadline;
use crate::wire::{self, DecodeError, EncodeError, Handles};

/// What a `SimpleQueue` holds before `put` waits for a reader, in bytes: as much as a pipe.
const PIPE: u64 = 64 << 10;

/// The kinds of queues that scripts know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    Queue,
    Joinable,
    Simple,
}

impl Flavor {
    const ALL: [Self; 3] = [Self::Queue, Self::Joinable, Self::Simple];
}

/// A queue; a clone is the same queue.
#[derive(Clone, Debug)]
pub struct Queue(Channel);

/// Why a value was not put.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Something in it can't travel; it takes no place.
    #[error(transparent)]
    Refused(#[from] EncodeError),
    /// The queue is full, closed, or out of memory.
    #[error(transparent)]
    Put(#[from] PutError),
}

/// Why no value was got.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The queue is empty or closed.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// What arrived is not a value: the sender is of another build, or memory is short.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Queue {
    /// Makes a queue of that kind, of at most `limit` values; 0 is no limit.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(flavor: Flavor, limit: u64) -> Result<Self, OutOfMemory> {
        let capacity = if flavor == Flavor::Simple { PIPE } else { 0 };
        Channel::shaped(Shape { limit, capacity, flavor: flavor as u64 }).map(Self)
    }

    /// Which kind it is.
    pub fn flavor(&self) -> Flavor {
        let number = self.0.flavor();
        Flavor::ALL.into_iter().find(|flavor| *flavor as u64 == number).unwrap_or(Flavor::Queue)
    }

    /// The queue at `offset`, which somebody holds while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        Channel::open(offset).map(Self)
    }

    /// The messages below.
    pub fn channel(&self) -> &Channel {
        &self.0
    }

    /// Puts a copy of `value`.
    ///
    /// # Errors
    /// [`SendError`]; the queue is then as it was.
    pub fn put(&self, value: &Dynamic, handles: &dyn Handles, deadline: Deadline) -> Result<(), SendError> {
        wire::with_draft(|draft, references| {
            wire::encode(value, "value", handles, draft, references)?;
            Ok(self.0.put_draft(draft, references, deadline)?)
        })
    }

    /// Takes the oldest value.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub fn get(&self, handles: &dyn Handles, deadline: Deadline) -> Result<Dynamic, ReceiveError> {
        wire::with_buffer(|buffer| {
            let message = self.0.take(buffer, deadline)?;
            Ok(wire::decode(message.bytes(buffer), &message.references(), handles)?)
        })
    }
}
