//! Visiting all states that can be reached, and what must hold in them.

use super::{After, Process, SWEEPER, State, Step, Thing};
use crate::sync::model::{Model, explore};
use crate::sync::word::Word;

impl Model for State {
    fn steps(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for me in 0..=SWEEPER {
            let process = self.processes[me];
            if me == SWEEPER && process.step == Step::Done {
                let unswept =
                    (0..SWEEPER).find(|dead| !self.processes[*dead].alive && !self.processes[*dead].swept);
                if let Some(dead) = unswept {
                    let mut next = Self { dead: Some(dead), ..*self };
                    next.processes[me].step = Step::LockGuard(After::Mourned);
                    all.push(next);
                }
                continue;
            }
            if !process.alive {
                continue;
            }
            all.extend(self.after_step_of(me));
        }
        all
    }

    fn accidents(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for me in 0..SWEEPER {
            let process = self.processes[me];
            if !process.alive || process.step == Step::Done {
                continue;
            }
            if self.deaths_left > 0 {
                let mut next = Self { deaths_left: self.deaths_left - 1, ..*self };
                // Nobody looks at more of the dead than this: so many deaths are one.
                next.processes[me] =
                    Process { alive: false, holding: process.holding, ..Process::new(Step::Done, 0) };
                all.push(next);
            }
            if self.late_left > 0 && process.step == Step::Asleep {
                let mut next = Self { late_left: self.late_left - 1, ..*self };
                next.processes[me].late = true;
                next.processes[me].step = Step::LockGuard(After::Waiting);
                all.push(next);
            }
        }
        all
    }

    fn check(&self) {
        let inside =
            self.processes.iter().filter(|process| process.alive && process.step == Step::Inside).count();
        assert!(inside <= usize::from(self.units), "too many inside: {self:?}");
        assert!(inside == 0 || self.depth.is_none_or(|depth| depth == 2), "acquired twice: {self:?}");
    }

    fn check_end(&self) {
        for (index, process) in self.processes.iter().enumerate() {
            assert!(!process.alive || process.step == Step::Done, "{index} waits for ever: {self:?}");
        }
        assert_eq!(self.available(), self.units, "something is lost: {self:?}");
    }
}

#[test]
fn two_processes_with_a_lock() {
    explore(State::new(Thing::Lock(Word::FREE), 1, 2, 2, 1, 0));
    explore(State::new(Thing::Lock(Word::FREE), 1, 2, 1, 2, 2));
}

#[test]
fn three_processes_with_a_lock() {
    explore(State::new(Thing::Lock(Word::FREE), 1, 3, 1, 2, 1));
}

#[test]
fn processes_with_a_lock_that_each_acquires_twice() {
    let twice = |state| explore(State { depth: Some(0), ..state });
    twice(State::new(Thing::Lock(Word::FREE), 1, 2, 2, 2, 1));
    twice(State::new(Thing::Lock(Word::FREE), 1, 3, 1, 1, 1));
}

#[test]
fn three_processes_with_a_semaphore_of_one() {
    explore(State::new(Thing::Semaphore { value: 1, abandoned: 0 }, 1, 3, 1, 1, 0));
    explore(State::new(Thing::Semaphore { value: 1, abandoned: 0 }, 1, 2, 2, 2, 1));
}

#[test]
fn three_processes_with_a_semaphore_of_two() {
    explore(State::new(Thing::Semaphore { value: 2, abandoned: 0 }, 2, 3, 1, 2, 0));
}
