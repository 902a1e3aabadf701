//! Interpolated strings.

use std::fmt::Write;

use rhai::{Dynamic, EvalAltResult, FloatWrapper};

use super::Run;
use super::evaluate::evaluate;
use crate::native::site::{Site, What};

/// Appends a value as it is printed; false, and nothing appended, if only the engine knows how.
pub fn append(text: &mut String, value: &Dynamic) -> bool {
    if let Ok(part) = value.as_immutable_string_ref() {
        text.push_str(&part);
    } else if let Ok(number) = value.as_int() {
        let _ = write!(text, "{number}");
    } else if let Ok(number) = value.as_float() {
        let _ = write!(text, "{}", FloatWrapper::new(number));
    } else if let Ok(character) = value.as_char() {
        text.push(character);
    } else if let Ok(truth) = value.as_bool() {
        let _ = write!(text, "{truth}");
    } else {
        return value.is_unit();
    }
    true
}

/// The parts in one string.
pub fn join(
    run: &mut Run,
    level: i64,
    site: &Site,
    parts: &mut [Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    let mut text = String::new();
    if parts.iter().all(|part| append(&mut text, part)) {
        return Ok(text.into());
    }
    let What::Engine(evaluated) = &site.what else { return Err("no string stands here".into()) };
    evaluate(run, level, evaluated, parts, None).result()
}
