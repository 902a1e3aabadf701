//! `Manager`, `BaseManager`, `SyncManager`, and proxies.
//!
//! | file | concept |
//! |---|---|
//! | `make` | what scripts call of a manager |
//! | `value` | a manager as scripts have it: its life |
//! | `serve` | the server's process |
//! | `host` | the engine, for the server |
//! | `trial` | calls in the server that would have to wait |
//! | `proxy` | what proxies can do |
//! | `forward` | calls by any name |
//! | `chain` | what a chain of accesses gives back unchanged |
//! | `fault` | what goes wrong, as errors of scripts |

mod chain;
mod fault;
mod forward;
mod host;
mod make;
mod proxy;
pub mod serve;
mod trial;
mod value;

use rhai::{Dynamic, Engine};

use super::carry::{Abroad, Carry};
use super::program::Program;
use super::runtime;
use crate::manager::guest::Carriers;
use crate::manager::link::Me;
use crate::manager::proxy::Proxy;
use crate::manager::{desk, site};
use crate::wire::Error;

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["Manager", "SyncManager", "BaseManager"];

/// What values may hold on their way between server and clients.
const CARRIERS: Carriers = Carriers { carry: &Carry, abroad: &Abroad };

/// Registers the types and constructors; `program` is what will be run.
pub fn register(engine: &mut Engine, program: &Program) {
    site::introduce(|| Me { name: runtime::name(), carry: CARRIERS.carry, abroad: CARRIERS.abroad });
    make::register(engine);
    proxy::register(engine);
    serve::register(engine);
    forward::register(engine, program);
}

/// The object that travels for `value`, if it is a proxy.
pub fn offset(value: &Dynamic) -> Option<u64> {
    value.read_lock::<Proxy>().and_then(|proxy| proxy.offset().ok())
}

/// Why a value of this kind can't travel.
pub fn refusal(value: &Dynamic) -> Option<String> {
    value.is::<value::Manager>().then(|| {
        "a manager has its key, and that is handed on to started processes only; its proxies can be sent"
            .to_owned()
    })
}

/// The proxy whose ticket is at `offset`.
///
/// # Errors
/// Why there is none.
pub fn attach(offset: u64) -> Result<Dynamic, Error> {
    Proxy::attach(offset).map(Dynamic::from)
}

/// This process was forked off: if its parent is a server, this is none.
pub fn forked() {
    desk::leave();
    serve::leave();
}
