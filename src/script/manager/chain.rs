//! What a chain of accesses gives back unchanged.
//!
//! `d["a"].len()` is read by the engine, asked, and assigned to `d["a"]` again, as the method could have changed it.
//! For a proxy that would be a second call, and would undo what another process did in between. So what was read
//! last is kept, with its place in the script: an assignment at that very place of that very value is none.

use std::cell::RefCell;

use rhai::{Dynamic, Position};

use crate::manager::proxy::Proxy;
use crate::script::carry::Carry;
use crate::wire::{Handles, encode};

/// The accesses of one chain that are kept.
const DEPTH: usize = 8;

/// What was read.
#[derive(Default)]
struct Read {
    position: Position,
    object: u64,
    /// The key and the value, encoded.
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Reads {
    all: [Read; DEPTH],
    last: usize,
    buffer: Vec<u8>,
}

thread_local! {
    static READS: RefCell<Reads> = RefCell::default();
}

/// Tells objects apart, whatever becomes of them.
struct Same;

impl Handles for Same {
    fn detach(&self, value: &Dynamic) -> Option<u64> {
        match value.read_lock::<Proxy>() {
            Some(proxy) => Some(number(&proxy)),
            None => Carry.detach(value),
        }
    }

    fn attach(&self, _: u64) -> Option<Dynamic> {
        None
    }
}

fn number(proxy: &Proxy) -> u64 {
    match proxy {
        Proxy::Here(object) => object.id,
        Proxy::There(there) => there.id,
    }
}

/// The key and the value in bytes; nothing if they can't be compared.
fn written(buffer: &mut Vec<u8>, key: &Dynamic, value: &Dynamic) {
    buffer.clear();
    let mut objects = Vec::new();
    let key = encode(key, "", &Same, buffer, &mut objects);
    if key.is_err() || encode(value, "", &Same, buffer, &mut objects).is_err() {
        buffer.clear();
    }
    objects.iter().for_each(|object| buffer.extend_from_slice(&object.to_le_bytes()));
}

/// `value` was read at `position`.
pub fn read(position: Position, proxy: &Proxy, key: &Dynamic, value: &Dynamic) {
    READS.with_borrow_mut(|reads| {
        reads.last = (reads.last + 1) % DEPTH;
        if let Some(read) = reads.all.get_mut(reads.last) {
            (read.position, read.object) = (position, number(proxy));
            written(&mut read.bytes, key, value);
        }
    });
}

/// Whether an assignment at `position` gives back what was read there.
pub fn is_unchanged(position: Position, proxy: &Proxy, key: &Dynamic, value: &Dynamic) -> bool {
    READS.with_borrow_mut(|Reads { all, buffer, .. }| {
        let object = number(proxy);
        if position.is_none() || !all.iter().any(|read| read.position == position && read.object == object) {
            return false;
        }
        written(buffer, key, value);
        let found = all
            .iter_mut()
            .find(|read| read.position == position && read.object == object && read.bytes == *buffer);
        // It is given back once.
        found.is_some_and(|read| {
            read.position = Position::NONE;
            !read.bytes.is_empty()
        })
    })
}
