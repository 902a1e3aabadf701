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

pub mod channel;
pub mod chunk;
pub mod claims;
pub mod draft;
pub mod end;
pub mod wait;
pub mod watch;
