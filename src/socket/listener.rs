//! A listener: clients connect to it, prove that they have the key, and are accepted one by one.
//!
//! ```text
//! waiting with the system --> pending: its handshake goes on --> accepted
//!                                      \--> refused, ended, or silent for too long: dropped
//! ```
//!
//! Invariants
//! 1. The handshakes of all pending clients go on side by side inside `accept`: a client that is silent, slow or
//!    hostile delays nobody else.
//! 2. There are at most [`MOST`] pending clients; the oldest makes room, as an honest one does not take long.
//! 3. A client has [`PATIENCE`] for its handshake. Only the time that is spent in `accept` counts.
//!
//! A client that fails to prove itself makes `accept` fail; one that never tried (some other program's bytes, a
//! disconnect, silence) does not concern the script. The listener goes on either way.
//!
//! Owner death: the kernel closes the sockets; the socket file goes with the endpoint (see `sync::endpoint`).

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::address::{Family, automatic};
use super::greeting::{Greeting, GreetingError};
use super::handshake::{Handshake, Refused};
use super::open::{Open, tidy};
use crate::arena::table::{Waiting, waiting_for};
use crate::sync::readiness::sleep_on_descriptors;
use crate::sync::wait::GaveUp;
use crate::sys::address::Address;
use crate::sys::clock::Deadline;
use crate::sys::descriptor::Want;
use crate::sys::socket::{Socket, is_of_client};
use crate::sys::socket_file;

/// How long a client may take to prove itself.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Clients whose handshakes go on at one time.
pub const MOST: usize = 64;

/// See the head of this file.
pub struct Listener {
    open: Rc<Open>,
    address: Address,
    key: Option<Vec<u8>>,
    pending: VecDeque<Pending>,
    left: Instant,
}

struct Pending {
    greeting: Greeting,
    address: Address,
    until: Instant,
}

/// Why nobody was accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// Nobody came until the deadline, or Ctrl-C came.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// A client that did not prove itself, and where it came from.
    #[error("the client at {address} was refused: {refused}")]
    Refused { address: Address, refused: Refused },
    /// What the system says.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Listener {
    /// A listener at `address`, or at one of its own.
    ///
    /// # Errors
    /// If the address is in use, or may not be used.
    pub fn new(
        address: Option<Address>,
        family: Option<Family>,
        backlog: i32,
        key: Option<Vec<u8>>,
    ) -> io::Result<Self> {
        let (socket, file) = match address.or_else(|| automatic(family)) {
            None => socket_file::listen_anywhere(backlog).map(|(socket, file)| (socket, Some(file)))?,
            Some(Address::Path(path)) => {
                socket_file::listen(&path, backlog).map(|(socket, file)| (socket, Some(file)))?
            }
            Some(address) => (Socket::listen(&address, backlog)?, None),
        };
        let address = socket.address()?;
        let open = Open::new(socket, file.as_ref()).inspect_err(|_| {
            if let Some(file) = &file {
                file.remove();
            }
        })?;
        Ok(Self { open, address, key, pending: VecDeque::new(), left: Instant::now() })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What the session knows of it.
    pub fn open(&self) -> &Rc<Open> {
        &self.open
    }

    /// Listens no more, and removes its socket file, whoever else has the socket by a fork.
    pub fn close(self) {
        self.open.endpoint().remove_file();
    }

    /// The next client that has proved itself, and where it comes from.
    ///
    /// # Errors
    /// [`AcceptError`]; the listener goes on.
    pub fn accept(&mut self, deadline: Deadline) -> Result<(Rc<Open>, Address), AcceptError> {
        tidy();
        let away = self.left.elapsed();
        self.pending.iter_mut().for_each(|client| client.until += away);
        let accepted = self.accept_until(deadline);
        self.left = Instant::now();
        accepted
    }

    fn accept_until(&mut self, deadline: Deadline) -> Result<(Rc<Open>, Address), AcceptError> {
        loop {
            if let Some(accepted) = self.go_on()? {
                return Ok(accepted);
            }
            self.pending.retain(|client| client.until > Instant::now());
            let soonest = self.pending.iter().map(|client| client.until).min();
            let wake = match (deadline, soonest) {
                (Deadline::At(end), Some(soonest)) => Deadline::At(end.min(soonest)),
                (Deadline::Never, Some(soonest)) => Deadline::At(soonest),
                (deadline, None) => deadline,
            };
            match self.sleep(wake) {
                // The time of a client, and not that of the caller.
                Err(GaveUp::TimedOut) if deadline.slice(PATIENCE).is_some() => {}
                slept => slept?,
            }
        }
    }

    /// Sleeps until a client comes or goes on.
    fn sleep(&mut self, deadline: Deadline) -> Result<(), GaveUp> {
        let mut wanted = vec![(self.open.socket().as_fd(), Want::Read)];
        wanted.extend(self.pending.iter_mut().map(|client| client.greeting.wants()));
        waiting_for(Waiting::Socket, self.open.endpoint().offset(), || {
            sleep_on_descriptors(&wanted, &mut Vec::new(), deadline)
        })
    }

    /// Takes in new clients, and lets all go on that can, the oldest first.
    fn go_on(&mut self) -> Result<Option<(Rc<Open>, Address)>, AcceptError> {
        self.take_in()?;
        let mut index = 0;
        while let Some(client) = self.pending.get_mut(index) {
            let outcome = client.greeting.go_on();
            if let Ok(false) = outcome {
                index += 1;
                continue;
            }
            let Some(Pending { greeting, address, .. }) = self.pending.remove(index) else { break };
            match outcome {
                Ok(_) => return Ok(Some((Open::new(greeting.into_socket(), None)?, address))),
                Err(GreetingError::Refused(refused)) if refused.is_worth_telling() => {
                    return Err(AcceptError::Refused { address, refused });
                }
                Err(_) => {}
            }
        }
        Ok(None)
    }

    fn take_in(&mut self) -> Result<(), AcceptError> {
        for _ in 0..MOST {
            let (socket, address) = match self.open.socket().accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if is_of_client(&error) => continue,
                Err(error) => return Err(error.into()),
            };
            if self.pending.len() >= MOST {
                self.pending.pop_front();
            }
            let handshake = Handshake::of_listener(self.key.as_deref())?;
            let until = Instant::now() + PATIENCE;
            self.pending.push_back(Pending { greeting: Greeting::new(socket, handshake), address, until });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
