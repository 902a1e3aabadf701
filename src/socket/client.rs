//! A client: it connects to a listener and proves that it has the key, if it is given one.
//!
//! Without a key it says so and goes on at once, as the listener may accept it later; a listener that wants a key
//! refuses it where its first message would stand (see `framing`).

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::rc::Rc;

use super::greeting::{Greeting, GreetingError};
use super::handshake::Handshake;
use super::open::{Open, tidy};
use crate::arena::table::{Waiting, waiting_for};
use crate::sync::glance::Glance;
use crate::sync::readiness::wait_for_descriptor;
use crate::sync::wait::{GaveUp, sleep_until};
use crate::sys::address::Address;
use crate::sys::clock::Deadline;
use crate::sys::descriptor::Want;
use crate::sys::socket::Socket;

/// Before trying again when a listener has too many clients waiting, in seconds: the system tells nobody when
/// there is room.
const PAUSE: f64 = 0.01;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The listener did not answer until the deadline, or Ctrl-C came.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// The handshake came to nothing.
    #[error(transparent)]
    Greeting(#[from] GreetingError),
    /// Nobody listens there, or the system has no room.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A connection to the listener at `address`, which has the same key.
///
/// # Errors
/// [`ConnectError`].
pub fn connect(address: &Address, key: Option<&[u8]>, deadline: Deadline) -> Result<Rc<Open>, ConnectError> {
    tidy();
    waiting_for(Waiting::Socket, 0, || {
        let glance = Glance::new();
        let socket = connected(address, deadline, &glance)?;
        let mut greeting = Greeting::new(socket, Handshake::of_client(key)?);
        while !greeting.go_on()? {
            let (descriptor, want) = greeting.wants();
            wait_for_descriptor(descriptor, want, deadline, &glance)?;
        }
        Ok(Open::new(greeting.into_socket(), None)?)
    })
}

fn connected(address: &Address, deadline: Deadline, glance: &Glance) -> Result<Socket, ConnectError> {
    loop {
        match Socket::connect(address) {
            Ok((socket, true)) => return Ok(socket),
            Ok((socket, false)) => {
                wait_for_descriptor(socket.as_fd(), Want::Write, deadline, glance)?;
                return match socket.trouble() {
                    None => Ok(socket),
                    Some(error) => Err(error.into()),
                };
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if deadline.slice(std::time::Duration::MAX).is_none() {
                    return Err(GaveUp::TimedOut.into());
                }
                sleep_until(Deadline::after(Some(PAUSE)))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
