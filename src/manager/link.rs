//! A client's connection to a manager's server: calls go out, answers come back in any order.
//!
//! A process has one to each server. While a call waits, what the process looks after meanwhile may make calls of its
//! own over the same connection: an answer to another call than one's own is put aside for whoever waits for it.
//!
//! Invariants
//! 1. What is to be sent stands in `out` until it is sent, so nothing is ever sent by half.
//! 2. Who waits for room reads meanwhile: the server may be waiting for that itself.
//! 3. Ctrl-C cancels a call and waits for what became of it: an item that was taken meanwhile is not lost.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::AsFd;
use std::rc::Rc;

use hmac::{Hmac, KeyInit, Mac};
use rhai::Array;
use sha2::Sha256;

use super::blocking::Answer;
use super::inbox::Inbox;
use super::message::{self, Kind, LONGEST, Message};
use crate::arena::segment;
use crate::arena::table::{Waiting, waiting_for};
use crate::socket::framing::FrameError;
use crate::socket::open::Open;
use crate::sync::readiness::{may_sleep, sleep_on_descriptors};
use crate::sync::wait::{GaveUp, SLICE};
use crate::sys::clock::Deadline;
use crate::sys::descriptor::{self, Want};
use crate::sys::{identity, output};
use crate::wire::{self, DecodeError, EncodeError, Error, Handles, Raised};

/// How this process introduces itself.
#[derive(Clone)]
pub struct Me {
    pub name: String,
    /// What values may hold on their way to a server of this session.
    pub carry: &'static dyn Handles,
    /// Why nothing but proxies goes to others.
    pub abroad: &'static dyn Handles,
}

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The server is gone, or has closed the connection.
    #[error("the manager's server is gone: it was shut down, has ended, or was killed")]
    Gone,
    /// Ctrl-C, or no answer in time.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// Something in the arguments can't travel.
    #[error(transparent)]
    Refused(#[from] EncodeError),
    /// The answer can't be read.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
    /// It does not speak this protocol.
    #[error("it does not speak the protocol of this version's managers")]
    Stranger,
    /// A message is too long.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// See the head of this file.
pub struct Link {
    open: Rc<Open>,
    me: Me,
    /// Whether the server is of this session.
    local: bool,
    last: Cell<u64>,
    broken: Cell<bool>,
    out: RefCell<Vec<u8>>,
    inbox: RefCell<Inbox>,
    aside: RefCell<HashMap<u64, Vec<u8>>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("local", &self.local)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

/// What a process says to show that it is of the session whose key it has.
pub fn proof(challenge: &[u8]) -> Vec<u8> {
    let code = Hmac::<Sha256>::new_from_slice(&segment::key());
    code.map(|code| {
        code.chain_update(b"stook session").chain_update(challenge).finalize().into_bytes().to_vec()
    })
    .unwrap_or_default()
}

fn is_interrupt(raised: &Raised) -> bool {
    raised.value.read_lock::<Error>().is_some_and(|error| error.is("KeyboardInterrupt"))
}

/// What came of a message that was waited for.
enum Reply {
    Answer(Answer),
    Cancelled,
}

impl Link {
    /// Introduces `me` over a connection whose handshake is over.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn new(open: Rc<Open>, me: Me, deadline: Deadline) -> Result<Self, LinkError> {
        let mut link = Self {
            open,
            me,
            local: false,
            last: Cell::new(0),
            broken: Cell::new(false),
            out: RefCell::default(),
            inbox: RefCell::new(Inbox::new(LONGEST)),
            aside: RefCell::default(),
        };
        let challenge = link.expect(deadline, Kind::Greeting, |message| message.value.to_vec())?;
        let (pid, name) = (u64::from(identity::pid()), link.me.name.clone());
        message::write_bare(&mut link.out.borrow_mut(), Kind::Hello, pid, 0, &name, &proof(&challenge));
        link.local = link.expect(deadline, Kind::Welcome, |message| message.number == 1)?;
        link.open.socket().let_wait(SLICE).map_err(|_| LinkError::Gone)?;
        Ok(link)
    }

    /// Sends what is to be sent, and receives one message.
    fn expect<T>(
        &self,
        deadline: Deadline,
        kind: Kind,
        look: impl Fn(&Message<'_>) -> T,
    ) -> Result<T, LinkError> {
        loop {
            let sent = self.flush()?;
            if let Some(bytes) = self.inbox.borrow_mut().take()? {
                let message = message::read(bytes).filter(|message| message.kind == kind);
                return message.as_ref().map(look).ok_or(LinkError::Stranger);
            }
            self.sleep(sent, deadline)?;
            self.fill(false)?;
        }
    }

    /// Whether the server is of this session.
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// Whether it can't be used any more.
    pub fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// How this process introduced itself.
    pub fn me(&self) -> &Me {
        &self.me
    }

    /// Calls `method` of `object`, and waits for the answer.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn call(
        &self,
        object: u64,
        method: &str,
        arguments: &Array,
        handles: &dyn Handles,
    ) -> Result<Answer, LinkError> {
        let number = self.last.get() + 1;
        self.last.set(number);
        {
            let mut out = self.out.borrow_mut();
            let before = out.len();
            message::write(&mut out, Kind::Call, number, object, method, |out, attachments| {
                wire::encode_all(arguments, "args", handles, out, attachments)
            })?;
            message::check(&mut out, before)?;
        }
        let mut cancelled = false;
        let reply = match self.reply(number, handles, true) {
            Err(LinkError::GaveUp(GaveUp::Interrupted)) => {
                cancelled = true;
                message::write_bare(&mut self.out.borrow_mut(), Kind::Cancel, number, 0, "", &[]);
                self.reply(number, handles, false)?
            }
            reply => reply?,
        };
        match reply {
            // A condition's lock had to be acquired again before the call could end.
            Reply::Answer(Err(raised)) if cancelled && is_interrupt(&raised) => {
                Err(LinkError::GaveUp(GaveUp::Interrupted))
            }
            Reply::Answer(answer) => Ok(answer),
            Reply::Cancelled => Err(LinkError::GaveUp(GaveUp::Interrupted)),
        }
    }

    /// Calls `method` of the server itself, and does not wait for the answer.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn post(&self, method: &str) -> Result<(), LinkError> {
        let number = self.last.get() + 1;
        self.last.set(number);
        message::write(&mut self.out.borrow_mut(), Kind::Call, number, 0, method, |out, attachments| {
            wire::encode_all(&[], "args", self.me.carry, out, attachments)
        })?;
        self.flush().map(drop)
    }

    /// Notices a server whose machine is gone.
    pub fn keep_alive(&self) {
        self.open.socket().keep_alive();
    }

    /// Says that this process does not refer to an object any more.
    pub fn drop_object(&self, id: u64, count: u64) {
        if let Ok(mut out) = self.out.try_borrow_mut() {
            message::write_bare(&mut out, Kind::Drop, count, id, "", &[]);
        }
        // Otherwise it goes with the next call.
        let _ = self.flush();
    }

    fn reply(&self, number: u64, handles: &dyn Handles, heeding: bool) -> Result<Reply, LinkError> {
        loop {
            let sent = self.flush()?;
            if let Some(reply) = self.arrived(number, handles)? {
                return Ok(reply);
            }
            if !heeding {
                descriptor::poll(&self.wanted(sent), &mut Vec::new(), SLICE);
                self.fill(false)?;
            } else if sent && may_sleep()? {
                waiting_for(Waiting::Socket, self.open.endpoint().offset(), || self.fill(true))?;
            } else {
                self.sleep(sent, Deadline::Never)?;
                self.fill(false)?;
            }
        }
    }

    /// The answer to the call `number`, if it is there.
    fn arrived(&self, number: u64, handles: &dyn Handles) -> Result<Option<Reply>, LinkError> {
        if let Some(bytes) = self.aside.borrow_mut().remove(&number) {
            return self.decoded(&bytes, handles).map(Some);
        }
        loop {
            let mut inbox = self.inbox.borrow_mut();
            let Some(bytes) = inbox.take().inspect_err(|_| self.broken.set(true))? else { return Ok(None) };
            let message = message::read(bytes).ok_or_else(|| {
                self.broken.set(true);
                LinkError::Stranger
            })?;
            if message.number != number {
                self.aside.borrow_mut().insert(message.number, bytes.to_vec());
            } else if message.attachments.is_empty() {
                return self.decoded(bytes, handles).map(Some);
            } else {
                // What is attached may call.
                let bytes = bytes.to_vec();
                drop(inbox);
                return self.decoded(&bytes, handles).map(Some);
            }
        }
    }

    fn decoded(&self, bytes: &[u8], handles: &dyn Handles) -> Result<Reply, LinkError> {
        let message = message::read(bytes).ok_or(LinkError::Stranger)?;
        if message.kind == Kind::Cancelled {
            return Ok(Reply::Cancelled);
        }
        let value = wire::decode(message.value, &message.attachments, handles);
        if self.local && !message.attachments.is_empty() {
            message::write_bare(&mut self.out.borrow_mut(), Kind::Received, message.number, 0, "", &[]);
            // If there is no room now it goes with the next call.
            let _ = self.flush();
        }
        let value = value?;
        Ok(Reply::Answer(match message.kind {
            Kind::Result => {
                if !message.text.is_empty() {
                    // Where nobody can be warned, the call has done its work all the same.
                    let line = format!("{}\n", message.text);
                    let _ = output::write_whole(output::Stream::Err, line.as_bytes(), None);
                }
                Ok(value)
            }
            Kind::Raised => Err(Raised { value, traceback: message.text.to_owned() }),
            _ => return Err(LinkError::Stranger),
        }))
    }

    /// Sends what there is room for; whether that was all.
    fn flush(&self) -> Result<bool, LinkError> {
        let mut out = self.out.borrow_mut();
        let mut sent = 0;
        while let Some(rest) = out.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.open.socket().send(&[IoSlice::new(rest)]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.broken.set(true);
                    return Err(LinkError::Gone);
                }
            }
        }
        if sent == out.len() {
            out.clear();
            out.shrink_to(1 << 20);
        } else {
            out.drain(..sent);
        }
        Ok(out.is_empty())
    }

    /// Takes in what has arrived, and waits for something to arrive for at most a slice.
    fn fill(&self, mut waiting: bool) -> Result<(), LinkError> {
        let mut inbox = self.inbox.borrow_mut();
        loop {
            let room = inbox.room();
            let size = room.len();
            let socket = self.open.socket();
            let received = if waiting { self.look_on_and_receive(room) } else { socket.receive(room) };
            waiting = false;
            match received {
                Ok(count) if count > 0 => {
                    inbox.filled(count);
                    if count < size {
                        return Ok(());
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    return Ok(());
                }
                _ => {
                    self.broken.set(true);
                    return Err(LinkError::Gone);
                }
            }
        }
    }

    fn look_on_and_receive(&self, room: &mut [u8]) -> io::Result<usize> {
        let socket = self.open.socket();
        let mut received = Err(ErrorKind::WouldBlock.into());
        let came = self.open.glance().until(|| {
            received = socket.receive(room);
            !received.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        });
        if came { received } else { socket.wait_and_receive(room) }
    }

    fn wanted(&self, sent: bool) -> Vec<(std::os::fd::BorrowedFd<'_>, Want)> {
        let descriptor = self.open.socket().as_fd();
        let mut wanted = vec![(descriptor, Want::Read)];
        if !sent {
            wanted.push((descriptor, Want::Write));
        }
        wanted
    }

    fn sleep(&self, sent: bool, deadline: Deadline) -> Result<(), GaveUp> {
        waiting_for(Waiting::Socket, self.open.endpoint().offset(), || {
            sleep_on_descriptors(&self.wanted(sent), &mut Vec::new(), deadline)
        })
    }
}
