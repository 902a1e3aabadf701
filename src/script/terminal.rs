//! A progress bar and lines on one terminal.
//!
//! While some process of the session shows a bar there, whoever writes a line clears what stands on the last one
//! first; the bar comes back with its next change.

use std::cell::Cell;
use std::io::IsTerminal;

use crate::sys::output::Stream;

/// To the beginning of the line, which is empty then.
const CLEAR: &str = "\r\x1b[2K";

thread_local! {
    static BAR: Cell<bool> = const { Cell::new(false) };
}

/// Says whether there is a bar.
pub fn set_bar(there: bool) {
    BAR.set(there);
}

/// Whether standard error is a terminal, where a bar can stand.
pub fn has_room_for_a_bar() -> bool {
    std::io::stderr().is_terminal()
}

/// What goes before a line.
pub fn before_a_line(stream: Stream) -> &'static str {
    let shown = BAR.get()
        && match stream {
            Stream::Out => std::io::stdout().is_terminal(),
            Stream::Err => std::io::stderr().is_terminal(),
        };
    if shown { CLEAR } else { "" }
}
