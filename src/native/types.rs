//! Static types, and what is known of a function's forms.

use std::collections::HashMap;
use std::rc::Rc;

use super::ir::{ConstantId, Function, Op};

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
    /// An array, in memory, that holds values of one type alone: so many arrays in each other, and what the
    /// innermost hold. One that holds nothing at all holds `Never`.
    Array(u8, &'static Self),
    /// A value of any type, in memory.
    Any,
}

/// How deep arrays of arrays are told apart.
pub const DEEPEST: u8 = 3;

impl Type {
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, one) | (one, Self::Never) => one,
            (one, two) if one == two => one,
            (Self::Array(..), Self::Array(..)) => Self::array_of(self.element().join(other.element())),
            _ => Self::Any,
        }
    }

    /// An array that holds values of this type alone.
    pub const fn array_of(element: Self) -> Self {
        match element {
            Self::Never => Self::Array(1, &Self::Never),
            Self::Unit => Self::Array(1, &Self::Unit),
            Self::Bool => Self::Array(1, &Self::Bool),
            Self::Char => Self::Array(1, &Self::Char),
            Self::Int => Self::Array(1, &Self::Int),
            Self::Float => Self::Array(1, &Self::Float),
            Self::Array(depth, of) if depth < DEEPEST => Self::Array(depth + 1, of),
            Self::Array(..) | Self::Any => Self::Array(1, &Self::Any),
        }
    }

    /// What a value of this type holds, if it is an array; anything, if not.
    pub const fn element(self) -> Self {
        match self {
            Self::Array(1, of) => *of,
            Self::Array(depth, of) => Self::Array(depth - 1, of),
            Self::Never => Self::Never,
            _ => Self::Any,
        }
    }

    pub const fn is_array(self) -> bool {
        matches!(self, Self::Array(..))
    }

    /// Values of this type stand in memory as the engine has them.
    pub const fn is_boxed(self) -> bool {
        matches!(self, Self::Array(..) | Self::Any)
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
    /// The type of a constant of the program.
    fn constant_type(&self, constant: ConstantId) -> Type;
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
