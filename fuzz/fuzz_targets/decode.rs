//! Decodes arbitrary bytes. What decodes is a value: it can be encoded, and what that gives is
//! the same value again.
//!
//! `cargo +nightly fuzz run decode`

#![no_main]

use libfuzzer_sys::fuzz_target;
use rhai::Dynamic;
use stook::wire::{Handles, decode, encode};

/// Stands for a shared object.
#[derive(Clone)]
struct Token(u64);

struct Tokens;

impl Handles for Tokens {
    fn detach(&self, value: &Dynamic) -> Option<u64> {
        value.read_lock::<Token>().map(|token| token.0)
    }

    fn attach(&self, offset: u64) -> Option<Dynamic> {
        (offset < 100).then(|| Dynamic::from(Token(offset)))
    }
}

fn encoded(value: &Dynamic) -> (Vec<u8>, Vec<u64>) {
    let (mut bytes, mut attachments) = (Vec::new(), Vec::new());
    encode(value, "value", &Tokens, &mut bytes, &mut attachments)
        .expect("what has been decoded can be encoded");
    (bytes, attachments)
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = decode(bytes, &[1, 2, 3, 1000], &Tokens) {
        let first = encoded(&value);
        let again = decode(&first.0, &first.1, &Tokens).expect("what has been encoded");
        assert_eq!(encoded(&again), first);
    }
});
