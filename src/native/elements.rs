//! What is known of the elements of arrays.
//!
//! Invariants
//! 1. A variable of an array type holds such an array whatever the engine did: it is raised to any type by all that
//!    might put something else into it, and is not exposed.

use rhai::Dynamic;

use super::ir::Step;
use super::types::{DEEPEST, Type};

/// How an array's method works on what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It reads, or takes elements away or around.
    None,
    /// It puts its one argument in.
    Adds,
    /// It may do anything.
    Any,
}

/// What the built-in method of an array does.
pub fn effect(name: &str, arguments: usize) -> Effect {
    match (name, arguments) {
        ("len" | "is_empty" | "pop" | "shift" | "clear" | "reverse" | "sort", 0) => Effect::None,
        ("contains" | "remove" | "truncate" | "chop", 1) => Effect::None,
        ("push", 1) => Effect::Adds,
        _ => Effect::Any,
    }
}

/// The type of what these steps lead to.
pub fn at(root: Type, steps: &[Step]) -> Type {
    steps.iter().fold(root, |kind, step| match step {
        Step::Item(_) => kind.element(),
        Step::Property(_) if kind == Type::Never => kind,
        Step::Property(_) => Type::Any,
    })
}

/// The type of `root` after something of a type was stored where the steps lead to.
pub fn stored(root: Type, steps: &[Step], new: Type) -> Type {
    match steps {
        [] => new,
        [Step::Item(_), rest @ ..] if root.is_array() => {
            let element = root.element();
            Type::array_of(element.join(stored(element, rest, new)))
        }
        _ if root == Type::Never => root,
        _ => Type::Any,
    }
}

/// The type of a value, what its arrays hold included. Every element is looked at, but in an array of anything.
pub fn of(value: &Dynamic) -> Type {
    within(value, DEEPEST)
}

/// The same, with arrays in each other to this depth.
fn within(value: &Dynamic, depth: u8) -> Type {
    if value.tag() != 0 || value.is_shared() {
        return Type::Any;
    }
    let Ok(array) = value.as_array_ref() else { return scalar(value) };
    if depth == 0 {
        return Type::array_of(Type::Any);
    }
    let mut element = Type::Never;
    for item in array.iter() {
        let kind = if item.is_read_only() { Type::Any } else { within(item, depth - 1) };
        element = element.join(kind);
        if element == Type::Any {
            break;
        }
    }
    Type::array_of(element)
}

/// The type of a value as far as it costs nothing to see.
pub fn scalar(value: &Dynamic) -> Type {
    if value.tag() != 0 || value.is_shared() {
        return Type::Any;
    }
    match value {
        value if value.is_int() => Type::Int,
        value if value.is_float() => Type::Float,
        value if value.is_bool() => Type::Bool,
        value if value.is_char() => Type::Char,
        value if value.is_unit() => Type::Unit,
        _ => Type::Any,
    }
}
