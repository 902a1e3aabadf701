//! How two ends make sure that both have the same key, without sending it. No I/O: bytes go in and out.
//!
//! ```text
//! client                                          listener
//!   HELLO(random) or, without a key, OPEN  ------>
//!                                          <------  CHALLENGE(random), or KEYLESS
//!   PROOF(HMAC of both as a client)        ------>
//!                                          <------  WELCOME(HMAC of both as a listener), or REFUSED
//!   DONE, or REFUSED                       ------>
//! ```
//!
//! | byte | meaning |
//! |---|---|
//! | 0..6 | `stook` and the version |
//! | 6 | which message it is |
//! | 7 | 0 |
//! | 8..40 | 32 random bytes, or an HMAC-SHA-256, or zeros |
//!
//! Invariants
//! 1. A message has 40 bytes. Not one byte more is asked for or kept, whatever a peer sends.
//! 2. A proof covers the numbers of both sides and who it is from, so it fits no other connection and can't be
//!    sent back to where it came from. The listener proves itself to a client that has proved itself only.
//! 3. Proofs are compared in constant time.
//! 4. Each side tells the other how it decided before it ends. To a client without a key, which does not wait
//!    for an answer, a listener with one says so where the length of a message stands (see `framing`).

use std::io;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::framing;
use crate::sys::identity;

/// Bytes of a message.
pub const SIZE: usize = 40;
const MAGIC: &[u8; 5] = b"stook";
const VERSION: u8 = 1;
const BODY: usize = 8;

const OPEN: u8 = 0;
const HELLO: u8 = 1;
const CHALLENGE: u8 = 2;
const KEYLESS: u8 = 3;
const PROOF: u8 = 4;
const WELCOME: u8 = 5;
const REFUSED: u8 = 6;
const DONE: u8 = 7;

/// Who proves something, as it goes into the proof.
const CLIENT: &[u8] = b"stook client";
const LISTENER: &[u8] = b"stook listener";

type Random = [u8; 32];

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It did not even begin as one.
    #[error("it does not speak this protocol")]
    Stranger,
    /// The other side is of another version.
    #[error("it speaks version {0} of this protocol, this process version {VERSION}")]
    OtherVersion(u8),
    /// This side has no key.
    #[error("it has a key, and this side has none")]
    NoKeyHere,
    /// The other side has no key.
    #[error("it has no key, and this side has one")]
    NoKeyThere,
    /// Its proof was made with another key.
    #[error("it has another key")]
    WrongKey,
    /// It says that ours was.
    #[error("it says that this side has another key")]
    Rejected,
    /// It answered with something else.
    #[error("its answer is none to the challenge")]
    Bogus,
}

impl Refused {
    /// Whether whoever waits for clients is told: some program's bytes are no attempt to get in.
    pub fn is_worth_telling(self) -> bool {
        !matches!(self, Self::Stranger | Self::OtherVersion(_))
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// By the listener.
    Beginning,
    Proof,
    Verdict,
    /// By the client.
    Challenge,
    Welcome,
    /// Nothing.
    Over(Result<(), Refused>),
}

/// See the head of this file.
pub struct Handshake {
    key: Option<Hmac<Sha256>>,
    mine: Random,
    theirs: Random,
    state: State,
    incoming: [u8; SIZE],
    /// How much of `incoming` has arrived.
    have: usize,
    outgoing: Vec<u8>,
}

impl Handshake {
    fn new(key: Option<&[u8]>, state: State) -> io::Result<Self> {
        let key = key.map(Hmac::new_from_slice).transpose().map_err(io::Error::other)?;
        let mut mine = [0; 32];
        identity::random(&mut mine)?;
        Ok(Self { key, mine, theirs: [0; 32], state, incoming: [0; SIZE], have: 0, outgoing: Vec::new() })
    }

    /// The side that accepts.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn of_listener(key: Option<&[u8]>) -> io::Result<Self> {
        Self::new(key, State::Beginning)
    }

    /// The side that connects. Without a key it is over once its first message is sent.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn of_client(key: Option<&[u8]>) -> io::Result<Self> {
        let state = if key.is_some() { State::Challenge } else { State::Over(Ok(())) };
        let mut handshake = Self::new(key, state)?;
        if key.is_some() {
            handshake.say(HELLO, handshake.mine);
        } else {
            handshake.say(OPEN, [0; 32]);
        }
        Ok(handshake)
    }

    /// How it went, once it is over. What is in [`Handshake::outgoing`] is sent all the same.
    pub fn outcome(&self) -> Option<Result<(), Refused>> {
        match self.state {
            State::Over(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// How many bytes may be received before this is to be asked again; 0 when it is over.
    pub fn wants(&self) -> usize {
        if self.outcome().is_some() { 0 } else { SIZE - self.have }
    }

    /// What is to be sent; whoever sends takes it out.
    pub fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    /// These bytes have arrived, at most as many as are wanted.
    pub fn receive(&mut self, bytes: &[u8]) {
        let wanted = self.wants().min(bytes.len());
        for (place, byte) in self.incoming.iter_mut().skip(self.have).zip(bytes.iter().take(wanted)) {
            *place = *byte;
        }
        self.have += wanted;
        if self.have == SIZE && wanted > 0 {
            self.have = 0;
            self.state = self.after().unwrap_or_else(|refused| State::Over(Err(refused)));
        }
    }

    fn say(&mut self, kind: u8, body: Random) {
        self.outgoing.extend_from_slice(MAGIC);
        self.outgoing.extend_from_slice(&[VERSION, kind, 0]);
        self.outgoing.extend_from_slice(&body);
    }

    /// The kind and the body of what has arrived. A peer's first message tells whether it speaks this protocol at
    /// all.
    fn read(&self) -> Result<(u8, Random), Refused> {
        let first = matches!(self.state, State::Beginning | State::Challenge);
        let (head, body) = self.incoming.split_at(BODY);
        let body = body.try_into().map_err(|_| Refused::Bogus)?;
        match head {
            [magic @ .., version, kind, 0] if magic == MAGIC => match *version {
                VERSION => Ok((*kind, body)),
                other => Err(Refused::OtherVersion(other)),
            },
            _ if first => Err(Refused::Stranger),
            _ => Err(Refused::Bogus),
        }
    }

    /// What is waited for after the message that has arrived.
    fn after(&mut self) -> Result<State, Refused> {
        let (kind, body) = self.read().inspect_err(|refused| {
            // That is also how a listener says which version it has.
            if *refused != Refused::Stranger {
                self.say(REFUSED, [0; 32]);
            }
        })?;
        match (self.state, kind) {
            (State::Beginning, OPEN) if self.key.is_none() => Ok(State::Over(Ok(()))),
            (State::Beginning, OPEN) => {
                self.outgoing.extend_from_slice(&framing::REFUSED.to_le_bytes());
                Err(Refused::NoKeyThere)
            }
            (State::Beginning, HELLO) if self.key.is_none() => {
                self.say(KEYLESS, [0; 32]);
                Err(Refused::NoKeyHere)
            }
            (State::Beginning, HELLO) => {
                self.theirs = body;
                self.say(CHALLENGE, self.mine);
                Ok(State::Proof)
            }
            (State::Beginning, _) => Err(Refused::Stranger),
            (State::Proof, PROOF) if self.proves(CLIENT, self.theirs, self.mine, &body) => {
                let proof = self.proof(LISTENER, self.theirs, self.mine);
                self.say(WELCOME, proof);
                Ok(State::Verdict)
            }
            (State::Proof, PROOF) => {
                self.say(REFUSED, [0; 32]);
                Err(Refused::WrongKey)
            }
            (State::Verdict, DONE) => Ok(State::Over(Ok(()))),
            (State::Challenge, CHALLENGE) => {
                self.theirs = body;
                let proof = self.proof(CLIENT, self.mine, self.theirs);
                self.say(PROOF, proof);
                Ok(State::Welcome)
            }
            (State::Challenge, KEYLESS) => Err(Refused::NoKeyThere),
            (State::Welcome, WELCOME) if self.proves(LISTENER, self.mine, self.theirs, &body) => {
                self.say(DONE, [0; 32]);
                Ok(State::Over(Ok(())))
            }
            (State::Welcome, WELCOME) => {
                self.say(REFUSED, [0; 32]);
                Err(Refused::WrongKey)
            }
            (State::Welcome | State::Verdict, REFUSED) => Err(Refused::Rejected),
            _ => {
                self.say(REFUSED, [0; 32]);
                Err(Refused::Bogus)
            }
        }
    }

    fn code(&self, who: &[u8], client: Random, listener: Random) -> Option<Hmac<Sha256>> {
        let code = self.key.clone()?;
        Some(code.chain_update(who).chain_update(client).chain_update(listener))
    }

    fn proof(&self, who: &[u8], client: Random, listener: Random) -> Random {
        // Only asked for by a side that has a key.
        self.code(who, client, listener).map_or([0; 32], |code| code.finalize().into_bytes().into())
    }

    fn proves(&self, who: &[u8], client: Random, listener: Random, proof: &Random) -> bool {
        self.code(who, client, listener).is_some_and(|code| code.verify_slice(proof).is_ok())
    }
}

#[cfg(test)]
mod tests;
