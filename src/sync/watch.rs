//! Waiting for the first of several things.
//!
//! Whoever does not find one of them ready has left word with each that the watchers are to be told, and sleeps
//! on one word of the session, which also changes at each death. Then it looks at all of them again.
//!
//! Invariants
//! 1. The word is read before the things are looked at: what becomes ready afterwards changes it.
//! 2. Looking takes nothing. A watcher that is killed has left word with things that nobody watches: each tells
//!    the others once, needlessly.
//! 3. A descriptor that becomes ready sends the watcher a signal, whose handler tells the watchers: it is asked
//!    for that before each look. Of several processes that watch one socket the last to ask is sent it, and tells
//!    them all. When one of them ends its watch, nobody is sent anything until the others have looked, and asked, again:
//!    after a slice at most.
//! 4. A watcher sleeps no longer than a slice without looking (see `wait`).

use std::os::fd::RawFd;
use std::sync::atomic::Ordering;

use super::wait::{GaveUp, sleep_on};
use crate::arena::segment::header;
use crate::arena::sweep;
use crate::arena::table::{Waiting, tell_watchers, waiting_for};
use crate::sys::clock::Deadline;
use crate::sys::{descriptor, signal};

/// Something that becomes ready.
pub trait Watched {
    /// Whether it is ready. If not, whoever makes it ready tells the watchers.
    fn look(&self) -> bool;

    /// The descriptor that becomes ready with it, if it is none of the arena's.
    fn descriptor(&self) -> Option<RawFd> {
        None
    }

    /// The shared object behind it, for whoever asks what this process waits for.
    fn object(&self) -> u64;
}

/// Waits until one of the `things` is ready, or the deadline; which of them are.
///
/// # Errors
/// [`GaveUp::Interrupted`] at Ctrl-C.
pub fn wait(things: &[&dyn Watched], deadline: Deadline, what: Waiting) -> Result<Vec<bool>, GaveUp> {
    let told = things.iter().filter_map(|thing| thing.descriptor()).map(Told).collect::<Vec<_>>();
    let look = || -> Vec<bool> { things.iter().map(|thing| thing.look()).collect() };
    loop {
        sweep::after_deaths();
        told.iter().for_each(Told::ask);
        let seen = header().news.load(Ordering::Acquire);
        let ready = look();
        if ready.contains(&true) {
            return Ok(ready);
        }
        let object = things.first().map_or(0, |thing| thing.object());
        match waiting_for(what, object, || sleep_on(&header().news, seen, deadline)) {
            Ok(()) => {}
            Err(GaveUp::TimedOut) => return Ok(look()),
            Err(GaveUp::Interrupted) => return Err(GaveUp::Interrupted),
        }
    }
}

/// A descriptor that sends signals until this is dropped.
struct Told(RawFd);

impl Told {
    fn ask(&self) {
        signal::on_descriptor(tell_watchers);
        descriptor::send_signals(self.0, true);
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        descriptor::send_signals(self.0, false);
    }
}
