//! What a call's items come from: arrays, whatever loops go through, and those that may have nothing now.

use std::ops::{Range, RangeInclusive};

use rhai::{Array, Dynamic, NativeCallContext};

use super::items::PoolItems;
use crate::pool::source::{Items, Next, Numbers, Source};
use crate::queue::view::{JoinableQueue, Queue};
use crate::script::iterate::{self, Steps};
use crate::script::queue::poll;
use crate::script::raise::Raise;
use crate::script::runtime;
use crate::script::signature::Arguments;
use crate::wire::Raised;

/// The source of the items of parameter `index`.
///
/// # Errors
/// `TypeError` if that is nothing to go through.
pub fn source(
    context: &NativeCallContext,
    arguments: &mut Arguments,
    index: usize,
) -> Result<Box<dyn Source>, Raise> {
    let value = arguments.any(index);
    if let Some(queue) = value.clone().try_cast::<Queue>() {
        return Ok(Box::new(Polled(move || poll(&queue))));
    }
    if let Some(queue) = value.clone().try_cast::<JoinableQueue>() {
        return Ok(Box::new(Polled(move || poll(&queue))));
    }
    if let Some(items) = value.clone().try_cast::<PoolItems>() {
        return Ok(Box::new(Polled(move || items.poll())));
    }
    if value.is_array() {
        return Ok(Box::new(Items::from(value.try_cast::<Array>().unwrap_or_default())));
    }
    if let Some(numbers) = numbers(&value) {
        return Ok(Box::new(numbers));
    }
    match iterate::steps(context, value) {
        Ok(steps) => Ok(Box::new(Stepped(steps))),
        Err(value) => Ok(Box::new(Items::from(arguments.collected(context, index, value)?))),
    }
}

/// The source of the items of parameter `index`, and how many there are: they are all there, or made as they are wanted
/// without the script.
///
/// # Errors
/// `TypeError` if that is nothing to go through; what going through it raises.
pub fn counted(
    context: &NativeCallContext,
    arguments: &mut Arguments,
    index: usize,
) -> Result<(Box<dyn Source>, usize), Raise> {
    let value = arguments.any(index);
    if let Some(numbers) = numbers(&value) {
        let count = numbers.left().unwrap_or_default();
        return Ok((Box::new(numbers), count));
    }
    let items = match value.try_cast_result::<Array>() {
        Ok(items) => items,
        Err(value) => arguments.collected(context, index, value)?,
    };
    let count = items.len();
    Ok((Box::new(Items::from(items)), count))
}

/// The numbers of a range.
fn numbers(value: &Dynamic) -> Option<Numbers> {
    if let Some(range) = value.read_lock::<Range<i64>>() {
        return Some(Numbers::from(range.start..range.end));
    }
    let range = value.read_lock::<RangeInclusive<i64>>()?;
    range.end().checked_add(1).map(|end| Numbers::from(*range.start()..end))
}

/// An error that the script's own code raised here, for whoever gets it instead of an item.
pub fn raised_here(error: Raise) -> Raised {
    let source = runtime::program().name().to_owned();
    Raised { traceback: String::new(), ..Raised::capture(error, &source) }
}

/// What a loop goes through.
struct Stepped(Steps);

impl Source for Stepped {
    fn next(&mut self) -> Next {
        match self.0.next() {
            Some(Ok(item)) => Next::Item(item),
            Some(Err(error)) => Next::Failed(raised_here(error)),
            None => Next::End,
        }
    }

    fn left(&self) -> Option<usize> {
        match self.0.size_hint() {
            (least, Some(most)) if least == most => Some(most),
            _ => None,
        }
    }
}

/// What may have nothing now, and more later.
struct Polled<F>(F);

impl<F: FnMut() -> Result<Option<Option<Dynamic>>, Raise>> Source for Polled<F> {
    fn next(&mut self) -> Next {
        match (self.0)() {
            Ok(Some(Some(item))) => Next::Item(item),
            Ok(Some(None)) => Next::End,
            Ok(None) => Next::Pending,
            Err(error) => Next::Failed(raised_here(error)),
        }
    }
}
