//! The pool: worker processes, a line of tasks to them and a line of results back.
//!
//! | file | concept |
//! |---|---|
//! | `line` | tasks and outcomes as messages |
//! | `worker` | a worker's life |
//! | `owner` | the pool, for the process that made it |
//! | `call` | one `map` or `apply`, while it runs |

pub mod call;
pub mod line;
pub mod owner;
pub mod worker;

pub use owner::Pool;
