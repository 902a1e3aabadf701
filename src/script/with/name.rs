//! The name behind `as`.
//!
//! The parser does not know that it is a variable of the block. So it is none of the scope, whose places the
//! parser has counted: the engine's variable resolver asks [`bound`]. Where the scope has a variable of that
//! name, the block's uses mean that one, and it holds the resource for the time being.

use std::cell::RefCell;
use std::collections::HashSet;

use rhai::{Dynamic, EvalContext};

/// A name that holds a resource, in one call of a function.
struct Binding {
    name: String,
    level: usize,
    value: Dynamic,
}

thread_local! {
    /// Every name that stands behind an `as`.
    static NAMES: RefCell<HashSet<String>> = RefCell::default();
    /// The blocks that run now, innermost last.
    static BOUND: RefCell<Vec<Binding>> = const { RefCell::new(Vec::new()) };
}

/// How a name was bound, and what to do about it afterwards.
pub enum Bound {
    /// The resolver knows it.
    Resolver,
    /// A variable of the scope had this value.
    Variable(String, Dynamic),
}

/// The parser came upon `name`.
pub fn note(name: &str) {
    NAMES.with_borrow_mut(|names| names.insert(name.to_owned()));
}

/// Lets `name` mean `value` in the call that runs.
pub fn bind(context: &mut EvalContext, name: &str, value: Dynamic) -> Bound {
    if let Some(variable) = context.scope_mut().get_mut(name) {
        return Bound::Variable(name.to_owned(), std::mem::replace(variable, value));
    }
    let level = context.call_level();
    BOUND.with_borrow_mut(|bound| bound.push(Binding { name: name.to_owned(), level, value }));
    Bound::Resolver
}

/// The name means again what it did before.
pub fn unbind(context: &mut EvalContext, bound: Bound) {
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
