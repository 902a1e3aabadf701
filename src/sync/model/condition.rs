//! A condition: those who wait, one that notifies, and one that sweeps the dead.
//!
//! What must hold: a notification reaches somebody who waits and lives, as long as there is one; who does not
//! hold the lock while it waits is in the table; and nobody who was called sleeps on. Nobody here wakes up by the end of
//! a slice.

use super::{Model, explore, more_deaths};

/// One that sweeps the dead; it does not die.
const SWEEPER: usize = 3;
const EVERYBODY: u8 = u8::MAX;

/// What a process does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    AcquireToWait,
    LockGuardToEnter,
    Enter,
    UnlockGuardEntered,
    GiveUpLock,
    Look,
    Sleep,
    Asleep,
    LockGuardToLeave,
    Leave,
    UnlockGuardLeft,
    TakeLockAgain,
    AcquireToNotify(u8),
    LockGuardToCall(u8),
    Call(u8),
    UnlockGuardCalled,
    Wake(usize),
    Release,
    LockGuardToMourn(usize),
    CallAnother(usize),
    Forget(usize),
    UnlockGuardMourned(usize),
    WakeForTheDead(usize, usize),
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Process {
    step: Step,
    alive: bool,
    swept: bool,
    /// Its place in the order of those who are in the table, from 1; 0 is not.
    waits: u8,
    called: bool,
    woken: bool,
}

impl Process {
    fn new(step: Step) -> Self {
        Self { step, alive: true, swept: false, waits: 0, called: false, woken: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    lock: Option<usize>,
    guard: Option<usize>,
    processes: [Process; SWEEPER + 1],
    deaths_left: u8,
    late_left: u8,
    /// Notifications that have found somebody, who has not gone on yet.
    under_way: u8,
}

impl State {
    fn new(steps: [Step; SWEEPER], deaths_left: u8, late_left: u8) -> Self {
        let [one, two, three] = steps.map(Process::new);
        let processes = [one, two, three, Process::new(Step::Done)];
        let deaths_left = deaths_left + more_deaths();
        Self { lock: None, guard: None, processes, deaths_left, late_left, under_way: 0 }
    }

    fn waiting(&self) -> impl Iterator<Item = usize> {
        (0..SWEEPER).filter(|index| self.processes[*index].alive && self.processes[*index].waits > 0)
    }

    fn first_uncalled(&self) -> Option<usize> {
        let uncalled = self.waiting().filter(|index| !self.processes[*index].called);
        uncalled.min_by_key(|index| self.processes[*index].waits)
    }

    /// Whether nobody who lives has it.
    fn is_free(&self, owner: Option<usize>) -> bool {
        owner.is_none_or(|owner| !self.processes[owner].alive)
    }

    fn wake(&mut self, index: usize) {
        let process = &mut self.processes[index];
        process.woken |= process.alive && process.waits > 0 && process.called;
    }

    /// The state after the next step of process `me`; `None` if it can't make one.
    fn after_step_of(&self, me: usize) -> Option<Self> {
        let mut next = *self;
        let free = (self.is_free(self.lock), self.is_free(self.guard));
        let process = &mut next.processes[me];
        process.step = match process.step {
            Step::AcquireToWait | Step::AcquireToNotify(_) | Step::TakeLockAgain => {
                if !free.0 {
                    return None;
                }
                next.lock = Some(me);
                match process.step {
                    Step::AcquireToWait => Step::LockGuardToEnter,
                    Step::AcquireToNotify(count) => Step::LockGuardToCall(count),
                    _ => Step::Release,
                }
            }
            Step::LockGuardToEnter
            | Step::LockGuardToLeave
            | Step::LockGuardToCall(_)
            | Step::LockGuardToMourn(_) => {
                if !free.1 {
                    return None;
                }
                next.guard = Some(me);
                match process.step {
                    Step::LockGuardToEnter => Step::Enter,
                    Step::LockGuardToLeave => Step::Leave,
                    Step::LockGuardToCall(count) => Step::Call(count),
                    Step::LockGuardToMourn(dead) => Step::CallAnother(dead),
                    _ => return None,
                }
            }
            Step::Enter => {
                process.called = false;
                // Only the order counts: the numbers of those who wait are kept low.
                let last = self.waiting().map(|index| self.processes[index].waits).max();
                process.waits = last.unwrap_or(0) + 1;
                Step::UnlockGuardEntered
            }
            Step::UnlockGuardEntered => {
                next.guard = None;
                Step::GiveUpLock
            }
            Step::GiveUpLock => {
                next.lock = None;
                Step::Look
            }
            Step::Look => {
                if process.called {
                    Step::LockGuardToLeave
                } else {
                    Step::Sleep
                }
            }
            Step::Sleep => {
                process.woken = false;
                if process.called { Step::Look } else { Step::Asleep }
            }
            Step::Asleep => {
                if !process.woken {
                    return None;
                }
                Step::Look
            }
            Step::Leave => {
                next.under_way -= u8::from(process.called);
                process.waits = 0;
                Step::UnlockGuardLeft
            }
            Step::UnlockGuardLeft => {
                next.guard = None;
                Step::TakeLockAgain
            }
            Step::Call(count) => match self.first_uncalled().filter(|_| count > 0) {
                Some(first) => {
                    next.processes[first].called = true;
                    next.under_way += 1;
                    next.processes[me].step = Step::Call(count - 1);
                    return Some(next);
                }
                None => Step::UnlockGuardCalled,
            },
            Step::UnlockGuardCalled => {
                next.guard = None;
                Step::Wake(0)
            }
            Step::Wake(SWEEPER) => Step::Release,
            Step::Wake(index) => {
                process.step = Step::Wake(index + 1);
                next.wake(index);
                return Some(next);
            }
            Step::Release => {
                next.lock = None;
                Step::Done
            }
            Step::CallAnother(dead) => {
                if self.processes[dead].waits > 0 && self.processes[dead].called {
                    match self.first_uncalled() {
                        Some(first) => next.processes[first].called = true,
                        None => next.under_way -= 1,
                    }
                    next.processes[me].step = Step::Forget(dead);
                } else {
                    next.processes[me].step = Step::UnlockGuardMourned(dead);
                }
                return Some(next);
            }
            Step::Forget(dead) => {
                process.step = Step::UnlockGuardMourned(dead);
                next.processes[dead].waits = 0;
                return Some(next);
            }
            Step::UnlockGuardMourned(dead) => {
                next.guard = None;
                Step::WakeForTheDead(dead, 0)
            }
            Step::WakeForTheDead(dead, SWEEPER) => {
                process.step = Step::Done;
                next.processes[dead].swept = true;
                return Some(next);
            }
            Step::WakeForTheDead(dead, index) => {
                process.step = Step::WakeForTheDead(dead, index + 1);
                next.wake(index);
                return Some(next);
            }
            Step::Done => return None,
        };
        Some(next)
    }
}

impl Model for State {
    fn steps(&self) -> Vec<Self> {
        let living = (0..=SWEEPER).filter(|me| self.processes[*me].alive);
        let mut all: Vec<Self> = living.filter_map(|me| self.after_step_of(me)).collect();
        let unswept = (0..SWEEPER).filter(|me| !self.processes[*me].alive && !self.processes[*me].swept);
        for dead in unswept.filter(|_| self.processes[SWEEPER].step == Step::Done) {
            let mut next = *self;
            next.processes[SWEEPER].step = Step::LockGuardToMourn(dead);
            all.push(next);
        }
        all
    }

    fn accidents(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for me in (0..SWEEPER).filter(|me| self.processes[*me].alive) {
            let process = self.processes[me];
            if self.deaths_left > 0 && process.step != Step::Done {
                let mut next = Self { deaths_left: self.deaths_left - 1, ..*self };
                // Nobody looks at more of the dead than this: so many deaths are one.
                next.processes[me] = Process { alive: false, woken: false, step: Step::Done, ..process };
                all.push(next);
            }
            if self.late_left > 0 && process.step == Step::Asleep {
                let mut next = Self { late_left: self.late_left - 1, ..*self };
                next.processes[me].step = Step::LockGuardToLeave;
                all.push(next);
            }
        }
        all
    }

    fn check(&self) {
        for process in self.processes.iter().filter(|process| process.alive) {
            let waits = matches!(
                process.step,
                Step::Look | Step::Sleep | Step::Asleep | Step::LockGuardToLeave | Step::Leave
            );
            assert!(!waits || process.waits > 0, "a notification would miss it: {self:?}");
        }
    }

    fn check_end(&self) {
        for (index, process) in self.processes.iter().enumerate() {
            let sleeps = process.step == Step::Asleep && !process.called;
            assert!(sleeps || process.step == Step::Done, "{index} waits for ever: {self:?}");
        }
        assert_eq!(self.under_way, 0, "a notification is lost: {self:?}");
    }
}

#[test]
fn two_that_wait_and_one_is_notified() {
    let [wait, notify] = [Step::AcquireToWait, Step::AcquireToNotify(1)];
    explore(State::new([wait, wait, notify], 2, 1));
}

#[test]
fn two_that_wait_and_all_are_notified() {
    let [wait, notify] = [Step::AcquireToWait, Step::AcquireToNotify(EVERYBODY)];
    explore(State::new([wait, wait, notify], 2, 1));
}

#[test]
fn one_that_waits_and_two_that_notify() {
    let [wait, notify] = [Step::AcquireToWait, Step::AcquireToNotify(1)];
    explore(State::new([wait, notify, notify], 2, 1));
}
