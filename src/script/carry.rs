//! Handles inside values: which script types stand for shared objects.

use rhai::Dynamic;

use crate::arena::handle::{self, Kind};
use crate::queue::Queue;
use crate::wire::Handles;

/// Knows every type of the API that can travel.
#[derive(Clone, Copy, Debug)]
pub struct Carry;

impl Handles for Carry {
    fn detach(&self, value: &Dynamic) -> Option<u64> {
        value.read_lock::<Queue>().map(|queue| queue.channel().offset())
    }

    fn attach(&self, offset: u64) -> Option<Dynamic> {
        match handle::kind_at(offset)? {
            Kind::Queue => Queue::open(offset).ok().map(Dynamic::from),
            Kind::Parcel | Kind::Pool => None,
        }
    }
}
