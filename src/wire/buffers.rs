//! The buffers that messages are written in and read from, kept from one message to the next.
//!
//! Whoever waits with one in use may be called for something else meanwhile, which sends and receives too: that
//! one gets buffers of its own, and the last that is done leaves its own here.

use std::cell::Cell;

use crate::sync::draft::Draft;

thread_local! {
    static OUT: Cell<(Draft, Vec<u64>)> = const { Cell::new((Draft::empty(), Vec::new())) };
    static IN: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends an empty draft, and room for the objects that the message refers to.
pub fn with_draft<T>(write: impl FnOnce(&mut Draft, &mut Vec<u64>) -> T) -> T {
    let (mut draft, mut references) = OUT.take();
    draft.clear();
    references.clear();
    let result = write(&mut draft, &mut references);
    OUT.set((draft, references));
    result
}

/// Lends room for a message of the size that lies in a channel.
pub fn with_buffer<T>(read: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = IN.take();
    let result = read(&mut buffer);
    IN.set(buffer);
    result
}
