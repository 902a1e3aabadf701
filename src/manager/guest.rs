//! A client as a server has it.
//!
//! ```text
//! handshake --over--> introducing itself --HELLO--> calling --> gone
//! ```
//!
//! Invariants
//! 1. Nothing but the handshake's 40 bytes at a time is read of a client that has not shown that it has the key.
//! 2. No more than [`BOUND`] bytes and one answer wait for a client that does not read: until it does, its calls are not
//!    looked at, and nothing more is read from it.
//! 3. A client has at most [`UNANSWERED`] calls that wait; an honest one has as many as it has calls inside each other.

use std::collections::HashMap;
use std::io::{ErrorKind, IoSlice};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

use rhai::{Array, Dynamic};

use super::blocking::{Answer, Who};
use super::inbox::Inbox;
use super::message::{self, Kind, LONGEST, Message};
use super::object::Object;
use super::registry::Registry;
use crate::socket::greeting::Greeting;
use crate::socket::open::Open;
use crate::sys::descriptor::Want;
use crate::sys::identity;
use crate::wire::{self, Error, Handles, Raised};

use super::proxy::Proxy;

/// Bytes that may wait to be sent before the client's calls have to wait.
const BOUND: usize = 1 << 20;
/// Calls of one client that may wait.
pub const UNANSWERED: u64 = 1024;
/// Bytes that are read of one client before the next one's turn.
const TURN: usize = 256 << 10;

/// How far a client is.
pub enum Phase {
    Greeting(Box<Greeting>),
    Hello(Rc<Open>),
    Calling(Rc<Open>),
}

/// See the head of this file.
pub struct Guest {
    pub phase: Phase,
    /// When a handshake has to be over.
    pub until: Instant,
    pub who: Rc<Who>,
    /// Whether something may be there to be read, and whether the end is.
    pub readable: bool,
    pub ended: bool,
    /// Whether the server is told when there is room to send.
    pub heeded: bool,
    challenge: [u8; 32],
    inbox: Inbox,
    out: Vec<u8>,
    sent: usize,
    waiting: u64,
    /// The results that refer to objects, until the client has them.
    kept: HashMap<u64, Dynamic>,
    /// What a client of another session holds.
    held: HashMap<u64, (Rc<Object>, u64)>,
}

/// The client is to be let go of.
#[derive(Debug)]
pub struct Over;

/// What a client wants.
pub enum Wish {
    Call { number: u64, object: u64, method: String, given: Result<Array, Raised> },
    Cancel(u64),
}

/// What values may hold on their way to and from clients.
#[derive(Clone, Copy)]
pub struct Carriers {
    pub carry: &'static dyn Handles,
    pub abroad: &'static dyn Handles,
}

impl Guest {
    /// One that has just come.
    pub fn new(greeting: Greeting, number: u64, until: Instant) -> Self {
        Self {
            phase: Phase::Greeting(Box::new(greeting)),
            until,
            who: Rc::new(Who { client: number, name: String::new(), pid: 0, local: false }),
            readable: true,
            ended: false,
            heeded: false,
            challenge: [0; 32],
            inbox: Inbox::new(LONGEST),
            out: Vec::new(),
            sent: 0,
            waiting: 0,
            kept: HashMap::new(),
            held: HashMap::new(),
        }
    }

    fn open(&self) -> Option<&Rc<Open>> {
        match &self.phase {
            Phase::Greeting(_) => None,
            Phase::Hello(open) | Phase::Calling(open) => Some(open),
        }
    }

    /// The number of its descriptor.
    pub fn descriptor(&mut self) -> RawFd {
        match &mut self.phase {
            Phase::Greeting(greeting) => greeting.wants().0.as_raw_fd(),
            Phase::Hello(open) | Phase::Calling(open) => open.socket().as_fd().as_raw_fd(),
        }
    }

    /// Its handshake is over: it is to introduce itself.
    ///
    /// # Errors
    /// If the system has no randomness, or the session no memory.
    pub fn welcome(self) -> Result<Self, Over> {
        let Phase::Greeting(greeting) = self.phase else { return Err(Over) };
        let open = Open::new(greeting.into_socket(), None).map_err(|_| Over)?;
        let mut guest = Self { phase: Phase::Hello(open), readable: true, ..self };
        identity::random(&mut guest.challenge).map_err(|_| Over)?;
        message::write_bare(&mut guest.out, Kind::Greeting, 0, 0, "", &guest.challenge);
        Ok(guest)
    }

    /// Whether its calls have to wait (invariant 2).
    pub fn is_clogged(&self) -> bool {
        self.out.len() - self.sent > BOUND
    }

    /// Whether there is something to send.
    pub fn has_news(&self) -> bool {
        self.sent < self.out.len()
    }

    /// Whether it waits for room to send something.
    pub fn wants_room(&mut self) -> bool {
        match &mut self.phase {
            Phase::Greeting(greeting) => greeting.wants().1 == Want::Write,
            Phase::Hello(_) | Phase::Calling(_) => self.has_news(),
        }
    }

    /// Reads what has arrived, as much as is its turn.
    ///
    /// # Errors
    /// [`Over`] at the end.
    pub fn fill(&mut self) -> Result<(), Over> {
        let Some(open) = self.open().cloned() else { return Ok(()) };
        let mut read = 0;
        while self.readable && read < TURN {
            let room = self.inbox.room();
            let size = room.len();
            match open.socket().receive(room) {
                Ok(0) => return Err(Over),
                Ok(count) => {
                    read += count;
                    self.inbox.filled(count);
                    // All there was, unless the end is behind it.
                    self.readable = count == size || self.ended;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(_) => return Err(Over),
            }
        }
        Ok(())
    }

    /// The next thing that it wants, if that has arrived.
    ///
    /// # Errors
    /// [`Over`] if it does not speak this protocol.
    pub fn wish(&mut self, registry: &Registry, carriers: Carriers) -> Result<Option<Wish>, Over> {
        loop {
            let Some(bytes) = self.inbox.take().map_err(|_| Over)? else { return Ok(None) };
            let message = message::read(bytes).ok_or(Over)?;
            match (message.kind, &self.phase) {
                (Kind::Hello, Phase::Hello(open)) => {
                    let local = super::link::proof(&self.challenge) == message.value;
                    let (client, name) = (self.who.client, message.text.to_owned());
                    self.who = Rc::new(Who { client, name, pid: message.number, local });
                    self.phase = Phase::Calling(Rc::clone(open));
                    message::write_bare(&mut self.out, Kind::Welcome, u64::from(local), 0, "", &[]);
                }
                (Kind::Call, Phase::Calling(_)) => {
                    self.waiting += 1;
                    if self.waiting > UNANSWERED {
                        return Err(Over);
                    }
                    let given = arguments(&message, self.who.local, registry, carriers);
                    let (number, object, method) = (message.number, message.object, message.text.to_owned());
                    return Ok(Some(Wish::Call { number, object, method, given }));
                }
                (Kind::Cancel, Phase::Calling(_)) => return Ok(Some(Wish::Cancel(message.number))),
                (Kind::Received, Phase::Calling(_)) => drop(self.kept.remove(&message.number)),
                (Kind::Drop, Phase::Calling(_)) => {
                    let (id, count) = (message.object, message.number);
                    self.let_go(id, count);
                }
                _ => return Err(Over),
            }
        }
    }

    /// The client holds the object less often.
    fn let_go(&mut self, id: u64, count: u64) {
        let Some((object, held)) = self.held.get_mut(&id) else { return };
        let count = count.min(*held);
        *held -= count;
        object.held.set(object.held.get().saturating_sub(count));
        if *held == 0 {
            self.held.remove(&id);
        }
    }

    /// The client holds the object once more.
    pub fn hold(&mut self, object: Rc<Object>) {
        object.held.set(object.held.get() + 1);
        self.held.entry(object.id).or_insert((object, 0)).1 += 1;
    }

    /// It is gone: it holds nothing any more.
    pub fn leave(&mut self) {
        for (_, (object, held)) in self.held.drain() {
            object.held.set(object.held.get().saturating_sub(held));
        }
    }

    /// Answers its call `number`.
    pub fn answer(
        &mut self,
        number: u64,
        answer: Answer,
        word: &str,
        registry: &Registry,
        carriers: Carriers,
    ) {
        self.waiting = self.waiting.saturating_sub(1);
        let (kind, value, text) = match answer {
            Ok(value) => (Kind::Result, value, word.to_owned()),
            Err(Raised { value, traceback }) => (Kind::Raised, value, traceback),
        };
        if let Err(what) = self.write(kind, number, value, &text, registry, carriers) {
            let what = format!("what the manager's object gave can't be sent: {what}");
            let error = Dynamic::from(Error::new("RemoteError", what));
            // An error of our own can travel.
            let _ = self.write(Kind::Raised, number, error, &text, registry, carriers);
        }
    }

    fn write(
        &mut self,
        kind: Kind,
        number: u64,
        value: Dynamic,
        text: &str,
        registry: &Registry,
        carriers: Carriers,
    ) -> Result<(), String> {
        let before = self.out.len();
        let abroad = Abroad { registry, otherwise: carriers.abroad };
        let handles: &dyn Handles = if self.who.local { carriers.carry } else { &abroad };
        let mut attached = Vec::new();
        message::write(&mut self.out, kind, number, 0, text, |out, attachments| {
            wire::encode(&value, "result", handles, out, attachments)?;
            attached.clone_from(attachments);
            Ok(())
        })
        .map_err(|error: wire::EncodeError| error.to_string())?;
        message::check(&mut self.out, before).map_err(|error| error.to_string())?;
        if self.who.local && !attached.is_empty() {
            self.kept.insert(number, value);
        } else {
            attached.into_iter().filter_map(|id| registry.get(id)).for_each(|object| self.hold(object));
        }
        Ok(())
    }

    /// Says that a call was cancelled.
    pub fn cancelled(&mut self, number: u64) {
        self.waiting = self.waiting.saturating_sub(1);
        message::write_bare(&mut self.out, Kind::Cancelled, number, 0, "", &[]);
    }

    /// Sends what there is room for.
    ///
    /// # Errors
    /// [`Over`] if nobody is there to receive it.
    pub fn flush(&mut self) -> Result<(), Over> {
        let Some(open) = self.open().cloned() else { return Ok(()) };
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match open.socket().send(&[IoSlice::new(rest)]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(Over),
            }
        }
        self.out.clear();
        self.out.shrink_to(BOUND);
        self.sent = 0;
        Ok(())
    }
}

/// The arguments of a call, or why they can't be had: that is the caller's to hear.
fn arguments(
    message: &Message<'_>,
    local: bool,
    registry: &Registry,
    carriers: Carriers,
) -> Result<Array, Raised> {
    let abroad = Abroad { registry, otherwise: carriers.abroad };
    let handles: &dyn Handles = if local { carriers.carry } else { &abroad };
    let given = wire::decode(message.value, &message.attachments, handles);
    let given = given.map_err(|error| match error.reason {
        Some(reason) => reason,
        None => Error::new("RemoteError", format!("the arguments can't be read: {error}")),
    });
    let given = given.map_err(Raised::of)?;
    given
        .try_cast()
        .ok_or_else(|| Raised::of(Error::new("RemoteError", "the arguments of a call are an array")))
}

/// For clients of other sessions: only this server's objects go there and come from there.
struct Abroad<'a> {
    registry: &'a Registry,
    otherwise: &'static dyn Handles,
}

impl Handles for Abroad<'_> {
    fn detach(&self, value: &Dynamic) -> Option<u64> {
        super::proxy::object_of(value).map(|object| object.id)
    }

    fn refusal(&self, value: &Dynamic) -> Option<String> {
        self.otherwise.refusal(value)
    }

    fn attach(&self, id: u64) -> Option<Dynamic> {
        self.registry.get(id).map(|object| Dynamic::from(Proxy::Here(object)))
    }
}
