//! Making objects: the manager's own types, and those that the script has registered.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Array, Dynamic};

use super::barrier::Barrier;
use super::condition::Condition;
use super::desk::Desk;
use super::dict::Dict;
use super::event::Event;
use super::host::Host;
use super::lock::Lock;
use super::mapping::of_items;
use super::methods::copy_contents;
use super::object::{Body, Exposed};
use super::proxy::{Proxy, object_of};
use super::queue::Queue;
use super::semaphore::Semaphore;
use crate::call::Signature;
use crate::wire::{Error, Raised};

/// The types that every manager has.
pub const TYPES: &[&str] = &[
    "list",
    "dict",
    "set",
    "Namespace",
    "Value",
    "Array",
    "Lock",
    "RLock",
    "Semaphore",
    "BoundedSemaphore",
    "Condition",
    "Event",
    "Barrier",
    "Queue",
    "JoinableQueue",
    "Pool",
];

fn error(kind: &str, what: String) -> Raised {
    Raised::of(Error::new(kind, what))
}

/// Makes an object of the type `typeid`.
///
/// # Errors
/// What making it raises; `RemoteError` if there is no such type.
pub fn create(desk: &Desk, typeid: &str, mut given: Array, host: &dyn Host) -> Result<Proxy, Raised> {
    if let Some(registered) = desk.registry().registered(typeid) {
        let value = host.function(&registered.constructor, None, given)?;
        // One that was made before.
        if let Some(proxy) = value.read_lock::<Proxy>() {
            return Ok(proxy.clone());
        }
        let exposed = registered.exposed.map_or(Exposed::Public, Exposed::Only);
        return Ok(desk.keep(typeid, exposed, Body::Value(value)));
    }
    if matches!(typeid, "list" | "dict" | "set" | "Namespace" | "Array") {
        given.iter_mut().for_each(copy_contents);
    }
    let name = TYPES.iter().find(|name| **name == typeid).copied().unwrap_or_default();
    // What is in a container may be a map, so a map is no option here.
    let only = |parameter, given: Array| Signature::new(name, parameter, given.len().min(1)).bind(given);
    let body = match typeid {
        "list" => {
            let items = only(&["sequence"], given)?.any(0);
            let items = if items.is_unit() { Array::new() } else { host.items(items)? };
            Body::Value(items.into())
        }
        "dict" | "Namespace" => {
            let entries = only(&["entries"], given)?.any(0);
            let mut dict = Dict::default();
            if !entries.is_unit() {
                dict.update(entries).map_err(Raised::of)?;
            }
            if typeid == "dict" { Body::Dict(dict) } else { Body::Namespace(dict) }
        }
        "set" => {
            let items = only(&["iterable"], given)?.any(0);
            Body::Set(if items.is_unit() { Dict::default() } else { of_items(host.items(items)?)? })
        }
        "Value" => {
            let mut given =
                Signature::new(name, &["typecode", "value"], given.len().clamp(1, 2)).bind(given)?;
            Body::Cell(given.any(0), given.any(1))
        }
        "Array" | "Pool" => Body::Value(host.construct(typeid, given)?),
        "Lock" | "RLock" => {
            Signature::new(name, &[], 0).bind(given)?;
            Body::Lock(Rc::new(RefCell::new(Lock::new(typeid == "RLock"))))
        }
        "Semaphore" | "BoundedSemaphore" => {
            let units = Signature::new(name, &["value"], 0).bind(given)?.int(0)?.unwrap_or(1);
            let units = u64::try_from(units)
                .map_err(|_| error("ValueError", format!("{typeid}() wants 0 units or more, not {units}")))?;
            Body::Semaphore(Semaphore::new(units, typeid == "BoundedSemaphore"))
        }
        "Condition" => {
            Body::Condition(Condition::new(lock(Signature::new(name, &["lock"], 0).bind(given)?.any(0))?))
        }
        "Event" => {
            Signature::new(name, &[], 0).bind(given)?;
            Body::Event(Event::default())
        }
        "Barrier" => Body::Barrier(barrier(given)?),
        "Queue" | "JoinableQueue" => {
            let limit = Signature::new(name, &["maxsize"], 0).bind(given)?.int(0)?.unwrap_or(0);
            // As in Python, zero and less are no limit.
            Body::Queue(Queue::new(usize::try_from(limit).unwrap_or(0)))
        }
        _ => {
            let known = desk.registry().names().join(", ");
            let known = if known.is_empty() { "none is".to_owned() } else { known };
            return Err(error(
                "RemoteError",
                format!("the manager's server knows no type '{typeid}'; registered there: {known}"),
            ));
        }
    };
    Ok(desk.keep(typeid, Exposed::All, body))
}

fn lock(given: Dynamic) -> Result<Rc<RefCell<Lock>>, Raised> {
    if given.is_unit() {
        return Ok(Rc::new(RefCell::new(Lock::new(true))));
    }
    let object = object_of(&given);
    let lock = object.as_ref().and_then(|object| match &*object.body.try_borrow().ok()? {
        Body::Lock(lock) => Some(Rc::clone(lock)),
        _ => None,
    });
    lock.ok_or_else(|| {
        error("TypeError", "Condition() wants a Lock or an RLock of the same manager for 'lock'".to_owned())
    })
}

fn barrier(given: Array) -> Result<Barrier, Raised> {
    let mut given = Signature::new("Barrier", &["parties", "action", "timeout"], 1).bind(given)?;
    let parties = given.int(0)?.unwrap_or(0);
    let parties = usize::try_from(parties)
        .ok()
        .filter(|parties| *parties > 0)
        .ok_or_else(|| error("ValueError", format!("Barrier() wants 1 party or more, not {parties}")))?;
    Ok(Barrier::new(parties, given.function(1)?, given.seconds(2)?))
}
