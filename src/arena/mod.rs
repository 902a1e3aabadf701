//! The shared segment of a session: memory, processes, and who holds what.
//!
//! ```text
//! 0          header: sizes, limits, the session's key, the guards below     segment.rs
//!            slots: one per process                                         table.rs
//!            blocks: everything else, found by offset                       blocks.rs
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `segment` | the mapping of this process and the header |
//! | `guard` | a mutex whose changes are whole even if its owner dies |
//! | `size` | the size classes of blocks |
//! | `blocks` | the allocator |
//! | `hand` | what this process holds between taking it and giving it away |
//! | `slot` | what the session knows of one process |
//! | `table` | all slots: who comes, who goes |
//! | `object` | shared objects, which are counted |
//! | `entries` | which of them a process holds |
//! | `handle` | a process's references to them |
//! | `inherit` | the handles of a forked child |
//! | `hooks` | what the kinds of objects do at an object's end, and at a process's |
//! | `turn` | what a process needs to be called when it waits |
//! | `bundle` | references that travel inside a message |
//! | `parcel` | an immutable, counted piece of bytes |
//! | `sweep` | cleaning up after the dead |

pub mod blocks;
pub mod bundle;
mod entries;
pub mod guard;
pub mod hand;
pub mod handle;
pub mod hooks;
pub mod inherit;
mod object;
pub mod parcel;
pub mod segment;
pub mod size;
pub mod slot;
pub mod sweep;
pub mod table;
pub mod turn;

#[cfg(test)]
mod killed;
#[cfg(test)]
pub mod testing;
