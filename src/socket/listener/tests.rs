//! A listener among honest, hostile and dying clients.

use std::cell::RefCell;
use std::io::{IoSlice, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use super::super::client::connect;
use super::super::framing::FrameError;
use super::super::handshake::SIZE;
use super::super::stream::StreamError;
use super::*;
use crate::arena::blocks::used;
use crate::arena::table;
use crate::arena::testing::{Child, session};
use crate::sync::endpoint;
use crate::sync::glance::Glance;
use crate::sync::readiness::wait_for_descriptor;
use crate::sys::process::{End, exit_now};

const KEY: &[u8] = b"the key";

fn patience() -> Deadline {
    Deadline::after(Some(60.0))
}

fn listening(key: Option<&[u8]>) -> Listener {
    endpoint::register();
    Listener::new(None, None, 16, key.map(<[u8]>::to_vec)).expect("a place for temporary files")
}

fn path(listener: &Listener) -> PathBuf {
    match listener.address() {
        Address::Path(path) => path.clone(),
        other => panic!("{other} is no path"),
    }
}

/// A process of its own that connects, sends `word`, and ends with 7.
fn honest(listener: &Listener, word: &'static [u8]) -> Child {
    let address = listener.address().clone();
    Child::run(move || {
        if let Ok(open) = connect(&address, Some(KEY), patience())
            && open.send(word).is_ok()
        {
            exit_now(7);
        }
        exit_now(1);
    })
}

fn word(open: &Open) -> Vec<u8> {
    let mut buffer = Vec::new();
    open.receive(&mut buffer, None, patience()).expect("a message");
    buffer
}

#[test]
fn clients_are_accepted_one_by_one_each_with_its_own_connection() {
    let _session = session();
    let mut listener = listening(Some(KEY));
    let before = used();
    let children = [&b"one"[..], b"two", b"three"].map(|word| honest(&listener, word));
    let accepted = [(); 3].map(|()| listener.accept(patience()).expect("a client").0);
    let mut words = accepted.each_ref().map(|open| word(open));
    words.sort();
    assert_eq!(words, [&b"one"[..], b"three", b"two"]);
    for child in children {
        assert_eq!(child.wait(), Some(End::Exited(7)));
    }
    drop(accepted);
    assert_eq!(used(), before);
}

#[test]
fn the_socket_file_goes_with_its_listener_also_when_that_is_killed() {
    let _session = session();
    let listener = listening(None);
    let file = path(&listener);
    assert!(file.exists());
    drop(listener);
    assert!(!file.exists() && !file.parent().expect("its own").exists());

    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("socket");
    let listens = file.clone();
    let child = Child::run(move || {
        endpoint::register();
        let _listener = Listener::new(Some(Address::Path(listens)), None, 1, None);
        loop {
            std::thread::park();
        }
    });
    while !file.exists() {
        std::thread::yield_now();
    }
    child.kill();
    // The file may be there before its name is noted; then the next listener makes room for itself.
    let listener = Listener::new(Some(Address::Path(file.clone())), None, 1, None).expect("nobody listens");
    drop(listener);
    assert!(!file.exists());
}

/// What hostile clients do, each with a connection of its own.
fn hostile(path: &PathBuf) -> Vec<UnixStream> {
    let connected = || UnixStream::connect(path).expect("somebody listens");
    let hello = || {
        let mut handshake = Handshake::of_client(Some(KEY)).expect("randomness");
        std::mem::take(handshake.outgoing())
    };
    let mut all = Vec::new();
    // Silence, before and within a message.
    all.push(connected());
    for length in [1, 7, SIZE - 1] {
        let mut client = connected();
        client.write_all(&hello()[..length]).expect("room");
        all.push(client);
    }
    // Silence after it.
    let mut client = connected();
    client.write_all(&hello()).expect("room");
    all.push(client);
    // Bytes of no meaning, many and few, and a length beyond all memory.
    for bytes in [&[0xff; 100][..], &[0; SIZE], b"GET / HTTP/1.1\r\n\r\n", &(1_u64 << 63).to_le_bytes()] {
        let mut client = connected();
        client.write_all(bytes).expect("room");
        all.push(client);
    }
    // Disconnects.
    drop(connected());
    for length in [1, SIZE] {
        connected().write_all(&hello()[..length]).expect("room");
    }
    all
}

#[test]
fn hostile_clients_delay_nobody_and_leave_nothing() {
    let _session = session();
    let mut listener = listening(Some(KEY));
    let hostile = hostile(&path(&listener));
    let child = honest(&listener, b"through");
    let (open, _) = listener.accept(patience()).expect("only the honest one is told of");
    assert_eq!(word(&open), b"through");
    assert_eq!(child.wait(), Some(End::Exited(7)));
    // They are still there, and many more come.
    let more: Vec<UnixStream> =
        (0..MOST + 20).map_while(|_| UnixStream::connect(path(&listener)).ok()).take(10).collect();
    let child = honest(&listener, b"again");
    assert_eq!(word(&listener.accept(patience()).expect("the honest one").0), b"again");
    assert_eq!(child.wait(), Some(End::Exited(7)));
    assert!(listener.pending.len() <= MOST);
    drop((hostile, more));
}

#[test]
fn silent_clients_are_dropped_when_their_time_is_over() {
    let _session = session();
    let mut listener = listening(Some(KEY));
    let mut silent = UnixStream::connect(path(&listener)).expect("somebody listens");
    let accepted = listener.accept(Deadline::after(Some(0.01)));
    assert!(matches!(accepted, Err(AcceptError::GaveUp(GaveUp::TimedOut))));
    assert_eq!(listener.pending.len(), 1, "its time is not over");
    // As if it had been silent for so long.
    listener.pending[0].until = Instant::now();
    let accepted = listener.accept(Deadline::after(Some(0.01)));
    assert!(matches!(accepted, Err(AcceptError::GaveUp(GaveUp::TimedOut))));
    assert_eq!(silent.read(&mut [0; 1]).expect("the end"), 0);
}

#[test]
fn a_flood_of_silent_clients_makes_room_for_those_who_come_later() {
    let _session = session();
    let mut listener = Listener::new(None, None, 1024, Some(KEY.to_vec())).expect("a place");
    let silent: Vec<UnixStream> =
        (0..MOST + 5).map(|_| UnixStream::connect(path(&listener)).expect("room")).collect();
    let child = honest(&listener, b"later");
    assert_eq!(word(&listener.accept(patience()).expect("the honest one").0), b"later");
    assert_eq!(child.wait(), Some(End::Exited(7)));
    assert!(listener.pending.len() <= MOST);
    drop(silent);
}

#[test]
fn whoever_fails_to_prove_itself_is_told_of_and_told() {
    let _session = session();
    let mut listener = listening(Some(KEY));
    let address = listener.address().clone();
    let child = Child::run(move || {
        let refused = |key| match connect(&address, key, patience())
            .map(|open| open.receive(&mut Vec::new(), None, patience()))
        {
            Err(super::super::client::ConnectError::Greeting(GreetingError::Refused(why))) => {
                why == Refused::Rejected
            }
            Ok(Err(StreamError::Frame(why))) => why == FrameError::Refused,
            _ => false,
        };
        exit_now(if refused(Some(b"another key")) && refused(None) { 7 } else { 1 });
    });
    for expected in [Refused::WrongKey, Refused::NoKeyThere] {
        match listener.accept(patience()) {
            Err(AcceptError::Refused { refused, .. }) => assert_eq!(refused, expected),
            other => panic!("{:?}", other.map(|_| "a client")),
        }
    }
    assert_eq!(child.wait(), Some(End::Exited(7)));
    let child = honest(&listener, b"next");
    assert_eq!(word(&listener.accept(patience()).expect("the honest one").0), b"next");
    child.wait();
}

#[test]
fn a_client_killed_in_any_phase_of_its_handshake_delays_nobody() {
    let _session = session();
    let mut listener = listening(Some(KEY));
    for phase in 0..3 {
        let address = listener.address().clone();
        let child = Child::run(move || {
            let Ok((socket, _)) = Socket::connect(&address) else { exit_now(1) };
            let mut handshake = Handshake::of_client(Some(KEY)).expect("randomness");
            for _ in 0..phase {
                let said = std::mem::take(handshake.outgoing());
                let _ = socket.send(&[IoSlice::new(&said)]);
                if phase == 1 {
                    break;
                }
                let mut answer = [0; SIZE];
                let _ = wait_for_descriptor(socket.as_fd(), Want::Read, patience(), &Glance::new());
                let count = socket.receive(&mut answer).unwrap_or(0);
                handshake.receive(&answer[..count]);
            }
            loop {
                std::thread::park();
            }
        });
        child.entered();
        let accepted = listener.accept(Deadline::after(Some(0.05)));
        assert!(matches!(accepted, Err(AcceptError::GaveUp(GaveUp::TimedOut))));
        child.kill();
        let child = honest(&listener, b"here");
        assert_eq!(word(&listener.accept(patience()).expect("the honest one").0), b"here");
        child.wait();
    }
}

/// A client that expects its listener to end before the handshake does; ends with 7 if that is so.
fn disappointed(address: Address, socket: &RefCell<Option<Socket>>) -> Child {
    Child::run(move || {
        // It would keep its own listener alive.
        socket.take();
        let ended = matches!(
            connect(&address, Some(KEY), patience()),
            Err(super::super::client::ConnectError::Greeting(GreetingError::Ended))
        );
        exit_now(if ended { 7 } else { 1 });
    })
}

#[test]
fn a_listener_killed_in_any_phase_ends_its_clients() {
    let _session = session();
    let place = tempfile::tempdir().expect("a directory");
    for phase in 0..2 {
        let address = Address::Path(place.path().join(format!("{phase}")));
        let socket = RefCell::new(Some(Socket::listen(&address, 4).expect("free")));
        let connects = || {
            let socket = socket.borrow();
            let listens = socket.as_ref().expect("it is here").as_fd();
            wait_for_descriptor(listens, Want::Read, patience(), &Glance::new()).expect("it comes");
        };
        // The child gets the socket by the fork.
        let child = Child::run(|| {
            if phase == 1 {
                connects();
                let socket = socket.borrow();
                let Some(Ok((client, _))) = socket.as_ref().map(Socket::accept) else { exit_now(1) };
                let mut handshake = Handshake::of_listener(Some(KEY)).expect("randomness");
                let mut hello = [0; SIZE];
                let _ = wait_for_descriptor(client.as_fd(), Want::Read, patience(), &Glance::new());
                let count = client.receive(&mut hello).unwrap_or(0);
                handshake.receive(&hello[..count]);
                let _ = client.send(&[IoSlice::new(handshake.outgoing())]);
                std::mem::forget(client);
            }
            if let Some(me) = table::me() {
                me.waits(Waiting::Sleep, 0);
            }
            loop {
                std::thread::park();
            }
        });
        let client = disappointed(address, &socket);
        if phase == 0 {
            connects();
        }
        while !child.id.slot().is_some_and(|slot| slot.waits_now()) {
            std::thread::yield_now();
        }
        socket.take();
        child.kill();
        assert_eq!(client.wait(), Some(End::Exited(7)), "phase {phase}");
    }
}
