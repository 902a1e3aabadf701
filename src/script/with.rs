//! The `with` statement: `with EXPR as NAME { ... }` and `with EXPR { ... }`.
//!
//! It enters a resource and always leaves it: at the end of the block, on `return`, `break`, `continue`
//! and on an error. Those all arrive here as `Err`, so there is one way out.
//!
//! The parser does not know that NAME is a variable of the block. So it is none of the scope, whose places
//! the parser has counted: the engine's variable resolver asks [`bound`]. Where the scope has a variable of
//! that name, the block's uses mean that one, and it holds the resource for the time being.
//!
//! A type takes part by having `__enter__` and `__exit__` registered as methods; the value of `__enter__`
//! is what NAME is bound to. One that is entered in loops also has a [`door`].

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashSet;
use std::marker::PhantomData;
use std::rc::Rc;

use rhai::{
    Dynamic, Engine, EvalAltResult, EvalContext, Expression, ImmutableString, ParseError, ParseErrorType,
    Position,
};

use super::raise::{Raise, RhaiResult, raise};
use super::runtime;
use super::signature::described;

/// Registers the statement.
pub fn register(engine: &mut Engine) {
    // `false`: the statement declares nothing in the scope (see `bind`), so what stands around it may be
    // compiled, and closures may have it in them.
    engine.register_custom_syntax_with_state_raw("with", next, false, run);
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
        4 => {
            if let Some(name) = symbols.get(3) {
                NAMES.with_borrow_mut(|names| names.insert(name.to_string()));
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
    runtime::at_position(position);
    let door = find_door(&resource);
    let entered = match &door {
        Some(door) => door.enter(&resource),
        None => context.call_native_fn_raw("__enter__", true, &mut [&mut resource]),
    };
    let entered = match entered {
        Err(error) if matches!(*error, EvalAltResult::ErrorFunctionNotFound(..)) => {
            let kind = described(&resource);
            return Err(at(raise(
                "TypeError",
                format!("'with' wants something that can be entered and left, not {kind}"),
            )));
        }
        entered => entered.map_err(at)?,
    };
    let bound = name.map(|name| bind(context, name, entered));
    let result = context.eval_expression_tree(block);
    if let Some(bound) = bound {
        unbind(context, bound);
    }
    let left = match &door {
        Some(door) => door.leave(&resource),
        None => context.call_native_fn_raw("__exit__", true, &mut [&mut resource]),
    };
    // What went wrong in the block is the news; leaving comes second.
    let value = result?;
    let _ = left.map_err(at)?;
    Ok(value)
}

/// Entering and leaving a type's values, without the engine: for a call from here it looks for the function anew
/// each time, which takes longer than what locks do.
trait Door {
    fn enter(&self, resource: &Dynamic) -> RhaiResult;
    fn leave(&self, resource: &Dynamic) -> RhaiResult;
}

struct DoorOf<T, E, L> {
    enter: E,
    leave: L,
    resources: PhantomData<T>,
}

impl<T, E, L> Door for DoorOf<T, E, L>
where
    T: Clone + 'static,
    E: Fn(&T) -> RhaiResult,
    L: Fn(&T) -> Result<(), Raise>,
{
    fn enter(&self, resource: &Dynamic) -> RhaiResult {
        // A copy, as entering may wait: nobody is to find the variable in use meanwhile.
        resource
            .clone()
            .flatten()
            .try_cast::<T>()
            .map_or(Ok(Dynamic::UNIT), |resource| (self.enter)(&resource))
    }

    fn leave(&self, resource: &Dynamic) -> RhaiResult {
        let resource = resource.clone().flatten().try_cast::<T>();
        resource.map_or(Ok(()), |resource| (self.leave)(&resource)).map(Dynamic::from)
    }
}

/// Says what `with` does with values of type `T`. Neither function calls the script.
pub fn door<T: Clone + 'static>(
    enter: impl Fn(&T) -> RhaiResult + 'static,
    leave: impl Fn(&T) -> Result<(), Raise> + 'static,
) {
    let door: Rc<dyn Door> = Rc::new(DoorOf { enter, leave, resources: PhantomData });
    DOORS.with_borrow_mut(|doors| {
        // Another engine of this process said the same.
        doors.retain(|(known, _)| *known != TypeId::of::<T>());
        doors.push((TypeId::of::<T>(), door));
    });
}

fn find_door(resource: &Dynamic) -> Option<Rc<dyn Door>> {
    let wanted = resource.type_id();
    DOORS.with_borrow(|doors| {
        doors.iter().find(|(known, _)| *known == wanted).map(|(_, door)| Rc::clone(door))
    })
}

/// A name that holds a resource, in one call of a function.
struct Binding {
    name: String,
    level: usize,
    value: Dynamic,
}

thread_local! {
    /// The types that have a door.
    static DOORS: RefCell<Vec<(TypeId, Rc<dyn Door>)>> = const { RefCell::new(Vec::new()) };
    /// Every name that stands behind an `as`.
    static NAMES: RefCell<HashSet<String>> = RefCell::default();
    /// The blocks that run now, innermost last.
    static BOUND: RefCell<Vec<Binding>> = const { RefCell::new(Vec::new()) };
}

/// How a name was bound, and what to do about it afterwards.
enum Bound {
    /// The resolver knows it.
    Resolver,
    /// A variable of the scope had this value.
    Variable(String, Dynamic),
}

fn bind(context: &mut EvalContext, name: &str, value: Dynamic) -> Bound {
    if let Some(variable) = context.scope_mut().get_mut(name) {
        return Bound::Variable(name.to_owned(), std::mem::replace(variable, value));
    }
    let level = context.call_level();
    BOUND.with_borrow_mut(|bound| bound.push(Binding { name: name.to_owned(), level, value }));
    Bound::Resolver
}

fn unbind(context: &mut EvalContext, bound: Bound) {
    match bound {
        Bound::Resolver => {
            BOUND.with_borrow_mut(Vec::pop);
        }
        Bound::Variable(name, value) => {
            if let Some(variable) = context.scope_mut().get_mut(&name) {
                *variable = value;
            }
        }
    }
}

/// What `name`, which the scope does not have, means in a call at `level`.
///
/// A closure with a `with` in it captures the block's name as if it were a variable from outside, before
/// the block binds it: such a name means `()` until then.
pub fn bound(name: &str, level: usize) -> Option<Dynamic> {
    let value = BOUND.with_borrow(|bound| {
        let mut inner = bound.iter().rev();
        inner
            .find(|binding| binding.level == level && binding.name == name)
            .map(|binding| binding.value.clone())
    });
    value.or_else(|| NAMES.with_borrow(|names| names.contains(name)).then_some(Dynamic::UNIT))
}
