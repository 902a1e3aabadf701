//! `ShareableList`: a list of fixed length in memory by name.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, INT, NativeCallContext};

use super::convert::place;
use super::memory::{SharedMemory, not_named, unusable, watched};
use crate::script::iterate;
use crate::script::raise::{Raise, RhaiResult, raise};
use crate::script::signature::{Arguments, Signature, collected, described};
use crate::share::item::Item;
use crate::share::list::{List, ListError};
use crate::share::named::Named;
use crate::wire::Error;

static SHAREABLE_LIST: Signature =
    Signature { name: "ShareableList", parameters: &["sequence", "name"], required: 0 };

/// A list in memory by name. A clone is the same.
#[derive(Clone, Debug)]
pub struct ShareableList(Rc<List>);

/// Registers the type and the constructor.
pub fn register(engine: &mut Engine) {
    SHAREABLE_LIST.function(engine, |context, mut arguments| new(context, &mut arguments).map(Dynamic::from));
    engine
        .register_type_with_name::<ShareableList>("ShareableList")
        .register_fn("to_string", |list: &mut ShareableList| list.text())
        .register_fn("to_debug", |list: &mut ShareableList| list.text())
        .register_fn("==", |one: ShareableList, other: ShareableList| one.name() == other.name())
        .register_fn("!=", |one: ShareableList, other: ShareableList| one.name() != other.name())
        .register_fn("len", |list: &mut ShareableList| list.0.len() as INT)
        .register_get("len", |list: &mut ShareableList| list.0.len() as INT)
        .register_get("format", |list: &mut ShareableList| list.0.format().map_err(not_listed))
        .register_get("shm", |list: &mut ShareableList| SharedMemory(Rc::clone(list.0.named())))
        .register_fn("to_array", |list: &mut ShareableList| list.items())
        .register_fn("count", |context: NativeCallContext, list: &mut ShareableList, value: Dynamic| {
            let mut count: INT = 0;
            for item in list.items()? {
                count += INT::from(equal(&context, &item, &value)?);
            }
            Ok::<_, Raise>(count)
        })
        .register_fn("index", |context: NativeCallContext, list: &mut ShareableList, value: Dynamic| {
            list.find(&context, &value)?
                .ok_or_else(|| raise("ValueError", format!("{} is not in the list", described(&value))))
        })
        .register_fn("contains", |context: NativeCallContext, list: &mut ShareableList, value: Dynamic| {
            list.find(&context, &value).map(|found| found.is_some())
        })
        .register_indexer_get(|list: &mut ShareableList, index: INT| list.get(index))
        .register_indexer_set(|list: &mut ShareableList, index: INT, new: Dynamic| {
            let index = list.at(index)?;
            list.0.set(index, &item(&new)?).map_err(not_listed)
        });
    iterate::register::<ShareableList, Dynamic>(engine);
}

fn new(context: &NativeCallContext, arguments: &mut Arguments) -> Result<ShareableList, Raise> {
    let name = arguments.string(1)?;
    let sequence = arguments.any(0);
    if sequence.is_unit()
        && let Some(name) = &name
    {
        let named = Named::attach(name, true).map_err(not_named)?;
        return List::of(named).map(ShareableList::of).map_err(not_listed);
    }
    of_items(context, &sequence, name.as_deref())
}

/// Makes a list of what `sequence` gives, under `name` or one that is free.
pub fn of_items(
    context: &NativeCallContext,
    sequence: &Dynamic,
    name: Option<&str>,
) -> Result<ShareableList, Raise> {
    let items = match sequence.read_lock::<ShareableList>() {
        Some(other) => other.items()?,
        None if sequence.is_unit() => Array::new(),
        None => collected(context, sequence.clone()).map_err(|error| match *error {
            EvalAltResult::ErrorFor(..) => {
                let sequence = described(sequence);
                raise("TypeError", format!("a list is made of something to iterate over, not {sequence}"))
            }
            error => error.into(),
        })?,
    };
    let items = items.iter().map(item).collect::<Result<Vec<_>, _>>()?;
    watched()?;
    List::create(&items, name).map(ShareableList::of).map_err(not_listed)
}

/// The list in memory that somebody sent.
///
/// # Errors
/// If there is none.
pub fn received(named: Named) -> Result<ShareableList, Error> {
    List::of(named).map(ShareableList::of).map_err(|error| Error::new("ValueError", error.to_string()))
}

fn equal(context: &NativeCallContext, one: &Dynamic, other: &Dynamic) -> Result<bool, Raise> {
    context.call_native_fn("==", (one.clone(), other.clone()))
}

fn item(value: &Dynamic) -> Result<Item, Raise> {
    if value.is_unit() {
        return Ok(Item::Nothing);
    }
    if let Ok(int) = value.as_int() {
        return Ok(Item::Int(int));
    }
    if let Ok(float) = value.as_float() {
        return Ok(Item::Float(float));
    }
    if let Ok(bool) = value.as_bool() {
        return Ok(Item::Bool(bool));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Item::Text(text.to_string()));
    }
    if let Ok(blob) = value.as_blob_ref() {
        return Ok(Item::Bytes(blob.to_vec()));
    }
    let value = described(value);
    Err(raise(
        "TypeError",
        format!("a ShareableList holds (), bools, ints, floats, strings and blobs, not {value}"),
    ))
}

fn value(item: Item) -> Dynamic {
    match item {
        Item::Nothing => Dynamic::UNIT,
        Item::Bool(bool) => bool.into(),
        Item::Int(int) => int.into(),
        Item::Float(float) => float.into(),
        Item::Text(text) => text.into(),
        Item::Bytes(bytes) => Dynamic::from_blob(bytes),
    }
}

fn not_listed(error: ListError) -> Raise {
    match error {
        ListError::Named(error) => not_named(error),
        ListError::Unusable { name, error } => unusable(&name, error),
        _ => raise("ValueError", error.to_string()),
    }
}

impl ShareableList {
    fn of(list: List) -> Self {
        Self(Rc::new(list))
    }

    /// The memory that it is in.
    pub fn named(&self) -> &Named {
        self.0.named()
    }

    fn name(&self) -> &str {
        self.named().name()
    }

    fn at(&self, index: INT) -> Result<usize, Raise> {
        let length = self.0.len();
        place(index, length).ok_or_else(|| {
            raise("IndexError", format!("index {index} is out of range: the list has {length} items"))
        })
    }

    fn get(&self, index: INT) -> RhaiResult {
        self.0.get(self.at(index)?).map(value).map_err(not_listed)
    }

    fn items(&self) -> Result<Array, Raise> {
        (0..self.0.len()).map(|index| self.0.get(index).map(value).map_err(not_listed)).collect()
    }

    fn find(&self, context: &NativeCallContext, value: &Dynamic) -> Result<Option<INT>, Raise> {
        for (index, item) in (0..).zip(self.items()?) {
            if equal(context, &item, value)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn text(&self) -> String {
        let items = match self.items() {
            Ok(items) => format!("{:?}", Dynamic::from_array(items)),
            Err(_) => "...".to_owned(),
        };
        format!("ShareableList({items}, name: {:?})", self.name())
    }
}

/// What a `for` loop goes through.
pub struct Items {
    list: ShareableList,
    next: usize,
}

impl Iterator for Items {
    type Item = Result<Dynamic, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next;
        if index >= self.list.0.len() {
            return None;
        }
        let item = self.list.0.get(index).map(value).map_err(not_listed);
        self.next = if item.is_ok() { index + 1 } else { usize::MAX };
        Some(item)
    }
}

impl IntoIterator for ShareableList {
    type Item = Result<Dynamic, Box<EvalAltResult>>;
    type IntoIter = Items;

    fn into_iter(self) -> Items {
        Items { list: self, next: 0 }
    }
}
