//! Arithmetic that has no instruction.

pub extern "C" fn shift_left(x: i64, y: i64) -> i64 {
    match y {
        0..=63 => x << y,
        64.. => 0,
        _ => shift_right(x, y.checked_abs().unwrap_or(i64::MAX)),
    }
}

pub extern "C" fn shift_right(x: i64, y: i64) -> i64 {
    match y {
        0..=63 => x >> y,
        // As the engine does: by all bits that the count of 32 leaves.
        64.. => x.wrapping_shr(u32::MAX),
        _ => shift_left(x, y.checked_abs().unwrap_or(i64::MAX)),
    }
}

pub extern "C" fn power_fails(x: i64, y: i64) -> i64 {
    i64::from(u32::try_from(y).ok().and_then(|y| x.checked_pow(y)).is_none())
}

pub extern "C" fn power(x: i64, y: i64) -> i64 {
    u32::try_from(y).ok().and_then(|y| x.checked_pow(y)).unwrap_or(0)
}

pub extern "C" fn float_modulo(x: f64, y: f64) -> f64 {
    x % y
}

pub extern "C" fn float_power(x: f64, y: f64) -> f64 {
    x.powf(y)
}

#[allow(improper_ctypes_definitions, reason = "only handed through, and called from here")]
pub extern "C" fn float_1(function: fn(f64) -> f64, x: f64) -> f64 {
    function(x)
}

#[allow(improper_ctypes_definitions, reason = "only handed through, and called from here")]
pub extern "C" fn float_2(function: fn(f64, f64) -> f64, x: f64, y: f64) -> f64 {
    function(x, y)
}
