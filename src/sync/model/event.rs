//! An event: those who wait, one that sets it and one that clears it.
//!
//! What must hold: who began to wait before it was set goes on, and is told so, also if the event was cleared at
//! once or the time is over. One that is killed between setting it and waking the others leaves them asleep for a slice:
//! only then may a slice end here.

use super::point::{Point, Sleep};
use super::{Model, explore, more_deaths};

const PROCESSES: usize = 3;

/// What a process does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Look,
    LockGuardToWait,
    LookAgain,
    Count,
    UnlockGuardToSleep(Sleep),
    Sleep(Sleep),
    LockGuardLate,
    LookLast,
    LockGuardToSet,
    Set,
    TakeOffCount,
    Advance,
    UnlockGuardToWake,
    WakeAll,
    LockGuardToClear,
    Clear,
    UnlockGuardDone,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Process {
    step: Step,
    alive: bool,
    /// How often it had been set when this one began to wait.
    began: Option<u8>,
    late: bool,
    /// It was set since then.
    due: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    set: bool,
    times: u8,
    point: Point,
    guard: Option<usize>,
    processes: [Process; PROCESSES],
    deaths_left: u8,
    late_left: u8,
    /// Somebody died: what that left undone is made good by the end of a slice.
    slice_left: bool,
}

impl State {
    fn new(steps: [Step; PROCESSES], deaths_left: u8, late_left: u8) -> Self {
        let processes = steps.map(|step| Process { step, alive: true, began: None, late: false, due: false });
        Self {
            set: false,
            times: 0,
            point: Point::default(),
            guard: None,
            processes,
            deaths_left: deaths_left + more_deaths(),
            late_left,
            slice_left: false,
        }
    }

    fn living(&self) -> impl Iterator<Item = usize> {
        (0..PROCESSES).filter(|me| self.processes[*me].alive)
    }

    fn lock_guard(&mut self, me: usize) -> bool {
        let free = self.guard.is_none_or(|owner| !self.processes[owner].alive);
        if free {
            self.guard = Some(me);
        }
        free
    }

    /// The state after the next step of process `me`; `None` if it can't make one.
    fn after_step_of(&self, me: usize) -> Option<Self> {
        let mut next = *self;
        let process = self.processes[me];
        let step = match process.step {
            Step::Look if self.set => Step::Done,
            Step::Look => Step::LockGuardToWait,
            Step::LockGuardToWait => next.lock_guard(me).then_some(Step::LookAgain)?,
            Step::LookAgain => {
                let began = *next.processes[me].began.get_or_insert(self.times);
                if self.set || began != self.times { Step::UnlockGuardDone } else { Step::Count }
            }
            Step::Count => Step::UnlockGuardToSleep(next.point.enter()),
            Step::UnlockGuardToSleep(sleep) => {
                next.guard = None;
                Step::Sleep(sleep)
            }
            Step::Sleep(Sleep::Asleep(_)) => return None,
            Step::Sleep(sleep) => match next.point.step(sleep) {
                Some(sleep) => Step::Sleep(sleep),
                None if process.late => Step::LockGuardLate,
                None => Step::Look,
            },
            Step::LockGuardLate => next.lock_guard(me).then_some(Step::LookLast)?,
            Step::LookLast => {
                let seen = self.set || Some(self.times) != process.began;
                assert!(seen || !process.due, "{me} is not told that it was set: {self:?}");
                next.processes[me].began = None;
                next.processes[me].due = false;
                Step::UnlockGuardDone
            }
            Step::LockGuardToSet => next.lock_guard(me).then_some(Step::Set)?,
            Step::Set if self.set => Step::UnlockGuardDone,
            Step::Set => {
                next.set = true;
                next.times += 1;
                for process in &mut next.processes {
                    process.due |= process.began.is_some();
                }
                Step::TakeOffCount
            }
            Step::TakeOffCount if next.point.take_off() => Step::Advance,
            Step::TakeOffCount => Step::UnlockGuardDone,
            Step::Advance => {
                next.point.advance();
                Step::UnlockGuardToWake
            }
            Step::UnlockGuardToWake => {
                next.guard = None;
                Step::WakeAll
            }
            Step::WakeAll => {
                next.wake(|_| true);
                Step::Done
            }
            Step::LockGuardToClear => next.lock_guard(me).then_some(Step::Clear)?,
            Step::Clear => {
                next.set = false;
                Step::UnlockGuardDone
            }
            Step::UnlockGuardDone => {
                next.guard = None;
                Step::Done
            }
            Step::Done => return None,
        };
        next.processes[me].step = step;
        Some(next)
    }

    fn wake(&mut self, which: impl Fn(usize) -> bool) {
        for (index, process) in self.processes.iter_mut().enumerate() {
            if let Step::Sleep(Sleep::Asleep(ticket)) = process.step
                && which(index)
            {
                process.step = Step::Sleep(Sleep::Awake(ticket));
            }
        }
    }
}

impl Model for State {
    fn steps(&self) -> Vec<Self> {
        let mut all: Vec<Self> = self.living().filter_map(|me| self.after_step_of(me)).collect();
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
                next.processes[me] =
                    Process { step: Step::Done, alive: false, began: None, late: false, due: false };
                all.push(next);
            }
            if self.late_left > 0 && matches!(process.step, Step::Sleep(Sleep::Asleep(_))) {
                let mut next = Self { late_left: self.late_left - 1, ..*self };
                next.processes[me].late = true;
                next.wake(|index| index == me);
                all.push(next);
            }
        }
        all
    }

    fn check(&self) {
        // Nobody keeps the guard in its sleep.
        let owner = self.guard.map(|owner| self.processes[owner].step);
        assert!(!matches!(owner, Some(Step::Sleep(_))), "asleep with the guard: {self:?}");
    }

    fn check_end(&self) {
        for (index, process) in self.processes.iter().enumerate() {
            let sleeps = matches!(process.step, Step::Sleep(Sleep::Asleep(_)));
            let rightly = sleeps && !self.set && !process.due;
            assert!(rightly || process.step == Step::Done, "{index} waits for ever: {self:?}");
        }
    }
}

#[test]
fn nobody_needs_the_end_of_a_slice() {
    explore(State { deaths_left: 0, ..State::new([Step::Look, Step::Look, Step::LockGuardToSet], 0, 2) });
    explore(State {
        deaths_left: 0,
        ..State::new([Step::Look, Step::LockGuardToSet, Step::LockGuardToClear], 0, 1)
    });
}

#[test]
fn two_that_wait_and_one_that_sets() {
    explore(State::new([Step::Look, Step::Look, Step::LockGuardToSet], 2, 2));
}

#[test]
fn one_that_waits_one_that_sets_and_one_that_clears() {
    explore(State::new([Step::Look, Step::LockGuardToSet, Step::LockGuardToClear], 2, 1));
}

#[test]
fn one_that_waits_and_two_that_set() {
    explore(State::new([Step::Look, Step::LockGuardToSet, Step::LockGuardToSet], 2, 1));
}
