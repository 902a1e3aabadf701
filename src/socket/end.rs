//! One end of a connection over a socket, and values through it.
//!
//! ```text
//! open        lost: it was sent here, and could not be taken over
//! ```
//!
//! An end that is lost arrives all the same, as the message that brought it may hold more; whoever uses it is told.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;

use rhai::Dynamic;

use super::open::{Lost, Open};
use super::stream::{KEEP, StreamError};
use crate::sync::wait::GaveUp;
use crate::sync::watch::Watched;
use crate::sys::clock::Deadline;
use crate::wire::{self, EncodeError, Handles};

/// See the head of this file. A clone is the same end.
#[derive(Clone, Debug)]
pub enum SocketEnd {
    Open(Rc<Open>),
    Lost(Lost),
}

/// Why nothing was sent or received.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// It never got here.
    #[error("this connection can't be used: {0}")]
    Lost(Lost),
    /// Something in the value can't travel.
    #[error(transparent)]
    Refused(#[from] EncodeError),
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

/// Bytes of a message that is a blob, beside those of the blob: its tag and its length.
const AROUND: u64 = 10;

/// Calls `work` with a buffer that is kept from call to call, unless it has become large.
fn buffered<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = BUFFER.take();
    buffer.clear();
    let result = work(&mut buffer);
    if buffer.capacity() <= KEEP {
        BUFFER.set(buffer);
    }
    result
}

impl SocketEnd {
    /// The end at `offset`, which somebody holds while this is called.
    pub fn attach(offset: u64) -> Self {
        Open::attach(offset).map_or_else(Self::Lost, Self::Open)
    }

    fn open(&self) -> Result<&Open, EndError> {
        match self {
            Self::Open(open) => Ok(open),
            Self::Lost(lost) => Err(EndError::Lost(lost.clone())),
        }
    }

    /// Where it is, if this process has it: what travels.
    pub fn offset(&self) -> Option<u64> {
        self.open().ok().map(|open| open.endpoint().offset())
    }

    /// The number of its descriptor.
    ///
    /// # Errors
    /// [`EndError::Lost`].
    pub fn number(&self) -> Result<RawFd, EndError> {
        Ok(self.open()?.socket().as_fd().as_raw_fd())
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

    /// Sends `bytes`, as a message that is a blob.
    ///
    /// # Errors
    /// [`EndError`].
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), EndError> {
        let open = self.open()?;
        buffered(|message| {
            wire::encode_blob(bytes, message);
            Ok(open.send(message)?)
        })
    }

    /// Receives a message, which `read` gets. One that is too long for a blob of `most` bytes is an error, and
    /// nothing can be received after it.
    ///
    /// # Errors
    /// [`EndError`].
    pub fn receive<T>(&self, most: Option<u64>, read: impl FnOnce(&[u8]) -> T) -> Result<T, EndError> {
        let open = self.open()?;
        buffered(|message| {
            open.receive(message, most.map(|most| most.saturating_add(AROUND)), Deadline::Never)?;
            Ok(read(message))
        })
    }

    /// Whether there is something to receive, if only the end, at the deadline.
    ///
    /// # Errors
    /// [`EndError`].
    pub fn poll(&self, deadline: Deadline) -> Result<bool, EndError> {
        Ok(self.open()?.poll(deadline)?)
    }

    /// Whether messages can be received. Half a message makes an end of that; one that is lost says so when it is
    /// tried.
    pub fn is_readable(&self) -> bool {
        self.open().map_or(true, |open| !open.endpoint().receiving().is_broken())
    }

    /// Whether messages can be sent.
    pub fn is_writable(&self) -> bool {
        self.open().map_or(true, |open| !open.endpoint().sending().is_broken())
    }
}

impl Watched for SocketEnd {
    /// There is something to receive, or never will be.
    fn look(&self) -> bool {
        self.poll(Deadline::after(Some(0.0))).unwrap_or(true)
    }

    fn object(&self) -> u64 {
        self.offset().unwrap_or(0)
    }

    fn descriptor(&self) -> Option<RawFd> {
        self.number().ok()
    }
}

#[cfg(test)]
mod tests {
    use rhai::{Array, Engine};

    use super::*;
    use crate::arena::table::Waiting;
    use crate::arena::testing::{Child, session};
    use crate::sync::{endpoint, watch};
    use crate::sys::process::{End, exit_now};
    use crate::sys::socket::pair;
    use crate::wire::NoHandles;

    fn ends() -> (SocketEnd, SocketEnd) {
        endpoint::register();
        let (one, other) = pair().expect("two sockets");
        let end = |socket| SocketEnd::Open(Open::new(socket, None).expect("memory"));
        (end(one), end(other))
    }

    fn value(end: &SocketEnd) -> Result<Dynamic, wire::DecodeError> {
        end.receive(None, |message| wire::decode(message, &[], &NoHandles)).expect("a message")
    }

    fn bytes(end: &SocketEnd, most: Option<u64>) -> Result<Option<Vec<u8>>, EndError> {
        end.receive(most, |message| wire::blob(message).map(<[u8]>::to_vec))
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
        let received = self::value(&other).expect("a value");
        assert_eq!(format!("{received:?}"), format!("{value:?}"));
        assert!(other.poll(Deadline::after(Some(0.0))).expect("open"));
        assert_eq!(bytes(&other, None).expect("a message").as_deref(), Some(&b""[..]));
        assert_eq!(bytes(&other, Some(5)).expect("a message").as_deref(), Some(&b"bytes"[..]));
        assert!(!other.poll(Deadline::after(Some(0.0))).expect("open"));
    }

    #[test]
    fn what_can_not_be_decoded_is_an_error_and_the_next_message_is_whole() {
        let _session = session();
        let (one, other) = ends();
        one.open().expect("open").send(&[255, 1, 2]).expect("room");
        one.send(&7_i64.into(), &NoHandles).expect("room");
        assert!(value(&other).is_err());
        assert_eq!(value(&other).expect("a value").as_int(), Ok(7));
    }

    #[test]
    fn a_message_that_is_too_long_makes_an_end_of_receiving() {
        let _session = session();
        let (one, other) = ends();
        one.send_bytes(&[1; 100]).expect("room");
        assert!(matches!(bytes(&other, Some(4)), Err(EndError::Stream(StreamError::Frame(_)))));
        assert!(!other.is_readable() && other.is_writable());
        assert!(matches!(bytes(&other, None), Err(EndError::Stream(StreamError::Spoiled))));
        other.send_bytes(b"back").expect("room");
        assert_eq!(bytes(&one, None).expect("a message").as_deref(), Some(&b"back"[..]));
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
    fn the_end_of_one_is_the_end_of_the_other() {
        let _session = session();
        let (one, other) = ends();
        one.send_bytes(b"last").expect("room");
        drop(one);
        assert_eq!(bytes(&other, None).expect("sent before").as_deref(), Some(&b"last"[..]));
        assert!(other.poll(Deadline::after(Some(0.0))).expect("the end counts"));
        assert!(matches!(bytes(&other, None), Err(EndError::Stream(StreamError::Ended))));
        assert!(matches!(other.send_bytes(b"x"), Err(EndError::Stream(StreamError::Closed))));
    }

    #[test]
    fn several_things_are_watched_and_a_socket_wakes_the_watcher() {
        let _session = session();
        let (one, other) = ends();
        let (quiet, _its_peer) = ends();
        let watcher = Child::run(|| {
            let things: [&dyn Watched; 2] = [&quiet, &other];
            let ready = watch::wait(&things, Deadline::Never, Waiting::First);
            exit_now(if ready == Ok(vec![false, true]) { 7 } else { 1 });
        });
        while !watcher.id.slot().is_some_and(|slot| slot.waits_now()) {
            std::thread::yield_now();
        }
        one.send_bytes(b"x").expect("room");
        assert_eq!(watcher.wait(), Some(End::Exited(7)));
    }
}
