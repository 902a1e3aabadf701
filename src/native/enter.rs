//! From the engine into compiled code and back.

use rhai::{Dynamic, EvalAltResult, FnArgsVec, Position};

use super::forms::Entry;
use super::runtime::Run;

/// Enters a form with arguments of its types, which are used up, or only read.
pub fn enter(
    entry: Entry,
    run: &mut Run,
    level: i64,
    arguments: &mut [Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    type Thunk = extern "C" fn(*mut Run, i64, *const *mut Dynamic, *mut Dynamic) -> i64;
    let pointers: FnArgsVec<*mut Dynamic> = arguments.iter_mut().map(std::ptr::from_mut).collect();
    let handlers = run.caught.len();
    let mut result = Dynamic::UNIT;
    // SAFETY: an entry is the address of a finished thunk of this signature, whose machine is alive while the compiler
    // is; the arguments are as many as the form has parameters and of their types.
    let thunk: Thunk = unsafe { std::mem::transmute::<*const u8, Thunk>(entry.0) };
    if thunk(run, level, pointers.as_ptr(), &mut result) == 0 {
        return Ok(result);
    }
    run.caught.truncate(handlers);
    Err(run.error.take().unwrap_or_else(|| "compiled code failed and said nothing".into()))
}

/// The error as the caller gets it.
pub fn in_call(
    run: &Run,
    name: &str,
    position: Position,
    mut error: Box<EvalAltResult>,
) -> Box<EvalAltResult> {
    if error.is_system_exception() || matches!(*error, EvalAltResult::Exit(..)) {
        error.set_position(position);
        return error;
    }
    let source = run.source.as_deref().unwrap_or_default().to_owned();
    Box::new(EvalAltResult::ErrorInFunctionCall(name.to_owned(), source, error, position))
}
