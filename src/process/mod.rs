//! Processes of a session: how they come, who waits for them, how they go.
//!
//! | file | concept |
//! |---|---|
//! | `session` | the first process opens a session, the others enter it |
//! | `family` | what happens when a parent dies |
//! | `start` | what a new process is to run, as it travels |
//! | `method` | the start methods, and which one is used |
//! | `spawn` `fork` `forkserver` | one start method each |
//! | `child` | a started process, for the one who started it |
//! | `sentinel` | waiting for the first of several to end |
//! | `children` | all processes that this one started |
//! | `finish` | the end of a process |
//! | `watcher` | who cleans up after a first process that was killed |

pub mod child;
pub mod children;
pub mod family;
pub mod finish;
pub mod fork;
pub mod forkserver;
pub mod method;
pub mod sentinel;
pub mod session;
pub mod spawn;
pub mod start;
pub mod watcher;
