//! An end of a connection as one process has it, and values through it.
//!
//! ```text
//! open --close--> closed        lost: it was sent here, and could not be taken over
//! ```
//!
//! To close it means: this process is done with it. Another that it was sent to goes on.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;

use rhai::Dynamic;

use super::open::{Lost, Open};
use super::stream::{KEEP, StreamError};
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;
use crate::wire::{self, DecodeError, EncodeError, Handles};

/// See the head of this file.
#[derive(Debug)]
pub struct End(RefCell<State>);

#[derive(Debug)]
enum State {
    Open(Rc<Open>),
    Lost(Lost),
    Closed,
}

/// Why nothing was sent or received.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// This process has closed it.
    #[error("handle is closed")]
    Closed,
    /// It never got here.
    #[error("this connection can't be used: {0}")]
    Lost(Lost),
    /// Something in the value can't travel.
    #[error(transparent)]
    Refused(#[from] EncodeError),
    /// What arrived is not a value.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// What goes wrong with messages.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl From<GaveUp> for EndError {
    fn from(why: GaveUp) -> Self {
        Self::Stream(why.into())
    }
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with a buffer that is kept from call to call, unless it has become large.
fn buffered<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| {
        let result = work(buffer);
        buffer.clear();
        buffer.shrink_to(KEEP);
        result
    })
}

impl End {
    /// The end that this process has made.
    pub fn new(open: Rc<Open>) -> Self {
        Self(RefCell::new(State::Open(open)))
    }

    /// The end that is at `offset`, which somebody holds while this is called. One that can't be taken over is
    /// lost, which whoever uses it is told.
    pub fn attach(offset: u64) -> Self {
        let state = Open::attach(offset).map_or_else(State::Lost, State::Open);
        Self(RefCell::new(state))
    }

    /// The socket.
    ///
    /// # Errors
    /// [`EndError`] if this process does not have it.
    pub fn open(&self) -> Result<Rc<Open>, EndError> {
        match &*self.0.borrow() {
            State::Open(open) => Ok(Rc::clone(open)),
            State::Lost(lost) => Err(EndError::Lost(lost.clone())),
            State::Closed => Err(EndError::Closed),
        }
    }

    /// Where it is, if this process has it: what travels.
    pub fn offset(&self) -> Option<u64> {
        self.open().ok().map(|open| open.endpoint().offset())
    }

    /// Sends a copy of `value`.
    ///
    /// # Errors
    /// [`EndError`]; a value that can't travel is not sent at all.
    pub fn send(&self, value: &Dynamic, handles: &dyn Handles) -> Result<(), EndError> {
        let open = self.open()?;
        buffered(|bytes| {
            wire::encode(value, "value", handles, bytes, &mut Vec::new())?;
            Ok(open.send(bytes)?)
        })
    }

    /// Receives a value.
    ///
    /// # Errors
    /// [`EndError`].
    pub fn receive(&self, handles: &dyn Handles) -> Result<Dynamic, EndError> {
        let open = self.open()?;
        buffered(|bytes| {
            open.receive(bytes, None, Deadline::Never)?;
            Ok(wire::decode(bytes, &[], handles)?)
        })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// [`EndError`].
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), EndError> {
        Ok(self.open()?.send(bytes)?)
    }

    /// Receives the next message as bytes, of which there may be at most `limit`.
    ///
    /// # Errors
    /// [`EndError`].
    pub fn receive_bytes(&self, limit: Option<u64>) -> Result<Vec<u8>, EndError> {
        let open = self.open()?;
        let mut bytes = Vec::new();
        open.receive(&mut bytes, limit, Deadline::Never)?;
        Ok(bytes)
    }

    /// Whether there is something to receive, if only the end, at the deadline.
    ///
    /// # Errors
    /// [`EndError`].
    pub fn poll(&self, deadline: Deadline) -> Result<bool, EndError> {
        Ok(self.open()?.poll(deadline)?)
    }

    /// Whether messages can be received. Half a message makes an end of that.
    pub fn is_readable(&self) -> bool {
        self.open().is_ok_and(|open| !open.endpoint().receiving().is_broken())
    }

    /// Whether messages can be sent.
    pub fn is_writable(&self) -> bool {
        self.open().is_ok_and(|open| !open.endpoint().sending().is_broken())
    }

    /// Whether this process has closed it.
    pub fn is_closed(&self) -> bool {
        matches!(&*self.0.borrow(), State::Closed)
    }

    /// This process is done with it.
    pub fn close(&self) {
        // What this is the last of is closed when nothing is borrowed any more.
        let _before = self.0.replace(State::Closed);
    }

    /// The number of its descriptor.
    ///
    /// # Errors
    /// [`EndError`].
    pub fn number(&self) -> Result<RawFd, EndError> {
        Ok(self.open()?.socket().as_fd().as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use rhai::{Array, Engine};

    use super::*;
    use crate::arena::testing::session;
    use crate::sync::endpoint;
    use crate::sys::socket::pair;
    use crate::wire::NoHandles;

    fn ends() -> (End, End) {
        endpoint::register();
        let (one, other) = pair().expect("two sockets");
        let end = |socket| End::new(Open::new(socket, None).expect("memory"));
        (end(one), end(other))
    }

    #[test]
    fn values_and_bytes_arrive_as_they_were() {
        let _session = session();
        let (one, other) = ends();
        let value: Dynamic =
            Engine::new().eval(r#"[1, 2.25, (), #{ a: "ä\x00", b: ['x', true] }, 1..5]"#).expect("a value");
        one.send(&value, &NoHandles).expect("room");
        one.send_bytes(b"").expect("room");
        one.send_bytes(b"bytes").expect("room");
        let received = other.receive(&NoHandles).expect("a value");
        assert_eq!(format!("{received:?}"), format!("{value:?}"));
        assert!(other.poll(Deadline::after(Some(0.0))).expect("open"));
        assert_eq!(other.receive_bytes(None).expect("a message"), b"");
        assert_eq!(other.receive_bytes(Some(5)).expect("a message"), b"bytes");
        assert!(!other.poll(Deadline::after(Some(0.0))).expect("open"));
    }

    #[test]
    fn what_can_not_be_decoded_is_an_error_and_the_next_message_is_whole() {
        let _session = session();
        let (one, other) = ends();
        one.send_bytes(&[255, 1, 2]).expect("room");
        one.send(&7_i64.into(), &NoHandles).expect("room");
        assert!(matches!(other.receive(&NoHandles), Err(EndError::Decode(_))));
        assert_eq!(other.receive(&NoHandles).expect("a value").as_int(), Ok(7));
    }

    #[test]
    fn a_message_that_is_too_long_makes_an_end_of_receiving() {
        let _session = session();
        let (one, other) = ends();
        one.send_bytes(b"12345").expect("room");
        assert!(matches!(other.receive_bytes(Some(4)), Err(EndError::Stream(StreamError::Frame(_)))));
        assert!(!other.is_readable() && other.is_writable());
        assert!(matches!(other.receive_bytes(None), Err(EndError::Stream(StreamError::Spoiled))));
        other.send_bytes(b"back").expect("room");
        assert_eq!(one.receive_bytes(None).expect("a message"), b"back");
    }

    #[test]
    fn a_value_that_can_not_travel_is_not_sent() {
        let _session = session();
        let (one, other) = ends();
        let nested: Array = vec![Dynamic::from(std::rc::Rc::new(1_u8))];
        assert!(matches!(one.send(&nested.into(), &NoHandles), Err(EndError::Refused(_))));
        assert!(!other.poll(Deadline::after(Some(0.0))).expect("open"));
    }

    #[test]
    fn a_closed_end_says_so_and_so_does_the_other() {
        let _session = session();
        let (one, other) = ends();
        one.send_bytes(b"last").expect("room");
        one.close();
        one.close();
        assert!(one.is_closed() && matches!(one.send_bytes(b"x"), Err(EndError::Closed)));
        assert_eq!(other.receive_bytes(None).expect("sent before"), b"last");
        assert!(other.poll(Deadline::after(Some(0.0))).expect("the end counts"));
        assert!(matches!(other.receive_bytes(None), Err(EndError::Stream(StreamError::Ended))));
        assert!(matches!(other.send_bytes(b"x"), Err(EndError::Stream(StreamError::Closed))));
    }
}
