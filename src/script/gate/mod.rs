//! Where the call of a script function can leave the interpreter for machine code.
//!
//! A function that somebody above has machine code for gets a gate: it stays a script function of its name and
//! parameters, but its body is an expression of ours. That calls the machine code, or else the function's own
//! body, which stands beside it under a name that no script can write.
//!
//! 1. The interpreter makes the function's frame: how it is found, its arguments by value, the level of the call,
//!    and the call's place in an error are the interpreter's, whichever of the two bodies runs.
//! 2. The own body runs in that very frame: at its level, and with errors that don't name a second function.
//! 3. A gate outlives the machine code. Without it the function is interpreted.
//!
//! Who calls a function from outside the script a great many times asks for its machine code itself, and no gate is
//! passed: then there is none where it would cost more than it saves within the script.
//!
//! | file | concept |
//! |---|---|
//! | `build` | putting gates into a program |
//! | `pass` | a call that comes to a gate |
//! | `mode` | whether there are gates at all |
//! | `report` | what all processes of a session say about their machine code |

mod build;
mod mode;
mod pass;
pub mod report;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, NativeCallContext};

use super::raise::RhaiResult;

pub use build::{Gated, Lowered, gated, is_body, lower};
pub use mode::{Mode, mode, set_mode};
pub use pass::register;

/// A function that may be machine code.
pub trait Function {
    /// Does the call, in the frame that the context tells of: its level is that of the function's inside. The
    /// error comes as the function's body raised it, without the call of the function itself. `None` leaves the
    /// call to the interpreter; the arguments are untouched then.
    fn call(&self, context: &NativeCallContext, arguments: &mut [Dynamic]) -> Option<RhaiResult>;
}

/// A function that one outside the script calls again and again.
pub trait Repeated {
    /// Does the call, as `context.call_fn_raw` does it. `None` leaves the call to the interpreter; the arguments are
    /// untouched then.
    fn call(&mut self, context: &NativeCallContext, arguments: &mut [Dynamic]) -> Option<RhaiResult>;
}

/// The functions of one program, by name and number of parameters.
pub trait Functions {
    /// One that is worth a gate.
    fn gated(&self, name: &str, arity: usize) -> Option<Rc<dyn Function>>;

    /// One that is worth being machine code if it is called a great many times.
    fn repeated(&self, name: &str, arity: usize) -> Option<Box<dyn Repeated>>;
}

/// Looks at a program before it runs.
pub type Translator = fn(&Engine, &AST) -> Option<Rc<dyn Functions>>;

thread_local! {
    static TRANSLATOR: Cell<Option<Translator>> = const { Cell::new(None) };
}

/// From now on, `translator` looks at every program of this process.
pub fn install(translator: Translator) {
    TRANSLATOR.set(Some(translator));
}
