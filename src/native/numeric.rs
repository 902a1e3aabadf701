//! The numeric standard functions that are compiled in line, while they are the built-in ones.

use super::types::Type;

/// A standard function on numbers.
#[derive(Clone, Copy, Debug)]
pub enum Standard {
    Sqrt,
    Floor,
    Ceiling,
    Truncate,
    AbsInt,
    AbsFloat,
    ToFloat,
    ToInt,
    MaxInt,
    MinInt,
    /// Called from the mathematics library with one argument.
    Call(fn(f64) -> f64),
    Call2(fn(f64, f64) -> f64),
    IsNan,
    Odd,
    Even,
    Zero,
    Number(f64),
}

fn ln(x: f64) -> f64 {
    x.ln()
}

/// The function that the engine finds for these arguments, and the type of its result.
pub fn standard(name: &str, arguments: &[Type]) -> Option<(Standard, Type)> {
    use Type::{Bool, Float, Int};
    Some(match (name, arguments) {
        ("PI", []) => (Standard::Number(std::f64::consts::PI), Float),
        ("E", []) => (Standard::Number(std::f64::consts::E), Float),
        ("sqrt", [Float]) => (Standard::Sqrt, Float),
        ("floor", [Float]) => (Standard::Floor, Float),
        ("ceiling", [Float]) => (Standard::Ceiling, Float),
        ("int", [Float]) => (Standard::Truncate, Float),
        ("abs", [Float]) => (Standard::AbsFloat, Float),
        ("abs", [Int]) => (Standard::AbsInt, Int),
        ("to_float", [Int]) => (Standard::ToFloat, Float),
        ("to_int", [Float]) => (Standard::ToInt, Int),
        ("max", [Int, Int]) => (Standard::MaxInt, Int),
        ("min", [Int, Int]) => (Standard::MinInt, Int),
        ("sin", [Float]) => (Standard::Call(f64::sin), Float),
        ("cos", [Float]) => (Standard::Call(f64::cos), Float),
        ("tan", [Float]) => (Standard::Call(f64::tan), Float),
        ("asin", [Float]) => (Standard::Call(f64::asin), Float),
        ("acos", [Float]) => (Standard::Call(f64::acos), Float),
        ("atan", [Float]) => (Standard::Call(f64::atan), Float),
        ("sinh", [Float]) => (Standard::Call(f64::sinh), Float),
        ("cosh", [Float]) => (Standard::Call(f64::cosh), Float),
        ("tanh", [Float]) => (Standard::Call(f64::tanh), Float),
        ("exp", [Float]) => (Standard::Call(f64::exp), Float),
        ("ln", [Float]) => (Standard::Call(ln), Float),
        ("round", [Float]) => (Standard::Call(f64::round), Float),
        ("atan", [Float, Float]) => (Standard::Call2(f64::atan2), Float),
        ("hypot", [Float, Float]) => (Standard::Call2(f64::hypot), Float),
        ("is_nan", [Float]) => (Standard::IsNan, Bool),
        ("is_odd", [Int]) => (Standard::Odd, Bool),
        ("is_even", [Int]) => (Standard::Even, Bool),
        ("is_zero", [Int]) => (Standard::Zero, Bool),
        _ => return None,
    })
}
