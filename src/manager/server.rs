//! A manager's server: one thread that serves all clients.
//!
//! It sleeps until a socket is ready, and does what can be done without waiting: lets clients in, reads their calls, has
//! them done at the desk, and sends answers as there is room.
//!
//! Invariants
//! 1. It is told of a socket when that *becomes* ready, so it notes that it is, and reads until it is not.
//! 2. At most [`STRANGERS`] clients have not shown yet that they have the key; the oldest makes room. Each has
//!    [`PATIENCE`] for that.
//! 3. Each client gets its turn: one that sends without end delays the others by one turn of its own.
//!
//! Owner death: if the server is killed the kernel closes its sockets, and every client learns of it; the socket file
//! goes with the endpoint of the listener (see `sync::endpoint`).

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::blocking::{Caller, Ticket};
use super::desk::{self, Desk};
use super::door::Door;
use super::guest::{Carriers, Guest, Over, Phase, Wish};
use super::host::Host;
use super::registry::Registry;
use super::site::Site;
use crate::arena::sweep;
use crate::socket::listener::Listener;
use crate::sync::glance::Glance;
use crate::sync::wait::SLICE;
use crate::wire::{Error, Raised};

/// Clients that have not shown yet that they have the key.
const STRANGERS: usize = 64;
/// How long they may take for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks for objects that nobody refers to, and at how many.
const ROUND: Duration = Duration::from_millis(50);
const LOOK: usize = 1024;
/// How long the last answers may take to be sent.
const FAREWELL: Duration = Duration::from_secs(1);

const LISTENER: Token = Token(0);

/// See the head of this file.
pub struct Server<'h> {
    desk: Rc<Desk>,
    host: &'h dyn Host,
    carriers: Carriers,
    door: Door,
    poll: Poll,
    guests: HashMap<u64, Guest>,
    last: u64,
    /// Those for whom there may be something to do.
    ready: VecDeque<u64>,
    looked: Instant,
    glance: Glance,
}

impl<'h> Server<'h> {
    /// A server behind this listener. This process's desk is open from now on.
    ///
    /// # Errors
    /// If the system has no room for it.
    pub fn new(
        listener: Listener,
        key: &[u8],
        name: &str,
        registry: Registry,
        host: &'h dyn Host,
        carriers: Carriers,
    ) -> io::Result<Self> {
        crate::sys::resources::raise_descriptor_limit();
        let poll = Poll::new()?;
        let site = Site::of(listener.address(), key);
        let door = Door::new(listener, key);
        poll.registry().register(&mut SourceFd(&door.descriptor()), LISTENER, Interest::READABLE)?;
        let desk = Desk::open(site, name.to_owned(), registry);
        Ok(Self {
            desk,
            host,
            carriers,
            door,
            poll,
            guests: HashMap::new(),
            last: 0,
            ready: VecDeque::new(),
            looked: Instant::now(),
            glance: Glance::new(),
        })
    }

    /// Serves until it is asked to shut down, or the script to end.
    ///
    /// # Errors
    /// What the system says; `Interrupted` if `stop` says so.
    pub fn serve(mut self, stop: impl Fn() -> bool) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut served = false;
        let ended = loop {
            if self.desk.is_down() || self.host.is_over() {
                break Ok(());
            }
            if stop() {
                break Err(ErrorKind::Interrupted.into());
            }
            match self.wait(&mut events, served) {
                Err(error) if error.kind() != ErrorKind::Interrupted => break Err(error),
                // What a signal came for is done in its handler.
                Err(_) => {}
                Ok(()) => events.iter().for_each(|event| self.note(event)),
            }
            served = !self.ready.is_empty();
            self.round();
        };
        self.close();
        ended
    }

    /// Waits until something is to be done. Whoever was served just now may soon be here again: it looks on.
    fn wait(&mut self, events: &mut Events, served: bool) -> io::Result<()> {
        let patience = self.patience();
        let mut polled = Ok(());
        let came = served
            && !patience.is_zero()
            && self.glance.until(|| {
                polled = self.poll.poll(events, Some(Duration::ZERO));
                polled.is_err() || !events.is_empty()
            });
        if came { polled } else { self.poll.poll(events, Some(patience)) }
    }

    fn patience(&self) -> Duration {
        if !self.ready.is_empty() {
            return Duration::ZERO;
        }
        let times = [Some(SLICE), self.desk.patience(), self.door.patience()];
        let soonest = times.into_iter().flatten().min().unwrap_or(SLICE);
        // A part of a millisecond is a whole one: what is waited for is not there before.
        if soonest.is_zero() { soonest } else { soonest.max(Duration::from_millis(1)) }
    }

    fn note(&mut self, event: &mio::event::Event) {
        if event.token() == LISTENER {
            self.door.knock();
            return;
        }
        let number = event.token().0 as u64;
        if let Some(guest) = self.guests.get_mut(&number) {
            guest.readable |= event.is_readable();
            guest.ended |= event.is_read_closed() || event.is_error();
            self.ready.push_back(number);
        }
    }

    /// Does everything that can be done now.
    fn round(&mut self) {
        self.let_in();
        for _ in 0..self.ready.len() {
            let Some(number) = self.ready.pop_front() else { break };
            if self.serve_one(number).is_err() || self.heed(number).is_err() {
                self.dismiss(number);
            }
        }
        self.desk.go_on(self.host);
        self.deliver();
        sweep::after_deaths();
        if self.looked.elapsed() >= ROUND {
            self.looked = Instant::now();
            self.desk.registry().look(LOOK);
            self.dismiss_strangers();
        }
    }

    /// Takes in the clients that wait with the system.
    fn let_in(&mut self) {
        while let Some(greeting) = self.door.next_client() {
            self.last += 1;
            let number = self.last;
            let mut guest = Guest::new(greeting, number, Instant::now() + PATIENCE);
            if self.watch(guest.descriptor(), number).is_err() {
                continue;
            }
            // Mostly its first message is there already.
            guest.readable = true;
            self.guests.insert(number, guest);
            self.ready.push_back(number);
            self.make_room();
        }
    }

    fn watch(&self, descriptor: RawFd, number: u64) -> io::Result<()> {
        let token = Token(usize::try_from(number).map_err(io::Error::other)?);
        self.poll.registry().register(&mut SourceFd(&descriptor), token, Interest::READABLE)
    }

    /// Is told of room to send only while it lacks some: a Unix socket has room anew whenever its peer reads, which
    /// is after each answer.
    fn heed(&mut self, number: u64) -> io::Result<()> {
        let Some(guest) = self.guests.get_mut(&number) else { return Ok(()) };
        let wanted = guest.wants_room();
        if guest.heeded == wanted {
            return Ok(());
        }
        guest.heeded = wanted;
        let token = Token(usize::try_from(number).map_err(io::Error::other)?);
        let interest = if wanted { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        self.poll.registry().reregister(&mut SourceFd(&guest.descriptor()), token, interest)
    }

    fn strangers(&self) -> impl Iterator<Item = (&u64, &Guest)> {
        self.guests.iter().filter(|(_, guest)| matches!(guest.phase, Phase::Greeting(_)))
    }

    fn make_room(&mut self) {
        while self.strangers().count() > STRANGERS
            && let Some(oldest) = self.strangers().map(|(number, _)| *number).min()
        {
            self.dismiss(oldest);
        }
    }

    fn dismiss_strangers(&mut self) {
        let now = Instant::now();
        let late: Vec<u64> =
            self.strangers().filter(|(_, guest)| guest.until <= now).map(|(number, _)| *number).collect();
        late.into_iter().for_each(|number| self.dismiss(number));
    }

    /// The client is let go of, and what it held is given back.
    fn dismiss(&mut self, number: u64) {
        if let Some(mut guest) = self.guests.remove(&number) {
            // The kernel forgets it in any case when it is closed.
            let _ = self.poll.registry().deregister(&mut SourceFd(&guest.descriptor()));
            guest.leave();
            self.desk.bereave(number);
        }
    }

    /// One client's turn.
    fn serve_one(&mut self, number: u64) -> Result<(), Over> {
        if !self.greeted(number)? {
            return Ok(());
        }
        let Some(guest) = self.guests.get_mut(&number) else { return Ok(()) };
        if guest.has_news() {
            guest.flush()?;
        }
        if !guest.is_clogged() {
            // What it said before it ended counts.
            let filled = guest.fill();
            self.hear(number)?;
            filled?;
        }
        self.send(number)
    }

    /// Goes on with a handshake; whether there is none any more.
    fn greeted(&mut self, number: u64) -> Result<bool, Over> {
        let Some(guest) = self.guests.get_mut(&number) else { return Ok(false) };
        if let Phase::Greeting(greeting) = &mut guest.phase {
            if !greeting.go_on().map_err(|_| Over)? {
                return Ok(false);
            }
            let guest = self.guests.remove(&number).ok_or(Over)?.welcome()?;
            self.guests.insert(number, guest);
        }
        Ok(true)
    }

    /// Does what the client wants, as far as that has arrived.
    fn hear(&mut self, number: u64) -> Result<(), Over> {
        loop {
            let Some(guest) = self.guests.get_mut(&number) else { return Ok(()) };
            if guest.is_clogged() {
                return Ok(());
            }
            let desk = Rc::clone(&self.desk);
            let Some(wish) = guest.wish(desk.registry(), self.carriers)? else { return Ok(()) };
            match wish {
                Wish::Cancel(request) => {
                    if desk.cancel(Ticket { client: number, request }) {
                        guest.cancelled(request);
                    }
                }
                Wish::Call { number: request, object, method, given } => {
                    let caller =
                        Caller { ticket: Ticket { client: number, request }, who: Rc::clone(&guest.who) };
                    let outcome = match given {
                        Err(raised) => Some((Err(raised), String::new())),
                        Ok(given) if object == 0 && method == "hold" => {
                            Some((self.hold(number, &given), String::new()))
                        }
                        Ok(given) => desk.call(&caller, object, &method, given, self.host),
                    };
                    if let Some((answer, word)) = outcome
                        && let Some(guest) = self.guests.get_mut(&number)
                    {
                        guest.answer(request, answer, &word, desk.registry(), self.carriers);
                    }
                    if desk.is_down() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// A client of another session got hold of an object by another way than a result.
    fn hold(&mut self, number: u64, given: &rhai::Array) -> super::blocking::Answer {
        let id = given.first().and_then(|id| id.as_int().ok()).unwrap_or(0) as u64;
        match (self.desk.registry().get(id), self.guests.get_mut(&number)) {
            (Some(object), Some(guest)) => {
                guest.hold(object);
                Ok(rhai::Dynamic::UNIT)
            }
            _ => Err(Raised::of(Error::new(
                "RemoteError",
                format!("the manager's object {id} is gone: nobody referred to it any more"),
            ))),
        }
    }

    /// Sends the answers to calls that had to wait.
    fn deliver(&mut self) {
        for (ticket, answer, word) in self.desk.outgoing() {
            let Some(guest) = self.guests.get_mut(&ticket.client) else { continue };
            guest.answer(ticket.request, answer, &word, self.desk.registry(), self.carriers);
            if self.send(ticket.client).is_err() || self.heed(ticket.client).is_err() {
                self.dismiss(ticket.client);
            }
        }
    }

    /// Sends what there is room for. Who has more to say, or was not heard for want of room, has another turn.
    fn send(&mut self, number: u64) -> Result<(), Over> {
        let Some(guest) = self.guests.get_mut(&number) else { return Ok(()) };
        let was_clogged = guest.is_clogged();
        if guest.has_news() {
            guest.flush()?;
        }
        if !guest.is_clogged() && (guest.readable || was_clogged) {
            self.ready.push_back(number);
        }
        Ok(())
    }

    /// The last answers are sent, and the clients told.
    fn close(mut self) {
        let until = Instant::now() + FAREWELL;
        while self.guests.values_mut().any(|guest| guest.flush().is_ok() && guest.has_news())
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.guests.clear();
        desk::leave();
        self.door.close();
    }
}
