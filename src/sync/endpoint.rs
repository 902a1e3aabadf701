//! An endpoint: what the session knows of a socket that several of its processes may have open.
//!
//! The socket itself is a descriptor, and those belong to processes. A process that receives an endpoint in a
//! message takes the descriptor over from one that *holds* it, and holds it from then on.
//!
//! ```text
//!            enter             retire, and it is needed               others hold it, or nobody wants it
//! unknown ----------> holds ---------------------------> lends ----------------------------------------> gone
//!                       \------ retire, and it is not needed --------------------------------------------/
//! ```
//!
//! Invariants
//! 1. A holder's entry says under which number its process has the descriptor. It is removed before the
//!    descriptor is closed; whoever takes one over compares its cookie, which no other socket has, so a number
//!    that was used again meanwhile is noticed.
//! 2. A process is done with a descriptor in earnest only if another living process holds it, or if nobody else
//!    counts the endpoint. Otherwise it *lends* it: what is on its way in a message needs it.
//! 3. Somebody still uses the endpoint if its count is greater than the number of living lenders.
//! 4. A process that ends takes its entries off before its counts.
//! 5. There is room for a few holders. One that finds none is unknown, and done whenever it likes: others hold it.
//!
//! Owner death: the kernel closes the descriptor, the sweeper takes the count off, and the entry of a dead
//! process is passed over and used again. A listener's socket file goes with the endpoint: whoever takes off the
//! last count, and be it the dead process's sweeper, removes it.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::passage::Passage;
use crate::arena::blocks::OutOfMemory;
use crate::arena::guard::Guard;
use crate::arena::handle::{Handle, Kind, Object, on_destroy};
use crate::arena::segment::at;
use crate::arena::table::{ProcessId, my_id};
use crate::sys::socket_file::{Identity, SocketFile};

/// Living processes that can be asked for the descriptor.
const HOLDERS: usize = 8;
/// Words of a path.
const PATH: usize = 32;
/// Beside a descriptor's number: its process lends it.
const LENT: u64 = 1 << 32;

#[repr(C)]
struct Holder {
    /// The process, as `ProcessId` packs it; 0 for nobody.
    process: AtomicU64,
    descriptor: AtomicU64,
}

#[repr(C)]
struct Layout {
    object: Object,
    cookie: AtomicU64,
    holders: [Holder; HOLDERS],
    receiving: Passage,
    sending: Passage,
    /// The socket file of a listener, and which file it is; empty for others.
    path: [AtomicU64; PATH],
    device: AtomicU64,
    inode: AtomicU64,
    /// Whether its directory was made for it.
    alone: AtomicU64,
}

/// See the head of this file. A clone is the same endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint(Handle);

/// What a process that is done with its descriptor is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retired {
    /// Close it.
    Done,
    /// Close it, and end the connection: nobody uses the endpoint any more, though others may have lent it.
    Last,
    /// Keep it open: somebody may come and ask.
    Lent,
}

/// Registers the destructor; called once by every process.
pub fn register() {
    on_destroy(Kind::Socket, destroy);
}

fn layout(offset: u64) -> &'static Layout {
    // SAFETY: only called with offsets of endpoints that somebody holds.
    unsafe { at(offset) }
}

fn destroy(offset: u64) {
    remove_file(layout(offset));
}

fn remove_file(layout: &Layout) {
    let bytes: Vec<u8> =
        layout.path.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    if let Some(path) = bytes.get(..end).filter(|path| !path.is_empty()) {
        let word = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let identity = Identity { device: word(&layout.device), inode: word(&layout.inode) };
        SocketFile::named(path, identity, word(&layout.alone) != 0).remove();
    }
    // The first word last: a sweeper that begins anew finds the path, or nothing to do.
    layout.path[0].store(0, Ordering::Release);
}

impl Holder {
    /// The process, if it lives.
    fn alive(&self) -> Option<ProcessId> {
        let word = self.process.load(Ordering::Relaxed);
        let id = ProcessId::unpack(word);
        (word != 0 && id.slot().is_some_and(|slot| slot.is_alive())).then_some(id)
    }

    fn number(&self) -> RawFd {
        (self.descriptor.load(Ordering::Relaxed) & u64::from(u32::MAX)) as RawFd
    }

    fn lends(&self) -> bool {
        self.descriptor.load(Ordering::Relaxed) & LENT != 0
    }
}

impl Endpoint {
    /// An endpoint for the socket with this cookie, which this process has open as `descriptor`; a listener's
    /// socket file stands for it.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(cookie: u64, descriptor: RawFd, file: Option<&SocketFile>) -> Result<Self, OutOfMemory> {
        let handle = Handle::create(Kind::Socket, size_of::<Layout>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let layout: &Layout = unsafe { &*place.cast() };
            layout.cookie.store(cookie, Ordering::Relaxed);
            for holder in &layout.holders {
                holder.process.store(0, Ordering::Relaxed);
            }
            layout.receiving.reset();
            layout.sending.reset();
            note_file(layout, file);
        })?;
        let endpoint = Self(handle);
        endpoint.enter(descriptor);
        Ok(endpoint)
    }

    /// The endpoint at `offset`, which somebody holds while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        Handle::acquire(offset).map(Self)
    }

    /// Where it is: what travels.
    pub fn offset(&self) -> u64 {
        self.0.offset()
    }

    fn layout(&self) -> &'static Layout {
        layout(self.0.offset())
    }

    /// The number that its socket alone has.
    pub fn cookie(&self) -> u64 {
        self.layout().cookie.load(Ordering::Relaxed)
    }

    /// The guard of its passages.
    pub fn guard(&self) -> &'static Guard {
        &self.layout().object.guard
    }

    /// Where one process at a time receives a message.
    pub fn receiving(&self) -> &'static Passage {
        &self.layout().receiving
    }

    /// Where one process at a time sends a message.
    pub fn sending(&self) -> &'static Passage {
        &self.layout().sending
    }

    /// Removes the socket file that stands for a listener, if it is still the one that was made for it.
    pub fn remove_file(&self) {
        remove_file(self.layout());
    }

    /// Those who can be asked for the descriptor, with its number there.
    pub fn holders(&self) -> Vec<(ProcessId, RawFd)> {
        let _held = self.guard().lock();
        let living = self.layout().holders.iter();
        living.filter_map(|holder| Some((holder.alive()?, holder.number()))).collect()
    }

    /// This process holds the endpoint, as `descriptor`.
    pub fn enter(&self, descriptor: RawFd) {
        let Some(me) = my_id() else { return };
        let held = self.guard().lock();
        let holders = &self.layout().holders;
        let mine = holders.iter().find(|holder| holder.process.load(Ordering::Relaxed) == me.pack());
        if let Some(place) = mine.or_else(|| holders.iter().find(|holder| holder.alive().is_none())) {
            held.commit([(&place.process, me.pack()), (&place.descriptor, descriptor as u64)]);
        }
    }

    /// This process can't be asked for the descriptor any more.
    pub fn leave(&self) {
        let Some(me) = my_id() else { return };
        let held = self.guard().lock();
        let mine =
            self.layout().holders.iter().find(|holder| holder.process.load(Ordering::Relaxed) == me.pack());
        if let Some(mine) = mine {
            held.commit([(&mine.process, 0)]);
        }
    }

    /// This process does not use the endpoint any more. Asked again, as long as it lends its descriptor.
    pub fn retire(&self) -> Retired {
        let Some(me) = my_id() else { return Retired::Done };
        // Read before the guard is taken, as it has one of its own: whoever is just coming or going makes this
        // process lend what is not needed, until it looks again.
        let count = self.0.count();
        let held = self.guard().lock();
        let holders = &self.layout().holders;
        let others = || holders.iter().filter(|holder| holder.alive().is_some_and(|other| other != me));
        let lenders = others().filter(|holder| holder.lends()).count() as u64;
        let mine = holders.iter().find(|holder| holder.process.load(Ordering::Relaxed) == me.pack());
        let last = count <= lenders + 1;
        match mine {
            Some(mine) if !last && others().count() as u64 == lenders => {
                let descriptor = mine.descriptor.load(Ordering::Relaxed);
                held.commit([(&mine.descriptor, descriptor | LENT)]);
                Retired::Lent
            }
            mine => {
                if let Some(mine) = mine {
                    held.commit([(&mine.process, 0)]);
                }
                if last { Retired::Last } else { Retired::Done }
            }
        }
    }
}

/// Says which file stands for a listener. One whose name has no room is removed by its listener only.
fn note_file(layout: &Layout, file: Option<&SocketFile>) {
    let mut bytes = [0_u8; PATH * 8];
    if let Some(file) = file {
        let name = file.bytes();
        if let Some(place) = bytes.get_mut(..name.len()) {
            place.copy_from_slice(name);
        }
        layout.device.store(file.identity.device, Ordering::Relaxed);
        layout.inode.store(file.identity.inode, Ordering::Relaxed);
        layout.alone.store(u64::from(file.alone), Ordering::Relaxed);
    }
    for (word, piece) in layout.path.iter().zip(bytes.chunks_exact(8)) {
        let mut value = [0_u8; 8];
        value.copy_from_slice(piece);
        word.store(u64::from_le_bytes(value), Ordering::Relaxed);
    }
}
