//! What compiled code calls: helpers with C's convention, and the state of a run.
//!
//! Invariants
//! 1. A helper gets pointers to valid values of the frame, to elements of arrays and maps that nothing else holds
//!    meanwhile, and to sites and constants that live as long as the code.
//! 2. A helper that fails leaves the error in the run and its result's place plain.

mod arithmetic;
mod attempt;
mod evaluate;
mod helpers;
mod known;
mod native;
mod operate;
mod steps;
mod text;
mod walking;
mod with;

use rhai::{Caches, Engine, EvalAltResult, GlobalRuntimeState, ImmutableString, NativeCallContext};

use crate::script::with::Entered;

pub use helpers::{Helper, Part};
pub use known::Known;
pub use with::Entering;

/// Where a run keeps the deepest level there may be.
pub const DEEPEST: i32 = 0;

/// The state of one call from the engine into compiled code.
#[repr(C)]
pub struct Run<'a> {
    /// At [`DEEPEST`].
    pub deepest: i64,
    pub engine: &'a Engine,
    pub context: &'a NativeCallContext<'a>,
    /// The engine's state as the functions see it; made when it is first needed.
    pub global: Option<GlobalRuntimeState>,
    pub caches: Caches,
    pub source: Option<ImmutableString>,
    pub error: Option<Box<EvalAltResult>>,
    /// The errors whose handlers run.
    #[allow(clippy::vec_box, reason = "errors come and go in boxes")]
    pub caught: Vec<Box<EvalAltResult>>,
    /// The resources that were entered, the innermost last.
    pub entered: Vec<Entered>,
    pub closures: &'a dyn Closures,
}

/// Where compiled closures come from.
pub trait Closures {
    /// The function's form for such arguments, to be entered more than once; one that works on `this` only if it
    /// has one.
    fn prepared(
        &self,
        name: &str,
        has_this: bool,
        arguments: &[&rhai::Dynamic],
    ) -> Option<super::enter::Prepared>;
}

impl Run<'_> {
    /// The engine's state at this level.
    pub fn global(&mut self, level: i64) -> &mut GlobalRuntimeState {
        let global = self.global.get_or_insert_with(|| {
            let mut global = self.context.global_runtime_state().clone();
            global.source.clone_from(&self.source);
            // Names are looked up: the scopes made here have nothing to do with the parser's.
            global.always_search_scope = true;
            global
        });
        global.level = usize::try_from(level).unwrap_or(usize::MAX);
        global
    }

    pub fn fail(&mut self, error: Box<EvalAltResult>) -> i64 {
        self.error = Some(error);
        1
    }
}

/// The bytes that say that a run should look up: an interrupt, or a child that was reaped.
pub fn flags() -> [i64; 2] {
    [crate::sys::signal::pending_flag().addr() as i64, crate::arena::sweep::reaped_flag().addr() as i64]
}
