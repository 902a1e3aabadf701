//! The only place that talks to the operating system: every libc and nix call of the crate is here.
//!
//! Nothing in this folder knows what an arena, a queue or a script is. Linux only; nothing assumes a
//! processor.

pub mod address;
pub mod clock;
pub mod command;
pub mod descriptor;
pub mod environment;
pub mod futex;
pub mod heap;
pub mod identity;
pub mod mapping;
pub mod memory;
pub mod mutex;
pub mod named;
pub mod output;
pub mod process;
pub mod resources;
pub mod signal;
pub mod socket;
pub mod socket_file;
