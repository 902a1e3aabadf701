//! Programs that are made up, and what both ways of running them give.
//!
//! | file | what |
//! |---|---|
//! | `tree` | source text in pieces, which can be taken away |
//! | `grammar` | programs, functions, types |
//! | `literal` `expression` `construct` `statement` | what functions consist of |
//! | `differ` | one program, interpreted and native |
//! | `batch` | many programs, and the smallest of those that differ |
//! | `traps` | where native code is easily a little different |
//!
//! The fuzz target takes this folder in too.

pub mod batch;
pub mod construct;
pub mod differ;
pub mod expression;
pub mod grammar;
pub mod literal;
pub mod statement;
#[cfg(test)]
mod traps;
pub mod tree;
