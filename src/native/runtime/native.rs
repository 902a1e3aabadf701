//! Native functions: found once by the engine, then called directly for arguments of the same types.

use std::any::TypeId;
use std::rc::Rc;

use rhai::{
    BloomFilterU64, Caches, Dynamic, EvalAltResult, FnArgsVec, FnPtr, ImmutableString, NativeCallContext,
    RhaiFunc,
};

use super::evaluate::evaluate;
use super::{Run, known};
use crate::native::enter::{self, Prepared};
use crate::native::site::{Evaluated, Resolved, Site, Style, What};

/// The engine prints what these give.
const PRINT: &[&str] = &["print", "debug"];
/// After so many searches in vain a site isn't searched for any more.
const PATIENCE: u8 = 4;

/// Calls the function of a site: the first argument goes by reference, the others are used up.
pub fn call(
    run: &mut Run,
    level: i64,
    site: &Site,
    arguments: &mut [&mut Dynamic],
    lent: bool,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let What::Native(name, style, evaluated) = &site.what else {
        return Err(format!("no function stands at {}", site.position).into());
    };
    let Some((first, rest)) = arguments.split_first_mut() else {
        return call_found(run, level, site, (name, evaluated), arguments, lent, false);
    };
    let is_method = *style == Style::Method;
    let own = if is_method { own_method(site, first, name) } else { None };
    let special = first.is_shared() || own.is_some() || first.is_read_only();
    let function = own.as_ref().map_or(site.defined.then_some(name), Option::as_ref);
    if let Some(function) = function
        && is_method
        && !lent
        && !first.is_shared()
        && !first.is_read_only()
    {
        let given: FnArgsVec<&Dynamic> = rest.iter().map(|argument| &**argument).collect();
        if level < run.deepest
            && let Some(prepared) = prepared(run, site, function, &given)
        {
            let this = Some(&mut **first).filter(|_| prepared.function.uses_this);
            let result = enter::lend(prepared.entry, run, level + 1, this, &given, &prepared.function);
            return result.map_err(|error| enter::in_call(run, function, site.position, error));
        }
    }
    if !special
        && let Some(known) = site.known
        && let Some(result) = known::call(known, run, level, site, first, rest)
    {
        return result;
    }
    call_found(run, level, site, (name, evaluated), arguments, lent, special)
}

/// The form of a function of the program for these arguments, as it was found last at this site or anew.
fn prepared(
    run: &Run,
    site: &Site,
    function: &ImmutableString,
    arguments: &[&Dynamic],
) -> Option<Rc<Prepared>> {
    if let Some((name, prepared)) = &*site.method.borrow()
        && name == function
        && prepared.fits(arguments)
    {
        return Some(Rc::clone(prepared));
    }
    let prepared = Rc::new(run.closures.prepared(function, true, arguments)?);
    site.method.replace(Some((function.clone(), Rc::clone(&prepared))));
    Some(prepared)
}

/// A function that a map holds under a method's name: some if there is one, with its name if it has no arguments of
/// its own.
fn own_method(site: &Site, object: &Dynamic, name: &str) -> Option<Option<ImmutableString>> {
    let map = object.as_map_ref().ok()?;
    let function = map.get(name)?.read_lock::<FnPtr>()?;
    let same = |(known, _): &&(ImmutableString, _)| known == function.fn_name();
    let last = || site.method.borrow().as_ref().filter(same).map(|(known, _)| known.clone());
    Some((!function.is_curried()).then(|| last().unwrap_or_else(|| function.fn_name().into())))
}

/// Calls the function of a site for these arguments: the one that was found before, or, where that can't be, what the
/// engine finds.
pub(super) fn call_found(
    run: &mut Run,
    level: i64,
    site: &Site,
    (name, evaluated): (&str, &Evaluated),
    arguments: &mut [&mut Dynamic],
    lent: bool,
    special: bool,
) -> Result<Dynamic, Box<EvalAltResult>> {
    if !special {
        let found = site.resolved(|one| {
            one.types.len() == arguments.len()
                && one.types.iter().zip(arguments.iter()).all(|(kind, value)| *kind == value.type_id())
        });
        if let Some(found) = found {
            return invoke(run, level, site, (name, found), arguments);
        }
    }
    let search = !special && site.misses.get() < PATIENCE && !PRINT.contains(&name);
    by_engine(run, level, site, evaluated, arguments, lent, search)
}

fn by_engine(
    run: &mut Run,
    level: i64,
    site: &Site,
    evaluated: &Evaluated,
    arguments: &mut [&mut Dynamic],
    lent: bool,
    search: bool,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let given = |(at, argument): (usize, &mut &mut Dynamic)| match at {
        0 if lent => argument.clone(),
        _ => std::mem::take(*argument),
    };
    let mut values: Vec<Dynamic> = arguments.iter_mut().enumerate().map(given).collect();
    let types: Vec<TypeId> = values.iter().map(Dynamic::type_id).collect();
    let mut caches = Caches::new();
    if search {
        // A cache of our own that keeps what is found at once: afterwards the function stands in it.
        mark_all(&mut caches.fn_resolution_cache_mut().bloom_filter);
    }
    let own = search.then_some(&mut caches);
    let result = evaluate(run, level, evaluated, &mut values, own).result();
    if let (Some(first), Some(value), false) = (arguments.first_mut(), values.first_mut(), lent) {
        **first = std::mem::take(value);
    }
    if search {
        let mut found = caches.fn_resolution_cache_mut().dict.values();
        let tries_others =
            matches!(site.what, What::Native(_, Style::Property | Style::Index, _) | What::Update(..));
        // A property that no getter is found for is one of an indexer's, and `x += y` may be `x = x + y`: these are
        // called otherwise.
        let only = if tries_others && found.len() > 1 { None } else { found.by_ref().flatten().next() };
        match (only, found.flatten().next()) {
            (Some(one), None) if one.func.is_native() => {
                site.remember(Resolved::new(types, one.func.clone(), one.source.clone()));
            }
            _ => site.misses.set(site.misses.get() + 1),
        }
    }
    result
}

fn mark_all(filter: &mut BloomFilterU64<64>) {
    for bit in 0..64 * 8 {
        filter.mark(bit);
    }
}

/// Calls a function that was found before, as the engine does.
fn invoke(
    run: &mut Run,
    level: i64,
    site: &Site,
    (name, found): (&str, &Resolved),
    arguments: &mut [&mut Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    let Resolved { function, source, .. } = found;
    if !function.is_method()
        && let Some((first, rest)) = arguments.split_first_mut()
    {
        // It may use its first argument up, which is a variable.
        let mut copy = first.clone();
        let mut given: FnArgsVec<&mut Dynamic> = FnArgsVec::new();
        given.push(&mut copy);
        given.extend(rest.iter_mut().map(|argument| &mut **argument));
        return perform(run, level, site, (name, function, source.as_deref()), &mut given);
    }
    perform(run, level, site, (name, function, source.as_deref()), arguments)
}

fn perform(
    run: &mut Run,
    level: i64,
    site: &Site,
    (name, function, source): (&str, &RhaiFunc, Option<&str>),
    arguments: &mut [&mut Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    let context = function.has_context().then(|| {
        let engine = run.engine;
        // The engine counts the call as a level.
        let global = &*run.global(level + 1);
        NativeCallContext::new_with_all_fields(engine, name, source, global, site.position)
    });
    let result = match function {
        RhaiFunc::Plugin { func } => func.call(context, arguments),
        RhaiFunc::StaticPlugin { func } => func.call(context, arguments),
        RhaiFunc::Pure { func, .. } | RhaiFunc::Method { func, .. } => func(context, arguments),
        _ => Err(format!("`{name}` is no native function").into()),
    };
    result.map_err(|mut error| {
        if error.position().is_none() {
            error.set_position(site.position);
        }
        error
    })
}
