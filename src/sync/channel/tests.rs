//! The channel under order, limits, large messages, handles, and SIGKILL.

use std::time::{Duration, Instant};

use super::take::number;
use super::*;
use crate::arena::blocks::used;
use crate::arena::parcel::Parcel;
use crate::arena::testing::{Child, Random, session};
use crate::sync::chunk::INLINE;
use crate::sys::process::End;

fn now() -> Deadline {
    Deadline::after(Some(0.0))
}

fn take(channel: &Channel) -> Option<Vec<u8>> {
    let mut buffer = Vec::new();
    let message = channel.take(&mut buffer, now()).ok()?;
    Some(message.bytes(&buffer).to_vec())
}

#[test]
fn messages_come_out_in_order_whatever_their_size() {
    let _session = session();
    register();
    let before = used();
    let channel = Channel::new(0).expect("memory");
    let sizes = [0, 1, 7, 8, 9, 100, 4000, 5000, INLINE - 1, INLINE, INLINE + 1, 1 << 20];
    for round in 0..50_u8 {
        for size in sizes {
            channel.put(&vec![round; size], &[], now()).expect("room");
        }
    }
    assert_eq!(channel.len(), 50 * sizes.len() as u64);
    for round in 0..50_u8 {
        for size in sizes {
            assert_eq!(take(&channel), Some(vec![round; size]));
        }
    }
    assert_eq!(take(&channel), None);
    drop(channel);
    assert_eq!(used(), before, "an empty channel gives everything back");
}

#[test]
fn small_messages_come_in_rows_up_to_one_that_is_not() {
    let _session = session();
    register();
    let before = used();
    let channel = Channel::new(0).expect("memory");
    let parcel = Parcel::new(b"inside", &[]).expect("memory");
    let sizes = [1, 0, 9, 4000, INLINE + 1, 5, 5000, INLINE, 3, 3, 3];
    for round in 0..50_u8 {
        for size in sizes {
            channel.put(&vec![round; size], &[], now()).expect("room");
        }
        channel.put(&[round; 2], &[parcel.offset()], now()).expect("room");
    }
    let (mut buffer, mut ends, mut came) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        channel.take_row(&mut buffer, &mut ends, 3);
        assert!(ends.len() <= 3);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        came.extend(starts.zip(&ends).map(|(start, end)| buffer[start..*end].to_vec()));
        if ends.is_empty() {
            let Some(message) = take(&channel) else { break };
            came.push(message);
        }
    }
    let sent = (0..50_u8).flat_map(|round| sizes.into_iter().chain([2]).map(move |size| vec![round; size]));
    assert!(came.into_iter().eq(sent));
    drop((channel, parcel));
    assert_eq!(used(), before);
}

#[test]
fn a_dropped_channel_frees_what_is_in_it() {
    let _session = session();
    register();
    let before = used();
    let channel = Channel::new(0).expect("memory");
    let parcel = Parcel::new(b"inside", &[]).expect("memory");
    for size in [3, 100_000, 200_000] {
        channel.put(&vec![1; size], &[parcel.offset()], now()).expect("room");
    }
    drop(parcel);
    drop(channel);
    assert_eq!(used(), before);
}

#[test]
fn handles_in_a_message_are_alive_until_it_is_dropped() {
    let _session = session();
    register();
    let before = used();
    let channel = Channel::new(0).expect("memory");
    let parcel = Parcel::new(b"inside", &[]).expect("memory");
    let offset = parcel.offset();
    channel.put(b"look", &[offset], now()).expect("room");
    drop(parcel);
    let mut buffer = Vec::new();
    let message = channel.take(&mut buffer, now()).expect("a message");
    assert_eq!(message.references(), [offset]);
    let parcel = Parcel::open(offset).expect("memory");
    drop(message);
    assert_eq!(parcel.bytes(), b"inside");
    drop((parcel, channel));
    assert_eq!(used(), before);
}

#[test]
fn a_full_channel_refuses_and_a_closed_one_says_so() {
    let _session = session();
    register();
    let channel = Channel::new(2).expect("memory");
    channel.put(b"1", &[], now()).expect("room");
    channel.put(b"2", &[], now()).expect("room");
    assert_eq!(channel.put(b"3", &[], now()), Err(PutError::GaveUp(GaveUp::TimedOut)));
    channel.close();
    assert_eq!(channel.put(b"3", &[], now()), Err(PutError::Closed));
    assert_eq!(take(&channel).as_deref(), Some(&b"1"[..]));
    assert_eq!(take(&channel).as_deref(), Some(&b"2"[..]));
    let mut buffer = Vec::new();
    assert!(matches!(channel.take(&mut buffer, now()), Err(TakeError::Closed)));
}

#[test]
fn who_takes_gets_nothing_that_is_only_passed_over() {
    let _session = session();
    register();
    let channel = Channel::new(0).expect("memory");
    let got = Channel::new(0).expect("memory");
    for number in 0..6_u8 {
        channel.put(&[number], &[], now()).expect("room");
    }
    let consume = || {
        let mut buffer = Vec::new();
        while let Ok(message) = channel.take(&mut buffer, Deadline::Never) {
            got.put(message.bytes(&buffer), &[], Deadline::Never).expect("room");
        }
        crate::sys::process::exit_now(0);
    };
    let mut consumer = None;
    channel.sorted_out(|_, bytes| {
        // It comes while only what is not wanted is there.
        if consumer.is_none() {
            consumer = Some(waiting(consume));
        }
        if bytes[0] % 2 == 0 {
            channel.put(bytes, &[], now()).expect("room");
        }
        assert!(got.is_empty());
    });
    channel.close();
    assert_eq!(consumer.expect("it was started").wait(), Some(End::Exited(0)));
    assert_eq!([take(&got), take(&got), take(&got)], [Some(vec![0]), Some(vec![2]), Some(vec![4])]);
    assert_eq!(take(&got), None);
}

#[test]
fn a_claim_is_filled_by_taking_and_emptied_by_putting() {
    let _session = session();
    register();
    let tasks = Channel::new(0).expect("memory");
    let results = Channel::new(0).expect("memory");
    let board = Block::new(8, Use::Bytes).expect("memory");
    // SAFETY: a word in this process's hand.
    let claim: &AtomicU64 = unsafe { at(board.offset()) };
    tasks.put(&77_u64.to_le_bytes(), &[], now()).expect("room");
    let mut buffer = Vec::new();
    tasks.take_for(&mut buffer, now(), Some(claim), Waiting::Task).expect("a task");
    assert_eq!(claim.load(Ordering::Relaxed), 77);
    results.put_for(b"half", &[], now(), (claim, 78)).expect("room");
    assert_eq!(claim.load(Ordering::Relaxed), 78);
    results.put_for(b"done", &[], now(), (claim, 0)).expect("room");
    assert_eq!(claim.load(Ordering::Relaxed), 0);
}

/// Producers number their messages, consumers tick them off in shared memory; both are killed at random
/// and replaced. Nothing may hang, come twice, or be lost but what a killed consumer had just taken.
#[test]
fn killed_producers_and_consumers_tear_nothing() {
    const MESSAGES: u64 = 60_000;
    let _session = session();
    register();
    let before = used();
    let channel = Channel::new(100).expect("memory");
    let mut board = Block::new((MESSAGES + 1) * 8, Use::Bytes).expect("memory");
    board.bytes_mut().fill(0);
    let seen = |number: u64| -> &'static AtomicU64 {
        // SAFETY: the board has a zeroed word for each number and outlives the children.
        unsafe { at(board.offset() + number * 8) }
    };
    let next = seen(MESSAGES);
    let produce = || {
        let channel = Channel::open(channel.offset()).expect("memory");
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= MESSAGES {
                break;
            }
            let mut message = vec![0; if number % 500 == 0 { INLINE + 1 } else { 8 + number as usize % 90 }];
            message[..8].copy_from_slice(&number.to_le_bytes());
            channel.put(&message, &[], Deadline::Never).expect("room");
        }
    };
    let consume = || {
        let channel = Channel::open(channel.offset()).expect("memory");
        let mut buffer = Vec::new();
        while let Ok(message) = channel.take(&mut buffer, Deadline::Never) {
            seen(number(message.bytes(&buffer))).fetch_add(1, Ordering::Relaxed);
        }
    };
    let started = Instant::now();
    let mut random = Random::seeded();
    let (mut killed_producers, mut killed_consumers) = (0, 0);
    while next.load(Ordering::Relaxed) < MESSAGES {
        let producer = Child::run(produce);
        let consumer = Child::run(consume);
        producer.entered();
        consumer.entered();
        std::thread::sleep(Duration::from_micros(random.below(3000)));
        if random.below(2) == 0 {
            producer.kill();
            killed_producers += 1;
            std::thread::sleep(Duration::from_micros(random.below(700)));
            consumer.kill();
        } else {
            consumer.kill();
            producer.kill();
            killed_producers += 1;
        }
        killed_consumers += 1;
        assert!(started.elapsed() < Duration::from_secs(60), "the messages don't get through");
    }
    channel.close();
    let last = Child::run(consume);
    last.wait();
    let lost = (0..MESSAGES).filter(|number| seen(*number).load(Ordering::Relaxed) == 0).count();
    let twice = (0..MESSAGES).filter(|number| seen(*number).load(Ordering::Relaxed) > 1).count();
    assert_eq!(twice, 0, "nothing is delivered twice");
    // A killed producer may have taken a number and not put it; a killed consumer may have taken a
    // message and not ticked it off.
    assert!(lost <= killed_producers + killed_consumers, "{lost} lost");
    drop((channel, board));
    assert_eq!(used(), before, "nothing of the dead is left");
}

/// Runs `body` in a child and waits until that waits for something.
fn waiting(body: impl FnOnce()) -> Child {
    let child = Child::run(body);
    let started = Instant::now();
    while !child.id.slot().is_some_and(|slot| slot.waits_now()) {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not wait");
        std::thread::yield_now();
    }
    child
}

#[test]
fn a_producer_waits_for_room_in_bytes_and_for_the_reader_of_what_has_none() {
    let _session = session();
    register();
    let before = used();
    let channel = Channel::shaped(Shape { capacity: 1000, ..Shape::default() }).expect("memory");
    channel.put(&[1; 500], &[], now()).expect("room");
    assert_eq!(channel.put(&[2; 500], &[], now()), Err(PutError::GaveUp(GaveUp::TimedOut)));
    let put = |message: &[u8]| {
        let channel = Channel::open(channel.offset()).expect("memory");
        crate::sys::process::exit_now(i32::from(channel.put(message, &[], Deadline::Never).is_err()));
    };
    let crowded = waiting(|| put(&[3; 900]));
    assert_eq!(take(&channel), Some(vec![1; 500]));
    assert_eq!(crowded.wait(), Some(End::Exited(0)));
    assert_eq!(take(&channel), Some(vec![3; 900]));
    let too_large = waiting(|| put(&[4; 100_000]));
    assert_eq!(channel.len(), 1, "it is there already");
    assert_eq!(take(&channel), Some(vec![4; 100_000]));
    assert_eq!(too_large.wait(), Some(End::Exited(0)));
    let killed = waiting(|| put(&[5; 100_000]));
    killed.kill();
    assert_eq!(take(&channel), Some(vec![5; 100_000]), "what a killed producer put stays");
    drop(channel);
    assert_eq!(used(), before, "nothing is left");
}

#[test]
fn work_is_unfinished_until_it_is_done_also_after_one_who_waited_was_killed() {
    let _session = session();
    register();
    let channel = Channel::new(0).expect("memory");
    assert!(!channel.task_done(), "nothing was put");
    for _ in 0..2 {
        channel.put(b"work", &[], now()).expect("room");
    }
    assert_eq!(channel.join(now()), Ok(false));
    let join = || {
        let channel = Channel::open(channel.offset()).expect("memory");
        crate::sys::process::exit_now(i32::from(channel.join(Deadline::Never) != Ok(true)));
    };
    waiting(join).kill();
    let (one, other) = (waiting(join), waiting(join));
    assert!(channel.task_done());
    assert_eq!(channel.join(now()), Ok(false));
    assert!(channel.task_done());
    assert_eq!((one.wait(), other.wait()), (Some(End::Exited(0)), Some(End::Exited(0))));
    assert!(!channel.task_done());
    channel.put(b"work", &[], now()).expect("room");
    channel.close_at_once();
    assert_eq!((channel.len(), channel.join(now())), (0, Ok(true)));
}
