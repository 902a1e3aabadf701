//! What managed dictionaries, namespaces, sets and values can do.
//!
//! What is not here a dictionary does as a map of the language: it becomes one for the length of the call.

use rhai::{Array, Dynamic};

use super::blocking::int;
use super::dict::{Dict, Key};
use super::host::Host;
use crate::wire::{Error, Raised};

/// What a call gives, if the method is known.
pub type Called = Result<Option<Dynamic>, Raised>;

fn key(value: &Dynamic) -> Result<Key, Raised> {
    Key::of(value).map_err(Raised::of)
}

fn missing(key: &Dynamic) -> Raised {
    Raised::of(Error::new("KeyError", format!("{key:?}")))
}

fn keys(dict: &Dict) -> Dynamic {
    dict.keys().cloned().collect::<Array>().into()
}

fn pair((key, value): (&Dynamic, &Dynamic)) -> Dynamic {
    vec![key.clone(), value.clone()].into()
}

/// Does `method` of a dictionary, if it is one of those here.
///
/// # Errors
/// What it raises.
pub fn dict(dict: &mut Dict, method: &str, given: &mut Array, host: &dyn Host) -> Called {
    let value = match (method, given.as_mut_slice()) {
        ("[]" | ".", [name]) => dict.get(&key(name)?).cloned().ok_or_else(|| missing(name))?,
        ("[]=" | "set" | ".=", [name, value]) => {
            dict.set(name.take(), value.take()).map_err(Raised::of)?;
            Dynamic::UNIT
        }
        ("get", [name]) => dict.get(&key(name)?).cloned().unwrap_or_default(),
        ("get", [name, otherwise]) => match dict.get(&key(name)?) {
            Some(value) => value.clone(),
            None => otherwise.take(),
        },
        ("contains" | "has_key", [name]) => dict.contains(&key(name)?).into(),
        ("len", []) => int(dict.len()),
        ("is_empty", []) => dict.is_empty().into(),
        ("clear", []) => {
            dict.clear();
            Dynamic::UNIT
        }
        ("remove", [name]) => dict.remove(&key(name)?).unwrap_or_default(),
        ("pop", [name]) => dict.remove(&key(name)?).ok_or_else(|| missing(name))?,
        ("pop", [name, otherwise]) => dict.remove(&key(name)?).unwrap_or_else(|| otherwise.take()),
        ("popitem", []) => {
            let (key, value) = dict
                .pop()
                .ok_or_else(|| Raised::of(Error::new("KeyError", "popitem(): the dictionary is empty")))?;
            vec![key, value].into()
        }
        ("setdefault", [name]) => default(dict, name, Dynamic::UNIT)?,
        ("setdefault", [name, value]) => {
            let value = value.take();
            default(dict, name, value)?
        }
        ("update" | "mixin" | "+=", [other]) => {
            dict.update(other.take()).map_err(Raised::of)?;
            Dynamic::UNIT
        }
        ("keys" | "<iter>", []) => keys(dict),
        ("values", []) => dict.items().map(|(_, value)| value.clone()).collect::<Array>().into(),
        ("items", []) => dict.items().map(pair).collect::<Array>().into(),
        ("copy" | "to_map", []) => dict.to_map().map_err(Raised::of)?.into(),
        ("to_string", []) => shown(dict, host)?.into(),
        _ => {
            // As a map of the language.
            let mut map = Dynamic::from_map(dict.to_map().map_err(Raised::of)?);
            let result = host.method(&mut map, method, std::mem::take(given))?;
            if let Some(map) = map.try_cast() {
                dict.become_map(map);
            }
            result
        }
    };
    Ok(Some(value))
}

fn default(dict: &mut Dict, name: &Dynamic, value: Dynamic) -> Result<Dynamic, Raised> {
    if let Some(value) = dict.get(&key(name)?) {
        return Ok(value.clone());
    }
    dict.set(name.clone(), value.clone()).map_err(Raised::of)?;
    Ok(value)
}

fn shown(dict: &Dict, host: &dyn Host) -> Result<String, Raised> {
    let mut entries = Vec::new();
    for (key, value) in dict.items() {
        entries.push(format!("{}: {}", host.shown(key)?, host.shown(value)?));
    }
    Ok(format!("#{{{}}}", entries.join(", ")))
}

/// Does `method` of a namespace, if it has it.
///
/// # Errors
/// What it raises.
pub fn namespace(names: &mut Dict, method: &str, given: &mut Array, host: &dyn Host) -> Called {
    let none = |name: &Dynamic| {
        Raised::of(Error::new("AttributeError", format!("the namespace has no attribute '{name}'")))
    };
    let value = match (method, given.as_mut_slice()) {
        ("[]" | "." | "getattr", [name]) => names.get(&key(name)?).cloned().ok_or_else(|| none(name))?,
        ("[]=" | ".=" | "setattr", [name, value]) => {
            if !name.is_string() {
                return Err(Raised::of(Error::new("TypeError", "an attribute's name is a string")));
            }
            names.set(name.take(), value.take()).map_err(Raised::of)?;
            Dynamic::UNIT
        }
        ("remove" | "delattr", [name]) => names.remove(&key(name)?).ok_or_else(|| none(name))?,
        ("contains" | "hasattr", [name]) => names.contains(&key(name)?).into(),
        ("keys" | "<iter>", []) => keys(names),
        ("copy" | "to_map", []) => names.to_map().map_err(Raised::of)?.into(),
        ("to_string", []) => {
            let mut shown = Vec::new();
            for (name, value) in names.items().filter(|(name, _)| !name.to_string().starts_with('_')) {
                shown.push(format!("{name}={}", host.shown(value)?));
            }
            format!("Namespace({})", shown.join(", ")).into()
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// Does `method` of a set, if it has it.
///
/// # Errors
/// What it raises.
pub fn set(set: &mut Dict, method: &str, given: &mut Array, host: &dyn Host) -> Called {
    let value = match (method, given.as_mut_slice()) {
        ("add" | "push", [item]) => {
            set.set(item.take(), Dynamic::UNIT).map_err(Raised::of)?;
            Dynamic::UNIT
        }
        ("discard", [item]) => set.remove(&key(item)?).is_some().into(),
        ("remove", [item]) => set.remove(&key(item)?).map(|_| Dynamic::UNIT).ok_or_else(|| missing(item))?,
        ("pop", []) => {
            set.pop().ok_or_else(|| Raised::of(Error::new("KeyError", "pop(): the set is empty")))?.0
        }
        ("contains", [item]) => set.contains(&key(item)?).into(),
        ("len", []) => int(set.len()),
        ("is_empty", []) => set.is_empty().into(),
        ("clear", []) => {
            set.clear();
            Dynamic::UNIT
        }
        ("copy" | "to_array" | "<iter>", []) => keys(set),
        ("to_string", []) => {
            let mut items = Vec::new();
            for item in set.keys() {
                items.push(host.shown(item)?);
            }
            format!("{{{}}}", items.join(", ")).into()
        }
        (_, [other]) => {
            let other = of_items(host.items(other.take())?)?;
            return with_other(set, method, &other);
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// The set of these.
///
/// # Errors
/// `TypeError` if one of them can be none of its items.
pub fn of_items(items: Array) -> Result<Dict, Raised> {
    let mut set = Dict::default();
    items.into_iter().try_for_each(|item| set.set(item, Dynamic::UNIT)).map_err(Raised::of)?;
    Ok(set)
}

fn with_other(set: &mut Dict, method: &str, other: &Dict) -> Called {
    let has = |dict: &Dict, item: &Dynamic| Key::of(item).is_ok_and(|key| dict.contains(&key));
    let kept = |of: &Dict, in_both: bool, by: &Dict| -> Array {
        of.keys().filter(|item| has(by, item) == in_both).cloned().collect()
    };
    let union = || -> Array { set.keys().cloned().chain(kept(other, false, set)).collect() };
    let either = || -> Array { kept(set, false, other).into_iter().chain(kept(other, false, set)).collect() };
    let all_in = |of: &Dict, by: &Dict| of.keys().all(|item| has(by, item));
    let same = set.len() == other.len() && all_in(set, other);
    let value = match method {
        "union" | "|" | "+" => union().into(),
        "intersection" | "&" => kept(set, true, other).into(),
        "difference" | "-" => kept(set, false, other).into(),
        "symmetric_difference" | "^" => either().into(),
        "issubset" | "<=" => all_in(set, other).into(),
        "issuperset" | ">=" => all_in(other, set).into(),
        "isdisjoint" => kept(set, true, other).is_empty().into(),
        "==" => same.into(),
        "!=" => (!same).into(),
        "update" | "|=" | "+=" => changed(set, union())?,
        "intersection_update" | "&=" => {
            let items = kept(set, true, other);
            changed(set, items)?
        }
        "difference_update" | "-=" => {
            let items = kept(set, false, other);
            changed(set, items)?
        }
        "symmetric_difference_update" | "^=" => changed(set, either())?,
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn changed(set: &mut Dict, items: Array) -> Result<Dynamic, Raised> {
    *set = of_items(items)?;
    Ok(Dynamic::UNIT)
}

/// Does `method` of a value of that typecode, if it has it.
///
/// # Errors
/// What it raises.
pub fn cell(code: &Dynamic, value: &mut Dynamic, method: &str, given: &mut Array, host: &dyn Host) -> Called {
    let result = match (method, given.as_mut_slice()) {
        ("get", []) => value.clone(),
        (".", [name]) if name.to_string() == "value" => value.clone(),
        ("set", [new]) => {
            *value = new.take();
            Dynamic::UNIT
        }
        (".=", [name, new]) if name.to_string() == "value" => {
            *value = new.take();
            Dynamic::UNIT
        }
        ("add", [amount]) => {
            let sum = host.method(&mut value.clone(), "+", vec![amount.take()])?;
            std::mem::replace(value, sum)
        }
        ("+=", [amount]) => {
            *value = host.method(&mut value.clone(), "+", vec![amount.take()])?;
            Dynamic::UNIT
        }
        ("to_string", []) => format!("Value({}, {})", host.shown(code)?, host.shown(value)?).into(),
        _ => return Ok(None),
    };
    Ok(Some(result))
}
