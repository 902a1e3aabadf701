//! Calls by any name: what a proxy's value can do is what the server's engine knows, not what is registered here.
//!
//! The engine asks for a function that it does not find. It does not say where in the script the call stands, so the
//! names that the program calls as methods are registered as well, if it has managers: their errors have a line.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::BTreeSet;

use rhai::{Array, Dynamic, Engine, EvalContext, NativeCallContext};

use super::make::{self, KNOWN};
use super::proxy;
use super::value::Manager;
use crate::manager::proxy::Proxy;
use crate::script::program::Program;
use crate::script::raise::RhaiResult;

/// The most arguments of a call that has a line in its errors.
const MOST: usize = 5;

/// What a program says that has managers.
const SIGN: &str = "Manager";

/// The methods that proxies have of their own.
const OWN: &[&str] = &["callmethod", "wait_for", "to_string", "to_debug", "contains"];

thread_local! {
    /// The names that are registered.
    static NAMED: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Registers them.
pub fn register(engine: &mut Engine, program: &Program) {
    let texts: Vec<String> = program.units.iter().map(|unit| unit.text.clone()).collect();
    let modules: Vec<String> = program.modules.borrow().values().cloned().collect();
    let all = || texts.iter().chain(&modules);
    if all().any(|text| text.contains(SIGN)) {
        for name in all().flat_map(|text| methods(text)).collect::<BTreeSet<&str>>() {
            named(engine, name);
        }
    }
    #[allow(deprecated, reason = "Rhai marks it so as its form may change, and its version is pinned")]
    engine.on_missing_function(missing);
}

/// The names that stand between a dot and a parenthesis.
fn methods(text: &str) -> impl Iterator<Item = &str> {
    text.split('.').skip(1).filter_map(|rest| {
        let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_')?;
        let (name, rest) = rest.split_at(end);
        (rest.trim_start().starts_with('(') && rhai::is_valid_function_name(name)).then_some(name)
    })
}

fn named(engine: &mut Engine, name: &str) {
    NAMED.with_borrow_mut(|named| named.insert(name.to_owned()));
    for count in 0..=MOST {
        let types = |first| {
            let mut types = vec![first];
            types.resize(count + 1, TypeId::of::<Dynamic>());
            types
        };
        if !OWN.contains(&name) {
            let method = name.to_owned();
            engine.register_raw_fn(
                name,
                types(TypeId::of::<Proxy>()),
                move |context: NativeCallContext, given: &mut [&mut Dynamic]| -> RhaiResult {
                    let Some((proxy, given)) = taken::<Proxy>(given) else { return Ok(Dynamic::UNIT) };
                    proxy::at(&context, &proxy, &method, given)
                },
            );
        }
        if !KNOWN.contains(&name) {
            let typeid = name.to_owned();
            engine.register_raw_fn(
                name,
                types(TypeId::of::<Manager>()),
                move |context: NativeCallContext, given: &mut [&mut Dynamic]| -> RhaiResult {
                    let Some((manager, given)) = taken::<Manager>(given) else { return Ok(Dynamic::UNIT) };
                    make::create(&context, &manager, &typeid, given)
                },
            );
        }
    }
}

/// The receiver and the arguments.
fn taken<T: Clone + 'static>(given: &mut [&mut Dynamic]) -> Option<(T, Array)> {
    let (first, given) = given.split_first_mut()?;
    let receiver = first.read_lock::<T>().map(|receiver| receiver.clone())?;
    Some((receiver, given.iter_mut().map(|value| value.take().flatten()).collect()))
}

/// A call of a function that the engine does not know, or that has raised an error.
fn missing(
    name: &str,
    given: &mut [&mut Dynamic],
    _is_method: bool,
    _: EvalContext,
) -> Result<Option<Dynamic>, Box<rhai::EvalAltResult>> {
    let Some(first) = given.first() else { return Ok(None) };
    let (is_proxy, is_manager) = (first.is::<Proxy>(), first.is::<Manager>());
    // The engine's own names hold other signs.
    if (!is_proxy && !is_manager) || !rhai::is_valid_function_name(name) || is_registered(name, given.len()) {
        return Ok(None);
    }
    if let Some((proxy, given)) = is_proxy.then(|| taken::<Proxy>(given)).flatten() {
        return proxy::call(&proxy, name, given).map(Some);
    }
    match taken::<Manager>(given) {
        Some((manager, given)) if !KNOWN.contains(&name) => make::created(&manager, name, given).map(Some),
        _ => Ok(None),
    }
}

/// Whether there is such a function of a proxy, so that the error is its own.
fn is_registered(name: &str, count: usize) -> bool {
    OWN.contains(&name) || (count <= MOST + 1 && NAMED.with_borrow(|named| named.contains(name)))
}
