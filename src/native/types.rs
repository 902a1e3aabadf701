//! Static types, and what is known of a function's forms.

use std::collections::HashMap;
use std::rc::Rc;

use super::ir::{Function, Op};

/// A static type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// No value: what stands here ends elsewhere.
    Never,
    Unit,
    Bool,
    Char,
    Int,
    Float,
    /// A value of any type, in memory.
    Any,
}

impl Type {
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, one) | (one, Self::Never) => one,
            (one, two) if one == two => one,
            _ => Self::Any,
        }
    }

    pub const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }
}

/// A function and the types of its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub function: usize,
    pub parameters: Vec<Type>,
}

/// What was found about a form of a function.
#[derive(Clone, Debug)]
pub struct Form {
    pub variables: Vec<Type>,
    pub result: Type,
}

/// Forms that belong together, and the place of each in the list.
pub struct Found {
    pub forms: Vec<(Key, Form)>,
    pub places: HashMap<Key, usize>,
}

/// Where functions come from, lowered when they are first needed.
pub trait Functions {
    /// None if the function stays with the interpreter.
    fn lowered(&self, function: usize) -> Option<Rc<Function>>;
    /// Whether the program defines a function of this name, whatever its arity.
    fn defines(&self, name: &str) -> bool;
    /// The result of a form that exists already.
    fn result(&self, key: &Key) -> Option<Type>;
}

/// The type of `left op right`.
pub fn binary(op: Op, left: Type, right: Type) -> Type {
    if left == Type::Never || right == Type::Never {
        return Type::Never;
    }
    if op.compares() {
        return Type::Bool;
    }
    let bits = matches!(op, Op::And | Op::Or | Op::Xor);
    match (left, right) {
        (Type::Int, Type::Int) => Type::Int,
        (Type::Bool, Type::Bool) if bits => Type::Bool,
        (left, right)
            if left.is_number()
                && right.is_number()
                && !bits
                && !matches!(op, Op::ShiftLeft | Op::ShiftRight) =>
        {
            Type::Float
        }
        _ => Type::Any,
    }
}
