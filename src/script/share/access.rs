//! Elements of a block, one at a time or many, for as long as nobody else has its lock.

use rhai::{Dynamic, NativeCallContext};

use super::convert::{self, dynamic, pack, refused, scalar};
use crate::script::locks::hold::{Hold, warn};
use crate::script::raise::{Raise, RhaiResult, interrupted, raise};
use crate::script::runtime;
use crate::share::block::Block;
use crate::share::code::{Code, Unfit};
use crate::share::gate::Gate;
use crate::sync::lock::Lock;
use crate::sync::rlock::RLock;

/// Does `what` with the block while no other process has its lock.
#[inline]
pub fn briefly<T>(block: &Block, what: impl FnOnce(&Block) -> T) -> Result<T, Raise> {
    let Some(gate) = block.gate() else { return Ok(what(block)) };
    let (result, acquired) = gate.pass(|| what(block)).map_err(|_| interrupted())?;
    if let Some(abandoned) = acquired {
        let name = if matches!(gate, Gate::Lock(_)) { Lock::NAME } else { RLock::NAME };
        warn(name, &abandoned);
    }
    Ok(result)
}

/// Does `what` with many elements of the block.
pub fn at_length<T>(
    context: &NativeCallContext,
    block: &Block,
    what: impl FnOnce(&Block) -> T,
) -> Result<T, Raise> {
    runtime::at(context);
    briefly(block, what)
}

/// What the element at `at` bytes holds.
#[inline]
pub fn get(context: &NativeCallContext, block: &Block, code: Code, at: usize) -> RhaiResult {
    runtime::at(context);
    load(block, code, at)
}

/// The same for who has said where the script is.
#[inline]
pub fn load(block: &Block, code: Code, at: usize) -> RhaiResult {
    briefly(block, |block| dynamic(code.unpack(block.cells().load(at, code.size()))))
}

/// Stores `value` at `at` bytes.
#[inline]
pub fn set(
    context: &NativeCallContext,
    block: &Block,
    code: Code,
    at: usize,
    value: &Dynamic,
) -> Result<(), Raise> {
    runtime::at(context);
    let bits = pack(code, value)?;
    store(block, code, at, bits)
}

/// Stores the bits of a value at `at` bytes.
#[inline]
pub fn store(block: &Block, code: Code, at: usize, bits: u64) -> Result<(), Raise> {
    briefly(block, |block| block.cells().store(at, code.size(), bits))
}

/// Adds `amount` to the element at `at` bytes in one step; what it held before.
pub fn add(
    context: &NativeCallContext,
    block: &Block,
    code: Code,
    at: usize,
    amount: &Dynamic,
) -> RhaiResult {
    runtime::at(context);
    let added = scalar(amount);
    let old = briefly(block, |block| {
        let cells = block.cells();
        loop {
            let old = cells.load(at, code.size());
            let new = added.ok_or(Unfit::Type).and_then(|added| code.add(old, added))?;
            if cells.replace(at, code.size(), old, new) {
                return Ok(old);
            }
        }
    })?;
    match old {
        Ok(old) => Ok(dynamic(code.unpack(old))),
        Err(Unfit::Range) => {
            let now = convert::dynamic(code.unpack(block.cells().load(at, code.size())));
            let range = code.range();
            let range =
                range.map(|(least, greatest)| format!(", which holds ints from {least} to {greatest}"));
            let letter = code.letter();
            Err(raise(
                "OverflowError",
                format!("{now} + {amount} does not fit typecode '{letter}'{}", range.unwrap_or_default()),
            ))
        }
        Err(unfit) => Err(refused(code, amount, unfit)),
    }
}
