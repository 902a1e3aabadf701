//! A handshake that is going on over a socket.
//!
//! It moves when the socket is ready and stops when it is not, so one process can have many of them going on.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::handshake::{Handshake, Refused, SIZE};
use crate::sys::descriptor::{self, Want};
use crate::sys::socket::Socket;

/// See the head of this file.
pub struct Greeting {
    socket: Socket,
    handshake: Handshake,
    _going_on: GoingOn,
}

/// A descriptor with a handshake.
struct GoingOn(RawFd);

thread_local! {
    /// Those of this process.
    static GOING_ON: RefCell<HashSet<RawFd>> = RefCell::default();
}

/// This process was forked off: its parent's handshakes are its parent's, and end when that ends them.
pub fn forked() {
    GOING_ON.take().into_iter().for_each(descriptor::open_to_nothing);
}

/// Why it came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum GreetingError {
    /// One side refused the other.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The other side closed the connection, or was killed.
    #[error("the other side closed the connection before the handshake was over")]
    Ended,
    /// What the system says.
    #[error(transparent)]
    System(io::Error),
}

impl From<io::Error> for GreetingError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Self::Ended,
            _ => Self::System(error),
        }
    }
}

impl GoingOn {
    fn of(socket: &Socket) -> Self {
        let number = socket.as_fd().as_raw_fd();
        GOING_ON.with_borrow_mut(|all| all.insert(number));
        Self(number)
    }
}

impl Drop for GoingOn {
    fn drop(&mut self) {
        GOING_ON.with_borrow_mut(|all| all.remove(&self.0));
    }
}

impl Greeting {
    /// The handshake of `socket`, which is connected.
    pub fn new(socket: Socket, handshake: Handshake) -> Self {
        Self { _going_on: GoingOn::of(&socket), socket, handshake }
    }

    /// What it waits for.
    pub fn wants(&mut self) -> (BorrowedFd<'_>, Want) {
        let want = if self.handshake.outgoing().is_empty() { Want::Read } else { Want::Write };
        (self.socket.as_fd(), want)
    }

    /// Goes on as far as that is possible without waiting; whether it is over, and well.
    ///
    /// # Errors
    /// [`GreetingError`]; the other side has been told, if it could be.
    pub fn go_on(&mut self) -> Result<bool, GreetingError> {
        loop {
            match self.step() {
                Ok(true) => {}
                Ok(false) => {
                    return self.handshake.outcome().unwrap_or(Ok(())).map(|()| true).map_err(Into::into);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // What can't be said to somebody who is refused is not waited for.
                    return match self.handshake.outcome() {
                        Some(Err(refused)) => Err(refused.into()),
                        _ => Ok(false),
                    };
                }
                Err(error) => {
                    return Err(match self.handshake.outcome() {
                        Some(Err(refused)) => refused.into(),
                        _ => error.into(),
                    });
                }
            }
        }
    }

    /// Sends or receives something; `false` if there is nothing left to do.
    fn step(&mut self) -> io::Result<bool> {
        let outgoing = self.handshake.outgoing();
        if !outgoing.is_empty() {
            let sent = self.socket.send(&[IoSlice::new(outgoing)])?;
            outgoing.drain(..sent);
            return Ok(true);
        }
        let mut buffer = [0; SIZE];
        let Some(room) = buffer.get_mut(..self.handshake.wants()).filter(|room| !room.is_empty()) else {
            return Ok(false);
        };
        match self.socket.receive(room)? {
            0 => Err(ErrorKind::BrokenPipe.into()),
            count => {
                self.handshake.receive(buffer.get(..count).unwrap_or_default());
                Ok(true)
            }
        }
    }

    /// The socket of a handshake that is over.
    pub fn into_socket(self) -> Socket {
        self.socket
    }
}
