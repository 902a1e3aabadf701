//! Memory that scripts share: elements in the segment, and memory by name.
//!
//! | file | concept |
//! |---|---|
//! | `code` | typecodes: what an element holds |
//! | `shape` | an element: a single typecode, or named fields |
//! | `cells` | elements in memory, each read and written in one piece |
//! | `block` | a value or an array of elements in the segment |
//! | `gate` | the lock of a block, and using the block while nobody else has it |
//! | `view` | blocks as one process's scripts have them |
//! | `fold` | sum, least and greatest of many elements |
//! | `numbers` | dot product and histogram |
//! | `order` | elements in order |
//! | `named` | memory that any program can have that knows its name |
//! | `list`, `item` | a list in such memory, as Python lays it out |
//! | `tracked` | the names that the session made, and takes away at its end |

pub mod block;
pub mod cells;
pub mod code;
pub mod fold;
pub mod gate;
pub mod item;
pub mod list;
pub mod named;
pub mod numbers;
pub mod order;
pub mod shape;
pub mod tracked;
pub mod view;
