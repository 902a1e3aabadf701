//! How shared objects are told from plain values. This layer does not know their types: whoever
//! sends or receives does, and answers through [`Handles`].

use rhai::Dynamic;

use super::error::Error;

/// Turns values that stand for a shared object into offsets and back.
pub trait Handles {
    /// The object's offset if `value`, never a shared variable itself, is a handle. Asked only
    /// about custom types that are not plain values. `None` refuses the value.
    fn detach(&self, value: &Dynamic) -> Option<u64>;

    /// Why `value`, which `detach` refused, can't travel; `None` if it is only that it belongs to the process that
    /// made it.
    fn refusal(&self, _value: &Dynamic) -> Option<String> {
        None
    }

    /// A handle for the object at `offset`, or `None` if there is no such object.
    fn attach(&self, offset: u64) -> Option<Dynamic>;

    /// As [`Handles::attach`].
    ///
    /// # Errors
    /// Why there is no handle for an object that is known, if that is for the receiver to hear.
    fn try_attach(&self, offset: u64) -> Result<Option<Dynamic>, Error> {
        Ok(self.attach(offset))
    }
}

/// Knows no handles: every custom type is refused, and so is every message that brings handles.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHandles;

impl Handles for NoHandles {
    fn detach(&self, _value: &Dynamic) -> Option<u64> {
        None
    }

    fn attach(&self, _offset: u64) -> Option<Dynamic> {
        None
    }
}
