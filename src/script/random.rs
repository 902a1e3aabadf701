//! Random numbers, under the names of Python's `random`. Every process has its own: a forked child does not
//! repeat its parent's.

use std::cell::Cell;

use fastrand::Rng;
use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::raise::{Raise, raise};
use crate::sys::identity;

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["random", "randint", "uniform", "choice", "shuffle", "seed"];

thread_local! {
    /// The generator, and the process that it belongs to.
    static GENERATOR: Cell<Option<(u32, Rng)>> = const { Cell::new(None) };
}

fn with<T>(take: impl FnOnce(&mut Rng) -> T) -> T {
    let me = identity::pid();
    let mut generator = match GENERATOR.take() {
        Some((owner, generator)) if owner == me => generator,
        _ => Rng::with_seed(fresh_seed()),
    };
    let taken = take(&mut generator);
    GENERATOR.set(Some((me, generator)));
    taken
}

fn fresh_seed() -> u64 {
    let mut bytes = [0; 8];
    // Without the system's randomness, the process and the moment have to do.
    match identity::random(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => crate::sys::clock::monotonic_ns() ^ u64::from(identity::pid()) << 40,
    }
}

/// Registers the functions.
pub fn register(engine: &mut Engine) {
    engine
        .register_fn("random", || with(Rng::f64))
        .register_fn("uniform", |low: Dynamic, high: Dynamic| -> Result<f64, Raise> {
            let (low, high) = (number(&low)?, number(&high)?);
            Ok(low + (high - low) * with(Rng::f64))
        })
        .register_fn("randint", |low: i64, high: i64| -> Result<i64, Raise> {
            if low > high {
                return Err(raise("ValueError", format!("empty range for randint({low}, {high})")));
            }
            Ok(with(|generator| generator.i64(low..=high)))
        })
        .register_fn("choice", |_: NativeCallContext, items: Array| -> Result<Dynamic, Raise> {
            let chosen = with(|generator| items.get(generator.usize(..items.len().max(1))).cloned());
            chosen.ok_or_else(|| raise("IndexError", "cannot choose from an empty array"))
        })
        .register_fn("shuffle", |items: &mut Array| with(|generator| generator.shuffle(items)))
        .register_fn("seed", |seed: i64| {
            GENERATOR.set(Some((identity::pid(), Rng::with_seed(seed as u64))));
        });
}

fn number(value: &Dynamic) -> Result<f64, Raise> {
    super::signature::seconds(value).ok_or_else(|| {
        raise("TypeError", format!("a number is wanted, not {}", super::signature::described(value)))
    })
}
