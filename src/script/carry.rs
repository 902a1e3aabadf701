//! Handles inside values: which script types stand for shared objects.

use rhai::Dynamic;

use super::{connection, queue};
use crate::arena::handle::{self, Kind};
use crate::wire::Handles;

/// Knows every type of the API that can travel.
#[derive(Clone, Copy, Debug)]
pub struct Carry;

impl Handles for Carry {
    fn detach(&self, value: &Dynamic) -> Option<u64> {
        queue::offset(value).or_else(|| connection::offset(value))
    }

    fn attach(&self, offset: u64) -> Option<Dynamic> {
        match handle::kind_at(offset)? {
            Kind::Queue => queue::open(offset),
            Kind::End => connection::open(offset),
            Kind::Parcel | Kind::Pool | Kind::Socket => None,
        }
    }
}
