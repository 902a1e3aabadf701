//! Operators on values of any type: numbers and strings here, everything else by the engine.

use rhai::{Dynamic, EvalAltResult, ImmutableString};

use super::Run;
use super::evaluate::evaluate;
use super::{native, text};
use crate::native::ir::Op;
use crate::native::site::{Site, What};

type Outcome = Result<Dynamic, Box<EvalAltResult>>;

/// Rhai's comparison of floats, as the engine has it.
fn floats(op: Op, x: f64, y: f64) -> bool {
    let max = if x * y == 0.0 { 1.0 } else { x.abs().max(y.abs()) };
    let equal = matches!(op, Op::Equal | Op::LessOrEqual | Op::GreaterOrEqual);
    if max == 0.0 {
        return equal;
    }
    match op {
        Op::Equal => (x - y).abs() / max <= f64::EPSILON,
        Op::NotEqual => (x - y).abs() / max > f64::EPSILON,
        Op::Greater => (x - y) / max > f64::EPSILON,
        Op::GreaterOrEqual => (x - y) / max > -f64::EPSILON,
        Op::Less => (y - x) / max > f64::EPSILON,
        _ => (y - x) / max > -f64::EPSILON,
    }
}

fn ordered<T: Ord + ?Sized>(op: Op, x: &T, y: &T) -> bool {
    match op {
        Op::Equal => x == y,
        Op::NotEqual => x != y,
        Op::Less => x < y,
        Op::LessOrEqual => x <= y,
        Op::Greater => x > y,
        _ => x >= y,
    }
}

fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|number| number as f64))
}

/// The comparison, if it is one of the engine's own that is known here.
fn compared(op: Op, left: &Dynamic, right: &Dynamic) -> Option<bool> {
    if let (Ok(x), Ok(y)) = (left.as_int(), right.as_int()) {
        return Some(ordered(op, &x, &y));
    }
    if let (Some(x), Some(y)) = (number(left), number(right)) {
        return Some(floats(op, x, y));
    }
    if let (Ok(x), Ok(y)) = (left.as_immutable_string_ref(), right.as_immutable_string_ref()) {
        return Some(ordered(op, x.as_str(), y.as_str()));
    }
    if let (Ok(x), Ok(y)) = (left.as_char(), right.as_char()) {
        return Some(ordered(op, &x, &y));
    }
    if let (Ok(x), Ok(y)) = (left.as_bool(), right.as_bool()) {
        return Some(ordered(op, &x, &y));
    }
    if left.is_string() && right.is_char() || left.is_char() && right.is_string() {
        return None;
    }
    let plain = |value: &Dynamic| {
        value.is_int()
            || value.is_float()
            || value.is_bool()
            || value.is_char()
            || value.is_string()
            || value.is_unit()
    };
    // Values of different types are unequal, and in no order.
    (plain(left) && plain(right) && left.type_id() != right.type_id()).then_some(op == Op::NotEqual)
}

/// 0 or 1.
pub fn compare(
    run: &mut Run,
    level: i64,
    site: &Site,
    left: &Dynamic,
    right: &Dynamic,
) -> Result<bool, Box<EvalAltResult>> {
    let What::Operator(op, _) = &site.what else { return Err("no operator stands here".into()) };
    if left.is_shared() || right.is_shared() {
        let (left, right) = (left.flatten_clone(), right.flatten_clone());
        return compare(run, level, site, &left, &right);
    }
    if let Some(found) = compared(*op, left, right) {
        return Ok(found);
    }
    let value = by_engine(run, level, site, left, right)?;
    value.as_bool().map_err(|kind| {
        let (wanted, kind) = ("bool".to_owned(), kind.to_owned());
        EvalAltResult::ErrorMismatchDataType(wanted, kind, site.position).into()
    })
}

fn by_engine(run: &mut Run, level: i64, site: &Site, left: &Dynamic, right: &Dynamic) -> Outcome {
    let (What::Operator(_, evaluated) | What::Update(_, evaluated)) = &site.what else {
        return Err("no operator stands here".into());
    };
    let mut values = [left.clone(), right.clone()];
    evaluate(run, level, evaluated, &mut values, None).result()
}

fn concatenated(left: &Dynamic, right: &Dynamic) -> Option<Dynamic> {
    let mut joined = String::new();
    if let Ok(left) = left.as_immutable_string_ref() {
        joined.reserve(left.len() + 8);
        joined.push_str(&left);
        if !(right.is_int() || right.is_float() || right.is_bool() || right.is_char() || right.is_string()) {
            return None;
        }
        text::append(&mut joined, right).then(|| joined.into())
    } else if let (Ok(left), Ok(right)) = (left.as_char(), right.as_immutable_string_ref()) {
        joined.push(left);
        joined.push_str(&right);
        Some(joined.into())
    } else {
        None
    }
}

pub fn binary(run: &mut Run, level: i64, site: &Site, left: &Dynamic, right: &Dynamic) -> Outcome {
    let What::Operator(op, _) = &site.what else { return Err("no operator stands here".into()) };
    if left.is_shared() || right.is_shared() {
        let (left, right) = (left.flatten_clone(), right.flatten_clone());
        return binary(run, level, site, &left, &right);
    }
    if let (Some(x), Some(y)) = (number(left), number(right))
        && (left.is_float() || right.is_float())
    {
        let value = match op {
            Op::Add => Some(x + y),
            Op::Subtract => Some(x - y),
            Op::Multiply => Some(x * y),
            Op::Divide => Some(x / y),
            _ => None,
        };
        if let Some(value) = value {
            return Ok(value.into());
        }
    }
    if *op == Op::Add
        && let Some(joined) = concatenated(left, right)
    {
        return Ok(joined);
    }
    by_engine(run, level, site, left, right)
}

/// `target op= value`.
pub fn update(
    run: &mut Run,
    level: i64,
    site: &Site,
    target: &mut Dynamic,
    value: &Dynamic,
) -> Result<(), Box<EvalAltResult>> {
    let What::Update(op, evaluated) = &site.what else { return Err("no operator stands here".into()) };
    if !target.is_shared() && !value.is_shared() && !target.is_read_only() && *op == Op::Add {
        if let (Some(x), Some(y)) = (target.as_float().ok(), number(value)) {
            *target = (x + y).into();
            return Ok(());
        }
        if target.is_string() && appended(target, value) {
            return Ok(());
        }
    }
    let special = target.is_shared() || target.is_read_only();
    let function = (op.assigning(), evaluated);
    let arguments = &mut [target, &mut value.flatten_clone()];
    native::call_found(run, level, site, function, arguments, false, special).map(|_| ())
}

fn appended(target: &mut Dynamic, value: &Dynamic) -> bool {
    let Ok(mut text) = target.as_immutable_string_mut() else { return false };
    if let Ok(more) = value.as_immutable_string_ref() {
        *text += ImmutableString::clone(&more);
        return true;
    }
    if let Ok(more) = value.as_char() {
        *text += more;
        return true;
    }
    false
}

/// Whether a value is a case's constant: of the same type, and equal.
pub fn same(value: &Dynamic, constant: &Dynamic) -> bool {
    if value.is_shared() {
        return same(&value.flatten_clone(), constant);
    }
    value.type_id() == constant.type_id() && compared(Op::Equal, value, constant) == Some(true)
}

/// Whether a number lies in a case's range.
pub fn within(value: &Dynamic, start: i64, end: i64, closed: bool) -> bool {
    if value.is_shared() {
        return within(&value.flatten_clone(), start, end, closed);
    }
    if let Ok(value) = value.as_int() {
        return value >= start && (value < end || closed && value == end);
    }
    let Ok(value) = value.as_float() else { return false };
    let (start, end) = (start as f64, end as f64);
    value >= start && (value < end || closed && value <= end)
}
