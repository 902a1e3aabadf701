//! Errors as scripts see them: the type `Error`, and a constructor for each kind.

use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map};

use crate::wire::{Error, KINDS};

/// Registers the type and its constructors.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Error>("Error")
        .register_get("kind", |error: &mut Error| error.kind().clone())
        .register_get("message", |error: &mut Error| error.message().clone())
        .register_get("kinds", |error: &mut Error| -> Array {
            error.kinds().iter().cloned().map(Dynamic::from).collect()
        })
        .register_get("traceback", |error: &mut Error| error.traceback().clone())
        .register_get("data", |error: &mut Error| -> Map { error.data().clone() })
        .register_fn("to_string", |error: &mut Error| error.to_string())
        .register_fn("to_debug", |error: &mut Error| error.to_string())
        .register_fn("==", |one: Error, other: Error| {
            one.kind() == other.kind() && one.message() == other.message()
        })
        .register_fn("!=", |one: Error, other: Error| {
            one.kind() != other.kind() || one.message() != other.message()
        });
    engine.register_fn("Error", |kind: ImmutableString, message: ImmutableString| Error::new(kind, message));
    for (kind, _) in KINDS {
        engine.register_fn(*kind, || Error::new(*kind, ""));
        engine.register_fn(*kind, |message: Dynamic| Error::new(*kind, message.to_string()));
    }
    engine.register_fn("assert", |condition: bool| check(condition, "assertion failed".into()));
    engine.register_fn("assert", |condition: bool, message: Dynamic| check(condition, message.to_string()));
}

fn check(condition: bool, message: String) -> Result<(), Box<EvalAltResult>> {
    if condition { Ok(()) } else { Err(Error::new("AssertionError", message).raise()) }
}
