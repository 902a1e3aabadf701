//! What scripts call an address, and how the system does.
//!
//! `"host:port"` and a host with a port are of the network; all other text is the path of a socket file, and text
//! that begins with a NUL character an abstract name. A family that is named says which it is.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use crate::sys::address::{Address, LONGEST};

/// The families that scripts can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Unix,
    Inet,
    Inet6,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unix, Self::Inet, Self::Inet6];

    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unix => "AF_UNIX",
            Self::Inet => "AF_INET",
            Self::Inet6 => "AF_INET6",
        }
    }

    /// The family of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

/// Why there is no such address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The text is none.
    #[error("{0}")]
    Malformed(String),
    /// The host's name means nothing to the system.
    #[error("the host '{host}' can't be found: {error}")]
    Unknown { host: String, error: io::Error },
}

/// The address that `text` means.
///
/// # Errors
/// [`AddressError`].
pub fn parse(text: &str, family: Option<Family>) -> Result<Address, AddressError> {
    if text.starts_with(r"\\") {
        return malformed(format!("the address {text:?} is that of a pipe of Windows: AF_PIPE is not there"));
    }
    match (host_and_port(text), family) {
        (Some((name, port)), None | Some(Family::Inet | Family::Inet6)) => host(name, port, family),
        (None, Some(Family::Inet | Family::Inet6)) => {
            malformed(format!("the address {text:?} has no port; an address of the network is \"host:port\""))
        }
        _ => unix(text),
    }
}

/// `host:port`, where the host may be an address of IPv6 in brackets. A path has slashes.
fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(host) => Some((host, port)),
        None => (!host.contains(['/', ':', '\0'])).then_some((host, port)),
    }
}

/// The address of `port` at the host called `name`; no name is every address of this machine, as in Python.
///
/// # Errors
/// [`AddressError`].
pub fn host(name: &str, port: u16, family: Option<Family>) -> Result<Address, AddressError> {
    let six = family == Some(Family::Inet6);
    let known = match name {
        "" if six => Some(Ipv6Addr::UNSPECIFIED.into()),
        "" => Some(Ipv4Addr::UNSPECIFIED.into()),
        "localhost" if six => Some(Ipv6Addr::LOCALHOST.into()),
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        name => name.parse::<IpAddr>().ok(),
    };
    if let Some(ip) = known {
        if family.is_some() && ip.is_ipv6() != six {
            let family = family.map_or("", Family::name);
            return malformed(format!("the address '{name}' is not one of the family {family}"));
        }
        return Ok(Address::Host(SocketAddr::new(ip, port)));
    }
    if family == Some(Family::Unix) {
        return malformed(format!("an address of the family AF_UNIX is a path, not the host '{name}'"));
    }
    let unknown = |error| AddressError::Unknown { host: name.to_owned(), error };
    // The network of most machines is that of IPv4 where both are there.
    let mut all: Vec<SocketAddr> = (name, port).to_socket_addrs().map_err(unknown)?.collect();
    all.sort_by_key(SocketAddr::is_ipv6);
    let wanted = all.into_iter().find(|address| family.is_none() || address.is_ipv6() == six);
    let none = || unknown(io::Error::from(io::ErrorKind::AddrNotAvailable));
    wanted.map(Address::Host).ok_or_else(none)
}

fn unix(text: &str) -> Result<Address, AddressError> {
    let name = text.strip_prefix('\0');
    let length = name.unwrap_or(text).len();
    if length > LONGEST {
        return malformed(format!(
            "an address of a Unix socket has at most {LONGEST} bytes, this one {length}"
        ));
    }
    match name {
        Some(name) => Ok(Address::Abstract(name.as_bytes().to_vec())),
        None if text.is_empty() => malformed("the address is empty".to_owned()),
        None if text.contains('\0') => {
            malformed("a path has no NUL character; an abstract address begins with one".to_owned())
        }
        None => Ok(Address::Path(PathBuf::from(text))),
    }
}

/// What a listener without an address listens at; `None` for a socket file of its own.
pub fn automatic(family: Option<Family>) -> Option<Address> {
    let host = match family? {
        Family::Unix => return None,
        Family::Inet => IpAddr::from(Ipv4Addr::LOCALHOST),
        Family::Inet6 => IpAddr::from(Ipv6Addr::LOCALHOST),
    };
    Some(Address::Host(SocketAddr::new(host, 0)))
}

fn malformed<T>(message: String) -> Result<T, AddressError> {
    Err(AddressError::Malformed(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, family: Option<Family>) -> String {
        match parse(text, family) {
            Ok(Address::Host(host)) => format!("host {host}"),
            Ok(Address::Path(path)) => format!("path {}", path.display()),
            Ok(Address::Abstract(name)) => format!("abstract {}", String::from_utf8_lossy(&name)),
            Ok(Address::Unnamed) => "unnamed".to_owned(),
            Err(AddressError::Malformed(_)) => "malformed".to_owned(),
            Err(AddressError::Unknown { .. }) => "unknown".to_owned(),
        }
    }

    #[test]
    fn text_is_a_host_with_a_port_a_path_or_an_abstract_name() {
        let expected = [
            ("localhost:80", "host 127.0.0.1:80"),
            ("127.0.0.2:0", "host 127.0.0.2:0"),
            (":5000", "host 0.0.0.0:5000"),
            ("[::1]:80", "host [::1]:80"),
            ("/tmp/a:80", "path /tmp/a:80"),
            ("name", "path name"),
            ("localhost:", "path localhost:"),
            ("localhost:99999", "path localhost:99999"),
            ("::1", "path ::1"),
            ("\0name", "abstract name"),
            ("\0a:80", "abstract a:80"),
            ("", "malformed"),
            ("a\0b", "malformed"),
            (r"\\.\pipe\x", "malformed"),
        ];
        for (text, what) in expected {
            assert_eq!(shown(text, None), what, "{text:?}");
        }
        assert_eq!(shown(&"x".repeat(LONGEST), None), format!("path {}", "x".repeat(LONGEST)));
        assert_eq!(shown(&"x".repeat(LONGEST + 1), None), "malformed");
    }

    #[test]
    fn a_family_that_is_named_decides() {
        assert_eq!(shown("localhost:80", Some(Family::Unix)), "path localhost:80");
        assert_eq!(shown("localhost:80", Some(Family::Inet6)), "host [::1]:80");
        assert_eq!(shown("127.0.0.1:80", Some(Family::Inet6)), "malformed");
        assert_eq!(shown("/tmp/a", Some(Family::Inet)), "malformed");
        assert!(matches!(host("x", 1, Some(Family::Unix)), Err(AddressError::Malformed(_))));
    }

    #[test]
    fn a_host_that_nobody_knows_is_named_in_the_error() {
        let error = host("no.such.host.invalid", 80, None).expect_err("reserved for this");
        assert!(error.to_string().contains("no.such.host.invalid"), "{error}");
    }
}
