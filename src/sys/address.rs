//! Where a socket can be reached: a path, an abstract name of Linux, or a host's address and a port.

use std::ffi::OsStr;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::sys::socket::{AddressFamily, SockaddrIn, SockaddrIn6, SockaddrLike, SockaddrStorage, UnixAddr};

/// The most bytes of a path, or of an abstract name without its leading NUL.
pub const LONGEST: usize = 107;

/// See the head of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A socket file.
    Path(PathBuf),
    /// A name that no file stands for, without its leading NUL.
    Abstract(Vec<u8>),
    /// A host and a port.
    Host(SocketAddr),
    /// That of a client that did not ask for one, as clients of Unix sockets do not.
    Unnamed,
}

impl Address {
    pub(super) fn family(&self) -> AddressFamily {
        match self {
            Self::Path(_) | Self::Abstract(_) | Self::Unnamed => AddressFamily::Unix,
            Self::Host(SocketAddr::V4(_)) => AddressFamily::Inet,
            Self::Host(SocketAddr::V6(_)) => AddressFamily::Inet6,
        }
    }

    /// As system calls take it.
    pub(super) fn to_system(&self) -> io::Result<Box<dyn SockaddrLike>> {
        Ok(match self {
            Self::Path(path) => Box::new(UnixAddr::new(path)?),
            Self::Abstract(name) => Box::new(UnixAddr::new_abstract(name)?),
            Self::Host(SocketAddr::V4(host)) => Box::new(SockaddrIn::from(*host)),
            Self::Host(SocketAddr::V6(host)) => Box::new(SockaddrIn6::from(*host)),
            Self::Unnamed => Box::new(UnixAddr::new_unnamed()),
        })
    }

    pub(super) fn from_system(storage: &SockaddrStorage) -> Self {
        if let Some(host) = storage.as_sockaddr_in() {
            return Self::Host(SocketAddrV4::from(*host).into());
        }
        if let Some(host) = storage.as_sockaddr_in6() {
            return Self::Host(SocketAddrV6::from(*host).into());
        }
        let Some(unix) = storage.as_unix_addr() else { return Self::Unnamed };
        match (unix.path(), unix.as_abstract()) {
            (Some(path), _) => Self::Path(path.to_owned()),
            (None, Some(name)) => Self::Abstract(name.to_owned()),
            (None, None) => Self::Unnamed,
        }
    }
}

/// As people write it; an abstract name begins with `\0`.
impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Abstract(name) => write!(f, "\\0{}", OsStr::from_bytes(name).display()),
            Self::Host(host) => write!(f, "{host}"),
            Self::Unnamed => f.write_str("(no address)"),
        }
    }
}
