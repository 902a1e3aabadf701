//! What proxies can do that no call by name is: operators, elements, properties, loops, `with`, and being shown.

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, INT, NativeCallContext};

use super::{chain, fault, serve};
use crate::manager::desk;
use crate::manager::proxy::Proxy;
use crate::manager::site::CallError;
use crate::script::raise::{Raise, RhaiResult, raise};
use crate::script::signature::Signature;
use crate::script::with::door::Ways;
use crate::script::{iterate, runtime};
use crate::sync::wait::SLICE;
use crate::sys::clock::Deadline;
use crate::wire::Error;

static CALL_METHOD: Signature =
    Signature { name: "Proxy.callmethod", parameters: &["methodname", "args"], required: 1 };
static WAIT_FOR: Signature =
    Signature { name: "Condition.wait_for", parameters: &["predicate", "timeout"], required: 1 };

/// The operators that make something of a proxy's value and another one.
const OPERATORS: &[&str] = &["+", "-", "*", "|", "&", "^", "<", ">", "<=", ">="];
/// Those that change a proxy's value.
const CHANGES: &[&str] = &["+=", "-=", "*=", "|=", "&=", "^="];

/// Registers the type.
pub fn register(engine: &mut Engine) {
    CALL_METHOD.method(engine, |_, proxy: Proxy, mut arguments| {
        let name = arguments.string(0)?.unwrap_or_default();
        let given = arguments.array(1)?.unwrap_or_default();
        call(&proxy, &name, given)
    });
    WAIT_FOR.method(engine, |context, proxy: Proxy, mut arguments| {
        let predicate = arguments.any(0);
        let timeout = arguments.any(1);
        wait_for(context, &proxy, predicate, timeout)
    });
    engine
        .register_type_with_name::<Proxy>("Proxy")
        .register_fn("to_string", |proxy: &mut Proxy| text(proxy, "to_string"))
        .register_fn("to_debug", |proxy: &mut Proxy| text(proxy, "to_debug"))
        .register_fn("==", |one: &mut Proxy, other: Dynamic| equal(one, other))
        .register_fn("!=", |one: &mut Proxy, other: Dynamic| equal(one, other).map(|equal| !equal))
        .register_fn("contains", |context: NativeCallContext, proxy: &mut Proxy, item: Dynamic| {
            at(&context, proxy, "contains", vec![item])
        })
        .register_indexer_get(|context: NativeCallContext, proxy: &mut Proxy, key: Dynamic| {
            get(&context, proxy, key)
        });
    engine.register_indexer_set(
        |context: NativeCallContext, proxy: &mut Proxy, key: Dynamic, value: Dynamic| {
            set(&context, proxy, key, value)
        },
    );
    for operator in OPERATORS {
        engine.register_fn(*operator, |context: NativeCallContext, proxy: Proxy, other: Dynamic| {
            at(&context, &proxy, operator, vec![other])
        });
    }
    for operator in CHANGES {
        engine.register_fn(
            *operator,
            |context: NativeCallContext, proxy: &mut Proxy, other: Dynamic| -> Result<(), Raise> {
                at(&context, proxy, operator, vec![other]).map(drop)
            },
        );
    }
    Ways::new(
        |proxy: &Proxy| call(proxy, "__enter__", Array::new()).map(drop),
        |proxy: &Proxy| Dynamic::from(proxy.clone()),
        |proxy: &Proxy| call(proxy, "__exit__", Array::new()).map(drop),
    )
    .register();
    iterate::register::<Proxy, Dynamic>(engine);
}

/// Calls `method` of the object.
pub fn call(proxy: &Proxy, method: &str, mut given: Array) -> RhaiResult {
    let result = match proxy {
        Proxy::There(there) => there.site.call(there, method, &mut given),
        Proxy::Here(object) => match desk::here() {
            Some(desk) => {
                let answer = serve::with_host(|host| desk.call_here(object, method, given, host))?;
                answer.map_err(|raised| CallError::Raised(raised.into()))
            }
            None => Err(CallError::NoServer),
        },
    };
    result.map_err(fault::not_called)
}

/// The same, noting the script's line.
pub fn at(context: &NativeCallContext, proxy: &Proxy, method: &str, given: Array) -> RhaiResult {
    runtime::at(context);
    call(proxy, method, given)
}

/// A property's name and a string as an index look alike here; the object knows which it has.
fn get(context: &NativeCallContext, proxy: &Proxy, key: Dynamic) -> RhaiResult {
    let value = at(context, proxy, way(proxy, &key, "[]", ".")?, vec![key.clone()])?;
    chain::read(context.call_position(), proxy, &key, &value);
    Ok(value)
}

fn set(context: &NativeCallContext, proxy: &Proxy, key: Dynamic, value: Dynamic) -> Result<(), Raise> {
    if chain::is_unchanged(context.call_position(), proxy, &key, &value) {
        return Ok(());
    }
    at(context, proxy, way(proxy, &key, "[]=", ".=")?, vec![key, value]).map(drop)
}

/// How `key` is meant: a string may be the name of a property, and is for objects that have no keys.
fn way<'a>(proxy: &Proxy, key: &Dynamic, index: &'a str, property: &'a str) -> Result<&'a str, Raise> {
    if !key.is_string() {
        return Ok(index);
    }
    let keyed = proxy.typeid().map_err(fault::not_called)? == "dict";
    Ok(if keyed { index } else { property })
}

fn equal(one: &mut Proxy, other: Dynamic) -> Result<bool, Raise> {
    if let Some(other) = other.read_lock::<Proxy>()
        && one.is(&other)
    {
        return Ok(true);
    }
    let is_value = other.read_lock::<Proxy>().is_some();
    match call(one, "==", vec![other]) {
        Ok(equal) => Ok(equal.as_bool().unwrap_or(false)),
        // What can't be compared is not equal.
        Err(error) if is_value && is_remote(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_remote(error: &EvalAltResult) -> bool {
    matches!(error, EvalAltResult::ErrorRuntime(value, _)
        if value.read_lock::<Error>().is_some_and(|error| error.is("RemoteError")))
}

/// Showing a proxy never fails: it is what people do to find out what is wrong.
fn text(proxy: &Proxy, method: &str) -> String {
    match call(proxy, method, Array::new()) {
        Ok(text) => text.to_string(),
        Err(error) => format!("<proxy of {}: {}>", proxy.name(), reason(&error)),
    }
}

fn reason(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => match value.read_lock::<Error>() {
            Some(error) => error.to_string(),
            None => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// Waits until the predicate, which runs in this process, gives something that counts as true, or the time is over;
/// what it gave last.
fn wait_for(context: &NativeCallContext, proxy: &Proxy, predicate: Dynamic, timeout: Dynamic) -> RhaiResult {
    if proxy.typeid().map_err(fault::not_called)? != "Condition" {
        let given = if timeout.is_unit() { vec![predicate] } else { vec![predicate, timeout] };
        return call(proxy, "wait_for", given);
    }
    let Some(function) = predicate.clone().try_cast::<FnPtr>() else {
        let what = crate::script::signature::described(&predicate);
        let what = format!("Condition.wait_for() wants a function for 'predicate', not {what}");
        return Err(raise("TypeError", what));
    };
    let seconds = crate::script::signature::seconds(&timeout);
    let deadline = Deadline::after(seconds);
    loop {
        let value = runtime::call(context, &function, Array::new())?;
        let left = deadline.slice(std::time::Duration::MAX);
        if crate::script::locks::counts_as_true(&value) || left.is_none() {
            return Ok(value);
        }
        let patience = match (seconds, left) {
            (Some(_), Some(left)) => left.as_secs_f64().max(SLICE.as_secs_f64() / 1000.0).into(),
            _ => Dynamic::UNIT,
        };
        call(proxy, "wait", vec![patience]).map(drop)?;
    }
}

/// What a loop over a proxy goes through.
pub enum Steps {
    /// Element by element, as they are when it comes to them.
    Indices(Proxy, INT),
    /// What was there when it began.
    Snapshot(std::vec::IntoIter<Dynamic>),
    /// What `next` gives, until that raises `StopIteration`.
    Next(Proxy),
    /// What `get` gives, until that raises `ShutDown`.
    Queue(Proxy),
    /// It could not begin.
    Failed(Option<Raise>),
    Over,
}

impl IntoIterator for Proxy {
    type Item = Result<Dynamic, Raise>;
    type IntoIter = Steps;

    fn into_iter(self) -> Steps {
        match call(&self, "<iter>", Array::new()) {
            Err(error) => Steps::Failed(Some(error)),
            Ok(way) => match way.as_int() {
                Ok(0) => Steps::Indices(self, 0),
                Ok(1) => Steps::Next(self),
                Ok(_) => Steps::Queue(self),
                Err(_) => Steps::Snapshot(way.try_cast::<Array>().unwrap_or_default().into_iter()),
            },
        }
    }
}

impl Iterator for Steps {
    type Item = Result<Dynamic, Raise>;

    fn next(&mut self) -> Option<Self::Item> {
        let ends = |error: &Raise, kind: &str| {
            matches!(&**error, EvalAltResult::ErrorRuntime(value, _)
                if value.read_lock::<Error>().is_some_and(|error| error.is(kind)))
        };
        let item = match self {
            Self::Indices(proxy, next) => match call(proxy, "<step>", vec![(*next).into()]) {
                Ok(item) => {
                    *next += 1;
                    item.try_cast::<Array>().and_then(|mut item| item.pop()).map(Ok)
                }
                Err(error) => Some(Err(error)),
            },
            Self::Snapshot(items) => return items.next().map(Ok),
            Self::Next(proxy) => match call(proxy, "next", Array::new()) {
                Err(error) if ends(&error, "StopIteration") => None,
                item => Some(item),
            },
            Self::Queue(proxy) => match call(proxy, "get", Array::new()) {
                Err(error) if ends(&error, "ShutDown") => None,
                item => Some(item),
            },
            Self::Failed(error) => error.take().map(Err),
            Self::Over => None,
        };
        // A loop with an empty body passes over errors: it would go on for ever.
        if !matches!(item, Some(Ok(_))) {
            *self = Self::Over;
        }
        item
    }
}
