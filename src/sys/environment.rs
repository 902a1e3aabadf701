//! The environment variables as bytes: what exec wants, and what travels to the fork server's children.

use std::env;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::libc;

/// The environment as it is now, one `NAME=value` each.
pub fn environment() -> Vec<CString> {
    env::vars_os()
        .filter_map(|(name, value)| {
            let mut entry = name.into_vec();
            entry.push(b'=');
            entry.extend_from_slice(value.as_bytes());
            CString::new(entry).ok()
        })
        .collect()
}

/// The environment as one piece: `NAME=value`, each ended by a zero byte.
pub fn packed() -> Vec<u8> {
    let mut packed = Vec::new();
    for entry in entries() {
        packed.extend_from_slice(entry.to_bytes_with_nul());
    }
    packed
}

/// What the C library has, in its order.
fn entries() -> impl Iterator<Item = &'static CStr> {
    unsafe extern "C" {
        static environ: *const *const libc::c_char;
    }
    // SAFETY: the array that the C library keeps ends with a null pointer and names strings that end with a
    // zero byte; the process runs one thread, so nobody changes it while the iterator lives.
    let at = |index| unsafe {
        let entry = if environ.is_null() { std::ptr::null() } else { *environ.add(index) };
        (!entry.is_null()).then(|| CStr::from_ptr(entry))
    };
    (0..).map_while(at)
}

/// Whether [`packed`] would give this.
fn is(wanted: &[u8]) -> bool {
    let mut rest = Some(wanted);
    for entry in entries() {
        rest = rest.and_then(|rest| rest.strip_prefix(entry.to_bytes_with_nul()));
    }
    rest.is_some_and(<[u8]>::is_empty)
}

/// Makes the environment what [`packed`] gave in another process.
pub fn unpack(wanted: &[u8]) {
    if is(wanted) {
        return;
    }
    let entries = wanted.split(|byte| *byte == 0).filter_map(|entry| {
        // A name may begin with `=`, but has no other.
        let equals = entry.iter().skip(1).position(|byte| *byte == b'=')? + 1;
        Some((OsStr::from_bytes(entry.get(..equals)?), OsStr::from_bytes(entry.get(equals + 1..)?)))
    });
    let wanted: Vec<(&OsStr, &OsStr)> = entries.collect();
    let present: Vec<(OsString, OsString)> = env::vars_os().collect();
    for (name, _) in &present {
        if !wanted.iter().any(|(other, _)| *other == name.as_os_str()) {
            remove(name);
        }
    }
    for (name, value) in wanted {
        if !present.iter().any(|(other, old)| other == name && old == value) {
            set(name, value);
        }
    }
}

/// Sets a variable. The name is not empty and has neither `=` behind its first byte nor zero bytes, the value
/// no zero bytes.
pub fn set(name: &OsStr, value: &OsStr) {
    // SAFETY: the process runs one thread: nobody reads the environment at this moment.
    unsafe { env::set_var(name, value) };
}

/// Removes a variable, if it is there.
pub fn remove(name: &OsStr) {
    // SAFETY: as above.
    unsafe { env::remove_var(name) };
}

/// Whether `name` and `value` may stand in an environment.
pub fn is_valid(name: &OsStr, value: &OsStr) -> bool {
    let (name, value) = (name.as_bytes(), value.as_bytes());
    !name.is_empty() && !name.contains(&b'=') && !name.contains(&0) && !value.contains(&0)
}
