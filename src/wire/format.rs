//! The constants of the byte format; the header of this folder draws it.

/// Containers (arrays, maps, functions with captured values, errors with data) that may stand
/// inside each other. It bounds the recursion of both directions, and so the stack they need.
pub const MAX_DEPTH: usize = 256;

pub(super) const UNIT: u8 = 0;
pub(super) const FALSE: u8 = 1;
pub(super) const TRUE: u8 = 2;
pub(super) const INT: u8 = 3;
pub(super) const FLOAT: u8 = 4;
pub(super) const CHAR: u8 = 5;
pub(super) const STRING: u8 = 6;
pub(super) const BLOB: u8 = 7;
pub(super) const ARRAY: u8 = 8;
pub(super) const MAP: u8 = 9;
pub(super) const RANGE: u8 = 10;
pub(super) const RANGE_INCLUSIVE: u8 = 11;
pub(super) const TIMESTAMP: u8 = 12;
pub(super) const FUNCTION: u8 = 13;
pub(super) const ERROR: u8 = 14;
pub(super) const HANDLE: u8 = 15;
/// Before a captured value only: it is a variable that the calls of the function have in common.
pub(super) const SHARED: u8 = 16;
