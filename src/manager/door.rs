//! The door of a manager's server: where clients come in.
//!
//! It is told of clients when they *begin* to wait, so it notes that they do, and lets in all.

use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use crate::socket::greeting::Greeting;
use crate::socket::handshake::Handshake;
use crate::socket::listener::Listener;
use crate::sys::socket::is_of_client;

/// How long it rests when the system has no room for another client.
const REST: Duration = Duration::from_millis(100);

/// See the head of this file.
pub struct Door {
    listener: Listener,
    key: Vec<u8>,
    /// Whether clients may be waiting with the system, and when to look.
    knocked: Option<Instant>,
}

impl Door {
    /// The door behind this listener, for clients that have the key.
    pub fn new(listener: Listener, key: &[u8]) -> Self {
        Self { listener, key: key.to_vec(), knocked: Some(Instant::now()) }
    }

    /// The number of its descriptor.
    pub fn descriptor(&self) -> RawFd {
        self.listener.open().socket().as_fd().as_raw_fd()
    }

    /// Somebody is there.
    pub fn knock(&mut self) {
        self.knocked = Some(Instant::now());
    }

    /// When to look again, if nobody knocks.
    pub fn patience(&self) -> Option<Duration> {
        self.knocked.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// The next client, whose handshake begins.
    pub fn next_client(&mut self) -> Option<Greeting> {
        if self.knocked.is_none_or(|at| at > Instant::now()) {
            return None;
        }
        loop {
            let socket = match self.listener.open().socket().accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.knocked = None;
                    return None;
                }
                Err(error) if is_of_client(&error) => continue,
                Err(_) => {
                    self.knocked = Some(Instant::now() + REST);
                    return None;
                }
            };
            // One that hears nothing from its peer for minutes learns that by asking.
            socket.keep_alive();
            // One that has no randomness for it can't be let in.
            if let Ok(handshake) = Handshake::of_listener(Some(&self.key)) {
                return Some(Greeting::new(socket, handshake));
            }
        }
    }

    /// Nobody comes in any more.
    pub fn close(self) {
        self.listener.close();
    }
}
