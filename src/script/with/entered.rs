//! A resource that was entered, and has to be left, by whatever its type has for it.

use rhai::{Dynamic, EvalAltResult, EvalContext, Position};

use super::door::{self, Opened};
use crate::script::raise::{Raise, placed, raise};
use crate::script::runtime;
use crate::script::signature::described;

enum How {
    Door(Opened),
    /// By functions, of which the one that enters gave this.
    Functions {
        resource: Dynamic,
        value: Dynamic,
    },
}

/// See the head of this file.
pub struct Entered {
    how: How,
    position: Position,
}

impl Entered {
    /// Enters the value that stands at `position`, or, with `lock_of`, what its `get_lock()` gives, if its type has a
    /// door.
    ///
    /// # Errors
    /// What entering raises.
    pub fn by_door(resource: &Dynamic, lock_of: bool, position: Position) -> Option<Result<Self, Raise>> {
        runtime::at_position(position);
        Some(match door::enter(resource, lock_of)? {
            Ok(opened) => Ok(Self { how: How::Door(opened), position }),
            Err(error) => Err(placed(error, position)),
        })
    }

    /// Enters the value that stands at `position`.
    ///
    /// # Errors
    /// `TypeError` for what can't be entered; what entering raises.
    pub fn of(context: &mut EvalContext, mut resource: Dynamic, position: Position) -> Result<Self, Raise> {
        if let Some(entered) = Self::by_door(&resource, false, position) {
            return entered;
        }
        let value = match context.call_native_fn_raw("__enter__", true, &mut [&mut resource]) {
            Err(error) if matches!(*error, EvalAltResult::ErrorFunctionNotFound(..)) => {
                let kind = described(&resource);
                let text = format!("'with' wants something that can be entered and left, not {kind}");
                return Err(placed(raise("TypeError", text), position));
            }
            entered => entered.map_err(|error| placed(error, position))?,
        };
        Ok(Self { how: How::Functions { resource, value }, position })
    }

    /// What `as` names.
    pub fn value(&self) -> Dynamic {
        match &self.how {
            How::Door(opened) => opened.value(),
            How::Functions { value, .. } => value.clone(),
        }
    }

    /// Leaves it. The engine is asked for only where functions leave.
    ///
    /// # Errors
    /// What leaving raises.
    pub fn leave(self, functions: impl FnOnce(Dynamic) -> Result<(), Raise>) -> Result<(), Raise> {
        let left = match self.how {
            How::Door(opened) => opened.leave(),
            How::Functions { resource, .. } => functions(resource),
        };
        left.map_err(|error| placed(error, self.position))
    }
}

/// Leaves by functions.
///
/// # Errors
/// What leaving raises.
pub fn exit(context: &mut EvalContext, mut resource: Dynamic) -> Result<(), Raise> {
    context.call_native_fn_raw("__exit__", true, &mut [&mut resource]).map(|_| ())
}
