//! Makes up a program by arbitrary bytes and runs it interpreted and native. Both give, raise and print the same.
//!
//! `cargo +nightly fuzz run native`

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/corpus/mod.rs"]
#[allow(dead_code, reason = "programs by seeds are for the tests")]
mod corpus;

use corpus::differ::Differ;
use corpus::grammar::{self, Width};

thread_local! {
    static DIFFER: Differ = Differ::new();
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let width = if first % 2 == 0 { Width::Numbers } else { Width::Everything };
    let program = grammar::program(&mut Unstructured::new(rest), width);
    let source = program.source();
    // What can't be read is no program.
    if let Ok(findings) = DIFFER.with(|differ| differ.run(&source, &program.entry)) {
        assert!(findings.differences.is_empty(), "{source}\n{}", findings.told());
    }
});
