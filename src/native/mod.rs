//! Script functions compiled to machine code, beside the interpreter and never required.
//!
//! A function is compiled for the types of the arguments it is called with: from the AST (`collect`, `lower`) to a
//! tree of its own (`ir`), whose static types are found (`infer`), to machine code (`codegen`), which calls back
//! where it needs the engine (`runtime`). What can't be compiled exactly is refused, with a reason and a line, and
//! stays with the interpreter. `docs/design/native.md` says more.

mod cache;
mod codegen;
mod collect;
mod elements;
mod enter;
mod forms;
mod infer;
mod ir;
mod layout;
mod lend;
pub mod list;
mod lower;
mod moves;
mod numeric;
mod outline;
mod pass;
mod program;
pub mod route;
mod runtime;
mod site;
pub mod testing;
#[cfg(test)]
mod tests;
mod types;

pub use cache::{Compiler, Limits, Outcome, State, unsuitable};
