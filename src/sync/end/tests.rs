//! Ends under closing, dropping, travelling, and SIGKILL.

use std::time::{Duration, Instant};

use super::*;
use crate::arena::blocks::used;
use crate::arena::sweep;
use crate::arena::table::Waiting;
use crate::arena::testing::{Child, Random, session};
use crate::sync::channel::{PutError, TakeError};
use crate::sync::watch;
use crate::sys::clock::Deadline;
use crate::sys::process::{End as Ended, exit_now};

fn ends(duplex: bool) -> (End, End) {
    channel::register();
    register();
    pair(duplex, 1000).expect("memory")
}

fn now() -> Deadline {
    Deadline::after(Some(0.0))
}

fn read(end: &End, deadline: Deadline) -> Result<Vec<u8>, TakeError> {
    let mut buffer = Vec::new();
    let message = end.inbox().expect("it reads").take(&mut buffer, deadline)?;
    Ok(message.bytes(&buffer).to_vec())
}

fn write(end: &End, message: &[u8]) -> Result<(), PutError> {
    end.outbox().expect("it writes").put(message, &[], Deadline::Never)
}

#[test]
fn what_was_sent_is_read_before_the_end() {
    let _session = session();
    let before = used();
    let (first, second) = ends(true);
    write(&first, b"one").expect("room");
    write(&first, b"two").expect("room");
    write(&second, b"back").expect("room");
    drop(first);
    assert_eq!(read(&second, now()).as_deref(), Ok(&b"one"[..]));
    assert_eq!(read(&second, now()).as_deref(), Ok(&b"two"[..]));
    assert_eq!(read(&second, Deadline::Never), Err(TakeError::Closed));
    assert_eq!(write(&second, b"three"), Err(PutError::Closed));
    drop(second);
    assert_eq!(used(), before, "nothing is left, not even what nobody read");
}

#[test]
fn an_end_lives_while_one_process_or_message_has_it() {
    let _session = session();
    let before = used();
    let (first, second) = ends(false);
    let carrier = Channel::new(0).expect("memory");
    carrier.put(b"an end", &[second.offset()], now()).expect("room");
    let offset = second.offset();
    drop(second);
    assert!(matches!(read(&first, now()), Err(TakeError::GaveUp(_))), "it is under way");
    let mut buffer = Vec::new();
    let message = carrier.take(&mut buffer, now()).expect("a message");
    let second = End::open(offset).expect("memory");
    drop(message);
    write(&second, b"here").expect("room");
    assert_eq!(read(&first, now()).as_deref(), Ok(&b"here"[..]));
    carrier.put(b"an end", &[second.offset()], now()).expect("room");
    drop(second);
    drop(carrier);
    assert_eq!(read(&first, Deadline::Never), Err(TakeError::Closed), "it was lost with the message");
    drop(first);
    assert_eq!(used(), before);
}

/// Waits until the child waits for something.
fn until_it_waits(child: &Child) {
    let started = Instant::now();
    while !child.id.slot().is_some_and(|slot| slot.waits_now()) {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not wait");
        std::thread::yield_now();
    }
}

/// A child that has `end` and no other one; it ends with 0 if `body` holds.
fn holder(end: &End, body: impl FnOnce() -> bool) -> Child {
    let holder = Child::inherit(|| {
        keep_only(&HashSet::from([end.offset()]));
        exit_now(i32::from(!body()));
    });
    holder.entered();
    holder
}

#[test]
fn who_waits_at_an_end_goes_on_when_the_holder_of_the_other_is_killed() {
    let _session = session();
    let before = used();
    for round in 0..100 {
        let (first, second) = ends(true);
        let victim = holder(&first, || {
            loop {
                std::thread::park();
            }
        });
        let reader = holder(&second, || read(&second, Deadline::Never) == Err(TakeError::Closed));
        // It fills what the pipe holds, and waits for room.
        let writer = holder(&second, || {
            while write(&second, &[7; 100]).is_ok() {}
            true
        });
        let watcher = holder(&second, || {
            let inbox = second.inbox().expect("it reads");
            watch::wait(&[inbox], Deadline::Never, Waiting::First) == Ok(vec![true])
        });
        drop(first);
        if round % 2 == 0 {
            [&reader, &writer, &watcher].into_iter().for_each(until_it_waits);
        }
        victim.kill();
        for waiter in [reader, writer, watcher] {
            assert_eq!(waiter.wait(), Some(Ended::Exited(0)));
        }
        drop(second);
    }
    assert_eq!(used(), before, "nothing of the dead is left");
}

#[test]
fn processes_killed_while_they_make_and_pass_on_ends_leave_nothing() {
    let _session = session();
    drop(ends(true));
    let before = used();
    let mut random = Random::seeded();
    let carrier = Channel::new(4).expect("memory");
    for _ in 0..150 {
        let victim = Child::run(|| {
            loop {
                let carrier = Channel::open(carrier.offset()).expect("memory");
                let (first, second) = pair(true, 1000).expect("memory");
                let _ = write(&first, &[1; 300]);
                let _ = carrier.put(b"", &[first.offset(), second.offset()], now());
                drop((first, second));
                let mut buffer = Vec::new();
                if let Ok(message) = carrier.take(&mut buffer, now()) {
                    let ends: Vec<End> =
                        message.references().iter().filter_map(|offset| End::open(*offset).ok()).collect();
                    drop(message);
                    let _ = ends.first().map(|end| write(end, b"more"));
                }
            }
        });
        victim.entered();
        std::thread::sleep(Duration::from_micros(random.below(1500)));
        victim.kill();
        sweep::sweep();
    }
    drop(carrier);
    assert_eq!(used(), before, "nothing of the dead is left");
}
