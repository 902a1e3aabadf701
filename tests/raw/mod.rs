//! A client of a manager that is no script: it speaks the protocol, or not.

#![allow(dead_code, reason = "each test file uses its part of this")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rhai::Dynamic;
use stook::manager::inbox::Inbox;
use stook::manager::message::{self, Kind, LONGEST};
use stook::socket::handshake::Handshake;
use stook::wire::{NoHandles, decode, encode_all};

/// The key that it has.
pub const KEY: &str = "a key";
const HANG: Duration = Duration::from_secs(30);

/// A connection without a word.
pub fn connected(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody serves");
    stream.set_read_timeout(Some(HANG)).expect("a time-out");
    stream.set_write_timeout(Some(HANG)).expect("a time-out");
    stream.set_nodelay(true).expect("an option");
    stream
}

/// See the head of this file.
pub struct Raw {
    pub stream: TcpStream,
    inbox: Inbox,
    last: u64,
}

impl Raw {
    /// One that has shown that it has the key.
    pub fn greeted(port: u16) -> Self {
        let mut stream = connected(port);
        let mut handshake = Handshake::of_client(Some(KEY.as_bytes())).expect("randomness");
        while handshake.outcome().is_none() {
            let said = std::mem::take(handshake.outgoing());
            stream.write_all(&said).expect("room");
            let mut answer = vec![0; handshake.wants()];
            stream.read_exact(&mut answer).expect("an answer");
            handshake.receive(&answer);
        }
        assert_eq!(handshake.outcome(), Some(Ok(())));
        stream.write_all(handshake.outgoing()).expect("room");
        Self { stream, inbox: Inbox::new(LONGEST), last: 0 }
    }

    /// One that has introduced itself.
    pub fn honest(port: u16) -> Self {
        let mut raw = Self::greeted(port);
        assert_eq!(raw.receive().map(|(kind, ..)| kind), Some(Kind::Greeting));
        let mut out = Vec::new();
        message::write_bare(&mut out, Kind::Hello, 1, 0, "raw", b"no proof");
        raw.stream.write_all(&out).expect("room");
        assert_eq!(raw.receive(), Some((Kind::Welcome, 0, Vec::new(), Vec::new())));
        raw
    }

    /// The next message's kind, number, value and attachments; `None` at the end.
    pub fn receive(&mut self) -> Option<(Kind, u64, Vec<u8>, Vec<u64>)> {
        loop {
            if let Some(bytes) = self.inbox.take().expect("a message") {
                let message = message::read(bytes).expect("a message");
                return Some((message.kind, message.number, message.value.to_vec(), message.attachments));
            }
            match self.stream.read(self.inbox.room()) {
                Ok(0) => return None,
                Ok(count) => self.inbox.filled(count),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub fn bytes_of(&mut self, object: u64, method: &str, given: &[Dynamic]) -> Vec<u8> {
        self.last += 1;
        let mut out = Vec::new();
        message::write(&mut out, Kind::Call, self.last, object, method, |out, attachments| {
            encode_all(given, "", &NoHandles, out, attachments)
        })
        .expect("plain values");
        out
    }

    pub fn send(&mut self, object: u64, method: &str, given: &[Dynamic]) {
        let bytes = self.bytes_of(object, method, given);
        self.stream.write_all(&bytes).expect("room");
    }

    /// Makes an object, and gives its number.
    pub fn create(&mut self, typeid: &str) -> u64 {
        self.send(0, "create", &[typeid.into()]);
        let (kind, _, _, attachments) = self.receive().expect("an answer");
        assert_eq!((kind, attachments.len()), (Kind::Result, 1));
        attachments[0]
    }

    pub fn call(&mut self, object: u64, method: &str, given: &[Dynamic]) -> Dynamic {
        self.send(object, method, given);
        let (kind, number, value, _) = self.receive().expect("an answer");
        assert_eq!((kind, number), (Kind::Result, self.last));
        decode(&value, &[], &NoHandles).expect("a value")
    }

    /// It is used as anybody would.
    pub fn is_usable(&mut self) {
        let list = self.create("list");
        assert!(self.call(list, "push", &[7_i64.into()]).is_unit());
        assert_eq!(self.call(list, "len", &[]).as_int(), Ok(1));
    }

    pub fn ends(mut self) {
        while self.receive().is_some() {}
    }
}
