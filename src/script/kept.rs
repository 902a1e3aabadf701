//! Calling the script later: the engine, for the life of the process, and the surroundings of a call.
//!
//! What the script gives away to be called while it waits for something else (a callback, a function that makes
//! items) sees the functions and imports that were there when it was given.

#![allow(deprecated, reason = "Rhai marks these so as their form may change, and its version is pinned")]

use std::cell::Cell;

use rhai::{Engine, FnPtr, NativeCallContext, NativeCallContextStore};

use super::raise::{RhaiResult, raise};
use super::runtime;

thread_local! {
    static ENGINE: Cell<Option<&'static Engine>> = const { Cell::new(None) };
}

/// Makes `engine` the one of this process. It is never taken apart: that costs as much as making it, and the
/// process ends with it anyway.
pub fn engine(engine: Engine) -> &'static Engine {
    let engine: &'static Engine = Box::leak(Box::new(engine));
    ENGINE.set(Some(engine));
    engine
}

/// See the head of this file.
#[derive(Clone)]
pub struct Kept(NativeCallContextStore);

impl Kept {
    /// The surroundings of this call.
    pub fn new(context: &NativeCallContext) -> Self {
        Self(context.store_data())
    }

    /// Calls `body` in them.
    ///
    /// # Errors
    /// If there is no engine: nothing was ever run here.
    pub fn enter<T>(&self, body: impl FnOnce(&NativeCallContext) -> T) -> Result<T, super::raise::Raise> {
        let engine = ENGINE.get().ok_or_else(|| raise("RuntimeError", "no script runs in this process"))?;
        Ok(body(&self.0.create_context(engine)))
    }

    /// Calls `function` with `arguments` in them.
    ///
    /// # Errors
    /// What the function raises.
    pub fn call(&self, function: &FnPtr, arguments: rhai::Array) -> RhaiResult {
        self.enter(|context| runtime::call(context, function, arguments))?
    }
}
