//! A barrier: those who come, one that breaks or resets it, and one that sweeps the dead.
//!
//! What must hold: those who pass in a round have numbers of their own, and their round was completed; those who are
//! stopped had a round that was not; and nobody sleeps on once there are as many as there are parties, or the barrier
//! is broken. A slice ends only after somebody died (see `event`).

use super::more_deaths;
use super::point::{Point, Sleep};

/// One that sweeps the dead; it does not die.
const SWEEPER: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Filling,
    Acting,
    Broken,
}

/// What a sleeper waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum For {
    /// The others; until its deadline.
    Others,
    /// The end of the action.
    Action,
    /// The next round: there were enough without it.
    NextRound,
}

/// What a process does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    LockGuardToCome,
    Look,
    Join,
    NameActor,
    LockGuardAgain,
    LookAgain,
    Count(For),
    UnlockGuardToSleep(Sleep, For),
    Sleep(Sleep, For),
    LockGuardToLeave,
    Leave(bool),
    UnlockGuardLeft(bool),
    Act,
    LockGuardActed(bool),
    Acted(bool),
    LockGuardToAbort,
    Abort,
    LockGuardToReset,
    Reset,
    LockGuardToMourn(usize),
    Mourn(usize),
    Commit(Change, After),
    TakeOffCount(After),
    Advance(After),
    UnlockGuardToWake(After),
    WakeAll(After),
    UnlockGuard(After),
    Done,
}

/// What becomes of the barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Change {
    Complete,
    Reset,
    Act,
    Break,
}

/// What a process does after it has changed the barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum After {
    ComeAgain,
    Leave,
    Pass,
    Act,
    Finish,
    FinishSweep(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Process {
    step: Step,
    alive: bool,
    swept: bool,
    rounds: u8,
    late: bool,
    round: u8,
    number: u8,
    /// It is in the table, with that round and number.
    waits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    parties: u8,
    has_action: bool,
    round: u8,
    phase: Phase,
    /// A bit for each round: it was reset.
    history: u8,
    actor: Option<usize>,
    point: Point,
    guard: Option<usize>,
    processes: [Process; SWEEPER + 1],
    deaths_left: u8,
    late_left: u8,
    /// Somebody died: what that left undone is made good by the end of a slice.
    slice_left: bool,
    /// A bit for each round: what became of it, and who has passed in it.
    completed: u8,
    stopped: u8,
    passed: [u8; 8],
}

const COME: Step = Step::LockGuardToCome;

impl State {
    fn new(parties: u8, has_action: bool, steps: [Step; SWEEPER], rounds: u8) -> Self {
        let process = |step| Process {
            step,
            alive: true,
            swept: false,
            rounds,
            late: false,
            round: 0,
            number: 0,
            waits: false,
        };
        let [one, two, three] = steps.map(process);
        Self {
            parties,
            has_action,
            round: 0,
            phase: Phase::Filling,
            history: 0,
            actor: None,
            point: Point::default(),
            guard: None,
            processes: [one, two, three, process(Step::Done)],
            deaths_left: 0,
            late_left: 0,
            slice_left: false,
            completed: 0,
            stopped: 0,
            passed: [0; 8],
        }
    }

    fn with(self, deaths: u8, late: u8) -> Self {
        Self { deaths_left: deaths + more_deaths(), late_left: late, ..self }
    }

    /// The numbers of those who wait in the round, and live.
    fn waiting(&self) -> impl Iterator<Item = u8> {
        let them = self.processes.iter().filter(|process| process.alive && process.waits);
        them.filter(|process| process.round == self.round).map(|process| process.number)
    }

    fn living(&self) -> impl Iterator<Item = usize> {
        (0..SWEEPER).filter(|me| self.processes[*me].alive)
    }

    fn actor_is_dead(&self) -> bool {
        self.actor.is_none_or(|actor| !self.processes[actor].alive)
    }

    fn wake(&mut self, which: impl Fn(usize) -> bool) {
        for (index, process) in self.processes.iter_mut().enumerate() {
            if let Step::Sleep(Sleep::Asleep(ticket), reason) = process.step
                && which(index)
            {
                process.step = Step::Sleep(Sleep::Awake(ticket), reason);
            }
        }
    }

    /// The states after the next step of process `me`; none if it can't make one.
    fn after_step_of(&self, me: usize) -> Vec<Self> {
        let mut next = *self;
        let process = self.processes[me];
        let locked = match process.step {
            Step::LockGuardToCome => Some(Step::Look),
            Step::LockGuardAgain => Some(Step::LookAgain),
            Step::LockGuardToLeave => Some(Step::Leave(false)),
            Step::LockGuardActed(well) => Some(Step::Acted(well)),
            Step::LockGuardToAbort => Some(Step::Abort),
            Step::LockGuardToReset => Some(Step::Reset),
            Step::LockGuardToMourn(dead) => Some(Step::Mourn(dead)),
            _ => None,
        };
        if let Some(step) = locked {
            if self.guard.is_some_and(|owner| self.processes[owner].alive) {
                return Vec::new();
            }
            next.guard = Some(me);
            next.processes[me].step = step;
            return vec![next];
        }
        next.processes[me].step = match process.step {
            Step::Look => match self.phase {
                Phase::Broken => Step::UnlockGuard(After::Finish),
                Phase::Acting if self.actor_is_dead() => Step::Commit(Change::Break, After::ComeAgain),
                Phase::Acting => Step::Count(For::NextRound),
                Phase::Filling => Step::Join,
            },
            Step::Join => {
                let taken: Vec<u8> = self.waiting().collect();
                let me = &mut next.processes[me];
                me.round = self.round;
                me.number = (0..).find(|number| !taken.contains(number)).unwrap_or(0);
                if taken.len() + 1 < usize::from(self.parties) {
                    (me.waits, me.late) = (true, false);
                    Step::LookAgain
                } else if self.has_action {
                    Step::NameActor
                } else {
                    Step::Commit(Change::Complete, After::Pass)
                }
            }
            Step::NameActor => {
                next.actor = Some(me);
                Step::Commit(Change::Act, After::Act)
            }
            Step::LookAgain => match self.phase {
                _ if self.round != process.round => Step::Leave(self.history >> process.round & 1 == 0),
                Phase::Broken => Step::Leave(false),
                Phase::Acting if self.actor_is_dead() => Step::Commit(Change::Break, After::Leave),
                Phase::Acting => Step::Count(For::Action),
                Phase::Filling if process.late => Step::Commit(Change::Break, After::Leave),
                Phase::Filling => Step::Count(For::Others),
            },
            Step::Count(reason) => {
                next.processes[me].late = false;
                Step::UnlockGuardToSleep(next.point.enter(), reason)
            }
            Step::UnlockGuardToSleep(sleep, reason) => {
                next.guard = None;
                Step::Sleep(sleep, reason)
            }
            Step::Sleep(Sleep::Asleep(_), _) => return Vec::new(),
            Step::Sleep(sleep, reason) => match next.point.step(sleep) {
                Some(sleep) => Step::Sleep(sleep, reason),
                None if reason == For::NextRound => Step::LockGuardToCome,
                None => Step::LockGuardAgain,
            },
            Step::Leave(passed) => {
                next.processes[me].waits = false;
                Step::UnlockGuardLeft(passed)
            }
            Step::UnlockGuardLeft(passed) => {
                next.guard = None;
                next.leave(me, passed)
            }
            Step::Act => {
                let ended = |well| {
                    next.processes[me].step = Step::LockGuardActed(well);
                    next
                };
                return [true, false].map(ended).to_vec();
            }
            Step::Acted(well) => match (self.round, self.phase) {
                (round, Phase::Acting) if round == process.round => {
                    let change = if well { Change::Complete } else { Change::Break };
                    Step::Commit(change, if well { After::Pass } else { After::Finish })
                }
                _ => Step::UnlockGuard(After::Finish),
            },
            Step::Abort => Step::Commit(Change::Break, After::Finish),
            Step::Reset if self.phase == Phase::Filling && self.waiting().next().is_none() => {
                Step::UnlockGuard(After::Finish)
            }
            Step::Reset => Step::Commit(Change::Reset, After::Finish),
            Step::Mourn(dead) if self.phase == Phase::Acting && self.actor == Some(dead) => {
                Step::Commit(Change::Break, After::FinishSweep(dead))
            }
            Step::Mourn(dead) => Step::UnlockGuard(After::FinishSweep(dead)),
            Step::Commit(change, after) => {
                next.commit(change);
                Step::TakeOffCount(after)
            }
            Step::TakeOffCount(after) if next.point.take_off() => Step::Advance(after),
            Step::TakeOffCount(after) => Step::UnlockGuard(after),
            Step::Advance(after) => {
                next.point.advance();
                Step::UnlockGuardToWake(after)
            }
            Step::UnlockGuardToWake(after) => {
                next.guard = None;
                Step::WakeAll(after)
            }
            Step::UnlockGuard(after) => {
                next.guard = None;
                next.step_after(me, after)
            }
            Step::WakeAll(after) => {
                next.wake(|_| true);
                next.step_after(me, after)
            }
            _ => return Vec::new(),
        };
        vec![next]
    }

    fn commit(&mut self, change: Change) {
        let bit = 1 << self.round;
        match change {
            Change::Complete | Change::Reset => {
                let kept = if change == Change::Reset { &mut self.stopped } else { &mut self.completed };
                *kept |= bit;
                self.history |= if change == Change::Reset { bit } else { 0 };
                (self.round, self.phase) = (self.round + 1, Phase::Filling);
            }
            Change::Act => self.phase = Phase::Acting,
            Change::Break => {
                self.stopped |= bit;
                self.phase = Phase::Broken;
            }
        }
    }

    /// What process `me` does when it was told how its round ended.
    fn leave(&mut self, me: usize, passed: bool) -> Step {
        let Process { round, number, rounds, .. } = self.processes[me];
        let of_these = if passed { self.completed } else { self.stopped };
        assert!(of_these >> round & 1 != 0, "{me} is told the wrong end: {self:?}");
        if !passed {
            return Step::Done;
        }
        let numbers = &mut self.passed[usize::from(round)];
        assert!(*numbers >> number & 1 == 0, "two of one number: {self:?}");
        self.passed[usize::from(round)] |= 1 << number;
        self.processes[me].rounds = rounds - 1;
        if rounds > 1 { COME } else { Step::Done }
    }

    fn step_after(&mut self, me: usize, after: After) -> Step {
        match after {
            After::ComeAgain => COME,
            After::Leave => Step::LockGuardToLeave,
            After::Pass => self.leave(me, true),
            After::Act => Step::Act,
            After::Finish => Step::Done,
            After::FinishSweep(dead) => {
                self.processes[dead].swept = true;
                Step::Done
            }
        }
    }
}

mod search;
