//! Columns and ASCII case.

use rhai::{Engine, INT};

use super::Outcome;
use crate::wire::Error;

/// The widest column: a width beyond it is a mistake, not a wish for so much memory.
const WIDEST: usize = 1 << 20;

pub fn register(engine: &mut Engine) {
    engine.register_fn("ljust", |text: &str, width: INT| -> Outcome<String> {
        Ok(format!("{text}{}", gap(text, width)?))
    });
    engine.register_fn("rjust", |text: &str, width: INT| -> Outcome<String> {
        Ok(format!("{}{text}", gap(text, width)?))
    });
    engine.register_fn("to_ascii_lower", |text: &str| text.to_ascii_lowercase());
}

/// The blanks that bring the text to so many characters; none for a longer one.
fn gap(text: &str, width: INT) -> Outcome<String> {
    let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
    if width > WIDEST {
        return Err(Error::new("ValueError", format!("a width of {width} is more than {WIDEST}")).raise());
    }
    Ok(" ".repeat(width.saturating_sub(text.chars().count())))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{eval, fails};

    #[test]
    fn columns_are_filled_with_blanks() {
        assert_eq!(
            eval::<String>(r#""äb".ljust(4) + "|" + rjust("c", 3) + "|" + "long".rjust(2)"#),
            "äb  |  c|long"
        );
        assert_eq!(eval::<String>(r#""x".ljust(-5)"#), "x");
        assert_eq!(fails(r#""x".rjust(9223372036854775807)"#).kind(), "ValueError");
    }

    #[test]
    fn only_ascii_letters_change_case() {
        // The Kelvin sign is no K.
        assert_eq!(eval::<String>("to_ascii_lower(\"AbÄ\u{212A}\")"), "abÄ\u{212A}");
    }
}
