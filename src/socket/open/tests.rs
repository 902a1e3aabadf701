//! Sockets on their way between processes, while some of those end or are killed.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use super::*;
use crate::arena::blocks::used;
use crate::arena::parcel::Parcel;
use crate::arena::testing::{Child, session};
use crate::socket::stream::StreamError;
use crate::sync::endpoint;
use crate::sync::glance::Glance;
use crate::sync::readiness::wait_for_descriptor;
use crate::sys::clock::Deadline;
use crate::sys::descriptor::Want;
use crate::sys::process::{End, exit_now};
use crate::sys::socket::pair;

fn patience() -> Deadline {
    Deadline::after(Some(60.0))
}

/// A socket of the session and the other end of it, which is none.
fn opened() -> (Rc<Open>, Socket) {
    endpoint::register();
    let (one, other) = pair().expect("two sockets");
    (Open::new(one, None).expect("memory"), other)
}

/// In a forked child: nothing that its parent had is known here.
fn forget() {
    for open in KNOWN.take().into_values().filter_map(|open| open.upgrade()) {
        std::mem::forget(open);
    }
    std::mem::forget(LENT.take());
    SHARED.set(false);
}

/// What travels: a reference that counts, as a message's.
fn message(open: &Open) -> Parcel {
    Parcel::new(b"", &[open.endpoint().offset()]).expect("memory")
}

/// A process that takes over what the message brings, says hello on it, and waits for an answer.
fn receiver(message: &Parcel) -> Child {
    let offset = message.references()[0];
    Child::run(move || {
        forget();
        let Ok(open) = Open::attach(offset) else { exit_now(1) };
        // The descriptor that the fork brought along is not the one that is used.
        if open.send(b"hello").is_err() {
            exit_now(2);
        }
        let mut answer = Vec::new();
        let code = match open.receive(&mut answer, None, patience()) {
            Ok(()) => i32::from(answer.first().copied().unwrap_or(3)),
            Err(StreamError::Ended) => 4,
            Err(_) => 5,
        };
        drop(open);
        exit_now(code);
    })
}

fn hello(other: &Socket) {
    let mut bytes = [0; 13];
    let mut have = 0;
    while have < bytes.len() {
        wait_for_descriptor(other.as_fd(), Want::Read, patience(), &Glance::new()).expect("a message");
        have += other.receive(&mut bytes[have..]).expect("a message");
    }
    assert_eq!(&bytes[8..], b"hello");
}

fn ends(other: &Socket) -> bool {
    wait_for_descriptor(other.as_fd(), Want::Read, patience(), &Glance::new()).expect("the end");
    other.receive(&mut [0; 1]).is_ok_and(|count| count == 0)
}

fn lent() -> usize {
    LENT.with_borrow(Vec::len)
}

#[test]
fn a_socket_that_is_sent_and_closed_works_where_it_arrives() {
    let _session = session();
    let before = used();
    let (open, other) = opened();
    let message = message(&open);
    drop(open);
    assert_eq!(lent(), 1, "it is on its way");
    let child = receiver(&message);
    hello(&other);
    tidy();
    assert_eq!(lent(), 0, "the receiver has it");
    drop(message);
    other.send(&[IoSlice::new(&[1, 0, 0, 0, 0, 0, 0, 0, 7])]).expect("room");
    assert_eq!(child.wait(), Some(End::Exited(7)));
    assert!(ends(&other));
    assert_eq!(used(), before);
}

#[test]
fn a_socket_whose_message_is_never_received_ends() {
    let _session = session();
    let before = used();
    let (open, other) = opened();
    let message = message(&open);
    drop(open);
    drop(message);
    tidy();
    assert_eq!(lent(), 0);
    assert!(ends(&other));
    assert_eq!(used(), before);
}

#[test]
fn a_socket_comes_back_to_the_one_that_lent_it() {
    let _session = session();
    let (open, other) = opened();
    let message = message(&open);
    drop(open);
    let open = Open::attach(message.references()[0]).expect("it is here");
    drop(message);
    assert_eq!(lent(), 0);
    open.send(b"hello").expect("room");
    hello(&other);
    drop(open);
    assert!(ends(&other));
}

#[test]
fn the_last_user_ends_the_connection_though_others_have_lent_it() {
    let _session = session();
    let (open, other) = opened();
    let message = message(&open);
    let child = receiver(&message);
    hello(&other);
    // The child holds it: nothing is lent. Its killing leaves this process alone with it.
    drop(message);
    child.kill();
    drop(open);
    assert_eq!(lent(), 0);
    assert!(ends(&other));
}

#[test]
fn what_a_killed_process_had_lent_is_gone_and_whoever_receives_it_is_told() {
    let _session = session();
    let before = used();
    let (sender, receives) = pair().expect("two sockets");
    // The child makes the socket, so nobody else has it; its endpoint is counted here by the message.
    let child = Child::run(move || {
        forget();
        let (open, _other) = opened();
        let offset = open.endpoint().offset();
        let _ = sender.send(&[IoSlice::new(&offset.to_le_bytes())]);
        loop {
            std::thread::park();
        }
    });
    let mut offset = [0; 8];
    wait_for_descriptor(receives.as_fd(), Want::Read, patience(), &Glance::new()).expect("an offset");
    receives.receive(&mut offset).expect("an offset");
    let offset = u64::from_le_bytes(offset);
    let message = Parcel::new(b"", &[offset]).expect("memory");
    child.kill();
    assert!(matches!(Open::attach(offset), Err(Lost::Gone)));
    drop(message);
    assert_eq!(used(), before);
}

#[test]
fn a_number_that_means_another_file_by_now_is_not_taken_for_the_socket() {
    let _session = session();
    let (open, _other) = opened();
    let (stranger, _its_peer) = pair().expect("two sockets");
    // As if its holder had closed it and opened another under the number that is noted.
    open.endpoint().enter(number(&stranger));
    let offset = open.endpoint().offset();
    let child = Child::run(move || {
        forget();
        exit_now(if matches!(Open::attach(offset), Err(Lost::Gone)) { 7 } else { 1 });
    });
    assert_eq!(child.wait(), Some(End::Exited(7)));
}

#[test]
fn messages_of_several_processes_do_not_mix_and_a_killed_sender_spoils_its_direction_only() {
    let _session = session();
    let (open, other) = opened();
    let message = message(&open);
    let offset = message.references()[0];
    let send = move |byte: u8, times: usize, size: usize| {
        forget();
        let Ok(open) = Open::attach(offset) else { exit_now(1) };
        for _ in 0..times {
            if open.send(&vec![byte; size]).is_err() {
                exit_now(2);
            }
        }
        exit_now(7);
    };
    let children = [1, 2, 3].map(|byte| Child::run(move || send(byte, 50, 3000)));
    let peer = Open::new(other, None).expect("memory");
    let mut buffer = Vec::new();
    for _ in 0..150 {
        peer.receive(&mut buffer, None, patience()).expect("a message");
        assert_eq!(buffer.len(), 3000);
        assert!(buffer.iter().all(|byte| *byte == buffer[0]), "messages are mixed");
    }
    for child in children {
        assert_eq!(child.wait(), Some(End::Exited(7)));
    }
    // This one does not fit: it is killed in the middle.
    let child = Child::run(move || send(4, 1, 64 << 20));
    wait_for_descriptor(peer.socket().as_fd(), Want::Read, patience(), &Glance::new()).expect("it begins");
    let patience_begins = Instant::now();
    while !child.id.slot().is_some_and(|slot| slot.waits_now()) {
        assert!(patience_begins.elapsed() < Duration::from_secs(60));
        std::thread::yield_now();
    }
    child.kill();
    assert!(matches!(open.send(b"x"), Err(StreamError::Spoiled)));
    // The direction back is as it was.
    peer.send(b"back").expect("room");
    open.receive(&mut buffer, None, patience()).expect("a message");
    assert_eq!(buffer, b"back");
    // And the peer does not wait for the rest for ever.
    drop((open, message));
    let cut = peer.receive(&mut buffer, None, patience());
    assert!(matches!(cut, Err(StreamError::CutOff)), "{cut:?}");
}

#[test]
fn a_receiver_killed_while_it_waits_spoils_nothing() {
    let _session = session();
    let (open, other) = opened();
    let message = message(&open);
    let offset = message.references()[0];
    let child = Child::run(move || {
        forget();
        let Ok(open) = Open::attach(offset) else { exit_now(1) };
        let _ = open.receive(&mut Vec::new(), None, Deadline::Never);
        exit_now(1);
    });
    while !child.id.slot().is_some_and(|slot| slot.waits_now()) {
        std::thread::yield_now();
    }
    child.kill();
    other.send(&[IoSlice::new(&[1, 0, 0, 0, 0, 0, 0, 0, 9])]).expect("room");
    let mut buffer = Vec::new();
    open.receive(&mut buffer, None, patience()).expect("a message");
    assert_eq!(buffer, [9]);
}
