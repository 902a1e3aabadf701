//! Those who acquire and release a lock or a semaphore.
//!
//! What words mean is asked of the code itself ([`Word`]).
//!
//! What must hold: at most as many live in the critical section as there are units; whoever takes something while
//! another one is hungry has come first; and where nobody can go on, everybody is through. Nobody here wakes up by
//! the end of a slice: the calls alone have to do.

use super::more_deaths;
use crate::arena::table::ProcessId;
use crate::sync::turns::{HUNGRY, NOBODY, SOMEBODY};
use crate::sync::word::Word;

/// One that sweeps the dead; it does not die.
const SWEEPER: usize = 3;

/// What a process does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Acquire,
    LockGuard(After),
    LookWhoseTurn,
    Take,
    ExchangeToTake(Word, Word),
    Enter,
    Leave,
    Observe(After),
    Settle(After),
    ExchangeToSettle(After, Word, Word),
    Call(After, u8),
    UnlockGuard(After),
    Wake(After),
    Sleep,
    Asleep,
    Deepen,
    AcquireAgain,
    Inside,
    ReleaseOnce,
    Release,
    ExchangeToRelease(Word),
    ReleaseInTurn,
    Mourn,
    Done,
}

/// What the settling, or the guard, is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum After {
    Taken,
    GaveUp,
    Waiting,
    Released,
    Mourned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Process {
    step: Step,
    alive: bool,
    swept: bool,
    rounds: u8,
    /// The deadline has passed.
    late: bool,
    called: bool,
    woken: bool,
    /// Its place in the order of those who wait, from 1; 0 does not wait.
    waits: u8,
    /// Units it took, as its holding says.
    holding: u8,
}

impl Process {
    fn new(step: Step, rounds: u8) -> Self {
        Self {
            step,
            rounds,
            alive: true,
            swept: false,
            late: false,
            called: false,
            woken: false,
            waits: 0,
            holding: 0,
        }
    }
}

/// What is acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Thing {
    Lock(Word),
    Semaphore { value: u8, abandoned: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    thing: Thing,
    units: u8,
    /// How often the holder has to release it, of a lock that can be acquired again.
    depth: Option<u8>,
    guard: Option<usize>,
    turns: u64,
    processes: [Process; SWEEPER + 1],
    /// Who is being swept.
    dead: Option<usize>,
    deaths_left: u8,
    late_left: u8,
}

fn id(index: usize) -> ProcessId {
    ProcessId { index: index as u32, generation: 1 }
}

impl State {
    fn new(thing: Thing, units: u8, count: usize, rounds: u8, deaths_left: u8, late_left: u8) -> Self {
        let step = |index: usize| if index < count { Step::Acquire } else { Step::Done };
        let processes = [0, 1, 2, SWEEPER].map(|index| Process::new(step(index), rounds));
        let deaths_left = deaths_left + more_deaths();
        Self {
            thing,
            units,
            depth: None,
            guard: None,
            turns: NOBODY,
            processes,
            dead: None,
            deaths_left,
            late_left,
        }
    }

    /// What one does that has it.
    fn taken(&self) -> Step {
        if self.depth.is_some() { Step::Deepen } else { Step::Inside }
    }

    /// Those who wait and live.
    fn waiting(&self) -> impl Iterator<Item = usize> {
        (0..SWEEPER).filter(|index| self.processes[*index].alive && self.processes[*index].waits > 0)
    }

    /// The one of them that came first, of those for which `which` holds.
    fn first(&self, which: impl Fn(&Process) -> bool) -> Option<usize> {
        let them = self.waiting().filter(|index| which(&self.processes[*index]));
        them.min_by_key(|index| self.processes[*index].waits)
    }

    fn available(&self) -> u8 {
        match self.thing {
            Thing::Lock(word) => u8::from(word.is_available()),
            Thing::Semaphore { value, abandoned } => value + abandoned,
        }
    }

    fn is_dead(&self, owner: ProcessId) -> bool {
        !self.processes[owner.index as usize].alive
    }

    /// The states that follow if process `me` makes its next step; none if it can't.
    fn after_step_of(&self, me: usize) -> Vec<Self> {
        let mut next = *self;
        let process = &mut next.processes[me];
        let go = |next: &mut Self, step: Step| next.processes[me].step = step;
        let taker = Word::held(id(me), 0);
        match process.step {
            Step::Acquire => match next.thing {
                Thing::Lock(Word::FREE) => {
                    next.thing = Thing::Lock(taker);
                    go(&mut next, self.taken());
                }
                _ => go(&mut next, Step::LockGuard(After::Waiting)),
            },
            Step::LockGuard(after) => {
                if next.guard.is_some_and(|owner| next.processes[owner].alive) {
                    return Vec::new();
                }
                next.guard = Some(me);
                // Only those with the guard look at this.
                next.processes[me].called &= after != After::Waiting;
                go(
                    &mut next,
                    match after {
                        After::Released => Step::ReleaseInTurn,
                        After::Mourned => Step::Mourn,
                        _ => Step::LookWhoseTurn,
                    },
                );
            }
            Step::LookWhoseTurn => {
                let first = next.first(|_| true);
                let turn = next.turns != HUNGRY || first.is_none_or(|first| first == me);
                go(&mut next, if turn { Step::Take } else { Step::Enter });
            }
            Step::Take => match next.thing {
                Thing::Lock(word) => {
                    let dead = word.owner().is_some_and(|owner| next.is_dead(owner));
                    let step =
                        word.taken(taker, dead).map_or(Step::Enter, |to| Step::ExchangeToTake(word, to));
                    go(&mut next, step);
                }
                Thing::Semaphore { value, abandoned } if value + abandoned > 0 => {
                    let (value, abandoned) =
                        if value > 0 { (value - 1, abandoned) } else { (0, abandoned - 1) };
                    process.holding += 1;
                    process.step = Step::Leave;
                    next.thing = Thing::Semaphore { value, abandoned };
                }
                Thing::Semaphore { .. } => go(&mut next, Step::Enter),
            },
            Step::ExchangeToTake(old, new) => {
                let same = next.thing == Thing::Lock(old);
                if same {
                    next.thing = Thing::Lock(new);
                }
                go(&mut next, if same { Step::Leave } else { Step::Take });
            }
            Step::Leave => {
                let waited = process.waits > 0;
                process.waits = 0;
                let settle = waited || next.turns != NOBODY;
                go(&mut next, settled_if(settle, After::Taken));
            }
            Step::Enter if process.late => {
                process.waits = 0;
                go(&mut next, Step::Observe(After::GaveUp));
            }
            Step::Enter => {
                if process.waits == 0 {
                    process.called = false;
                    // Only the order counts: the numbers of those who wait are kept low.
                    let last = self.waiting().map(|index| self.processes[index].waits).max();
                    next.processes[me].waits = last.unwrap_or(0) + 1;
                }
                go(&mut next, Step::Observe(After::Waiting));
            }
            Step::Observe(after) => {
                if next.first(|_| true).is_none() {
                    next.turns = NOBODY;
                    go(&mut next, Step::Settle(after));
                    return vec![next];
                }
                // Whether the first has waited for long: both may be.
                go(&mut next, Step::Settle(after));
                return vec![Self { turns: SOMEBODY, ..next }, Self { turns: HUNGRY, ..next }];
            }
            Step::Settle(after) => match next.thing {
                Thing::Lock(word) => {
                    let settled = word.settled(next.turns != NOBODY, next.turns == HUNGRY);
                    go(&mut next, Step::ExchangeToSettle(after, word, settled));
                }
                Thing::Semaphore { value, abandoned } => go(&mut next, Step::Call(after, value + abandoned)),
            },
            Step::ExchangeToSettle(after, old, new) => {
                let same = next.thing == Thing::Lock(old);
                if same {
                    next.thing = Thing::Lock(new);
                }
                let available = u8::from(new.is_available());
                go(&mut next, if same { Step::Call(after, available) } else { Step::Settle(after) });
            }
            Step::Call(after, available) => {
                let on_their_way = next.waiting().filter(|index| next.processes[*index].called).count();
                let uncalled = next.first(|process| !process.called);
                match uncalled.filter(|_| on_their_way < usize::from(available)) {
                    // One store a step: the next look is the same again.
                    Some(first) => {
                        next.processes[first].called = true;
                        go(&mut next, Step::Call(after, available));
                    }
                    None => go(&mut next, Step::UnlockGuard(after)),
                }
            }
            Step::UnlockGuard(after) => {
                next.guard = None;
                go(&mut next, Step::Wake(after));
            }
            Step::Wake(after) => {
                for index in self.waiting() {
                    next.processes[index].woken |= next.processes[index].called;
                }
                if after == After::Mourned {
                    next.finish_sweep();
                }
                next.processes[me].step = next.step_after(me, after);
            }
            Step::Sleep => {
                process.woken = false;
                process.step = if process.called { Step::LockGuard(After::Waiting) } else { Step::Asleep };
            }
            Step::Asleep => {
                if !process.woken {
                    return Vec::new();
                }
                process.step = Step::LockGuard(After::Waiting);
            }
            Step::Deepen => {
                next.depth = Some(1);
                go(&mut next, Step::AcquireAgain);
            }
            Step::AcquireAgain => {
                next.depth = self.depth.map(|depth| depth + 1);
                go(&mut next, Step::Inside);
            }
            Step::Inside => {
                process.step = if self.depth.is_some() { Step::ReleaseOnce } else { Step::Release };
            }
            Step::ReleaseOnce => {
                next.depth = self.depth.map(|depth| depth - 1);
                go(&mut next, if self.depth > Some(1) { Step::ReleaseOnce } else { Step::Release });
            }
            Step::Release => match next.thing {
                Thing::Lock(word) if word.is_plain() => go(&mut next, Step::ExchangeToRelease(word)),
                _ => go(&mut next, Step::LockGuard(After::Released)),
            },
            Step::ExchangeToRelease(word) => {
                let same = next.thing == Thing::Lock(word);
                if same {
                    next.thing = Thing::Lock(Word::FREE);
                    next.processes[me].step = next.step_after(me, After::Released);
                } else {
                    go(&mut next, Step::LockGuard(After::Released));
                }
            }
            Step::ReleaseInTurn => {
                let settle = match &mut next.thing {
                    Thing::Lock(word) => {
                        *word = word.released().expect("who is inside holds it");
                        true
                    }
                    Thing::Semaphore { value, abandoned } => {
                        *value += 1;
                        if next.processes[me].holding == 0 {
                            *abandoned = abandoned.saturating_sub(1);
                        }
                        next.turns != NOBODY
                    }
                };
                next.processes[me].holding = next.processes[me].holding.saturating_sub(1);
                go(&mut next, settled_if(settle, After::Released));
            }
            Step::Mourn => {
                let dead = next.dead.expect("somebody is swept");
                match &mut next.thing {
                    Thing::Lock(word) if word.owner() == Some(id(dead)) => *word = word.abandoned(),
                    Thing::Lock(_) => {}
                    Thing::Semaphore { value, abandoned } => {
                        *abandoned += next.processes[dead].holding.min(next.units - *value - *abandoned);
                        next.processes[dead].holding = 0;
                    }
                }
                go(&mut next, Step::Observe(After::Mourned));
            }
            Step::Done => return Vec::new(),
        }
        vec![next]
    }

    fn finish_sweep(&mut self) {
        let dead = self.dead.take().expect("somebody is swept");
        self.processes[dead].swept = true;
        self.processes[dead].waits = 0;
    }

    /// What process `me` does when the guard is behind it.
    fn step_after(&mut self, me: usize, after: After) -> Step {
        let taken = self.taken();
        let process = &mut self.processes[me];
        match after {
            After::Taken => taken,
            After::Waiting => Step::Sleep,
            After::Mourned => Step::Done,
            After::Released if process.rounds > 1 => {
                *process =
                    Process { holding: process.holding, ..Process::new(Step::Acquire, process.rounds - 1) };
                Step::Acquire
            }
            After::GaveUp | After::Released => {
                *process = Process { holding: process.holding, ..Process::new(Step::Done, 0) };
                Step::Done
            }
        }
    }
}

fn settled_if(settle: bool, after: After) -> Step {
    if settle { Step::Observe(after) } else { Step::UnlockGuard(after) }
}

mod search;
