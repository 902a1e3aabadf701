//! What follows a state, what must hold in it, and where to begin.

use super::{COME, For, Phase, Process, SWEEPER, State, Step};
use crate::sync::model::point::Sleep;
use crate::sync::model::{Model, explore};

impl Model for State {
    fn steps(&self) -> Vec<Self> {
        let mut all: Vec<Self> =
            self.living().chain([SWEEPER]).flat_map(|me| self.after_step_of(me)).collect();
        let unswept = (0..SWEEPER).find(|me| !self.processes[*me].alive && !self.processes[*me].swept);
        if let Some(dead) = unswept.filter(|_| self.processes[SWEEPER].step == Step::Done) {
            let mut next = *self;
            next.processes[SWEEPER].step = Step::LockGuardToMourn(dead);
            all.push(next);
        }
        if all.is_empty() && self.slice_left {
            let mut next = Self { slice_left: false, ..*self };
            next.wake(|_| true);
            all.extend((next.processes != self.processes).then_some(next));
        }
        all
    }

    fn accidents(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for me in self.living() {
            let process = self.processes[me];
            if self.deaths_left > 0 && process.step != Step::Done {
                let mut next = Self { deaths_left: self.deaths_left - 1, slice_left: true, ..*self };
                next.processes[me] = Process { alive: false, step: Step::Done, ..process };
                all.push(next);
            }
            if self.late_left > 0 && matches!(process.step, Step::Sleep(Sleep::Asleep(_), For::Others)) {
                let mut next = Self { late_left: self.late_left - 1, ..*self };
                next.processes[me].late = true;
                next.wake(|index| index == me);
                all.push(next);
            }
        }
        all
    }

    fn check(&self) {
        assert_eq!(self.completed & self.stopped, 0, "a round has two ends: {self:?}");
    }

    fn check_end(&self) {
        let enough = self.phase != Phase::Filling || self.waiting().count() >= usize::from(self.parties);
        for (index, process) in self.processes.iter().enumerate() {
            let sleeps = matches!(process.step, Step::Sleep(Sleep::Asleep(_), For::Others));
            let rightly = sleeps && process.round == self.round && !enough;
            assert!(rightly || process.step == Step::Done, "{index} waits for ever: {self:?}");
        }
    }
}

#[test]
fn nobody_needs_the_end_of_a_slice() {
    for has_action in [false, true] {
        let late = |state: State| explore(State { late_left: 1, ..state });
        late(State::new(2, has_action, [COME, COME, Step::Done], 2));
        late(State::new(3, has_action, [COME; 3], 1));
    }
}

#[test]
fn three_that_come_to_a_barrier_for_two() {
    explore(State::new(2, false, [COME; 3], 1).with(2, 1));
    explore(State::new(2, true, [COME; 3], 1).with(1, 0));
}

#[test]
fn two_that_come_twice() {
    explore(State::new(2, false, [COME, COME, Step::Done], 2).with(2, 1));
    explore(State::new(2, true, [COME, COME, Step::Done], 2).with(1, 1));
}

#[test]
fn two_that_come_and_one_that_breaks_or_resets() {
    for step in [Step::LockGuardToAbort, Step::LockGuardToReset] {
        explore(State::new(2, true, [COME, COME, step], 1).with(1, 1));
    }
}
