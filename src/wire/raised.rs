//! An error raised by a script, as another process receives it: the value that a local `catch`
//! would bind, and the chain of calls as text.
//!
//! What `catch` binds for Rhai's own errors is a map that only Rhai can make. So a private engine
//! runs a script that catches the error and gives back what it caught. It has no packages, no
//! limits and no callbacks: an interrupt that is pending in the caller's engine can't get in.

use std::{cell::RefCell, rc::Rc};

use rhai::{AST, Dynamic, Engine, EvalAltResult, ScriptFuncDef, Shared};

use super::{error::Error, traceback};

/// The function is there for [`empty_function`].
const SCRIPT: &str = "fn empty() {} try { raise() } catch (caught) { return caught; }";

const INTERRUPT: &str = "KeyboardInterrupt";

/// An error that leaves its process.
#[derive(Clone, Debug)]
pub struct Raised {
    /// The thrown value itself; for Rhai's own errors the map that a `catch` binds; an [`Error`]
    /// for those that no `catch` sees.
    pub value: Dynamic,
    /// The calls that led to it, outermost first, one `  FILE:LINE:COL in NAME` a line.
    pub traceback: String,
}

impl Raised {
    /// Takes apart an error that came out of a script. `source` is the script that the
    /// outermost position is in; it may be empty if native code made the outermost call.
    #[must_use]
    pub fn capture(err: Box<EvalAltResult>, source: &str) -> Self {
        let traceback = traceback::render(&traceback::call_chain(&err, source));
        let value = match traceback::innermost(&err) {
            EvalAltResult::ErrorRuntime(value, _) => value.clone(),
            EvalAltResult::ErrorTerminated(token, _) => terminated(token, &err),
            inner if inner.is_catchable() => caught(err, source),
            inner => uncatchable(inner),
        };
        Self { value, traceback }
    }
}

fn uncatchable(err: &EvalAltResult) -> Dynamic {
    Dynamic::from(Error::new("RuntimeError", err.to_string()))
}

/// The token of a terminated script is the interrupt's name or the interrupt as an [`Error`].
fn terminated(token: &Dynamic, err: &EvalAltResult) -> Dynamic {
    if let Some(error) = token.read_lock::<Error>()
        && error.is(INTERRUPT)
    {
        return Dynamic::from(error.clone());
    }
    match token.as_immutable_string_ref() {
        Ok(name) if *name == INTERRUPT => Dynamic::from(Error::new(INTERRUPT, "")),
        _ => uncatchable(err),
    }
}

/// The map that a `catch` in the script `source` binds for `err`, which must be catchable.
fn caught(err: Box<EvalAltResult>, source: &str) -> Dynamic {
    let placed = !err.position().is_none();
    CATCHER.with(|catcher| {
        let mut catcher = catcher.borrow_mut();
        let Catcher { engine, script: Some(script), pending } = &mut *catcher else {
            return uncatchable(&err);
        };
        script.set_source(source);
        pending.replace(Some(err));
        let mut value = engine.eval_ast::<Dynamic>(script).unwrap_or_else(|failure| uncatchable(&failure));
        // An error without a position gets that of the call that raises it: here, of `raise()`.
        if !placed && let Ok(mut map) = value.as_map_mut() {
            map.remove("line");
            map.remove("position");
        }
        value
    })
}

/// Some script function without parameters and statements, for [`super::function`] to take the
/// form of a definition from: Rhai lets nobody else make one.
pub(super) fn empty_function() -> Option<Shared<ScriptFuncDef>> {
    CATCHER.with(|catcher| {
        let catcher = catcher.borrow();
        let script = catcher.script.as_ref()?;
        script.shared_lib().get_script_fn("empty", 0).cloned()
    })
}

struct Catcher {
    engine: Engine,
    /// There unless Rhai's syntax has changed under this file, which the tests would show.
    script: Option<AST>,
    /// What `raise` raises next.
    pending: Rc<RefCell<Option<Box<EvalAltResult>>>>,
}

thread_local! {
    static CATCHER: RefCell<Catcher> = RefCell::new(Catcher::new());
}

impl Catcher {
    fn new() -> Self {
        let pending = Rc::new(RefCell::new(None));
        let mut engine = Engine::new_raw();
        let raised = Rc::clone(&pending);
        engine.register_fn("raise", move || -> Result<(), Box<EvalAltResult>> {
            raised.take().map_or(Ok(()), Err)
        });
        let script = engine.compile(SCRIPT).ok();
        Self { engine, script, pending }
    }
}
