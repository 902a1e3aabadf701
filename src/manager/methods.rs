//! One call of one object: which part of the object does it.

use rhai::{Array, Dynamic, FnPtr, ImmutableString};

use super::blocking::{Answers, Caller, Step};
use super::desk::{Desk, Done};
use super::host::Host;
use super::mapping::Called;
use super::object::{Body, Object};
use super::proxy::object_of;
use super::{list, mapping};
use crate::wire::{Error, Raised};

/// The methods that work with what is in another container: one that is a managed object too is copied for them.
const WITH_CONTENTS: &[&str] = &[
    "extend",
    "+",
    "-",
    "*",
    "|",
    "&",
    "^",
    "+=",
    "-=",
    "|=",
    "&=",
    "^=",
    "==",
    "!=",
    "<=",
    ">=",
    "update",
    "mixin",
    "union",
    "intersection",
    "difference",
    "symmetric_difference",
    "intersection_update",
    "difference_update",
    "symmetric_difference_update",
    "issubset",
    "issuperset",
    "isdisjoint",
];

/// Calls `method`.
///
/// # Errors
/// What it raises.
pub fn perform(
    object: &Object,
    caller: &Caller,
    method: &str,
    mut given: Array,
    answers: &mut Answers,
    host: &dyn Host,
    desk: &Desk,
) -> Result<Done, Raised> {
    refuse_hidden(object, method, &given)?;
    if method == "to_debug" {
        let text = format!("<{}, typeid '{}', object {}>", object.proxy_name(), object.typeid, object.id);
        return Ok(Done::Value(text.into()));
    }
    if WITH_CONTENTS.contains(&method) {
        given.iter_mut().for_each(copy_contents);
    }
    let mut body = object.body.try_borrow_mut().map_err(|_| {
        let what = format!("{method}() of a {} that is being called at this moment", object.typeid);
        Raised::of(Error::new("RuntimeError", what))
    })?;
    let called = match &mut *body {
        Body::Value(value) => match host.trial(value, method, &given) {
            Some(trial) => {
                let trial = trial?;
                return Ok(match host.attempt(&trial) {
                    Some(answer) => Done::Value(desk.travelling(answer?, host)),
                    None => Done::Trial(trial),
                });
            }
            None => {
                value_method(value, method, &mut given, host).map(|value| Some(desk.travelling(value, host)))
            }
        },
        Body::Dict(dict) => mapping::dict(dict, method, &mut given, host),
        Body::Namespace(names) => mapping::namespace(names, method, &mut given, host),
        Body::Set(set) => mapping::set(set, method, &mut given, host),
        Body::Cell(code, value) => mapping::cell(code, value, method, &mut given, host),
        machine => {
            let property = given.first().filter(|_| method == ".").map(|name| format!(".{name}"));
            let method = property.as_deref().unwrap_or(method);
            let step = machine.blocking(|machine| match method {
                "to_string" => {
                    let text =
                        format!("<{}, typeid '{}', {}>", object.proxy_name(), object.typeid, machine.text());
                    Ok(Step::Done(text.into()))
                }
                "<iter>" => Ok(Step::Done(2.into())),
                _ => machine.call(caller, method, std::mem::take(&mut given), answers, host),
            });
            match step.transpose()? {
                None | Some(Step::Unknown) => Ok(None),
                Some(step) => return Ok(Done::Blocking(step)),
            }
        }
    };
    called?.map(Done::Value).ok_or_else(|| unknown(object, method, &given))
}

/// Only what is exposed may be called.
fn refuse_hidden(object: &Object, method: &str, given: &Array) -> Result<(), Raised> {
    let property = given.first().filter(|_| matches!(method, "." | ".=")).map(ToString::to_string);
    let name = property.as_deref().unwrap_or(method);
    if object.exposed.has(name) {
        return Ok(());
    }
    let what = format!("the method '{name}' of a managed {} is not exposed", object.typeid);
    Err(Raised::of(Error::new("RemoteError", what)))
}

fn unknown(object: &Object, method: &str, given: &Array) -> Raised {
    match (method, given.first()) {
        ("." | ".=", Some(name)) => Raised::of(Error::new(
            "AttributeError",
            format!("a managed {} has no attribute '{name}'", object.typeid),
        )),
        _ => {
            let method = match method {
                "[]" | "[]=" => "[]",
                method => method,
            };
            let what = format!("a managed {} has no method '{method}' for these arguments", object.typeid);
            Raised::of(Error::new("RemoteError", what))
        }
    }
}

/// A copy of what a managed container holds takes the proxy's place.
pub fn copy_contents(value: &mut Dynamic) {
    let Some(object) = object_of(value) else { return };
    // One that is being called is no argument of that call: it stays a proxy, and the call says that it is none.
    let Ok(body) = object.body.try_borrow() else { return };
    let copy = match &*body {
        Body::Value(value) | Body::Cell(_, value) => value.clone(),
        Body::Dict(dict) | Body::Namespace(dict) => match dict.to_map() {
            Ok(map) => map.into(),
            Err(_) => dict
                .items()
                .map(|(key, value)| Dynamic::from(vec![key.clone(), value.clone()] as Array))
                .collect::<Array>()
                .into(),
        },
        Body::Set(set) => set.keys().cloned().collect::<Array>().into(),
        _ => return,
    };
    *value = copy;
}

/// A method of a value of the language, or of an object of the script.
fn value_method(
    value: &mut Dynamic,
    method: &str,
    given: &mut Array,
    host: &dyn Host,
) -> Result<Dynamic, Raised> {
    if let Ok(mut array) = value.as_array_mut()
        && let Some(result) = list::call(&mut array, method, given, host)?
    {
        return Ok(result);
    }
    if value.is_map()
        && let Some(result) = field(value, method, given, host)?
    {
        return Ok(result);
    }
    let given = std::mem::take(given);
    let name = |given: &Array| given.first().map(ToString::to_string).unwrap_or_default();
    match method {
        "[]" => host.method(value, "index$get$", given),
        "[]=" => host.method(value, "index$set$", given),
        "." => host.method(value, &format!("get${}", name(&given)), Array::new()),
        ".=" => {
            let setter = format!("set${}", name(&given));
            host.method(value, &setter, given.into_iter().skip(1).collect())
        }
        "<iter>" => host.items(value.clone()).map(Dynamic::from),
        // The proxy is what 'with' names.
        "__enter__" => host.method(value, method, given).map(|_| Dynamic::UNIT),
        _ => host.method(value, method, given),
    }
}

/// What an object of the script has: functions, which are its methods, and other fields.
fn field(value: &mut Dynamic, method: &str, given: &mut Array, host: &dyn Host) -> Called {
    let own = |value: &Dynamic, name: &str| value.as_map_ref().ok()?.get(name).cloned();
    if let Some(function) = own(value, method).and_then(Dynamic::try_cast::<FnPtr>) {
        return host.function(&function, Some(value), std::mem::take(given)).map(Some);
    }
    let result = match (method, given.as_mut_slice()) {
        ("<iter>", []) if own(value, "next").is_some_and(|next| next.is_fnptr()) => 1.into(),
        ("[]" | ".", [name]) => {
            let found = own(value, &name.to_string());
            found.ok_or_else(|| {
                let kind = if method == "." { "AttributeError" } else { "KeyError" };
                Raised::of(Error::new(kind, format!("{name:?}")))
            })?
        }
        ("[]=" | ".=", [name, new]) => {
            let (name, new) = (ImmutableString::from(name.to_string()), new.take());
            if let Ok(mut map) = value.as_map_mut() {
                map.insert(name.as_str().into(), new);
            }
            Dynamic::UNIT
        }
        _ => return Ok(None),
    };
    Ok(Some(result))
}
