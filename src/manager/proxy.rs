//! A proxy: what stands for a managed object in a script.
//!
//! ```text
//! here: in the server that has the object     there: in any other process
//! ```
//!
//! In a session a proxy travels as its *ticket*, a counted parcel of the arena that says which server has the object,
//! with which key, and which object it is. Whoever attaches it connects to that server when it calls.
//!
//! Invariants
//! 1. In the server's own session the ticket is the count: the server has one itself, and frees the object when nobody
//!    else has it, neither a process nor a message.
//! 2. In another session a process holds an object from the result that referred to it, or from `hold`, until its last
//!    proxy goes. If it has sent the ticket on, it holds it until nobody else has that.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use rhai::{Dynamic, ImmutableString};

use super::desk;
use super::object::Object;
use super::site::{CallError, Site};
use crate::arena::blocks::OutOfMemory;
use crate::arena::handle::Kind;
use crate::arena::parcel::Parcel;
use crate::wire::Error;

/// See the head of this file. A clone stands for the same object.
#[derive(Clone, Debug)]
pub enum Proxy {
    Here(Rc<Object>),
    There(Rc<There>),
}

/// An object of a server that is another process.
#[derive(Debug)]
pub struct There {
    pub site: Rc<Site>,
    pub id: u64,
    ticket: OnceCell<Parcel>,
    /// How often this process holds it, over which connection (invariant 2).
    pub(super) held: Cell<(u64, u64)>,
    typeid: OnceCell<ImmutableString>,
}

impl There {
    /// The object `id` of that server.
    pub(super) fn new(site: Rc<Site>, id: u64) -> Rc<Self> {
        Rc::new(Self { site, id, ticket: OnceCell::new(), held: Cell::new((0, 0)), typeid: OnceCell::new() })
    }

    fn ticket(&self) -> Result<&Parcel, OutOfMemory> {
        if let Some(ticket) = self.ticket.get() {
            return Ok(ticket);
        }
        let ticket = ticket(self.id, &self.site)?;
        Ok(self.ticket.get_or_init(|| ticket))
    }
}

impl Drop for There {
    fn drop(&mut self) {
        self.site.forget(self.id, self.held.get(), self.ticket.take());
    }
}

/// What stands for an object in messages.
fn ticket(id: u64, site: &Site) -> Result<Parcel, OutOfMemory> {
    let mut bytes = id.to_le_bytes().to_vec();
    site.write(&mut bytes);
    Parcel::of_kind(Kind::Proxy, &bytes, &[])
}

impl Proxy {
    /// What kind of object it is.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn typeid(&self) -> Result<ImmutableString, CallError> {
        match self {
            Self::Here(object) => Ok(object.typeid.clone()),
            Self::There(there) => {
                if let Some(typeid) = there.typeid.get() {
                    return Ok(typeid.clone());
                }
                let typeid = there.site.ask("typeid", &mut vec![(there.id as i64).into()])?;
                let typeid = typeid.into_immutable_string().unwrap_or_default();
                Ok(there.typeid.get_or_init(|| typeid).clone())
            }
        }
    }

    /// Whether both stand for one object.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Here(one), Self::Here(other)) => Rc::ptr_eq(one, other),
            (Self::There(one), Self::There(other)) => {
                one.id == other.id && Rc::ptr_eq(&one.site, &other.site)
            }
            _ => false,
        }
    }

    /// What people call the object where its server can't be asked.
    pub fn name(&self) -> String {
        match self {
            Self::Here(object) => format!("object {} of this server", object.id),
            Self::There(there) => format!("object {} of the manager at {}", there.id, there.site.address()),
        }
    }

    /// Its ticket: what travels.
    ///
    /// # Errors
    /// If the session has no memory for it.
    pub fn offset(&self) -> Result<u64, OutOfMemory> {
        match self {
            Self::There(there) => there.ticket().map(Parcel::offset),
            Self::Here(object) => {
                if let Some(ticket) = object.ticket.get() {
                    return Ok(ticket.offset());
                }
                let site = desk::here().map(|desk| Rc::clone(desk.site()));
                let site = site.ok_or(OutOfMemory { wanted: 0, used: 0, limit: 0 })?;
                let ticket = ticket(object.id, &site)?;
                Ok(object.ticket.get_or_init(|| ticket).offset())
            }
        }
    }

    /// The proxy whose ticket is at `offset`, which somebody holds while this is called.
    ///
    /// # Errors
    /// Why there is none.
    pub fn attach(offset: u64) -> Result<Self, Error> {
        let parcel = Parcel::open(offset).map_err(|error| Error::new("MemoryError", error.to_string()))?;
        let unreadable = || Error::new("RuntimeError", "a proxy's ticket can't be read");
        let (id, rest) = parcel.bytes().split_first_chunk().ok_or_else(unreadable)?;
        let (id, site) = (u64::from_le_bytes(*id), Site::read(rest).ok_or_else(unreadable)?);
        if let Some(desk) = desk::here().filter(|desk| Rc::ptr_eq(desk.site(), &site)) {
            let object = desk.registry().get(id);
            let gone = || Error::new("RemoteError", format!("the object {id} of this server is gone"));
            return object.map(Self::Here).ok_or_else(gone);
        }
        let there = site.known(id);
        let _ = there.ticket.set(parcel);
        Ok(Self::There(there))
    }
}

/// The object that a value stands for, if it is a proxy of one in this process.
pub fn object_of(value: &Dynamic) -> Option<Rc<Object>> {
    match &*value.read_lock::<Proxy>()? {
        Proxy::Here(object) => Some(Rc::clone(object)),
        Proxy::There(_) => None,
    }
}
