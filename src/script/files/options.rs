//! The trailing map of named arguments, such as `#{exist_ok: true}`.

use rhai::{Dynamic, Map};

use super::Outcome;
use crate::wire::Error;

/// Takes the option `name` out of `options`.
pub fn take(options: &mut Map, name: &str) -> Option<Dynamic> {
    options.remove(name)
}

/// Refuses what nobody took.
///
/// # Errors
/// `TypeError` that lists the names that `function` knows.
pub fn refuse_rest(options: &Map, function: &str, known: &[&str]) -> Outcome<()> {
    match options.keys().next() {
        None => Ok(()),
        Some(name) => {
            let known = known.join(", ");
            let message = format!("{function}() has no option '{name}'; it knows: {known}");
            Err(Error::new("TypeError", message).raise())
        }
    }
}

/// The error for an option of the wrong type or value.
pub fn wrong(kind: &'static str, function: &str, name: &str, wanted: &str) -> Error {
    Error::new(kind, format!("{function}(): '{name}' must be {wanted}"))
}
