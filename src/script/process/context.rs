//! Start methods as scripts choose them: for the whole process, or by a context that has every constructor.

use std::cell::RefCell;

use rhai::{Array, Dynamic, Engine, ImmutableString};

use crate::process::method::{self, Method};
use crate::process::spawn;
use crate::script::raise::{Raise, raise};
use crate::script::signature::{Context, Signature, described};

static SET: Signature = Signature { name: "set_start_method", parameters: &["method", "force"], required: 1 };
static GET: Signature = Signature { name: "get_start_method", parameters: &["allow_none"], required: 0 };
static CONTEXT: Signature = Signature { name: "get_context", parameters: &["method"], required: 0 };
static PRELOAD: Signature = Signature { name: "set_forkserver_preload", parameters: &["files"], required: 1 };
static EXECUTABLE: Signature = Signature { name: "set_executable", parameters: &["path"], required: 1 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &[
    "set_start_method",
    "get_start_method",
    "get_all_start_methods",
    "get_context",
    "set_forkserver_preload",
    "set_executable",
    "freeze_support",
];

thread_local! {
    static PRELOADED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The files that a fork server imports ahead.
pub fn preloaded() -> Vec<String> {
    PRELOADED.with_borrow(Clone::clone)
}

/// Registers the functions and the type.
pub fn register(engine: &mut Engine) {
    SET.context_function(engine, |_, context, mut arguments| {
        if context.is_some() {
            return Err(raise("ValueError", "cannot set start method of concrete context"));
        }
        let wanted = arguments.any(0);
        let force = arguments.bool(1)?.unwrap_or(false);
        if method::chosen().is_some() && !force {
            return Err(raise("RuntimeError", "context has already been set"));
        }
        let wanted = if wanted.is_unit() && force { None } else { Some(named(&wanted)?) };
        method::choose(wanted);
        Ok(Dynamic::UNIT)
    });
    GET.context_function(engine, |_, context, mut arguments| {
        let allow_none = arguments.bool(0)?.unwrap_or(false);
        let method = match context {
            Some(method) => Some(method),
            None if allow_none => method::chosen(),
            None => Some(method::current()),
        };
        Ok(method.map_or(Dynamic::UNIT, |method| method.name().into()))
    });
    CONTEXT.context_function(engine, |_, context, mut arguments| {
        let wanted = arguments.any(0);
        let method = match context {
            _ if !wanted.is_unit() => named(&wanted)?,
            Some(method) => method,
            None => method::current(),
        };
        Ok(Dynamic::from(Context(method)))
    });
    PRELOAD.context_function(engine, |_, _, mut arguments| {
        let files = arguments.array(0)?.unwrap_or_default();
        let files: Result<Vec<String>, Raise> = files.into_iter().map(file).collect();
        PRELOADED.set(files?);
        Ok(Dynamic::UNIT)
    });
    EXECUTABLE.context_function(engine, |_, _, mut arguments| {
        let path = arguments.string(0)?.unwrap_or_default();
        let path =
            std::ffi::CString::new(path).map_err(|_| raise("ValueError", "a path has no zero bytes"))?;
        spawn::set_executable(path);
        Ok(Dynamic::UNIT)
    });
    let all = || -> Array { method::all().map(|method| method.name().into()).collect() };
    engine
        .register_type_with_name::<Context>("Context")
        .register_fn("get_all_start_methods", all)
        .register_fn("get_all_start_methods", move |_: &mut Context| all())
        .register_fn("freeze_support", || {})
        .register_fn("freeze_support", |_: &mut Context| {})
        .register_fn("==", |one: Context, other: Context| one == other)
        .register_fn("!=", |one: Context, other: Context| one != other)
        .register_fn("to_string", |context: &mut Context| text(*context))
        .register_fn("to_debug", |context: &mut Context| text(*context));
}

fn text(context: Context) -> String {
    format!("<Context {}>", context.0.name())
}

/// The method that a script names.
fn named(value: &Dynamic) -> Result<Method, Raise> {
    let name = value.as_immutable_string_ref().ok().map(|name| ImmutableString::clone(&name));
    let known = name.as_ref().and_then(|name| Method::named(name));
    known.ok_or_else(|| {
        let what = name.map_or_else(|| described(value), |name| format!("'{name}'"));
        let all: Vec<&str> = Method::ALL.into_iter().map(Method::name).collect();
        raise("ValueError", format!("cannot find context for {what}; there are {}", all.join(", ")))
    })
}

fn file(value: Dynamic) -> Result<String, Raise> {
    let kind = described(&value);
    value.into_string().map_err(|_| raise("TypeError", format!("module names must be strings, not {kind}")))
}
