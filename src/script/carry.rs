//! Handles inside values: which script types stand for shared objects.

use rhai::Dynamic;

use super::{connection, locks, manager, queue, share};
use crate::arena::handle::{self, Kind};
use crate::socket::end::SocketEnd;
use crate::wire::{Error, Handles};

/// Knows every type of the API that can travel.
#[derive(Clone, Copy, Debug)]
pub struct Carry;

impl Handles for Carry {
    fn detach(&self, value: &Dynamic) -> Option<u64> {
        queue::offset(value)
            .or_else(|| connection::offset(value))
            .or_else(|| locks::offset(value))
            .or_else(|| share::offset(value))
            .or_else(|| manager::offset(value))
    }

    fn refusal(&self, value: &Dynamic) -> Option<String> {
        let closed =
            connection::is_closed(value).then(|| "this Connection is closed in this process".to_owned());
        closed.or_else(|| manager::refusal(value))
    }

    fn attach(&self, offset: u64) -> Option<Dynamic> {
        match handle::kind_at(offset)? {
            Kind::Queue => queue::open(offset),
            Kind::End => connection::open(offset),
            Kind::Socket => Some(connection::of_socket(SocketEnd::attach(offset))),
            kind @ (Kind::Lock
            | Kind::RLock
            | Kind::Semaphore
            | Kind::Condition
            | Kind::Event
            | Kind::Barrier) => locks::open(kind, offset),
            Kind::Block => share::open(offset),
            Kind::Parcel | Kind::Pool | Kind::Named | Kind::Proxy => None,
        }
    }

    fn try_attach(&self, offset: u64) -> Result<Option<Dynamic>, Error> {
        match handle::kind_at(offset) {
            Some(Kind::Named) => share::attach(offset).map(Some),
            Some(Kind::Proxy) => manager::attach(offset).map(Some),
            _ => Ok(self.attach(offset)),
        }
    }
}

/// For sockets, whose other end may be of another session: no shared object gets through.
#[derive(Clone, Copy, Debug)]
pub struct Abroad;

impl Handles for Abroad {
    fn detach(&self, _value: &Dynamic) -> Option<u64> {
        None
    }

    fn refusal(&self, value: &Dynamic) -> Option<String> {
        if Carry.detach(value).is_none() {
            return Carry.refusal(value);
        }
        let name = value.type_name();
        let name = name.rsplit("::").next().unwrap_or(name);
        Some(format!(
            "a {name} belongs to the processes of this session, and a socket may lead out of it; send it over a \
             Pipe or a Queue"
        ))
    }

    fn attach(&self, _offset: u64) -> Option<Dynamic> {
        None
    }
}
