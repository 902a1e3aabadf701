//! Methods of the standard library that are worth having here: the commonest ones on arrays and maps, and those that
//! take a closure, which is entered directly if it is compiled.
//!
//! Invariants
//! 1. What isn't exactly the case that a method here is for is left to the engine, before anything has changed.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, EvalAltResult, FnArgsVec, FnPtr, Position};

use super::Run;
use crate::native::enter::{self, Prepared};
use crate::native::site::Site;

type Outcome = Result<Dynamic, Box<EvalAltResult>>;

/// A method that the runtime has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Push,
    Pop,
    Shift,
    Contains,
    Map,
    Filter,
    Reduce,
    Sort,
    Min,
    Max,
}

impl Known {
    /// The method of this name with so many arguments, the object among them.
    pub fn find(name: &str, arguments: usize) -> Option<Self> {
        Some(match (name, arguments) {
            ("push", 2) => Self::Push,
            ("pop", 1) => Self::Pop,
            ("shift", 1) => Self::Shift,
            ("contains", 2) => Self::Contains,
            ("map", 2) => Self::Map,
            ("filter", 2) => Self::Filter,
            ("reduce", 3) => Self::Reduce,
            ("sort" | "sort_by", 2) => Self::Sort,
            ("min", 2) => Self::Min,
            ("max", 2) => Self::Max,
            _ => return None,
        })
    }
}

/// The method's result, or nothing if the engine is to call it.
pub fn call(
    known: Known,
    run: &mut Run,
    level: i64,
    site: &Site,
    object: &mut Dynamic,
    arguments: &mut [&mut Dynamic],
) -> Option<Outcome> {
    if known == Known::Contains {
        let key = arguments[0].as_immutable_string_ref().ok()?;
        return Some(Ok(object.as_map_ref().ok()?.contains_key(key.as_str()).into()));
    }
    if matches!(known, Known::Min | Known::Max) {
        let (one, two) = (object.as_int().ok()?, arguments[0].as_int().ok()?);
        return Some(Ok(if known == Known::Min { one.min(two) } else { one.max(two) }.into()));
    }
    let mut array = object.as_array_mut().ok()?;
    match known {
        Known::Push => {
            array.push(std::mem::take(arguments[0]));
            Some(Ok(Dynamic::UNIT))
        }
        Known::Pop => Some(Ok(array.pop().unwrap_or_default())),
        Known::Shift => Some(Ok(if array.is_empty() { Dynamic::UNIT } else { array.remove(0) })),
        Known::Sort => sort(run, level, &mut array, arguments[0]),
        Known::Map => over(run, level, site, "map", &array, arguments[0], &mut |result, _, value| {
            result.push(value);
        }),
        Known::Filter => {
            over(run, level, site, "filter", &array, arguments[0], &mut |result, item, value| {
                if value.as_bool().unwrap_or(false) {
                    result.push(item.clone());
                }
            })
        }
        Known::Reduce => {
            let start = std::mem::take(arguments[1]);
            reduce(run, level, site, &array, arguments[0], start)
        }
        Known::Contains | Known::Min | Known::Max => None,
    }
}

/// A closure that a method calls again and again.
struct Closure<'f> {
    function: &'f FnPtr,
    prepared: Option<Prepared>,
}

impl<'f> Closure<'f> {
    const fn new(function: &'f FnPtr) -> Self {
        Self { function, prepared: None }
    }

    /// Whether it is compiled for these arguments, or can be.
    fn prepare(&mut self, run: &Run, arguments: &[&Dynamic]) -> bool {
        if !self.prepared.as_ref().is_some_and(|prepared| prepared.fits(arguments)) {
            self.prepared = run.closures.prepared(self.function.fn_name(), false, arguments);
        }
        self.prepared.is_some()
    }

    /// Enters it. Nothing if it isn't compiled for these arguments.
    fn enter(&mut self, run: &mut Run, level: i64, given: &[&Dynamic]) -> Option<Outcome> {
        // The engine counts the method's call once, and three levels for the closure's.
        let level = level + 4;
        let curry = self.function.curry();
        if level > run.deepest || curry.iter().any(Dynamic::is_shared) {
            return None; // the closure may write to what it captured
        }
        let arguments: FnArgsVec<&Dynamic> = curry.iter().chain(given.iter().copied()).collect();
        if !self.prepare(run, &arguments) {
            return None;
        }
        let prepared = self.prepared.as_ref()?;
        Some(enter::lend(prepared.entry, run, level, None, &arguments, &prepared.function))
    }
}

/// What the closure raised, as the method `caller` raises it.
fn in_call(
    run: &Run,
    caller: &str,
    function: &FnPtr,
    site: &Site,
    error: Box<EvalAltResult>,
) -> Box<EvalAltResult> {
    let source = || run.source.as_deref().unwrap_or_default().to_owned();
    let inner = if error.is_system_exception() || error.is_pseudo_error() {
        let mut error = error;
        error.set_position(site.position);
        error
    } else {
        let name = function.fn_name().to_owned();
        Box::new(EvalAltResult::ErrorInFunctionCall(name, source(), error, site.position))
    };
    let name = caller.to_owned();
    Box::new(EvalAltResult::ErrorInFunctionCall(name, source(), inner, Position::NONE))
}

fn positioned(mut error: Box<EvalAltResult>, site: &Site) -> Box<EvalAltResult> {
    if error.position().is_none() {
        error.set_position(site.position);
    }
    error
}

fn over(
    run: &mut Run,
    level: i64,
    site: &Site,
    caller: &str,
    array: &Array,
    function: &Dynamic,
    add: &mut dyn FnMut(&mut Array, &Dynamic, Dynamic),
) -> Option<Outcome> {
    let function = function.read_lock::<FnPtr>()?;
    let mut closure = Closure::new(&function);
    let mut result = Array::with_capacity(array.len());
    for (at, item) in array.iter().enumerate() {
        match closure.enter(run, level, &[item]) {
            None if at == 0 => return None,
            None => {
                let context = context(run, level, site);
                let value = function.call_raw(&context, None, [item.clone()]);
                match value {
                    Ok(value) => add(&mut result, item, value),
                    Err(error) => return Some(Err(wrap(run, caller, site, error))),
                }
            }
            Some(Ok(value)) => add(&mut result, item, value),
            Some(Err(error)) => {
                return Some(Err(positioned(in_call(run, caller, &function, site, error), site)));
            }
        }
    }
    Some(Ok(Dynamic::from_array(result)))
}

fn wrap(run: &Run, caller: &str, site: &Site, error: Box<EvalAltResult>) -> Box<EvalAltResult> {
    let source = run.source.as_deref().unwrap_or_default().to_owned();
    Box::new(EvalAltResult::ErrorInFunctionCall(caller.to_owned(), source, error, site.position))
}

fn context<'r>(run: &'r mut Run, level: i64, site: &Site) -> rhai::NativeCallContext<'r> {
    let engine = run.engine;
    let global = &*run.global(level + 1);
    rhai::NativeCallContext::new_with_all_fields(engine, "", None, global, site.position)
}

fn reduce(
    run: &mut Run,
    level: i64,
    site: &Site,
    array: &Array,
    function: &Dynamic,
    start: Dynamic,
) -> Option<Outcome> {
    let function = function.read_lock::<FnPtr>()?;
    let mut closure = Closure::new(&function);
    let mut result = start;
    for (at, item) in array.iter().enumerate() {
        result = match closure.enter(run, level, &[&result, item]) {
            None if at == 0 => return None,
            None => {
                let context = context(run, level, site);
                match function.call_raw(&context, None, [result, item.clone()]) {
                    Ok(value) => value,
                    Err(error) => return Some(Err(wrap(run, "reduce", site, error))),
                }
            }
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                return Some(Err(positioned(in_call(run, "reduce", &function, site, error), site)));
            }
        };
    }
    Some(Ok(result))
}

/// Sorts as the engine does: an error of the comparer counts as an order by type.
fn sort(run: &mut Run, level: i64, array: &mut Array, function: &Dynamic) -> Option<Outcome> {
    let function = function.read_lock::<FnPtr>()?;
    let mut closure = Closure::new(&function);
    let compiled = match array.as_slice() {
        [first, second, ..] => {
            let arguments: FnArgsVec<&Dynamic> = function.curry().iter().chain([first, second]).collect();
            let shared = arguments.iter().any(|argument| argument.is_shared());
            !shared && closure.prepare(run, &arguments)
        }
        _ => return Some(Ok(Dynamic::UNIT)),
    };
    // An order by type, which the engine falls back on, is left to it.
    if !compiled || !array.iter().all(|item| item.type_id() == first_kind(array)) {
        return None;
    }
    let mut order = |x: &Dynamic, y: &Dynamic| {
        let value = closure.enter(run, level, &[x, y]).and_then(Result::ok);
        let number = value.and_then(|value| {
            value.as_int().or_else(|_| value.as_bool().map(|less| if less { -1 } else { 1 })).ok()
        });
        number.map_or(Ordering::Equal, |number| number.cmp(&0))
    };
    let mut sorted = std::mem::take(array);
    let well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sorted.sort_by(&mut order)));
    *array = sorted;
    Some(well.map(|()| Dynamic::UNIT).map_err(|_| {
        EvalAltResult::ErrorRuntime("error in comparer for sorting".into(), Position::NONE).into()
    }))
}

fn first_kind(array: &Array) -> std::any::TypeId {
    array.first().map_or_else(std::any::TypeId::of::<()>, Dynamic::type_id)
}
