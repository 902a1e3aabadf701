//! State machines of the things that processes wait for. They know nothing of scripts.
//!
//! | file | concept |
//! |---|---|
//! | `wait` | sleeping on a word in slices, and being told why one woke |
//! | `channel` | messages, many producers, many consumers |
//! | `chunk` | where a channel's messages lie |
//! | `claims` | what each worker of a pool works at |

pub mod channel;
pub mod chunk;
pub mod claims;
pub mod wait;
