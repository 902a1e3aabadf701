//! Whether an entry is whole, or goes on in the next line.

use rhai::{Engine, LexError, ParseErrorType};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Completer, Helper, Highlighter, Hinter};

use crate::script::engine;

/// Decides at each Enter.
#[derive(Completer, Helper, Highlighter, Hinter)]
pub struct Entry {
    engine: Engine,
}

impl Default for Entry {
    fn default() -> Self {
        Self { engine: engine::build() }
    }
}

impl Validator for Entry {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(if goes_on(&self.engine, context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

/// Whether `text` only lacks its end: what is wrong with it is that it stops. Two empty lines end an
/// entry all the same, so that nobody is caught in one.
fn goes_on(engine: &Engine, text: &str) -> bool {
    if text.ends_with("\n\n") || text.ends_with("\n") && text.trim().is_empty() {
        return false;
    }
    let Err(error) = engine.compile(text) else { return false };
    let lines = text.lines().count().max(1);
    let last = text.lines().last().unwrap_or_default().trim_end().chars().count();
    let position = error.position();
    let at_end = position.is_none()
        || position
            .line()
            .is_some_and(|line| line > lines || line == lines && position.position().unwrap_or(0) > last);
    match error.err_type() {
        ParseErrorType::UnexpectedEOF | ParseErrorType::BadInput(LexError::UnterminatedString) => true,
        _ => at_end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_goes_on_while_something_is_open() {
        let engine = Engine::new();
        for text in ["fn f(x) {", "if true {\n  print(1);", "[1,\n 2,", "f(1,", "`text", "#{a: 1,", "let x ="]
        {
            assert!(goes_on(&engine, text), "{text:?}");
        }
    }

    #[test]
    fn whole_and_wrong_entries_end() {
        let engine = Engine::new();
        for text in ["1 + 1", "fn f(x) { x }", "let x = ;", ")", "let 1 = 2", "fn f(x) {\n\n"] {
            assert!(!goes_on(&engine, text), "{text:?}");
        }
    }
}
