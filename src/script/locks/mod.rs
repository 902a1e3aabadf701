//! `Lock`, `RLock`, `Semaphore`, `BoundedSemaphore`, `Condition`, `Event` and `Barrier`.
//!
//! | file | concept |
//! |---|---|
//! | `hold` | what all that can be held have: acquiring, releasing, `with` |
//! | `lock` `semaphore` `condition` `event` `barrier` | one type each, or two |

mod barrier;
mod condition;
mod event;
pub mod hold;
mod lock;
mod semaphore;

pub use condition::counts_as_true;
use rhai::{Dynamic, Engine};

use crate::arena::handle::Kind;
use crate::sync::barrier::Barrier;
use crate::sync::condition::Condition;
use crate::sync::event::Event;
use crate::sync::lock::Lock;
use crate::sync::rlock::RLock;
use crate::sync::semaphore::Semaphore;

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] =
    &["Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier"];

/// The shared object, if `value` is one of these.
pub fn offset(value: &Dynamic) -> Option<u64> {
    fn of<T: Clone + 'static>(value: &Dynamic, offset: impl FnOnce(&T) -> u64) -> Option<u64> {
        value.read_lock::<T>().map(|object| offset(&object))
    }
    of(value, Lock::offset)
        .or_else(|| of(value, |lock: &RLock| lock.lock().offset()))
        .or_else(|| of(value, Semaphore::offset))
        .or_else(|| of(value, Condition::offset))
        .or_else(|| of(value, Event::offset))
        .or_else(|| of(value, Barrier::offset))
}

/// The object of `kind` at `offset`, as a value of its type.
pub fn open(kind: Kind, offset: u64) -> Option<Dynamic> {
    Some(match kind {
        Kind::Lock => Dynamic::from(Lock::open(offset).ok()?),
        Kind::RLock => Dynamic::from(RLock::open(offset).ok()?),
        Kind::Semaphore => Dynamic::from(Semaphore::open(offset).ok()?),
        Kind::Condition => Dynamic::from(Condition::open(offset).ok()??),
        Kind::Event => Dynamic::from(Event::open(offset).ok()?),
        Kind::Barrier => Dynamic::from(Barrier::open(offset).ok()?),
        _ => return None,
    })
}

/// Registers the types.
pub fn register(engine: &mut Engine) {
    lock::register(engine);
    semaphore::register(engine);
    condition::register(engine);
    event::register(engine);
    barrier::register(engine);
}
