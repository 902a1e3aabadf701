//! Sockets with hostile bytes on the other end, in every phase: nobody gets in, nobody else is delayed, nothing is
//! allocated that was only announced.
//!
//! What no script can do stands here and not in `tests/cases`; `covers:` names rows of the table all the same.

mod session;
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use session::{Session, proc_file};
use stook::socket::handshake::{Handshake, SIZE};

/// Accepts for ever, and says what came of it.
const SERVER: &str = r#"
    let listener = Listener("localhost:0", #{ authkey: args[0] });
    print("port " + listener.address[1]);
    loop {
        try {
            with listener.accept() as connection {
                connection.send(connection.recv() + " to you");
            }
        } catch (e) {
            print(e.kind);
        }
    }
"#;

/// Asks the server whose port and key are given, and prints what came of it.
const CLIENT: &str = r#"
    try {
        with Client(["localhost", parse_int(args[0])], #{ authkey: args[1] }) as connection {
            connection.send("hello");
            print(connection.recv());
        }
    } catch (e) {
        print(e.kind);
    }
"#;

const KEY: &str = "a key";
const HANG: Duration = Duration::from_secs(30);

fn server() -> (Session, u16) {
    let mut session = Session::start(SERVER, &[KEY]);
    let port = session.numbers("port")[0];
    (session, u16::try_from(port).expect("a port"))
}

/// What a client of another session is told.
fn visit(port: u16, key: &str) -> String {
    let mut client = Session::start(CLIENT, &[&port.to_string(), key]);
    let told = client.line();
    assert_eq!(client.end().code, 0);
    told
}

fn connected(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    stream.set_read_timeout(Some(HANG)).expect("a time-out");
    stream
}

/// Says what `handshake` has to say, and hears one answer.
fn exchange(stream: &mut TcpStream, handshake: &mut Handshake) {
    let said = std::mem::take(handshake.outgoing());
    stream.write_all(&said).expect("room");
    let mut answer = [0; SIZE];
    stream.read_exact(&mut answer).expect("an answer");
    handshake.receive(&answer);
}

fn memory(session: &Session) -> usize {
    let status = proc_file(session.pid().as_raw(), "status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

/// Reads until the end, or a reset.
fn ends(mut stream: TcpStream) {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn silent_and_hostile_clients_of_every_phase_delay_no_other() {
    let (mut session, port) = server();
    let before = memory(&session);
    let mut silent = Vec::new();
    for phase in 0..3 {
        for bytes in [&b""[..], b"x", b"stook", &(1_u64 << 63).to_le_bytes()] {
            let mut stream = connected(port);
            let mut handshake = Handshake::of_client(Some(KEY.as_bytes())).expect("randomness");
            for _ in 0..phase {
                exchange(&mut stream, &mut handshake);
            }
            stream.write_all(bytes).expect("room");
            silent.push(stream);
        }
        assert_eq!(visit(port, KEY), "hello to you");
    }
    // Disconnects in every phase.
    for phase in 0..3 {
        let mut stream = connected(port);
        let mut handshake = Handshake::of_client(Some(KEY.as_bytes())).expect("randomness");
        for _ in 0..phase {
            exchange(&mut stream, &mut handshake);
        }
    }
    assert_eq!(visit(port, KEY), "hello to you");
    assert!(memory(&session) < before + (16 << 10), "more than 16 MiB for nothing");
    assert_eq!(visit(port, "another key"), "AuthenticationError");
    assert_eq!(session.line(), "AuthenticationError", "and of nothing else was the script told");
    session.signal(nix::sys::signal::Signal::SIGKILL);
    session.end();
}

// covers: listener.12 listener.20
#[test]
fn a_bogus_or_endless_reply_is_refused_and_not_kept() {
    let (mut session, port) = server();
    let before = memory(&session);
    for phase in 1..3 {
        for length in [SIZE, 257, 8 << 20] {
            let mut stream = connected(port);
            let mut handshake = Handshake::of_client(Some(KEY.as_bytes())).expect("randomness");
            for _ in 0..phase {
                exchange(&mut stream, &mut handshake);
            }
            // The listener may have had enough before everything is written.
            let _ = stream.write_all(&vec![b'x'; length]);
            assert_eq!(session.line(), "AuthenticationError", "phase {phase}, {length} bytes");
            ends(stream);
        }
    }
    // A verdict that says no, and one that is none.
    for wrong in 0..2 {
        let mut stream = connected(port);
        let mut handshake = Handshake::of_client(Some(KEY.as_bytes())).expect("randomness");
        exchange(&mut stream, &mut handshake);
        exchange(&mut stream, &mut handshake);
        let mut verdict = std::mem::take(handshake.outgoing());
        verdict[6] = if wrong == 0 { 6 } else { 1 };
        stream.write_all(&verdict).expect("room");
        assert_eq!(session.line(), "AuthenticationError");
        ends(stream);
    }
    assert_eq!(visit(port, KEY), "hello to you");
    assert!(memory(&session) < before + (4 << 10), "more than 4 MiB for nothing");
    session.signal(nix::sys::signal::Signal::SIGKILL);
    session.end();
}

#[test]
fn what_some_other_program_sends_does_not_concern_the_script() {
    let (mut session, port) = server();
    for bytes in [&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], &[0; 4096], &[0xff; SIZE]] {
        let mut stream = connected(port);
        stream.write_all(bytes).expect("room");
        if bytes.len() >= SIZE {
            ends(stream);
        }
    }
    assert_eq!(visit(port, KEY), "hello to you");
    assert_eq!(visit(port, "x"), "AuthenticationError");
    assert_eq!(session.line(), "AuthenticationError", "only of this");
    session.signal(nix::sys::signal::Signal::SIGKILL);
    session.end();
}

// covers: misc.21
#[test]
fn both_sides_name_their_version_of_the_challenge() {
    let (session, port) = server();
    let mut stream = connected(port);
    let mut handshake = Handshake::of_client(Some(KEY.as_bytes())).expect("randomness");
    handshake.outgoing()[5] = 9;
    stream.write_all(handshake.outgoing()).expect("it listens");
    // The listener says which version it speaks, and has no more to say.
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(answer.get(..6), Some(&b"stook\x01"[..]));
    assert_eq!(visit(port, KEY), "hello to you");
    session.signal(nix::sys::signal::Signal::SIGKILL);
    session.end();
}

// covers: listener.12
#[test]
fn a_client_of_a_hostile_listener_ends_with_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let hostile = thread::spawn(move || {
        let accepted = || listener.accept().expect("a client").0;
        // Bytes of no meaning, and a length beyond all memory.
        for bytes in [&[b'x'; 300][..], &[0xff; SIZE]] {
            let mut stream = accepted();
            let _ = stream.write_all(bytes);
            let _ = stream.read_to_end(&mut Vec::new());
        }
        // One that closes at once, and one that closes after its challenge.
        drop(accepted());
        let mut stream = accepted();
        let mut handshake = Handshake::of_listener(Some(b"guess")).expect("randomness");
        let mut hello = [0; SIZE];
        stream.read_exact(&mut hello).expect("it speaks first");
        handshake.receive(&hello);
        stream.write_all(handshake.outgoing()).expect("room");
        drop(stream);
        // One that pretends to know the key.
        let mut stream = accepted();
        stream.read_exact(&mut hello).expect("it speaks first");
        let mut handshake = Handshake::of_listener(Some(b"guess")).expect("randomness");
        handshake.receive(&hello);
        stream.write_all(handshake.outgoing()).expect("room");
        let mut welcome = hello;
        stream.read_exact(&mut welcome).expect("its proof");
        welcome[6] = 5;
        stream.write_all(&welcome).expect("room");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for told in ["AuthenticationError", "AuthenticationError", "EOFError", "EOFError", "AuthenticationError"]
    {
        assert_eq!(visit(port, KEY), told);
    }
    hostile.join().expect("it does its worst");
}

#[test]
fn a_length_beyond_all_memory_is_refused_when_a_message_is_expected() {
    const OPEN: &str = r#"
        let listener = Listener("localhost:0");
        print("port " + listener.address[1]);
        loop {
            let connection = listener.accept();
            try { print(connection.recv()); } catch (e) { print(e.kind); }
            connection.close();
        }
    "#;
    let mut session = Session::start(OPEN, &[]);
    let port = u16::try_from(session.numbers("port")[0]).expect("a port");
    let before = memory(&session);
    let hello = || std::mem::take(Handshake::of_client(None).expect("randomness").outgoing());
    let cases = [
        ((1_u64 << 63).to_le_bytes().to_vec(), "OSError"),
        (u64::MAX.to_le_bytes().to_vec(), "AuthenticationError"),
        // Announced, and not sent.
        ((1_u64 << 40).to_le_bytes().to_vec(), "OSError"),
        ([&8_u64.to_le_bytes()[..], b"four"].concat(), "OSError"),
        (b"abc".to_vec(), "OSError"),
        (Vec::new(), "EOFError"),
        // A whole message that is no value.
        ([&3_u64.to_le_bytes()[..], b"\xff\xff\xff"].concat(), "RuntimeError"),
    ];
    for (bytes, told) in cases {
        let mut stream = connected(port);
        stream.write_all(&hello()).expect("room");
        stream.write_all(&bytes).expect("room");
        drop(stream);
        assert_eq!(session.line(), told, "{bytes:?}");
    }
    assert!(memory(&session) < before + (4 << 10), "more than 4 MiB for nothing");
    session.signal(nix::sys::signal::Signal::SIGKILL);
    session.end();
}
