//! SIGKILL at random moments: what the dead leave half-done is completed or undone, and nothing leaks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::blocks::{Block, Use, used};
use super::bundle::Bundle;
use super::guard::Guard;
use super::parcel::Parcel;
use super::segment::{at, header, slots};
use super::size::{CLASSES, class_size};
use super::sweep;
use super::table::{self, FREE, Role};
use super::testing::{Child, Random, session};

/// Runs `bodies` as processes and kills them after random times, `rounds` times.
fn rounds(rounds: usize, random: &mut Random, bodies: &[&dyn Fn()]) {
    for _ in 0..rounds {
        let children: Vec<Child> = bodies.iter().map(Child::run).collect();
        children.iter().for_each(Child::entered);
        for child in children {
            std::thread::sleep(Duration::from_micros(random.below(1500)));
            child.kill();
        }
    }
}

/// Every free block is in one list once, and of that list's class.
fn lists_are_sound() {
    let mut seen = std::collections::HashSet::new();
    let header = header();
    let _held = header.blocks_guard.lock();
    for lists in [&header.free, &header.cold, &header.objects] {
        for (class, list) in lists.iter().enumerate().take(CLASSES) {
            let mut offset = list.load(Ordering::Relaxed);
            while offset != 0 {
                assert!(seen.insert(offset), "a block is free twice");
                assert_eq!(super::blocks::capacity(offset) + 16, class_size(class));
                // SAFETY: a free block's link stands 8 bytes before it.
                let next: &AtomicU64 = unsafe { at(offset - 8) };
                offset = next.load(Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn a_guards_words_change_together_or_not_at_all() {
    let _session = session();
    let block = Block::new(1024, Use::Object).expect("memory");
    let word = |index: u64| -> &'static AtomicU64 {
        // SAFETY: words of a block that outlives the children.
        unsafe { at(block.offset() + 512 + index * 8) }
    };
    (0..8).for_each(|index| word(index).store(0, Ordering::Relaxed));
    // SAFETY: the block is this test's.
    let guard: &Guard = unsafe { at(block.offset()) };
    if block.is_fresh() {
        // SAFETY: nobody knows the block yet.
        unsafe { Guard::init(std::ptr::from_ref(guard).cast_mut()) };
    }
    let count = || {
        loop {
            let held = guard.lock();
            let next = word(0).load(Ordering::Relaxed) + 1;
            held.commit([0, 1, 2, 3, 4, 5, 6, 7].map(|index| (word(index), next)));
        }
    };
    let mut random = Random::seeded();
    for _ in 0..60 {
        rounds(1, &mut random, &[&count, &count]);
        let _held = guard.lock();
        let values: Vec<u64> = (0..8).map(|index| word(index).load(Ordering::Relaxed)).collect();
        assert!(values.iter().all(|value| *value == values[0]), "torn: {values:?}");
    }
    assert!(word(0).load(Ordering::Relaxed) > 1000, "the children did work");
}

#[test]
fn blocks_of_the_dead_come_back() {
    let _session = session();
    let before = used();
    let juggle = || {
        let mut random = Random::seeded();
        let mut held = Vec::new();
        loop {
            match Block::new(1 + random.below(200_000), Use::Bytes) {
                Ok(block) if random.below(3) > 0 && held.len() < 6 => held.push(block),
                Ok(_) => held.clear(),
                Err(error) => panic!("{error}"),
            }
        }
    };
    rounds(60, &mut Random::seeded(), &[&juggle, &juggle]);
    assert_eq!(used(), before);
    lists_are_sound();
}

#[test]
fn references_of_the_dead_are_taken_off() {
    let _session = session();
    let before = used();
    let shared = Parcel::new(b"shared", &[]).expect("memory");
    let offset = shared.offset();
    let refer = || {
        loop {
            let mine = Parcel::open(offset).expect("alive");
            let outer = Parcel::new(&[1; 300], &[offset, offset, mine.offset()]).expect("memory");
            let bundle = Bundle::new(&[outer.offset(), offset]).expect("memory");
            drop((outer, mine, bundle));
        }
    };
    // A sweeper that is killed in the middle of sweeping is swept like anybody else.
    let clean = || {
        loop {
            sweep::sweep();
        }
    };
    rounds(60, &mut Random::seeded(), &[&refer, &clean, &refer, &clean]);
    assert_eq!(shared.bytes(), b"shared");
    drop(shared);
    assert_eq!(used(), before);
    lists_are_sound();
}

#[test]
fn slots_of_the_dead_are_free_again() {
    let _session = session();
    let taken = || slots().iter().filter(|slot| slot.state() != FREE).count();
    let before = taken();
    let claim = || {
        // Killed between claiming slots and starting processes.
        for _ in 0..20 {
            let _ = table::claim("never started", Role::Process);
        }
        loop {
            std::hint::spin_loop();
        }
    };
    rounds(5, &mut Random::seeded(), &[&claim]);
    for _ in 0..2 {
        sweep::sweep();
    }
    assert_eq!(taken(), before);
}

#[test]
fn a_living_process_is_told_from_a_dead_one() {
    let _session = session();
    let child = Child::run(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    child.entered();
    let slot = child.id.slot().expect("its slot");
    assert!(slot.is_alive());
    crate::sys::process::kill(child.pid, crate::sys::process::SIGKILL).expect("may be killed");
    let patience = std::time::Instant::now();
    while slot.is_alive() {
        assert!(patience.elapsed() < Duration::from_secs(20), "its death is not seen");
    }
    child.wait();
}
