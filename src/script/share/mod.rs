//! Shared memory: `Value`, `Array` and their raw kin; memory by name and lists in it.
//!
//! | file | concept |
//! |---|---|
//! | `make` | the constructors of values and arrays, and what those have in common |
//! | `value` `array` | what each can do |
//! | `numbers` | sums, dot products, histograms, order, also of a script's own arrays |
//! | `access` | elements, for as long as nobody else has the lock |
//! | `steps` | elements in short blocks |
//! | `convert` | values of scripts as elements, and back |
//! | `memory` | `SharedMemory` and its bytes |
//! | `list` | `ShareableList` |
//! | `manager` | `SharedMemoryManager` |

mod access;
mod array;
mod convert;
mod list;
mod make;
mod manager;
mod memory;
mod numbers;
mod steps;
mod value;

use rhai::{Dynamic, Engine};

use crate::share::named::Named;
use crate::wire::Error;
use list::ShareableList;
use memory::SharedMemory;

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &[
    "Value",
    "RawValue",
    "Array",
    "RawArray",
    "SharedMemory",
    "ShareableList",
    "SharedMemoryManager",
    "sum",
    "dot",
    "histogram",
];

/// Registers the types and constructors.
pub fn register(engine: &mut Engine) {
    memory::register(engine);
    list::register(engine);
    manager::register(engine);
    make::register(engine);
    numbers::register(engine);
    // Last, as their methods are the ones that loops are made of.
    value::register(engine);
    array::register(engine);
    steps::register();
}

/// The object that travels for `value`, if it is shared memory.
pub fn offset(value: &Dynamic) -> Option<u64> {
    make::offset(value)
        .or_else(|| value.read_lock::<SharedMemory>().map(|memory| memory.0.offset()))
        .or_else(|| value.read_lock::<ShareableList>().map(|list| list.named().offset()))
}

/// The value or array at `offset`.
pub fn open(offset: u64) -> Option<Dynamic> {
    make::open(offset)
}

/// The memory by name, or the list in it, that the object at `offset` stands for.
///
/// # Errors
/// If the name is gone, or what is there is none.
pub fn attach(offset: u64) -> Result<Dynamic, Error> {
    let (named, is_list) = Named::open(offset).map_err(|error| memory::reason(&error))?;
    if is_list {
        list::received(named).map(Dynamic::from)
    } else {
        Ok(Dynamic::from(SharedMemory(named.into())))
    }
}
