//! State machines of the things that processes wait for. They know nothing of scripts.
//!
//! | file | concept |
//! |---|---|
//! | `wait` | sleeping on a word in slices, and being told why one woke |
//! | `watch` | waiting for the first of several things |
//! | `channel` | messages, many producers, many consumers |
//! | `chunk` | where a channel's messages lie |
//! | `draft` | a message that is being written |
//! | `end` | one end of a pipe |
//! | `claims` | what each worker of a pool works at |
//! | `readiness` | sleeping until descriptors are ready |
//! | `passage` | one process at a time does what can't be done in one commit |
//! | `endpoint` | a socket that several processes have open |

pub mod channel;
pub mod chunk;
pub mod claims;
pub mod draft;
pub mod end;
pub mod endpoint;
pub mod passage;
pub mod readiness;
pub mod wait;
pub mod watch;
