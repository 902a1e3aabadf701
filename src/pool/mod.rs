//! The pool: worker processes, a line of tasks to them and a line of outcomes back.
//!
//! | file | concept |
//! |---|---|
//! | `line` | tasks and outcomes as messages |
//! | `worker` | a worker's life |
//! | `answer` | what a worker says of a task |
//! | `crew` | the workers, for the process that made them |
//! | `function` | the function of calls, packed once |
//! | `source` | where items come from |
//! | `gather` | where results are kept |
//! | `call` | one `map` or `apply`, while it runs |
//! | `journal` | what was finished, for another run |
//! | `owner` | the pool: its calls, and what is out |
//! | `feed` | items become tasks |
//! | `collect` | outcomes and losses settle items |
//! | `loss` | what is said of a loss |
//! | `stats` | what was done |
//! | `pump` | who does all that, and when |

mod answer;
pub mod call;
mod collect;
pub mod crew;
mod feed;
pub mod function;
pub mod gather;
pub mod journal;
pub mod line;
mod loss;
pub mod owner;
pub mod pump;
pub mod source;
pub mod stats;
pub mod worker;
