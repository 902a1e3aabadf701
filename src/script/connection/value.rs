//! A connection as scripts see it: one end of something that messages go through.
//!
//! ```text
//! open --close--> closed
//!   \--a message was longer than allowed--> closed, or, where it can send, open and not readable
//! ```
//!
//! A value and its copies in one process are one view of the end; what another process has, or what arrives
//! in a message, is a view of its own. An end is over when its last view is closed or gone.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rhai::Dynamic;

use super::carrier::Carrier;
use crate::script::raise::{Raise, RhaiResult, raise, unreadable};
use crate::sync::watch::Watched;
use crate::sys::clock::Deadline;
use crate::wire;

/// See the head of this file. A clone is the same view.
#[derive(Clone)]
pub struct Connection(Rc<View>);

struct View {
    /// `None` once it is closed.
    end: RefCell<Option<Carrier>>,
    readable: Cell<bool>,
    writable: bool,
}

impl From<Carrier> for Connection {
    fn from(end: Carrier) -> Self {
        let (readable, writable) = (Cell::new(end.is_readable()), end.is_writable());
        Self(Rc::new(View { end: RefCell::new(Some(end)), readable, writable }))
    }
}

impl Connection {
    /// The end, for as long as a call takes.
    fn end(&self) -> Result<Carrier, Raise> {
        self.0.end.borrow().clone().ok_or_else(|| raise("OSError", "handle is closed"))
    }

    fn end_to_read(&self) -> Result<Carrier, Raise> {
        let end = self.end()?;
        match self.0.readable.get() {
            true => Ok(end),
            false => Err(raise("OSError", "connection is write-only")),
        }
    }

    /// What travels, unless it is closed.
    pub fn offset(&self) -> Option<u64> {
        self.0.end.borrow().as_ref().and_then(Carrier::offset)
    }

    /// A socket's descriptor, or a number that tells a pipe's end from the others of the session.
    pub fn number(&self) -> Result<i64, Raise> {
        self.end()?.number()
    }

    /// Whether it is closed in this process.
    pub fn is_closed(&self) -> bool {
        self.0.end.borrow().is_none()
    }

    /// Whether it can receive.
    pub fn is_readable(&self) -> bool {
        self.0.readable.get() && self.0.end.borrow().as_ref().is_none_or(Carrier::is_readable)
    }

    /// Whether it can send.
    pub fn is_writable(&self) -> bool {
        self.0.writable
    }

    /// This process is done with it.
    pub fn close(&self) {
        self.0.end.take();
    }

    /// Sends a copy of `value`.
    pub fn send(&self, value: &Dynamic) -> Result<(), Raise> {
        self.end()?.send(value)
    }

    /// Sends these bytes as one message.
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), Raise> {
        self.end()?.send_bytes(bytes)
    }

    /// Receives a value.
    pub fn recv(&self) -> RhaiResult {
        let end = self.end_to_read()?;
        let handles = end.handles();
        end.receive(None, |bytes, references| wire::decode(bytes, references, handles))?.map_err(unreadable)
    }

    /// Receives a message of bytes, which `read` gets. One of more than `most` bytes is an error, and the end of
    /// reading here.
    pub fn receive<T>(
        &self,
        most: Option<usize>,
        read: impl FnOnce(&[u8]) -> Result<T, Raise>,
    ) -> Result<T, Raise> {
        let end = self.end_to_read()?;
        let handles = end.handles();
        let received = end.receive(most, |message, references| match wire::blob(message) {
            Some(bytes) if most.is_some_and(|most| bytes.len() > most) => Ok(None),
            Some(bytes) => read(bytes).map(Some),
            None => Err(not_bytes(wire::decode(message, references, handles).map_err(unreadable)?)),
        });
        if let Some(result) = received?? {
            return Ok(result);
        }
        if self.0.writable {
            self.0.readable.set(false);
        } else {
            self.close();
        }
        Err(raise("OSError", "bad message length: the message is longer than was allowed"))
    }

    /// Waits until there is something to receive, or never will be; whether that is so.
    pub fn poll(&self, deadline: Deadline) -> Result<bool, Raise> {
        let end = self.end_to_read()?;
        end.poll(deadline)
    }

    /// What `wait` waits for.
    pub fn watched(&self) -> Result<Box<dyn Watched>, Raise> {
        Ok(self.end_to_read()?.watched())
    }

    /// Whether both are the same end.
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0) || self.offset().is_some() && self.offset() == other.offset()
    }

    /// As `print` shows it.
    pub fn text(&self) -> String {
        let ways = match (self.is_readable(), self.is_writable()) {
            (true, true) => "both ways",
            (true, false) => "read-only",
            (false, true) => "write-only",
            (false, false) => "spoiled",
        };
        if self.is_closed() { "<Connection, closed>".to_owned() } else { format!("<Connection {ways}>") }
    }
}

/// The error of whoever wants bytes where a value came; the value is in its data.
fn not_bytes(value: Dynamic) -> Raise {
    let kind = crate::script::signature::described(&value);
    let message = format!("the message is no bytes but a value ({kind}): recv() receives it");
    wire::Error::new("TypeError", message).with_data("value", value).raise()
}
