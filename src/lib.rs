//! stook runs Rhai scripts on many processes. `docs/design/` says how; the folders below are its layers,
//! each of which uses only those above it.

#[cfg(not(target_os = "linux"))]
compile_error!("stook runs on Linux only: it is built on memfds, futexes and robust mutexes");

pub mod sys;

pub mod arena;

pub mod sync;

pub mod share;

pub mod wire;

pub mod call;

pub mod process;

pub mod queue;

pub mod pipe;

pub mod pool;

pub mod socket;

pub mod manager;

pub mod script;

pub mod native;

pub mod repl;

pub mod cli;
