//! A listener as scripts have it.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::Dynamic;

use super::address::to_value;
use super::fault;
use crate::script::raise::{Raise, raise};
use crate::socket::listener::Listener as Listening;
use crate::socket::open::Open;
use crate::sys::address::Address;
use crate::sys::clock::Deadline;

/// See the head of this file. A clone is the same listener.
#[derive(Clone)]
pub struct Listener(Rc<State>);

struct State {
    address: Address,
    /// `None` once it is closed.
    listening: RefCell<Option<Listening>>,
    last: RefCell<Option<Address>>,
}

impl Listener {
    /// The listener that scripts get.
    pub fn new(listening: Listening) -> Self {
        let address = listening.address().clone();
        Self(Rc::new(State { address, listening: RefCell::new(Some(listening)), last: RefCell::new(None) }))
    }

    /// The next client that has proved itself.
    pub fn accept(&self, deadline: Deadline) -> Result<Rc<Open>, Raise> {
        let mut listening = self.0.listening.borrow_mut();
        let listening = listening.as_mut().ok_or_else(|| raise("OSError", "listener is closed"))?;
        let (open, address) =
            listening.accept(deadline).map_err(|error| fault::not_accepted(error, &self.0.address))?;
        *self.0.last.borrow_mut() = Some(address);
        Ok(open)
    }

    /// Listens no more, and removes its socket file.
    pub fn close(&self) {
        if let Some(listening) = self.0.listening.take() {
            listening.close();
        }
    }

    /// Where its socket is.
    pub fn offset(&self) -> Option<u64> {
        self.0.listening.borrow().as_ref().map(|listening| listening.open().endpoint().offset())
    }

    /// Where it listens, or did.
    pub fn address(&self) -> Dynamic {
        to_value(&self.0.address)
    }

    /// Where the client that was accepted last came from; `()` before the first.
    pub fn last_accepted(&self) -> Dynamic {
        self.0.last.borrow().as_ref().map_or(Dynamic::UNIT, to_value)
    }

    /// As `print` shows it.
    pub fn text(&self) -> String {
        let closed = if self.0.listening.borrow().is_none() { ", closed" } else { "" };
        format!("<Listener at {}{closed}>", self.0.address)
    }
}
