//! Every interleaving of two and three processes that use one object, with death at each step.
//!
//! A process is a list of steps as the code makes them: each reads or writes one thing that others see. All states
//! that can be reached are visited once. `STOOK_MODEL_DEATHS=1` lets one process more die in each model, which takes
//! longer.
//!
//! | file | whose steps |
//! |---|---|
//! | `acquiring` | `lock`, `rlock`, `semaphore` and `turns` |
//! | `condition` | `condition`, over a lock that is one step |
//! | `event` | `event`, and a wait point |
//! | `barrier` | `barrier`, and a wait point |
//! | `point` | `wait`: the wait point |

mod acquiring;
mod barrier;
mod condition;
mod event;
mod point;

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

/// A state of all that takes part.
trait Model: Copy + Eq + Hash + Debug {
    /// The states that follow when one of those who can makes its next step.
    fn steps(&self) -> Vec<Self>;

    /// The states that follow when something happens that nobody may count on: a death, the end of a time.
    fn accidents(&self) -> Vec<Self>;

    /// What must hold always.
    fn check(&self);

    /// What must hold where nobody can go on by itself.
    fn check_end(&self);
}

/// Visits all states from `first` on.
fn explore<M: Model>(first: M) {
    let mut seen = HashSet::from([first]);
    let mut todo = vec![first];
    while let Some(state) = todo.pop() {
        state.check();
        let steps = state.steps();
        if steps.is_empty() {
            state.check_end();
        }
        let all = steps.into_iter().chain(state.accidents());
        todo.extend(all.filter(|next| seen.insert(*next)));
    }
}

/// How many more are to die than the tests say.
fn more_deaths() -> u8 {
    std::env::var("STOOK_MODEL_DEATHS").ok().and_then(|number| number.parse().ok()).unwrap_or(0)
}
