//! What is made of many numbers without a loop: of a script's own arrays, of blobs, and of shared arrays.
//!
//! A shared array is read under its lock, one at a time: two are never held at once.

use std::cmp::Ordering;

use rhai::{Blob, Dynamic, Engine, INT, NativeCallContext};

use super::access::at_length;
use super::convert::{dynamic, scalar};
use crate::script::raise::{Raise, RhaiResult, raise};
use crate::script::signature::described;
use crate::share::code::{Code, Scalar};
use crate::share::fold::{End, Sum};
use crate::share::numbers::{Bins, Numbers};
use crate::share::order;
use crate::share::view::Array;

/// As many bins as a histogram may have.
const MOST_BINS: INT = 1 << 24;

/// Registers the functions. Those that [`super::array`] has for shared arrays alone stand there.
pub fn register(engine: &mut Engine) {
    engine
        .register_fn("sum", |values: &mut rhai::Array| sum(values))
        .register_fn("min", |values: &mut rhai::Array| end(values, End::Least))
        .register_fn("max", |values: &mut rhai::Array| end(values, End::Greatest))
        .register_fn("sum", |bytes: &mut Blob| bytes.iter().copied().map(INT::from).sum::<INT>())
        .register_fn("min", |bytes: &mut Blob| byte(bytes.iter().min(), "min"))
        .register_fn("max", |bytes: &mut Blob| byte(bytes.iter().max(), "max"))
        .register_fn("sort", |context: NativeCallContext, array: &mut Array| sort(&context, array, false))
        .register_fn("sort_desc", |context: NativeCallContext, array: &mut Array| {
            sort(&context, array, true)
        });
    over::<rhai::Array>(engine);
    over::<Blob>(engine);
    over::<Array>(engine);
}

/// Something that numbers come from.
trait Source: Clone + 'static {
    /// Its numbers; `call` is what wants them.
    fn numbers(&self, context: &NativeCallContext, call: &str) -> Result<Numbers, Raise>;
}

fn over<S: Source>(engine: &mut Engine) {
    engine
        .register_fn("dot", |context: NativeCallContext, left: &mut S, right: Dynamic| {
            let left = left.numbers(&context, "dot")?;
            dot(&left, &any(&context, &right, "dot")?)
        })
        .register_fn(
            "histogram",
            |context: NativeCallContext, values: &mut S, bins: INT, low: Dynamic, high: Dynamic| {
                let bins = self::bins(bins, &low, &high)?;
                let counts = values.numbers(&context, "histogram")?.histogram(bins);
                Ok::<_, Raise>(Dynamic::from_array(counts.into_iter().map(Dynamic::from_int).collect()))
            },
        );
}

impl Source for rhai::Array {
    fn numbers(&self, _: &NativeCallContext, call: &str) -> Result<Numbers, Raise> {
        let mut numbers = Numbers::with_capacity(self.len());
        for (index, value) in self.iter().enumerate() {
            if !number(value).is_some_and(|number| numbers.push(number)) {
                return Err(no_number(call, index, value));
            }
        }
        Ok(numbers)
    }
}

impl Source for Blob {
    fn numbers(&self, _: &NativeCallContext, _: &str) -> Result<Numbers, Raise> {
        Ok(Numbers::Ints(self.iter().copied().map(INT::from).collect()))
    }
}

impl Source for Array {
    fn numbers(&self, context: &NativeCallContext, call: &str) -> Result<Numbers, Raise> {
        let code = self.shape().code().filter(|code| code.is_number() || *code == Code::Bool);
        let code = code.ok_or_else(|| raise("TypeError", format!("{call}() is for arrays of numbers")))?;
        at_length(context, self, |block| {
            let mut numbers = Numbers::with_capacity(block.len());
            for index in 0..block.len() {
                numbers.push(code.unpack(block.cells().load(index * code.size(), code.size())));
            }
            numbers
        })
    }
}

/// The numbers of an argument of any of these types.
fn any(context: &NativeCallContext, values: &Dynamic, call: &str) -> Result<Numbers, Raise> {
    if let Some(array) = values.read_lock::<rhai::Array>() {
        array.numbers(context, call)
    } else if let Some(blob) = values.read_lock::<Blob>() {
        blob.numbers(context, call)
    } else if let Some(array) = values.read_lock::<Array>() {
        array.numbers(context, call)
    } else {
        Err(raise("TypeError", format!("{call}() is for arrays of numbers, not {}", described(values))))
    }
}

/// A value that is a number; bools count as 0 and 1.
#[inline]
fn number(value: &Dynamic) -> Option<Scalar> {
    if let Ok(int) = value.as_int() {
        Some(Scalar::Int(int))
    } else if let Ok(float) = value.as_float() {
        Some(Scalar::Float(float))
    } else {
        value.as_bool().ok().map(Scalar::Bool)
    }
}

fn no_number(call: &str, index: usize, value: &Dynamic) -> Raise {
    let value = described(value);
    raise("TypeError", format!("{call}() is for arrays of numbers: the element at {index} is {value}"))
}

/// Ints are added exactly; from the first float on it is floats, one after the other as in a loop.
fn sum(values: &[Dynamic]) -> RhaiResult {
    let mut ints = 0_i128;
    let mut values = values.iter().enumerate();
    for (index, value) in values.by_ref() {
        match number(value) {
            Some(Scalar::Int(int)) => ints += i128::from(int),
            Some(Scalar::Bool(bool)) => ints += i128::from(bool),
            Some(Scalar::Float(float)) => return float_sum(ints as f64 + float, values),
            _ => return Err(no_number("sum", index, value)),
        }
    }
    given(Some(Sum::Int(ints)), "sum")
}

fn float_sum<'a>(sum: f64, values: impl Iterator<Item = (usize, &'a Dynamic)>) -> RhaiResult {
    let mut sum = sum;
    for (index, value) in values {
        sum += match number(value) {
            Some(Scalar::Float(float)) => float,
            Some(Scalar::Int(int)) => int as f64,
            Some(Scalar::Bool(bool)) => u8::from(bool).into(),
            _ => return Err(no_number("sum", index, value)),
        };
    }
    Ok(sum.into())
}

fn given(sum: Option<Sum>, what: &str) -> RhaiResult {
    let large = |sum: String| raise("OverflowError", format!("the {what} {sum}does not fit an int"));
    match sum {
        Some(Sum::Float(sum)) => Ok(sum.into()),
        Some(Sum::Int(sum)) => {
            INT::try_from(sum).map(Dynamic::from_int).map_err(|_| large(format!("{sum} ")))
        }
        None => Err(large(String::new())),
    }
}

fn dot(left: &Numbers, right: &Numbers) -> RhaiResult {
    if left.len() != right.len() {
        let (left, right) = (left.len(), right.len());
        return Err(raise(
            "ValueError",
            format!("dot() is for arrays of one length, not of {left} and {right} elements"),
        ));
    }
    given(left.dot(right), "dot product")
}

/// The least or greatest element as it is; what is not a number (NaN) is the answer wherever it stands.
fn end(values: &[Dynamic], end: End) -> RhaiResult {
    let call = if end == End::Least { "min" } else { "max" };
    let mut best: Option<(&Dynamic, Scalar)> = None;
    for (index, value) in values.iter().enumerate() {
        let found = number(value).filter(|found| !matches!(found, Scalar::Bool(_)));
        let found = found.ok_or_else(|| no_number(call, index, value))?;
        if matches!(found, Scalar::Float(float) if float.is_nan()) {
            return all_numbers(values, index, call).map(|()| f64::NAN.into());
        }
        if best.is_none_or(|(_, best)| before(found, best, end)) {
            best = Some((value, found));
        }
    }
    best.map(|(value, _)| value.flatten_clone()).ok_or_else(|| empty(call))
}

/// # Errors
/// If what comes after `index` is not all numbers.
fn all_numbers(values: &[Dynamic], index: usize, call: &str) -> Result<(), Raise> {
    let is_number = |value: &Dynamic| matches!(number(value), Some(Scalar::Int(_) | Scalar::Float(_)));
    let wrong = values.iter().enumerate().skip(index).find(|(_, value)| !is_number(value));
    wrong.map_or(Ok(()), |(index, value)| Err(no_number(call, index, value)))
}

/// Is this one less, or greater? Ints are compared exactly, also with floats.
fn before(one: Scalar, other: Scalar, end: End) -> bool {
    let (one, other) = match end {
        End::Least => (one, other),
        End::Greatest => (other, one),
    };
    match (one, other) {
        (Scalar::Int(one), Scalar::Int(other)) => one < other,
        (Scalar::Float(one), Scalar::Float(other)) => one < other,
        (Scalar::Int(one), Scalar::Float(other)) => compare(one, other) == Ordering::Less,
        (Scalar::Float(one), Scalar::Int(other)) => compare(other, one) == Ordering::Greater,
        _ => false,
    }
}

/// An int and a float that is a number, compared exactly: the float may be too large for an int.
fn compare(int: INT, float: f64) -> Ordering {
    let limit = 9_223_372_036_854_775_808.0;
    if float >= limit {
        Ordering::Less
    } else if float < -limit {
        Ordering::Greater
    } else {
        // Where both are the same int, it is what stands behind the float's point.
        int.cmp(&(float as INT)).then_with(|| 0.0_f64.total_cmp(&(float.fract() + 0.0)))
    }
}

fn byte(found: Option<&u8>, call: &str) -> Result<INT, Raise> {
    found.copied().map(INT::from).ok_or_else(|| empty(call))
}

fn empty(call: &str) -> Raise {
    raise("ValueError", format!("{call}() of an array without elements"))
}

fn sort(context: &NativeCallContext, array: &Array, descending: bool) -> Result<(), Raise> {
    let Some(code) = array.shape().code() else {
        return Err(raise("TypeError", "records have no order: sort() is for arrays of single elements"));
    };
    at_length(context, array, |block| order::sort(block.cells(), code, descending))
}

fn bins(count: INT, low: &Dynamic, high: &Dynamic) -> Result<Bins, Raise> {
    let end = |value: &Dynamic| match scalar(value) {
        Some(Scalar::Int(int)) => Ok(int as f64),
        Some(Scalar::Float(float)) => Ok(float),
        _ => {
            let value = described(value);
            Err(raise("TypeError", format!("histogram() goes from a number to a number, not to {value}")))
        }
    };
    let (low, high) = (end(low)?, end(high)?);
    if !(1..=MOST_BINS).contains(&count) {
        return Err(raise("ValueError", format!("histogram() has 1 to {MOST_BINS} bins, not {count}")));
    }
    let bins = usize::try_from(count).ok().and_then(|count| Bins::new(count, low, high));
    bins.ok_or_else(|| {
        let (low, high) = (dynamic(Scalar::Float(low)), dynamic(Scalar::Float(high)));
        raise(
            "ValueError",
            format!("histogram() goes from a lower number to a higher one, not from {low} to {high}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_and_floats_are_compared_exactly() {
        let large = 1 << 53;
        for (int, float, order) in [
            (large + 1, large as f64, Ordering::Greater),
            (large, large as f64, Ordering::Equal),
            (INT::MAX, 9_223_372_036_854_775_808.0, Ordering::Less),
            (INT::MIN, -9_223_372_036_854_775_808.0, Ordering::Equal),
            (INT::MIN, -9_223_372_036_854_777_856.0, Ordering::Greater),
            (0, 0.5, Ordering::Less),
            (0, -0.5, Ordering::Greater),
            (-1, -0.5, Ordering::Less),
            (0, -0.0, Ordering::Equal),
            (7, f64::INFINITY, Ordering::Less),
            (7, f64::NEG_INFINITY, Ordering::Greater),
        ] {
            assert_eq!(compare(int, float), order, "{int} {float}");
        }
    }
}
