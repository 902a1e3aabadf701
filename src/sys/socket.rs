//! Stream sockets that never block and that no other program inherits.
//!
//! The one exception is [`Socket::wait_and_receive`], where that was asked for. A call that would have to wait says
//! [`std::io::ErrorKind::WouldBlock`]: whoever wants to wait does so with `descriptor::poll`. A signal ends no other
//! call here: what it interrupts is made again.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    self as system, Backlog, MsgFlags, Shutdown, SockFlag, SockType, SockaddrStorage, sockopt,
};

use super::address::Address;

/// See the head of this file.
#[derive(Debug)]
pub struct Socket(OwnedFd);

/// Makes an interrupted call again.
fn uninterrupted<T>(mut call: impl FnMut() -> nix::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

impl Socket {
    fn new(address: &Address) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = Self(system::socket(address.family(), SockType::Stream, flags, None)?);
        if let Address::Host(_) = address {
            system::setsockopt(&socket.0, sockopt::ReuseAddr, &true)?;
            socket.send_at_once()?;
        }
        Ok(socket)
    }

    /// Messages are small and somebody waits for each.
    fn send_at_once(&self) -> io::Result<()> {
        Ok(system::setsockopt(&self.0, sockopt::TcpNoDelay, &true)?)
    }

    /// A peer that does not answer for minutes, because its machine or the way to it is gone, is as good as closed.
    pub fn keep_alive(&self) {
        // Only sockets of the network have these, and one without them is a socket all the same.
        let _ = system::setsockopt(&self.0, sockopt::KeepAlive, &true);
        let _ = system::setsockopt(&self.0, sockopt::TcpKeepIdle, &60);
        let _ = system::setsockopt(&self.0, sockopt::TcpKeepInterval, &15);
        let _ = system::setsockopt(&self.0, sockopt::TcpKeepCount, &4);
        let _ = system::setsockopt(&self.0, sockopt::TcpUserTimeout, &120_000);
    }

    /// The socket of a descriptor that was one.
    pub fn from_descriptor(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    /// A socket on which `backlog` clients may wait to be accepted.
    ///
    /// # Errors
    /// If the address is in use, is nobody's on this machine, or may not be used.
    pub fn listen(address: &Address, backlog: i32) -> io::Result<Self> {
        let socket = Self::new(address)?;
        system::bind(socket.0.as_raw_fd(), &*address.to_system()?)?;
        let backlog = Backlog::new(backlog.clamp(0, i32::from(i16::MAX))).unwrap_or(Backlog::MAXCONN);
        system::listen(&socket.0, backlog)?;
        Ok(socket)
    }

    /// A client that waits to be accepted, and where it comes from.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; a client that is gone already gives an error of its own.
    pub fn accept(&self) -> io::Result<(Self, Address)> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let descriptor = uninterrupted(|| system::accept4(self.0.as_raw_fd(), flags))?;
        // SAFETY: the call above has just made this descriptor, and nobody else knows it.
        let client = Self(unsafe { OwnedFd::from_raw_fd(descriptor) });
        let address = system::getpeername::<SockaddrStorage>(client.0.as_raw_fd());
        let address = address.map_or(Address::Unnamed, |address| Address::from_system(&address));
        if let Address::Host(_) = address {
            client.send_at_once()?;
        }
        Ok((client, address))
    }

    /// Begins to connect to `address`; whether that is done already. If not, the socket becomes writable when it
    /// is, and [`Socket::trouble`] says how it went.
    ///
    /// # Errors
    /// If nobody listens there; `WouldBlock` if a listener on a Unix socket has too many clients waiting.
    pub fn connect(address: &Address) -> io::Result<(Self, bool)> {
        let socket = Self::new(address)?;
        match system::connect(socket.0.as_raw_fd(), &*address.to_system()?) {
            Ok(()) => Ok((socket, true)),
            // An interrupted attempt goes on by itself.
            Err(Errno::EINPROGRESS | Errno::EINTR) => Ok((socket, false)),
            Err(error) => Err(error.into()),
        }
    }

    /// What went wrong with this socket since this was last asked.
    pub fn trouble(&self) -> Option<io::Error> {
        match system::getsockopt(&self.0, sockopt::SocketError) {
            Ok(0) => None,
            Ok(number) => Some(io::Error::from_raw_os_error(number)),
            Err(error) => Some(error.into()),
        }
    }

    /// The address that this end has.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn address(&self) -> io::Result<Address> {
        let address = system::getsockname::<SockaddrStorage>(self.0.as_raw_fd())?;
        Ok(Address::from_system(&address))
    }

    /// Sends as much of the pieces as there is room for; how many bytes. A closed peer gives an error, no signal.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; what the system says of the connection.
    pub fn send(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        let number = self.0.as_raw_fd();
        match pieces {
            // The system has less to take apart.
            [piece] => uninterrupted(|| system::send(number, piece, flags)),
            pieces => uninterrupted(|| system::sendmsg::<()>(number, pieces, &[], flags, None)),
        }
    }

    /// Takes what has arrived, at most `buffer` of it; how many bytes. 0 is the end.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has arrived; what the system says of the connection.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(buffer, MsgFlags::MSG_DONTWAIT)
    }

    /// From now on [`Socket::wait_and_receive`] waits, and for at most `limit`. All else is as before.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn let_wait(&self, limit: std::time::Duration) -> io::Result<()> {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};
        let flags = OFlag::from_bits_retain(fcntl(&self.0, FcntlArg::F_GETFL)?);
        fcntl(&self.0, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
        let limit = nix::sys::time::TimeVal::new(
            limit.as_secs().try_into().unwrap_or(0),
            limit.subsec_micros().into(),
        );
        Ok(system::setsockopt(&self.0, sockopt::ReceiveTimeout, &limit)?)
    }

    /// As [`Socket::receive`], but waits for something to arrive if that was allowed: one system call for what
    /// are two otherwise.
    ///
    /// # Errors
    /// As [`Socket::receive`]; `Interrupted` if a signal came.
    pub fn wait_and_receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(system::recv(self.0.as_raw_fd(), buffer, MsgFlags::empty())?)
    }

    /// As [`Socket::receive`], but what has arrived stays.
    ///
    /// # Errors
    /// As [`Socket::receive`].
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(buffer, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_PEEK)
    }

    fn take(&self, buffer: &mut [u8], flags: MsgFlags) -> io::Result<usize> {
        uninterrupted(|| system::recv(self.0.as_raw_fd(), buffer, flags))
    }

    /// Ends the connection for everybody who has it, whatever other descriptors there are of it.
    pub fn shut_down(&self) {
        // It may be at an end already.
        let _ = system::shutdown(self.0.as_raw_fd(), Shutdown::Both);
    }

    /// Sends no more: the peer sees the end behind what was sent.
    pub fn finish(&self) {
        let _ = system::shutdown(self.0.as_raw_fd(), Shutdown::Write);
    }

    /// A number that this socket alone has, of all that the machine ever makes.
    ///
    /// # Errors
    /// If the descriptor is no socket.
    pub fn cookie(&self) -> io::Result<u64> {
        let mut cookie = 0_u64;
        let mut length = libc::socklen_t::try_from(size_of::<u64>()).unwrap_or(0);
        // SAFETY: the option is a word of 64 bits, which there is room for.
        let code = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_COOKIE,
                (&raw mut cookie).cast(),
                &raw mut length,
            )
        };
        if code == 0 { Ok(cookie) } else { Err(Errno::last().into()) }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether an error of [`Socket::accept`] is about the client that was to be accepted, and not about the listener
/// or a lack of descriptors or memory.
pub fn is_of_client(error: &io::Error) -> bool {
    let ours =
        [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EBADF, libc::EINVAL, libc::ENOTSOCK];
    error.raw_os_error().is_some_and(|number| !ours.contains(&number))
}

/// Two sockets that are connected to each other.
///
/// # Errors
/// If the system has no room for them.
pub fn pair() -> io::Result<(Socket, Socket)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (one, other) = system::socketpair(system::AddressFamily::Unix, SockType::Stream, None, flags)?;
    Ok((Socket(one), Socket(other)))
}
