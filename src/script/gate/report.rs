//! What all processes of a session say about their machine code, if the first one wants to know.
//!
//! They say it when it happens, for workers are mostly ended from outside. What is said is text to this file.

use std::cell::RefCell;

use crate::arena::blocks::OutOfMemory;
use crate::sync::channel::Channel;
use crate::sys::clock::Deadline;

thread_local! {
    static CHANNEL: RefCell<Option<Channel>> = const { RefCell::new(None) };
}

/// This process, the first, wants to know.
///
/// # Errors
/// If there is no memory for it.
pub fn begin() -> Result<(), OutOfMemory> {
    CHANNEL.replace(Some(Channel::new(0)?));
    Ok(())
}

/// Where reports go, for processes to be started; 0 if nobody wants any.
pub fn place() -> u64 {
    CHANNEL.with_borrow(|channel| channel.as_ref().map_or(0, Channel::offset))
}

/// Reports go where the parent's go.
pub fn join(place: u64) {
    CHANNEL.replace(if place == 0 { None } else { Channel::open(place).ok() });
}

/// Whether somebody wants to know.
pub fn is_wanted() -> bool {
    CHANNEL.with_borrow(Option::is_some)
}

/// Says something. If there is no memory for it, it stays unsaid.
pub fn say(text: &str) {
    CHANNEL.with_borrow(|channel| {
        if let Some(channel) = channel {
            let _ = channel.put(text.as_bytes(), &[], Deadline::Never);
        }
    });
}

/// The next of what was said, in the order of that.
pub fn next() -> Option<String> {
    let mut buffer = Vec::new();
    let message = CHANNEL.with_borrow(|channel| channel.as_ref()?.take_now(&mut buffer))?;
    Some(String::from_utf8_lossy(message.bytes(&buffer)).into_owned())
}
