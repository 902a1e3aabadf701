//! From the engine into compiled code and back.

use std::borrow::Borrow;
use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, FnArgsVec, Position};

use super::elements;
use super::forms::Entry;
use super::ir::Function;
use super::runtime::Run;
use super::types::Type;

/// A form that is entered again and again.
pub struct Prepared {
    pub entry: Entry,
    pub function: Rc<Function>,
    pub types: FnArgsVec<Type>,
}

impl Prepared {
    /// Whether the form is for these arguments.
    pub fn fits(&self, arguments: &[impl Borrow<Dynamic>]) -> bool {
        arguments.len() == self.types.len()
            && arguments
                .iter()
                .map(Borrow::borrow)
                .zip(&self.types)
                .all(|(value, wanted)| elements::scalar(value) == *wanted && !value.is_shared())
    }
}

/// Enters a form with arguments of its types, which are used up, or only read.
pub fn enter(
    entry: Entry,
    run: &mut Run,
    level: i64,
    arguments: &mut [Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    let pointers: FnArgsVec<*mut Dynamic> = arguments.iter_mut().map(std::ptr::from_mut).collect();
    jump(entry, run, level, &pointers)
}

/// Enters a form with arguments that stay: those that it may change are copied.
pub fn lend(
    entry: Entry,
    run: &mut Run,
    level: i64,
    this: Option<&mut Dynamic>,
    arguments: &[&Dynamic],
    function: &Function,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let before = usize::from(this.is_some());
    let is_scalar =
        |value: &Dynamic| value.is_int() || value.is_float() || value.is_bool() || value.is_char();
    let copied = |at: usize| !function.lends[before + at] && !is_scalar(arguments[at]);
    let mut copies: FnArgsVec<Dynamic> = FnArgsVec::new();
    for (_, argument) in arguments.iter().enumerate().filter(|(at, _)| copied(*at)) {
        copies.push((*argument).clone());
    }
    let mut copies = copies.iter_mut();
    let mut pointers: FnArgsVec<*mut Dynamic> = FnArgsVec::new();
    if let Some(this) = this {
        pointers.push(this);
    }
    for (at, argument) in arguments.iter().enumerate() {
        let copy = if copied(at) { copies.next().map(std::ptr::from_mut) } else { None };
        pointers.push(copy.unwrap_or_else(|| std::ptr::from_ref(*argument).cast_mut()));
    }
    jump(entry, run, level, &pointers)
}

fn jump(
    entry: Entry,
    run: &mut Run,
    level: i64,
    pointers: &[*mut Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    type Thunk = extern "C" fn(*mut Run, i64, *const *mut Dynamic, *mut Dynamic) -> i64;
    let handlers = run.caught.len();
    let mut result = Dynamic::UNIT;
    // SAFETY: an entry is the address of a finished thunk of this signature, whose machine is alive while the compiler
    // is; the arguments are as many as the form has parameters and of their types. It writes to none that is lent.
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
