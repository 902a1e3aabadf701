//! What a managed list can do beside what an array of the language can, and the calls that loops are made of.
//!
//! Where both the language and Python have a name, the language's meaning holds: `remove(1)` takes out by place. For
//! an argument that has none there, Python's does: `remove("x")` takes out by value, `append("x")` one item.

use std::ops::{Range, RangeInclusive};

use rhai::{Array, Dynamic, INT};

use super::blocking::int;
use super::host::Host;
use crate::wire::{Error, Raised};

/// Does `method`, if it is one of those here.
///
/// # Errors
/// What it raises.
pub fn call(
    list: &mut Array,
    method: &str,
    given: &mut Array,
    host: &dyn Host,
) -> Result<Option<Dynamic>, Raised> {
    let value = match (method, given.as_mut_slice()) {
        ("[]", [key]) => get(list, key)?,
        ("[]=", [key, value]) => {
            set(list, key, value.take())?;
            Dynamic::UNIT
        }
        ("len", []) | (".len", _) => int(list.len()),
        ("push" | "append", [item]) if method == "push" || !item.is_array() => {
            list.push(item.take());
            Dynamic::UNIT
        }
        ("extend", [items]) => {
            list.extend(host.items(items.take())?);
            Dynamic::UNIT
        }
        ("+=", [items]) => {
            match items.take().try_cast_result::<Array>() {
                Ok(items) => list.extend(items),
                Err(item) => list.push(item),
            }
            Dynamic::UNIT
        }
        ("*=", [times]) => {
            *list = repeated(list, times)?;
            Dynamic::UNIT
        }
        ("*", [times]) => repeated(list, times)?.into(),
        ("pop", [index]) => {
            let at = place(list.len(), index)?;
            list.remove(at)
        }
        ("copy" | "to_array", []) => list.clone().into(),
        ("count", [item]) => {
            let mut count = 0;
            for other in list.iter() {
                count += usize::from(host.equal(other, item)?);
            }
            int(count)
        }
        ("index", [item]) => find(list, item, host)?.map(int).ok_or_else(|| missing(item))?,
        ("remove", [item]) if !item.is_int() && !item.is_fnptr() => {
            let at = find(list, item, host)?.ok_or_else(|| missing(item))?;
            drop(list.remove(at));
            Dynamic::UNIT
        }
        ("<iter>", []) => int(0),
        ("<step>", [index]) => {
            let at = index.as_int().ok().and_then(|index| usize::try_from(index).ok());
            let item = at.and_then(|at| list.get(at));
            item.map_or(Dynamic::UNIT, |item| vec![item.clone()].into())
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn missing(item: &Dynamic) -> Raised {
    Raised::of(Error::new("ValueError", format!("{item:?} is not in the list")))
}

fn find(list: &Array, item: &Dynamic, host: &dyn Host) -> Result<Option<usize>, Raised> {
    for (at, other) in list.iter().enumerate() {
        if host.equal(other, item)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Where `index` is; negative ones count from the end.
fn place(length: usize, index: &Dynamic) -> Result<usize, Raised> {
    let wanted = |what: &str| {
        Raised::of(Error::new(
            "TypeError",
            format!("a list's index is an int or a range, not {index:?}{what}"),
        ))
    };
    let index = index.as_int().map_err(|_| wanted(""))?;
    let place = if index < 0 { index.saturating_add(length as INT) } else { index };
    usize::try_from(place).ok().filter(|place| *place < length).ok_or_else(|| {
        Raised::of(Error::new(
            "IndexError",
            format!("index {index} is out of range: the list has {length} items"),
        ))
    })
}

/// The part that a range means, cut to what is there.
fn span(length: usize, key: &Dynamic) -> Option<Range<usize>> {
    let (start, end) = if let Some(range) = key.read_lock::<Range<INT>>() {
        (range.start, range.end)
    } else {
        let range = key.read_lock::<RangeInclusive<INT>>()?;
        let end = if *range.end() == -1 { length as INT } else { range.end().saturating_add(1) };
        (*range.start(), end)
    };
    let clip = |bound: INT| {
        if bound < 0 { bound.saturating_add(length as INT) } else { bound }.clamp(0, length as INT) as usize
    };
    Some(clip(start)..clip(end).max(clip(start)))
}

fn get(list: &Array, key: &Dynamic) -> Result<Dynamic, Raised> {
    if let Some(span) = span(list.len(), key) {
        return Ok(list.get(span).unwrap_or_default().to_vec().into());
    }
    let at = place(list.len(), key)?;
    Ok(list.get(at).cloned().unwrap_or_default())
}

fn set(list: &mut Array, key: &Dynamic, value: Dynamic) -> Result<(), Raised> {
    if let Some(span) = span(list.len(), key) {
        let items = value.try_cast::<Array>();
        let items = items.ok_or_else(|| {
            Raised::of(Error::new("TypeError", "what replaces a part of a list is an array"))
        })?;
        list.splice(span, items);
        return Ok(());
    }
    let at = place(list.len(), key)?;
    if let Some(item) = list.get_mut(at) {
        *item = value;
    }
    Ok(())
}

fn repeated(list: &Array, times: &Dynamic) -> Result<Array, Raised> {
    let wanted =
        || Raised::of(Error::new("TypeError", format!("a list is repeated an int of times, not {times:?}")));
    let times = usize::try_from(times.as_int().map_err(|_| wanted())?).unwrap_or(0);
    let length = list.len().checked_mul(times).filter(|length| *length < 1 << 32);
    let mut all = Array::new();
    length.and_then(|length| all.try_reserve(length).ok()).ok_or_else(|| {
        Raised::of(Error::new("MemoryError", format!("a list of {} items {times} times", list.len())))
    })?;
    (0..times).for_each(|_| all.extend_from_slice(list));
    Ok(all)
}
