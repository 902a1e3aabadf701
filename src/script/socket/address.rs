//! Addresses as scripts write and read them: `"host:port"`, `["host", port]`, the path of a socket file, or text
//! that begins with a NUL character.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rhai::{Array, Dynamic};

use crate::script::files::path::{from_disk, to_disk};
use crate::script::raise::{Raise, raise};
use crate::script::signature::described;
use crate::socket::address::{AddressError, Family, host, parse};
use crate::sys::address::Address;

/// The address that a script names.
pub fn named(value: &Dynamic, family: Option<Family>) -> Result<Address, Raise> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return match parse(&text, family).map_err(no_address)? {
            // A path with bytes that are no text stands in the string as the files' functions give it.
            Address::Path(path) => Ok(Address::Path(to_disk(&path.to_string_lossy()).into_owned().into())),
            address => Ok(address),
        };
    }
    let pair = value.as_array_ref().ok().and_then(|pair| match pair.as_slice() {
        [name, port] => Some((name.clone().into_string().ok()?, port.as_int().ok()?)),
        _ => None,
    });
    let Some((name, port)) = pair else {
        let what = described(value);
        return Err(raise(
            "TypeError",
            format!("an address is \"host:port\", [\"host\", port] or the path of a socket, not {what}"),
        ));
    };
    let port = u16::try_from(port)
        .map_err(|_| raise("OverflowError", format!("a port is a number from 0 to 65535, not {port}")))?;
    host(&name, port, family).map_err(no_address)
}

/// The family that a script names.
pub fn family(name: Option<String>) -> Result<Option<Family>, Raise> {
    let Some(name) = name else { return Ok(None) };
    let known = Family::named(&name);
    let all = Family::ALL.map(Family::name).join(", ");
    let unknown = || raise("ValueError", format!("the family '{name}' is not there; there are {all}"));
    known.map(Some).ok_or_else(unknown)
}

/// An address as scripts read it; a client of a Unix socket has none, which is "".
pub fn to_value(address: &Address) -> Dynamic {
    match address {
        Address::Path(path) => from_disk(path.as_os_str()).into(),
        Address::Abstract(name) => format!("\0{}", from_disk(OsStr::from_bytes(name))).into(),
        Address::Host(host) => {
            let pair: Array = vec![host.ip().to_string().into(), i64::from(host.port()).into()];
            pair.into()
        }
        Address::Unnamed => "".into(),
    }
}

fn no_address(error: AddressError) -> Raise {
    let kind = match error {
        AddressError::Malformed(_) => "ValueError",
        AddressError::Unknown { .. } => "OSError",
    };
    raise(kind, error.to_string())
}
