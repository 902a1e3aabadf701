//! Script functions compiled to machine code, beside the interpreter and never required.
//!
//! A function is compiled for the types of the arguments it is called with. What can't be compiled exactly is
//! refused, with a reason and a line, and stays with the interpreter.

mod cache;

pub use cache::{Compiler, Limits, Outcome, State};
