//! Whole messages through a socket that several processes may have.
//!
//! Invariants
//! 1. Who sends or receives a message is alone in the passage (see `sync::passage`), so messages never mix. Nobody
//!    is in there while waiting for the first byte of a message, or for room for one.
//! 2. A message that was begun is finished, or this direction is spoiled for everybody: nobody could tell where
//!    the next one begins.

use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::AsFd;

use super::framing::{FrameError, HEADER, Incoming, REFUSED, header};
use super::open::{Open, tidy};
use crate::arena::table::{Waiting, waiting_for};
use crate::sync::passage::PassageError;
use crate::sync::readiness::wait_for_descriptor;
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;
use crate::sys::descriptor::Want;

/// A buffer that grew beyond this is not kept.
pub const KEEP: usize = 1 << 20;

/// Why a message was not sent or received.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The time was over, or Ctrl-C came.
    #[error(transparent)]
    GaveUp(GaveUp),
    /// The other end is closed, and everything it sent was received.
    #[error("the other end is closed")]
    Ended,
    /// It ended in the middle of a message.
    #[error("the other end was closed, or its process killed, in the middle of a message")]
    CutOff,
    /// Nobody is there to receive what is sent.
    #[error("the other end is closed: nobody is there to receive")]
    Closed,
    /// A process stopped in the middle of a message.
    #[error("a process stopped in the middle of a message: nothing more goes this way")]
    Spoiled,
    /// The message can't be taken.
    #[error(transparent)]
    Frame(FrameError),
    /// There is no memory for it.
    #[error("there is no memory for the message")]
    Memory,
    /// What the system says.
    #[error(transparent)]
    System(io::Error),
}

impl From<GaveUp> for StreamError {
    fn from(why: GaveUp) -> Self {
        Self::GaveUp(why)
    }
}

impl From<PassageError> for StreamError {
    fn from(error: PassageError) -> Self {
        match error {
            PassageError::GaveUp(why) => Self::GaveUp(why),
            PassageError::Broken => Self::Spoiled,
        }
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

/// How far one attempt got.
enum Attempt {
    /// The message is through.
    Whole,
    /// Nothing could be done yet: wait, outside of the passage.
    NotYet,
}

impl Open {
    /// Sends `message`, waiting until there is room for it.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn send(&self, message: &[u8]) -> Result<(), StreamError> {
        tidy();
        let (passage, guard) = (self.endpoint().sending(), self.endpoint().guard());
        loop {
            passage.take(guard, Deadline::Never)?;
            let mut begun = false;
            match self.write(message, &mut begun) {
                Ok(Attempt::Whole) => {
                    passage.leave(guard);
                    return Ok(());
                }
                Ok(Attempt::NotYet) => passage.leave(guard),
                Err(error) => {
                    if begun {
                        passage.spoil(guard);
                        // The peer is not to wait for the rest.
                        self.socket().finish();
                    } else {
                        passage.leave(guard);
                    }
                    return Err(error);
                }
            }
            self.wait(Want::Write, Deadline::Never)?;
        }
    }

    fn write(&self, message: &[u8], begun: &mut bool) -> Result<Attempt, StreamError> {
        let header = header(message);
        let mut sent = 0;
        while sent < HEADER + message.len() {
            let head = header.get(sent..).unwrap_or_default();
            let body = message.get(sent.saturating_sub(HEADER)..).unwrap_or_default();
            match self.socket().send(&[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(count) => {
                    sent += count;
                    *begun = true;
                }
                Err(error) if would_block(&error) && !*begun => return Ok(Attempt::NotYet),
                Err(error) if would_block(&error) => self.wait(Want::Write, Deadline::Never)?,
                Err(error) => return Err(self.not_sent(error)),
            }
        }
        Ok(Attempt::Whole)
    }

    /// A listener that refused this client said so before it closed the connection.
    fn not_sent(&self, error: io::Error) -> StreamError {
        let mut answer = [0; HEADER];
        let refused = self.socket().peek(&mut answer).is_ok_and(|count| count == HEADER);
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                if refused && u64::from_le_bytes(answer) == REFUSED =>
            {
                StreamError::Frame(FrameError::Refused)
            }
            ErrorKind::BrokenPipe => StreamError::Closed,
            _ => StreamError::System(error),
        }
    }

    /// Receives the next message, of at most `limit` bytes, into `buffer`.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn receive(
        &self,
        buffer: &mut Vec<u8>,
        limit: Option<u64>,
        deadline: Deadline,
    ) -> Result<(), StreamError> {
        tidy();
        let (passage, guard) = (self.endpoint().receiving(), self.endpoint().guard());
        loop {
            passage.take(guard, deadline)?;
            let mut incoming = Incoming::new(buffer, limit);
            match self.read(&mut incoming) {
                Ok(Attempt::Whole) => {
                    passage.leave(guard);
                    return Ok(());
                }
                Ok(Attempt::NotYet) => passage.leave(guard),
                Err(error) => {
                    if incoming.is_untouched() {
                        passage.leave(guard)
                    } else {
                        passage.spoil(guard)
                    }
                    return Err(error);
                }
            }
            self.wait(Want::Read, deadline)?;
        }
    }

    fn read(&self, incoming: &mut Incoming<'_>) -> Result<Attempt, StreamError> {
        loop {
            let begun = !incoming.is_untouched();
            let received = self.socket().receive(incoming.room().map_err(|_| StreamError::Memory)?);
            match received {
                Ok(0) if begun => return Err(StreamError::CutOff),
                Ok(0) => return Err(StreamError::Ended),
                Ok(count) => match incoming.filled(count) {
                    Ok(true) => return Ok(Attempt::Whole),
                    Ok(false) => {}
                    Err(error) => return Err(StreamError::Frame(error)),
                },
                Err(error) if would_block(&error) && !begun => return Ok(Attempt::NotYet),
                Err(error) if would_block(&error) => self.wait(Want::Read, Deadline::Never)?,
                // It closed without receiving everything that it was sent.
                Err(error) if error.kind() == ErrorKind::ConnectionReset && !begun => {
                    return Err(StreamError::Ended);
                }
                Err(error) => return Err(StreamError::System(error)),
            }
        }
    }

    /// Waits until there is something to receive, if only the end; whether there is at the deadline.
    ///
    /// # Errors
    /// [`GaveUp::Interrupted`] at Ctrl-C.
    pub fn poll(&self, deadline: Deadline) -> Result<bool, GaveUp> {
        tidy();
        // Without time to wait, it is looked all the same.
        if crate::sys::descriptor::is_ready(self.socket().as_fd(), Want::Read) {
            return Ok(true);
        }
        match self.wait(Want::Read, deadline) {
            Ok(()) => Ok(true),
            Err(GaveUp::TimedOut) => Ok(false),
            Err(GaveUp::Interrupted) => Err(GaveUp::Interrupted),
        }
    }

    fn wait(&self, want: Want, deadline: Deadline) -> Result<(), GaveUp> {
        waiting_for(Waiting::Socket, self.endpoint().offset(), || {
            wait_for_descriptor(self.socket().as_fd(), want, deadline, self.glance())
        })
    }
}
