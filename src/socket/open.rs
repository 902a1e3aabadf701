//! A socket as this process has it open, and how it gets from one process of the session to another.
//!
//! An [`Endpoint`] travels in messages; the descriptor stays where it is until a process that received the
//! endpoint takes it over. So a process that sends a connection and closes it keeps the descriptor for whoever is
//! on the way (see `sync::endpoint`), looks at it now and then, and closes it when nobody needs it any more.
//!
//! Owner death: what a killed process had lent is gone, unless somebody had come for it. Whoever comes later is
//! told so when it uses the connection; the message that brought it is whole.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::{Rc, Weak};

use super::greeting;
use crate::arena::blocks::OutOfMemory;
use crate::arena::handle::{self, Kind};
use crate::arena::table::{self, ProcessId, Slot};
use crate::sync::endpoint::{Endpoint, Retired};
use crate::sync::glance::Glance;
use crate::sync::wait::do_before_sleep;
use crate::sys::descriptor;
use crate::sys::socket::Socket;
use crate::sys::socket_file::SocketFile;

/// See the head of this file.
#[derive(Debug)]
pub struct Open {
    endpoint: Endpoint,
    socket: Rc<Socket>,
    glance: Glance,
}

/// What this process has lent.
#[derive(Debug)]
struct Lent {
    endpoint: Endpoint,
    socket: Rc<Socket>,
}

thread_local! {
    static KNOWN: RefCell<HashMap<u64, Weak<Open>>> = RefCell::default();
    static LENT: RefCell<Vec<Lent>> = const { RefCell::new(Vec::new()) };
    /// Whether the others may take this process's descriptors over.
    static SHARED: Cell<bool> = const { Cell::new(false) };
}

/// Why a socket that was sent here can't be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Lost {
    /// Nobody who had it is there any more.
    #[error("every process that had it has ended, or was killed, before it was received here")]
    Gone,
    /// The system does not let processes take over descriptors.
    #[error(
        "the system does not let a process take over another's connection ({0}; a container's profile may \
         forbid pidfd_getfd); a forked child has what its parent has"
    )]
    Forbidden(String),
    /// There is no memory to note it.
    #[error("it can't be noted here: {0}")]
    Memory(#[from] OutOfMemory),
}

impl Open {
    /// A socket that this process has made; a listener's file stands for it.
    ///
    /// # Errors
    /// If the session has no memory for it.
    pub fn new(socket: Socket, file: Option<&SocketFile>) -> io::Result<Rc<Self>> {
        let endpoint = Endpoint::new(socket.cookie()?, number(&socket), file)
            .map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
        Ok(Self::remember(endpoint, Rc::new(socket)))
    }

    fn remember(endpoint: Endpoint, socket: Rc<Socket>) -> Rc<Self> {
        tidy();
        share();
        let open = Rc::new(Self { endpoint, socket, glance: Glance::new() });
        KNOWN.with_borrow_mut(|known| known.insert(open.endpoint.offset(), Rc::downgrade(&open)));
        open
    }

    /// The endpoint at `offset`, which somebody holds while this is called, opened in this process.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn attach(offset: u64) -> Result<Rc<Self>, Lost> {
        if let Some(open) = KNOWN.with_borrow(|known| known.get(&offset).and_then(Weak::upgrade)) {
            return Ok(open);
        }
        let lent = LENT.with_borrow_mut(|lent| {
            let place = lent.iter().position(|lent| lent.endpoint.offset() == offset)?;
            Some(lent.swap_remove(place))
        });
        if let Some(Lent { endpoint, socket }) = lent {
            endpoint.enter(number(&socket));
            return Ok(Self::remember(endpoint, socket));
        }
        let endpoint = Endpoint::open(offset)?;
        let socket = taken_over(&endpoint)?;
        endpoint.enter(number(&socket));
        Ok(Self::remember(endpoint, Rc::new(socket)))
    }

    /// What the session knows of it; its offset is what travels.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// When who waits here looks on.
    pub fn glance(&self) -> &Glance {
        &self.glance
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // At the very end of a process the thread-locals may be gone: the kernel closes the descriptor.
        let _ = KNOWN.try_with(|known| known.borrow_mut().remove(&self.endpoint.offset()));
        self.retire();
    }
}

impl Open {
    /// This process is done with it.
    fn retire(&self) {
        match self.endpoint.retire() {
            Retired::Done => {}
            Retired::Last => self.socket.shut_down(),
            Retired::Lent => {
                let lent = Lent { endpoint: self.endpoint.clone(), socket: Rc::clone(&self.socket) };
                do_before_sleep(tidy);
                let _ = LENT.try_with(|list| list.borrow_mut().push(lent));
            }
        }
    }
}

fn number(socket: &Socket) -> i32 {
    socket.as_fd().as_raw_fd()
}

/// The socket of `endpoint`, from one of those who have it.
fn taken_over(endpoint: &Endpoint) -> Result<Socket, Lost> {
    let mut lost = Lost::Gone;
    for (id, number) in endpoint.holders() {
        let Some(pid) = ProcessId::slot(id).map(Slot::pid) else { continue };
        let taken = descriptor::take_over(pid, number).map(Socket::from_descriptor);
        match taken {
            // Its holder may have closed it, and opened something else under its number.
            Ok(socket) if socket.cookie().is_ok_and(|cookie| cookie == endpoint.cookie()) => {
                return Ok(socket);
            }
            Ok(_) => {}
            Err(error) if descriptor::is_forbidden(&error) => lost = Lost::Forbidden(error.to_string()),
            Err(_) => {}
        }
    }
    Err(lost)
}

/// Closes what this process has lent and nobody needs any more. Done before it sleeps, too.
pub fn tidy() {
    if LENT.with_borrow(Vec::is_empty) {
        return;
    }
    // What is closed may be looked at again while it is.
    let lent = LENT.take();
    let kept = lent.into_iter().filter(|lent| match lent.endpoint.retire() {
        Retired::Lent => true,
        Retired::Last => {
            lent.socket.shut_down();
            false
        }
        Retired::Done => false,
    });
    let kept: Vec<Lent> = kept.collect();
    LENT.with_borrow_mut(|lent| lent.extend(kept));
}

/// Whether this process has lent something that may still be needed.
pub fn lends() -> bool {
    if LENT.with_borrow(Vec::is_empty) {
        return false;
    }
    tidy();
    !LENT.with_borrow(Vec::is_empty)
}

/// This process is about to end: it is done with everything that it has.
pub(super) fn retire_all() {
    let open: Vec<Rc<Open>> = KNOWN.take().values().filter_map(Weak::upgrade).collect();
    for open in &open {
        open.retire();
    }
    // They must not retire again.
    open.into_iter().for_each(std::mem::forget);
}

/// This process does not lend anything any more: a keeper does, or nobody.
pub(super) fn hand_over() {
    LENT.with_borrow(|lent| lent.iter().for_each(|lent| lent.endpoint.leave()));
}

/// Whether `keeper` has everything that this process has lent.
pub(super) fn has_all(keeper: ProcessId) -> bool {
    let has = |lent: &Lent| lent.endpoint.holders().iter().any(|(holder, _)| *holder == keeper);
    LENT.with_borrow(|lent| lent.iter().all(has))
}

/// This process has just been forked off to keep what its parent has lent: the endpoints, and their descriptors.
pub(super) fn keep_lent() -> (HashSet<u64>, Vec<i32>) {
    let kept = |lent: &Lent| {
        let number = number(&lent.socket);
        lent.endpoint.enter(number);
        (lent.endpoint.offset(), number)
    };
    let kept = LENT.with_borrow(|lent| lent.iter().map(kept).unzip());
    SHARED.set(false);
    share();
    kept
}

/// Whether this process has any sockets.
pub fn any() -> bool {
    KNOWN.with_borrow(|known| !known.is_empty())
}

/// This process has just been forked off: it keeps those of its parent's sockets that are at `kept`. The others are
/// in its memory still, and open to nothing; what its parent has lent is the parent's business.
pub fn forked(kept: &HashSet<u64>) {
    SHARED.set(false);
    LENT.take();
    greeting::forked();
    handle::keep_only(Kind::Socket, kept);
    KNOWN.with_borrow_mut(|known| known.retain(|_, open| open.strong_count() > 0));
    let open: Vec<Rc<Open>> = KNOWN.with_borrow(|known| known.values().filter_map(Weak::upgrade).collect());
    for open in &open {
        if kept.contains(&open.endpoint.offset()) {
            open.endpoint.enter(number(&open.socket));
            share();
        } else {
            KNOWN.with_borrow_mut(|known| known.remove(&open.endpoint.offset()));
            descriptor::open_to_nothing(number(&open.socket));
        }
    }
    // None of them is closed here: the memory that has them stays.
    open.into_iter().for_each(std::mem::forget);
}

/// The session's processes may take this one's descriptors over.
fn share() {
    if !SHARED.replace(true)
        && let Some(first) = table::first()
    {
        descriptor::share_with(first.pid());
    }
}

#[cfg(test)]
mod tests;
