//! The `with` statement: `with EXPR as NAME { ... }` and `with EXPR { ... }`.
//!
//! It enters a resource and always leaves it: at the end of the block, on `return`, `break`, `continue`
//! and on an error. Those all arrive here as `Err`, so there is one way out.
//!
//! A type takes part by having `__enter__` and `__exit__` registered as methods; the value of `__enter__`
//! is what NAME is bound to. One that is entered in loops has a door instead.
//!
//! | file | concept |
//! |---|---|
//! | `with/door.rs` | entering and leaving without the engine |
//! | `with/entered.rs` | what was entered and has to be left, with a door or without |
//! | `with/name.rs` | what NAME means |
//! | `with/short.rs` | short blocks, done statement by statement |
//! | `with/step.rs` | assignments to shared memory, done without the interpreter |

pub mod door;
mod entered;
mod name;
mod short;
pub mod step;

use rhai::{
    Dynamic, Engine, EvalAltResult, EvalContext, Expression, ImmutableString, ParseError, ParseErrorType,
    Position,
};

use super::raise::{RhaiResult, raise};
pub use entered::{Entered, exit};
pub use name::bound;
pub use short::compile;

/// Registers the statement.
pub fn register(engine: &mut Engine) {
    // `false`: the statement declares nothing in the scope (see `name`), so what stands around it may be
    // compiled, and closures may have it in them.
    engine.register_custom_syntax_with_state_raw("with", next, false, run);
}

/// What may follow the symbols read so far.
fn next(
    symbols: &[ImmutableString],
    ahead: &str,
    number: &mut Dynamic,
) -> Result<Option<ImmutableString>, ParseError> {
    let expected = match symbols.len() {
        1 => {
            *number = short::number();
            "$expr$"
        }
        2 if ahead == "as" => "as",
        2 => "$block$",
        3 if symbols.get(2).is_some_and(|symbol| symbol == "as") => "$ident$",
        3 | 5 => return Ok(None),
        4 => {
            if let Some(name) = symbols.get(3) {
                name::note(name);
            }
            "$block$"
        }
        _ => {
            return Err(ParseError(
                ParseErrorType::BadInput(rhai::LexError::UnexpectedInput(ahead.into())).into(),
                Position::NONE,
            ));
        }
    };
    Ok(Some(expected.into()))
}

fn run(context: &mut EvalContext, inputs: &[Expression], number: &Dynamic) -> RhaiResult {
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
    let known = short::find(number);
    let position = known.as_ref().map_or_else(|| resource.position(), |known| known.position);
    let short = known.as_ref().and_then(|known| known.short.as_ref());
    let inside = |context: &mut EvalContext, entered: &Entered| {
        let bound = name.map(|name| name::bind(context, name, entered.value()));
        let result = match short {
            Some(short) => short.run(context),
            None => context.eval_expression_tree(block),
        };
        if let Some(bound) = bound {
            name::unbind(context, bound);
        }
        result
    };
    let kept = short.and_then(short::Short::resource);
    let entered = kept.and_then(|kept| {
        let (name, lock_of) = match kept {
            short::Resource::Variable(name) => (name, false),
            short::Resource::LockOf(name) => (name, true),
            short::Resource::Other(_) => return None,
        };
        Entered::by_door(context.scope().get(name)?, lock_of, position)
    });
    let entered = match (entered, kept) {
        (Some(entered), _) => entered?,
        (None, Some(short::Resource::Other(tree))) => {
            let resource = context.eval_expression_tree(&Expression::from(tree))?;
            Entered::of(context, resource, position)?
        }
        (None, _) => {
            let resource = context.eval_expression_tree(resource)?;
            Entered::of(context, resource, position)?
        }
    };
    let result = inside(context, &entered);
    let left = entered.leave(|resource| exit(context, resource));
    match result {
        // What went wrong in the block is the news; leaving comes second.
        Err(error) if !jumps(&error) => Err(error),
        result => left.and(result),
    }
}

/// Whether it only leads out of the block.
fn jumps(error: &EvalAltResult) -> bool {
    matches!(error, EvalAltResult::Return(..) | EvalAltResult::LoopBreak(..))
}
