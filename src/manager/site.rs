//! A manager's server as another process knows it: where it is, the key, the connection if there is one, and the
//! objects that proxies here stand for.
//!
//! There is one site for an address and a key in a process. It connects when it is first needed, and again after the
//! connection was lost, or was the parent's.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::rc::{Rc, Weak};

use rhai::{Array, Dynamic};

use super::link::{Link, LinkError, Me};
use super::proxy::{Proxy, There};
use crate::arena::parcel::Parcel;
use crate::arena::table::{self, ProcessId};
use crate::socket::client::ConnectError;
use crate::sys::address::Address;
use crate::sys::clock::Deadline;
use crate::wire::{EncodeError, Handles, Raised};

/// How long a server may take to answer a new client, in seconds.
const ANSWER: f64 = 60.0;

/// Why a call gave nothing.
#[derive(Debug)]
pub enum CallError {
    /// It raised an error there.
    Raised(Box<Raised>),
    /// Something in the arguments can't travel.
    Refused(Box<EncodeError>),
    /// There is no connection.
    Connect(Address, Box<ConnectError>),
    /// What is wrong with the connection.
    Link(Address, Box<LinkError>),
    /// This process was a server, and is none any more.
    NoServer,
}

/// An object that is held for others: its number, how often and over which connection, and its ticket.
type Lent = (u64, (u64, u64), Parcel);

/// See the head of this file.
#[derive(Debug)]
pub struct Site {
    address: Address,
    key: Vec<u8>,
    link: RefCell<Option<Rc<Link>>>,
    /// The process that has the link, and how many there were before.
    owner: Cell<(Option<ProcessId>, u64)>,
    known: RefCell<HashMap<u64, Weak<There>>>,
    /// What this process holds for others, to whom it has sent the ticket.
    lent: RefCell<Vec<Lent>>,
}

thread_local! {
    static SITES: RefCell<Vec<Rc<Site>>> = const { RefCell::new(Vec::new()) };
    static ME: Cell<Option<fn() -> Me>> = const { Cell::new(None) };
}

/// Says how this process introduces itself to servers.
pub fn introduce(me: fn() -> Me) {
    ME.set(Some(me));
}

impl Site {
    /// The server at `address` that has this key.
    pub fn of(address: &Address, key: &[u8]) -> Rc<Self> {
        let known = |site: &&Rc<Self>| site.address == *address && site.key == key;
        let found = SITES.with_borrow(|sites| sites.iter().find(known).cloned());
        found.unwrap_or_else(|| {
            let site = Rc::new(Self {
                address: address.clone(),
                key: key.to_vec(),
                link: RefCell::default(),
                owner: Cell::new((None, 0)),
                known: RefCell::default(),
                lent: RefCell::default(),
            });
            SITES.with_borrow_mut(|sites| {
                // Those that nobody uses make room.
                sites.retain(|site| Rc::strong_count(site) > 1);
                sites.push(Rc::clone(&site));
            });
            site
        })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Appends it as it travels.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let (tag, address) = match &self.address {
            Address::Path(path) => (0, path.as_os_str().as_bytes().to_vec()),
            Address::Abstract(name) => (1, name.clone()),
            Address::Host(host) => (2, host.to_string().into_bytes()),
            Address::Unnamed => (3, Vec::new()),
        };
        bytes.push(tag);
        bytes.push(u8::try_from(address.len()).unwrap_or(0));
        bytes.extend_from_slice(&address);
        bytes.extend_from_slice(&self.key);
    }

    /// What [`Site::write`] wrote.
    pub fn read(bytes: &[u8]) -> Option<Rc<Self>> {
        let [tag, length, rest @ ..] = bytes else { return None };
        let (address, key) = rest.split_at_checked(usize::from(*length))?;
        let address = match tag {
            0 => Address::Path(OsStr::from_bytes(address).into()),
            1 => Address::Abstract(address.to_vec()),
            2 => Address::Host(str::from_utf8(address).ok()?.parse().ok()?),
            _ => return None,
        };
        Some(Self::of(&address, key))
    }

    /// The connection, made if there is none.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn link(self: &Rc<Self>) -> Result<Rc<Link>, CallError> {
        self.link_within(ANSWER)
    }

    /// As [`Site::link`], and makes sure that the connection still holds.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn renew(self: &Rc<Self>) -> Result<(), CallError> {
        match self.ask("ping", &mut Array::new()) {
            Err(CallError::Link(_, error)) if matches!(*error, LinkError::Gone) => {
                self.ask("ping", &mut Array::new()).map(drop)
            }
            result => result.map(drop),
        }
    }

    /// The server is gone: the next call finds nobody there.
    pub fn leave(&self) {
        self.link.take();
    }

    fn link_within(self: &Rc<Self>, patience: f64) -> Result<Rc<Link>, CallError> {
        let me = table::my_id();
        let (owner, made) = self.owner.get();
        if owner == me
            && let Some(link) = self.link.borrow().as_ref().filter(|link| !link.is_broken())
        {
            return Ok(Rc::clone(link));
        }
        // One that is left over from the parent is the parent's; its descriptor is open to nothing here.
        self.link.take();
        let connect = |error| CallError::Connect(self.address.clone(), Box::new(error));
        let myself = ME.get().map(|me| me()).ok_or(CallError::NoServer)?;
        let deadline = Deadline::after(Some(patience));
        let open =
            crate::socket::client::connect(&self.address, Some(&self.key), deadline).map_err(connect)?;
        let link = Link::new(open, myself, deadline).map_err(|error| self.trouble(error))?;
        let link = Rc::new(link);
        link.keep_alive();
        self.owner.set((me, made + 1));
        self.link.replace(Some(Rc::clone(&link)));
        Ok(link)
    }

    fn trouble(&self, error: LinkError) -> CallError {
        CallError::Link(self.address.clone(), Box::new(error))
    }

    /// Calls a method of the server itself.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn ask(self: &Rc<Self>, method: &str, arguments: &mut Array) -> Result<Dynamic, CallError> {
        let link = self.link()?;
        self.call_over(&link, 0, method, arguments)
    }

    /// Calls a method of the server itself and does not wait for what comes of it; for a connection, so many seconds.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn post(self: &Rc<Self>, method: &str, patience: f64) -> Result<(), CallError> {
        let link = self.link_within(patience)?;
        link.post(method).map_err(|error| self.trouble(error))
    }

    /// Calls a method of an object.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(
        self: &Rc<Self>,
        there: &There,
        method: &str,
        arguments: &mut Array,
    ) -> Result<Dynamic, CallError> {
        let link = self.link()?;
        let (_, generation) = self.owner.get();
        let (held, since) = there.held.get();
        if !link.is_local() && (held == 0 || since != generation) {
            self.call_over(&link, 0, "hold", &mut vec![(there.id as i64).into()]).map(drop)?;
            there.held.set((1, generation));
        }
        self.call_over(&link, there.id, method, arguments)
    }

    fn call_over(
        self: &Rc<Self>,
        link: &Link,
        object: u64,
        method: &str,
        arguments: &mut Array,
    ) -> Result<Dynamic, CallError> {
        self.tidy(link);
        let abroad = Abroad { site: self, otherwise: link.me().abroad };
        let handles: &dyn Handles = if link.is_local() { link.me().carry } else { &abroad };
        match link.call(object, method, arguments, handles) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(raised)) => Err(CallError::Raised(raised.into())),
            Err(LinkError::Refused(error)) => Err(CallError::Refused(Box::new(error))),
            Err(error) => Err(self.trouble(error)),
        }
    }

    /// The proxies here for the object `id`.
    pub(super) fn known(self: &Rc<Self>, id: u64) -> Rc<There> {
        if let Some(there) = self.known.borrow().get(&id).and_then(Weak::upgrade) {
            return there;
        }
        let there = There::new(Rc::clone(self), id);
        self.known.borrow_mut().insert(id, Rc::downgrade(&there));
        there
    }

    /// A result has referred to the object `id`: this process holds it.
    fn received(self: &Rc<Self>, id: u64) -> Rc<There> {
        let there = self.known(id);
        let (_, generation) = self.owner.get();
        let (held, since) = there.held.get();
        there.held.set((if since == generation { held + 1 } else { 1 }, generation));
        there
    }

    /// The last proxy of the object `id` here has gone, which held it so often over that connection.
    pub(super) fn forget(&self, id: u64, held: (u64, u64), ticket: Option<Parcel>) {
        let gone = |known: &mut HashMap<u64, Weak<There>>| {
            if known.get(&id).is_some_and(|there| there.strong_count() == 0) {
                known.remove(&id);
            }
        };
        // At the very end of a process nothing is known any more.
        if let Ok(mut known) = self.known.try_borrow_mut() {
            gone(&mut known);
        }
        if held.0 == 0 {
            return;
        }
        match ticket.filter(|ticket| ticket.count() > 1) {
            Some(ticket) => self.lent.borrow_mut().push((id, held, ticket)),
            None => self.drop_held(id, held),
        }
    }

    fn drop_held(&self, id: u64, (count, since): (u64, u64)) {
        let (owner, generation) = self.owner.get();
        if since == generation
            && owner == table::my_id()
            && let Some(link) = self.link.borrow().as_ref()
        {
            link.drop_object(id, count);
        }
    }

    /// Lets go of what was held for others and nobody has any more.
    fn tidy(&self, link: &Link) {
        if link.is_local() || self.lent.borrow().is_empty() {
            return;
        }
        let done: Vec<_> =
            self.lent.borrow_mut().extract_if(.., |(_, _, ticket)| ticket.count() <= 1).collect();
        for (id, held, _) in done {
            // It may have come back meanwhile, and be held anew.
            self.drop_held(id, held);
        }
    }
}

/// For a server of another session: only its own objects go there and come from there.
struct Abroad<'a> {
    site: &'a Rc<Site>,
    otherwise: &'static dyn Handles,
}

impl Handles for Abroad<'_> {
    fn detach(&self, value: &Dynamic) -> Option<u64> {
        match &*value.read_lock::<Proxy>()? {
            Proxy::There(there) if Rc::ptr_eq(&there.site, self.site) => Some(there.id),
            _ => None,
        }
    }

    fn refusal(&self, value: &Dynamic) -> Option<String> {
        self.otherwise.refusal(value)
    }

    fn attach(&self, id: u64) -> Option<Dynamic> {
        Some(Dynamic::from(Proxy::There(self.site.received(id))))
    }
}
