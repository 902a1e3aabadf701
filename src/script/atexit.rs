//! `atexit`: functions that are called when a process ends, before it waits for its children.
//!
//! They are called in the order of their priority, highest first, and the latest first where that is the same;
//! each once. An error in one is reported and the others are called all the same. A process that a signal ends
//! calls none, and a forked child does not have its parent's.

use std::cell::RefCell;

#[allow(deprecated, reason = "Rhai marks it so as its form may change, and its version is pinned")]
use rhai::NativeCallContextStore;
use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};

use super::raise::{RhaiResult, raise};
use super::signature::{Arguments, Signature};
use super::{report, runtime, time};

static NEW: Signature = Signature { name: "atexit", parameters: &["func", "args", "priority"], required: 1 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["atexit"];

/// A registered call.
struct Hook {
    priority: i64,
    function: FnPtr,
    arguments: Array,
    /// Where it was registered: functions and imports as they were there.
    #[allow(deprecated, reason = "as above")]
    context: NativeCallContextStore,
}

thread_local! {
    /// In the order in which they were registered.
    static HOOKS: RefCell<Vec<Hook>> = const { RefCell::new(Vec::new()) };
}

/// Registers the function.
pub fn register(engine: &mut Engine) {
    NEW.function(engine, new);
}

fn new(context: &NativeCallContext, mut arguments: Arguments) -> RhaiResult {
    let function = arguments
        .function(0)?
        .ok_or_else(|| raise("TypeError", "atexit() wants a function for 'func', not ()"))?;
    let given = arguments.array(1)?.unwrap_or_default();
    let priority = arguments.int(2)?.unwrap_or(0);
    #[allow(deprecated, reason = "as above")]
    let context = context.store_data();
    HOOKS.with_borrow_mut(|hooks| hooks.push(Hook { priority, function, arguments: given, context }));
    Ok(Dynamic::UNIT)
}

/// Forgets all of them: they are the parent's, this process was forked off.
pub fn forget() {
    HOOKS.take();
}

/// Calls them, also those that are registered meanwhile.
pub fn run(engine: &Engine) {
    while let Some(hook) = next() {
        #[allow(deprecated, reason = "as above")]
        let context = hook.context.create_context(engine);
        let result = hook.function.call_raw(&context, None, hook.arguments);
        // exit() in a hook ends that hook.
        if runtime::take_exit().is_none()
            && let Err(error) = result
        {
            time::eprint(&report::uncaught(&error));
        }
    }
}

/// The hook whose turn it is.
fn next() -> Option<Hook> {
    HOOKS.with_borrow_mut(|hooks| {
        let (index, _) = hooks.iter().enumerate().max_by_key(|(index, hook)| (hook.priority, *index))?;
        Some(hooks.remove(index))
    })
}
