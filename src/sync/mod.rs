//! State machines of the things that processes wait for. They know nothing of scripts.
//!
//! | file | concept |
//! |---|---|
//! | `wait` | sleeping on a word in slices, and being told why one woke |
//! | `glance` | looking on for a moment before going to sleep |
//! | `watch` | waiting for the first of several things |
//! | `meanwhile` | what a process looks after while it waits for something else |
//! | `channel` | messages, many producers, many consumers |
//! | `chunk` | where a channel's messages lie |
//! | `draft` | a message that is being written |
//! | `end` | one end of a pipe |
//! | `claims` | what each worker of a pool works at |
//! | `readiness` | sleeping until descriptors are ready |
//! | `passage` | one process at a time does what can't be done in one commit |
//! | `endpoint` | a socket that several processes have open |
//! | `turns` | those who wait for an object, in the order in which they came |
//! | `word` | who holds a lock, in one word |
//! | `abandoned` | what is known of one that died and held something |
//! | `lock` `rlock` `semaphore` `condition` `event` `barrier` | one primitive each |

pub mod abandoned;
pub mod barrier;
pub mod channel;
pub mod chunk;
pub mod claims;
pub mod condition;
pub mod draft;
pub mod end;
pub mod endpoint;
pub mod event;
pub mod glance;
pub mod lock;
pub mod meanwhile;
pub mod passage;
pub mod readiness;
pub mod rlock;
pub mod semaphore;
pub mod turns;
pub mod wait;
pub mod watch;
pub mod word;

#[cfg(test)]
mod killed;
#[cfg(test)]
mod model;

/// Registers what the kinds of objects here do at an object's end, and at a process's; called once by every
/// process.
pub fn register() {
    channel::register();
    end::register();
    endpoint::register();
    lock::register();
    semaphore::register();
    condition::register();
    barrier::register();
}
