//! What the server needs of the layer above, which knows the engine.

use rhai::{Array, Dynamic, FnPtr};

use super::blocking::Answer;
use crate::sys::clock::Deadline;
use crate::wire::Raised;

/// The engine, for the server: it runs what the language can do with a value, and the script's own functions.
pub trait Host {
    /// Calls `method` of `value`, as `value.method(arguments)` does.
    ///
    /// # Errors
    /// What it raises.
    fn method(&self, value: &mut Dynamic, method: &str, arguments: Array) -> Result<Dynamic, Raised>;

    /// Calls a function, with `this` as its `this`.
    ///
    /// # Errors
    /// What it raises.
    fn function(
        &self,
        function: &FnPtr,
        this: Option<&mut Dynamic>,
        arguments: Array,
    ) -> Result<Dynamic, Raised>;

    /// Everything that a loop over `value` goes through.
    ///
    /// # Errors
    /// What going through it raises; `TypeError` if no loop can.
    fn items(&self, value: Dynamic) -> Result<Array, Raised>;

    /// Makes a value of one of the language's or stook's own types by the name of its constructor.
    ///
    /// # Errors
    /// What the constructor raises.
    fn construct(&self, name: &str, arguments: Array) -> Result<Dynamic, Raised>;

    /// What has to be tried again and again if `method` of `value` is a call that waits; `None` if it is none.
    fn trial(&self, value: &Dynamic, method: &str, arguments: &Array) -> Option<Result<Trial, Raised>>;

    /// Tries it; `None` if it has to wait on.
    fn attempt(&self, trial: &Trial) -> Option<Answer>;

    /// What comes of it when its time is over.
    fn too_late(&self, trial: &Trial) -> Answer;

    /// The name of the type of a value that belongs to the process that made it, and that others may use through a
    /// proxy; `None` for all else.
    fn bound(&self, value: &Dynamic) -> Option<&'static str>;

    /// Whether the script has asked this process to end.
    fn is_over(&self) -> bool;
}

/// A call of a queue, a lock or the like of the session, or of a pool, in the server: that must not wait, so it is
/// tried from time to time.
#[derive(Clone, Debug)]
pub struct Trial {
    pub value: Dynamic,
    pub method: String,
    pub arguments: Array,
    pub deadline: Deadline,
}

impl dyn Host + '_ {
    /// Whether two values are equal, as scripts have it.
    ///
    /// # Errors
    /// What comparing them raises.
    pub fn equal(&self, one: &Dynamic, other: &Dynamic) -> Result<bool, Raised> {
        if let (Ok(one), Ok(other)) = (one.as_int(), other.as_int()) {
            return Ok(one == other);
        }
        if one.is_unit() || other.is_unit() {
            return Ok(one.is_unit() && other.is_unit());
        }
        let equal = self.method(&mut one.clone(), "==", vec![other.clone()])?;
        Ok(equal.as_bool().unwrap_or(false))
    }

    /// A value inside another one, as `print` shows it.
    ///
    /// # Errors
    /// What showing it raises.
    pub fn shown(&self, value: &Dynamic) -> Result<String, Raised> {
        self.method(&mut value.clone(), "to_debug", Array::new()).map(|text| text.to_string())
    }
}
