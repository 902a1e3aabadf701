//! The `with` statement: `with EXPR as NAME { ... }` and `with EXPR { ... }`.
//!
//! It enters a resource and always leaves it: at the end of the block, on `return`, `break`, `continue`
//! and on an error. Those all arrive here as `Err`, so there is one way out.
//!
//! A type takes part by having `__enter__` and `__exit__` registered as methods; the value of `__enter__`
//! is what NAME is bound to.

use rhai::{
    Dynamic, Engine, EvalAltResult, EvalContext, Expression, ImmutableString, ParseError, ParseErrorType,
    Position,
};

use super::raise::{RhaiResult, raise};
use super::signature::described;

/// Registers the statement.
pub fn register(engine: &mut Engine) {
    engine.register_custom_syntax_with_state_raw("with", next, true, run);
}

/// What may follow the symbols read so far.
fn next(
    symbols: &[ImmutableString],
    ahead: &str,
    _: &mut Dynamic,
) -> Result<Option<ImmutableString>, ParseError> {
    let expected = match symbols.len() {
        1 => "$expr$",
        2 if ahead == "as" => "as",
        2 => "$block$",
        3 if symbols.get(2).is_some_and(|symbol| symbol == "as") => "$ident$",
        3 | 5 => return Ok(None),
        4 => "$block$",
        _ => {
            return Err(ParseError(
                ParseErrorType::BadInput(rhai::LexError::UnexpectedInput(ahead.into())).into(),
                Position::NONE,
            ));
        }
    };
    Ok(Some(expected.into()))
}

fn run(context: &mut EvalContext, inputs: &[Expression], _: &Dynamic) -> RhaiResult {
    let (resource, name, block) = match inputs {
        [resource, block] => (resource, None, block),
        [resource, name, block] => (resource, name.get_string_value(), block),
        _ => {
            return Err(raise(
                "RuntimeError",
                "'with' takes an expression, perhaps 'as' and a name, and a block",
            ));
        }
    };
    let position = resource.position();
    let at = |mut error: Box<EvalAltResult>| {
        if error.position().is_none() {
            error.set_position(position);
        }
        error
    };
    let mut resource = context.eval_expression_tree(resource)?;
    let entered = match context.call_native_fn_raw("__enter__", true, &mut [&mut resource]) {
        Err(error) if matches!(*error, EvalAltResult::ErrorFunctionNotFound(..)) => {
            let kind = described(&resource);
            return Err(at(raise(
                "TypeError",
                format!("'with' wants something that can be entered and left, not {kind}"),
            )));
        }
        entered => entered.map_err(at)?,
    };
    let before = context.scope().len();
    if let Some(name) = name {
        context.scope_mut().push_dynamic(name.to_owned(), entered);
    }
    let result = context.eval_expression_tree(block);
    context.scope_mut().rewind(before);
    let left = context.call_native_fn_raw("__exit__", true, &mut [&mut resource]);
    // What went wrong in the block is the news; leaving comes second.
    let value = result?;
    let _ = left.map_err(at)?;
    Ok(value)
}
