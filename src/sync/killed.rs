//! Holders and waiters of everything here are killed at random moments: the rest goes on, counts are right, nothing
//! is left. `STOOK_KILL_ROUNDS=1000 cargo test --lib sync::killed` kills longer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::barrier::{Arrival, Barrier, Stopped};
use super::condition::{AnyLock, Condition};
use super::event::Event;
use super::lock::Lock;
use super::rlock::RLock;
use super::semaphore::Semaphore;
use super::wait::GaveUp;
use crate::arena::blocks::{Block, Use, used};
use crate::arena::segment::at;
use crate::arena::table;
use crate::arena::testing::{Child, Random, session};
use crate::sys::clock::Deadline;
use crate::sys::process::{End, exit_now};

/// Who waits longer than this hangs.
fn patience() -> Deadline {
    Deadline::after(Some(20.0))
}

fn now() -> Deadline {
    Deadline::after(Some(0.0))
}

fn rounds() -> usize {
    std::env::var("STOOK_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(25)
}

/// Words that processes share, and that outlive them.
struct Board(Block);

impl Board {
    fn new() -> Self {
        let mut block = Block::new(64, Use::Bytes).expect("memory");
        block.bytes_mut().fill(0);
        Self(block)
    }

    fn word(&self, index: u64) -> &'static AtomicU64 {
        // SAFETY: eight words in a block that outlives the children.
        unsafe { at(self.0.offset() + index * 8) }
    }

    fn read(&self, index: u64) -> u64 {
        self.word(index).load(Ordering::Relaxed)
    }

    fn write(&self, index: u64, value: u64) {
        self.word(index).store(value, Ordering::Relaxed);
    }

    fn add(&self, index: u64) {
        self.word(index).fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs `bodies` as processes; in every round one of them, in turn, is killed after a random time and replaced, and
/// `look` looks at what is left.
fn kill_in_turn(bodies: &[&dyn Fn()], mut look: impl FnMut()) {
    let mut random = Random::seeded();
    let mut children: Vec<Option<Child>> = bodies.iter().map(|body| Some(Child::inherit(body))).collect();
    children.iter().flatten().for_each(Child::entered);
    for round in 0..rounds() {
        std::thread::sleep(Duration::from_micros(random.below(2500)));
        let place = round % bodies.len();
        children[place].take().expect("it was replaced").kill();
        look();
        children[place] = Some(Child::inherit(bodies[place]));
    }
    children.into_iter().flatten().for_each(Child::kill);
}

/// Runs `body` in a child and waits until that waits for something.
fn waiting(body: impl FnOnce()) -> Child {
    let child = Child::inherit(body);
    let patience = patience();
    while !child.id.slot().is_some_and(|slot| slot.waits_now()) {
        assert!(patience.slice(Duration::MAX).is_some(), "it does not wait");
        std::thread::yield_now();
    }
    child
}

#[test]
fn a_lock_is_taken_over_exactly_from_those_who_died_holding_it() {
    let _session = session();
    crate::sync::register();
    let before = used();
    let board = Board::new();
    let lock = Lock::new().expect("memory");
    let enter = |what: &str| {
        let acquired = lock.acquire(patience()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let whole = board.read(0) == board.read(1) && board.read(2) == 0;
        if !whole && acquired.is_none() {
            // Half done, and nobody said so. A child can't fail the test by itself.
            board.add(3);
        }
        board.write(2, 1);
        board.add(0);
        board.write(1, board.read(0));
        board.write(2, 0);
        lock.release().expect("held");
    };
    let work = || loop {
        enter("a child");
    };
    kill_in_turn(&[&work, &work, &work], || enter("the parent"));
    enter("the last");
    assert_eq!(board.read(3), 0, "what was half done is always told");
    assert!(board.read(0) > rounds() as u64, "they did work");
    drop((lock, board));
    assert_eq!(used(), before);
}

#[test]
fn an_rlock_is_free_however_often_a_dead_process_acquired_it() {
    let _session = session();
    crate::sync::register();
    let before = used();
    let lock = RLock::new().expect("memory");
    let work = || loop {
        for _ in 0..3 {
            lock.acquire(Deadline::Never).expect("nobody interrupts");
        }
        for _ in 0..3 {
            lock.release().expect("held");
        }
    };
    kill_in_turn(&[&work, &work], || {
        lock.acquire(patience()).expect("it is free in the end");
        assert_eq!(lock.count(), 1, "the dead process's count is gone");
        lock.release().expect("held");
        assert!(lock.release().is_err());
    });
    drop(lock);
    assert_eq!(used(), before);
}

#[test]
fn units_of_the_dead_come_back_once() {
    let _session = session();
    crate::sync::register();
    let before = used();
    let board = Board::new();
    let semaphore = Semaphore::new(2, true).expect("memory");
    let work = || loop {
        semaphore.acquire(Deadline::Never).expect("nobody interrupts");
        board.add(0);
        semaphore.release().expect("held");
    };
    kill_in_turn(&[&work, &work, &work], || {
        semaphore.acquire(patience()).expect("there is one in the end");
        semaphore.release().expect("held");
    });
    for _ in 0..2 {
        semaphore.acquire(patience()).expect("both are there");
    }
    assert_eq!(semaphore.acquire(now()), Err(GaveUp::TimedOut), "there are no more than two");
    for _ in 0..2 {
        semaphore.release().expect("held");
    }
    assert!(semaphore.release().is_err(), "the bound is what it was");
    assert!(board.read(0) > 0, "they did work");
    drop((semaphore, board));
    assert_eq!(used(), before);
}

#[test]
fn a_signal_is_not_given_twice_and_a_unit_that_was_left_taken_can_be_released() {
    let _session = session();
    crate::sync::register();
    let signal = Semaphore::new(0, false).expect("memory");
    signal.release().expect("no bound");
    let take = || {
        let _ = signal.acquire(patience());
        std::thread::park();
    };
    let child = Child::inherit(take);
    let patience = patience();
    while signal.value() > 0 {
        assert!(patience.slice(Duration::MAX).is_some(), "nobody takes it");
        std::thread::yield_now();
    }
    child.kill();
    assert_eq!(signal.acquire(now()), Err(GaveUp::TimedOut), "it was taken");
    let left = Semaphore::new(1, true).expect("memory");
    Child::inherit(|| {
        let _ = left.acquire(now());
        crate::arena::sweep::myself();
    })
    .wait();
    assert_eq!((left.value(), left.was_abandoned()), (0, false));
    left.release().expect("for the one that is gone");
    assert!(left.release().is_err());
}

#[test]
fn notifications_reach_the_living() {
    let _session = session();
    crate::sync::register();
    let before = used();
    let board = Board::new();
    let condition = Condition::new(AnyLock::RLock(RLock::new().expect("memory"))).expect("memory");
    let lock = condition.lock().lock();
    let consume = || loop {
        lock.acquire(Deadline::Never).expect("nobody interrupts");
        while board.read(0) == 0 {
            condition.wait(Deadline::Never).expect("held");
        }
        board.write(0, board.read(0) - 1);
        board.add(1);
        lock.release().expect("held");
    };
    let produce = |count: u64| {
        lock.acquire(patience()).expect("it is free in the end");
        board.write(0, board.read(0) + count);
        condition.notify(count).expect("held");
        lock.release().expect("held");
    };
    kill_in_turn(&[&consume, &consume], || produce(1));
    // Who was notified and killed may have left something; nobody waits for it any more.
    let last = Child::inherit(consume);
    produce(3);
    let patience = patience();
    while board.read(0) > 0 {
        assert!(patience.slice(Duration::MAX).is_some(), "the last one sleeps on: {}", board.read(0));
        std::thread::yield_now();
    }
    last.kill();
    assert!(board.read(1) > 0, "they did work");
    drop((condition, board));
    assert_eq!(used(), before);
}

#[test]
fn one_that_waits_and_is_killed_is_not_notified_in_the_place_of_another() {
    let _session = session();
    crate::sync::register();
    let condition = Condition::new(AnyLock::Lock(Lock::new().expect("memory"))).expect("memory");
    let lock = condition.lock().lock();
    let wait = || {
        lock.acquire(Deadline::Never).expect("nobody interrupts");
        let woken = condition.wait(Deadline::Never).expect("held");
        lock.release().expect("held");
        exit_now(i32::from(woken.notified == Ok(true)));
    };
    for _ in 0..rounds() {
        let (first, second) = (waiting(wait), waiting(wait));
        // Both wait for the condition, or for its lock on the way there.
        lock.acquire(patience()).expect("free");
        lock.release().expect("held");
        while condition.waiters() < 2 {
            std::thread::yield_now();
        }
        first.kill();
        lock.acquire(patience()).expect("free");
        condition.notify(1).expect("held");
        lock.release().expect("held");
        assert_eq!(second.wait(), Some(End::Exited(1)));
    }
}

#[test]
fn an_event_wakes_the_living() {
    let _session = session();
    crate::sync::register();
    let before = used();
    let event = Event::new().expect("memory");
    let wait = || loop {
        event.wait(Deadline::Never).expect("nobody interrupts");
        std::hint::spin_loop();
    };
    let toggle = || loop {
        event.set();
        event.clear();
    };
    kill_in_turn(&[&wait, &toggle, &wait, &toggle], || event.set());
    event.clear();
    let last = waiting(|| exit_now(i32::from(event.wait(Deadline::Never) == Ok(true))));
    event.set();
    event.clear();
    assert_eq!(last.wait(), Some(End::Exited(1)), "it was set while that one waited");
    drop(event);
    assert_eq!(used(), before);
}

#[test]
fn a_barrier_goes_on_with_those_who_come_in_the_place_of_the_dead() {
    let _session = session();
    crate::sync::register();
    let before = used();
    let barrier = Barrier::new(3, None, None).expect("memory");
    let come = || loop {
        barrier.wait(Deadline::Never).expect("nobody breaks it");
    };
    let mut random = Random::seeded();
    let mut children = [0, 1].map(|_| Child::inherit(come));
    for round in 0..rounds() {
        let mut last = None;
        for _ in 0..random.below(20) {
            match barrier.wait(patience()) {
                Ok(Arrival::Passed(number)) => last = Some(number),
                other => panic!("{other:?} in round {round}"),
            }
        }
        assert!(last.is_none_or(|number| number < 3));
        std::mem::replace(&mut children[round % 2], Child::inherit(come)).kill();
    }
    assert!(barrier.waiting() <= 2);
    children.into_iter().for_each(Child::kill);
    assert_eq!((barrier.waiting(), barrier.is_broken()), (0, false));
    drop(barrier);
    assert_eq!(used(), before);
}

#[test]
fn a_barrier_breaks_when_its_action_dies() {
    let _session = session();
    crate::sync::register();
    let before = used();
    let action = crate::arena::parcel::Parcel::new(b"", &[]).expect("memory");
    let barrier = Barrier::new(2, Some(&action), None).expect("memory");
    drop(action);
    for round in 0..rounds() {
        let waits = waiting(|| {
            let stopped = barrier.wait(Deadline::Never);
            exit_now(i32::from(stopped == Err(Stopped::Broken)));
        });
        let acts = Child::inherit(|| {
            assert!(matches!(barrier.wait(Deadline::Never), Ok(Arrival::Act(_))));
            loop {
                std::thread::park();
            }
        });
        let patience = patience();
        while barrier.waiting() != 0 {
            assert!(patience.slice(Duration::MAX).is_some(), "nobody acts in round {round}");
            std::thread::yield_now();
        }
        acts.kill();
        assert_eq!(waits.wait(), Some(End::Exited(1)));
        assert!(barrier.is_broken());
        barrier.reset();
    }
    drop(barrier);
    assert_eq!(used(), before);
}

/// Runs a process that lets go of something for an instant only, so that whoever has to wake up first is too late,
/// and takes it 50 times beside it.
fn beside_a_hog(acquire: impl Fn() -> bool, release: impl Fn()) {
    let board = Board::new();
    let hog = Child::inherit(|| {
        // Should the test fail, it does not go on for ever.
        let life = Deadline::after(Some(60.0));
        while life.slice(Duration::MAX).is_some() {
            acquire();
            board.write(0, 1);
            if table::first().is_some_and(|slot| slot.waits_now()) {
                board.add(1);
            }
            let end = Deadline::after(Some(0.001));
            while end.slice(Duration::MAX).is_some() {}
            release();
        }
    });
    for turn in 0..50 {
        let patience = patience();
        while board.read(0) == 0 {
            assert!(patience.slice(Duration::MAX).is_some(), "the hog has no turn after {turn}");
            std::thread::yield_now();
        }
        board.write(1, 0);
        assert!(acquire(), "turn {turn} never comes");
        // It may go first until the other one has waited for a millisecond, as long as it holds it once; a busy
        // machine adds a few.
        assert!(board.read(1) <= 10, "turn {turn} came after {} turns of the other", board.read(1));
        board.write(0, 0);
        release();
    }
    hog.kill();
}

#[test]
fn nobody_starves() {
    let _session = session();
    crate::sync::register();
    let lock = Lock::new().expect("memory");
    beside_a_hog(|| lock.acquire(patience()).is_ok(), || lock.release().expect("held"));
    let semaphore = Semaphore::new(1, false).expect("memory");
    beside_a_hog(|| semaphore.acquire(patience()).is_ok(), || semaphore.release().expect("no bound"));
}
