//! Assignments to elements of shared memory, done without the interpreter.
//!
//! `v.value += 1` is three calls to the interpreter, which looks for a function at each, and that takes many times
//! longer than the addition. Under a lock this is what others wait for. So an assignment whose place is an element
//! of shared memory, and whose value is made of numbers, such elements and variables by `+`, `-` and `*`, is done
//! here. Whether the variables hold what this needs is known at each run only: where one does not, where a result
//! does not fit, nothing has been changed, and the interpreter does the whole assignment, with its errors.

use std::any::TypeId;
use std::cell::RefCell;

use rhai::{ASTFlags, Dynamic, Expr, FLOAT, INT, ImmutableString, Position, Scope, Stmt, Token};

use crate::script::raise::Raise;
use crate::script::runtime;

/// Which element of a value.
pub enum Key<'a> {
    /// `value.name`.
    Property(&'a str),
    /// `value[index]`.
    Index(INT),
}

/// How elements of some type's values are read and written. `None`: it is for the interpreter to say what is wrong.
#[derive(Clone, Copy)]
pub struct Access {
    pub read: fn(&Dynamic, &Key) -> Option<Result<Dynamic, Raise>>,
    pub write: fn(&Dynamic, &Key, &Dynamic) -> Option<Result<(), Raise>>,
}

thread_local! {
    static TYPES: RefCell<Vec<(TypeId, Access)>> = const { RefCell::new(Vec::new()) };
}

/// Says how elements of values of type `T` are accessed.
pub fn register<T: 'static>(access: Access) {
    TYPES.with_borrow_mut(|types| {
        types.retain(|(known, _)| *known != TypeId::of::<T>());
        types.push((TypeId::of::<T>(), access));
    });
}

/// Why an assignment was not done.
pub enum Undone {
    /// It is one for the interpreter, and has changed nothing.
    Declined,
    Raised(Raise),
}

/// See the head of this file.
pub struct Assignment {
    place: Place,
    operator: Option<Operator>,
    value: Operand,
    position: Position,
}

impl Assignment {
    /// The assignment that `statement` is, if it is one of this kind.
    pub fn of(statement: &Stmt) -> Option<Self> {
        let Stmt::Assignment(parts) = statement else { return None };
        let (operation, sides) = &**parts;
        let operator = match operation.get_op_assignment_info() {
            Some((.., operator, _)) => Some(Operator::of(operator)?),
            None => None,
        };
        let (place, value) = (Place::of(&sides.lhs)?, Operand::of(&sides.rhs)?);
        Some(Self { place, operator, value, position: sides.lhs.start_position() })
    }

    /// Does it.
    pub fn perform(&self, scope: &Scope) -> Result<(), Undone> {
        runtime::at_position(self.position);
        let mut value = self.value.value(scope)?;
        let found = self.place.find(scope)?;
        if let Some(operator) = self.operator {
            value = operator.apply(found.read()?, value).ok_or(Undone::Declined)?;
        }
        found.write(value)
    }
}

/// An element of what a variable holds.
struct Place {
    variable: ImmutableString,
    element: Element,
}

enum Element {
    Property(ImmutableString),
    Index(Box<Operand>),
}

impl Place {
    fn of(expression: &Expr) -> Option<Self> {
        let (sides, element) = match expression {
            Expr::Dot(sides, flags, _) if !flags.contains(ASTFlags::NEGATED) => {
                let Expr::Property(property, _) = &sides.rhs else { return None };
                (sides, Element::Property(property.2.clone()))
            }
            // Without the flag, what follows the bracket is part of the right side.
            Expr::Index(sides, flags, _) if *flags == ASTFlags::BREAK => {
                (sides, Element::Index(Operand::of(&sides.rhs)?.into()))
            }
            _ => return None,
        };
        Some(Self { variable: variable(&sides.lhs)?, element })
    }

    fn find<'a>(&'a self, scope: &'a Scope) -> Result<Found<'a>, Undone> {
        let key = match &self.element {
            Element::Property(name) => Key::Property(name),
            Element::Index(index) => match index.value(scope)? {
                Number::Int(index) => Key::Index(index),
                Number::Float(_) => return Err(Undone::Declined),
            },
        };
        let value = scope.get(&self.variable).ok_or(Undone::Declined)?;
        let wanted = value.type_id();
        let access = TYPES
            .with_borrow(|types| types.iter().find(|(known, _)| *known == wanted).map(|(_, access)| *access));
        Ok(Found { value, access: access.ok_or(Undone::Declined)?, key })
    }
}

/// A place, with what the variable holds now.
struct Found<'a> {
    value: &'a Dynamic,
    access: Access,
    key: Key<'a>,
}

impl Found<'_> {
    fn read(&self) -> Result<Number, Undone> {
        let element = (self.access.read)(self.value, &self.key).ok_or(Undone::Declined)?;
        Number::of(&element.map_err(Undone::Raised)?).ok_or(Undone::Declined)
    }

    fn write(&self, new: Number) -> Result<(), Undone> {
        let written = (self.access.write)(self.value, &self.key, &new.into());
        written.ok_or(Undone::Declined)?.map_err(Undone::Raised)
    }
}

/// What a number is made from.
enum Operand {
    Constant(Number),
    Variable(ImmutableString),
    Place(Place),
    Operation(Operator, Box<(Operand, Operand)>),
}

impl Operand {
    fn of(expression: &Expr) -> Option<Self> {
        match expression {
            Expr::IntegerConstant(int, _) => Some(Self::Constant(Number::Int(*int))),
            Expr::FloatConstant(float, _) => Some(Self::Constant(Number::Float(**float))),
            Expr::Variable(..) => variable(expression).map(Self::Variable),
            Expr::Dot(..) | Expr::Index(..) => Place::of(expression).map(Self::Place),
            Expr::FnCall(call, _) => {
                let operator = Operator::of(call.op_token.as_ref()?)?;
                let [left, right] = &*call.args else { return None };
                Some(Self::Operation(operator, Box::new((Self::of(left)?, Self::of(right)?))))
            }
            _ => None,
        }
    }

    fn value(&self, scope: &Scope) -> Result<Number, Undone> {
        match self {
            Self::Constant(number) => Ok(*number),
            Self::Variable(name) => scope.get(name).and_then(Number::of).ok_or(Undone::Declined),
            Self::Place(place) => place.find(scope)?.read(),
            Self::Operation(operator, sides) => {
                let (left, right) = (sides.0.value(scope)?, sides.1.value(scope)?);
                operator.apply(left, right).ok_or(Undone::Declined)
            }
        }
    }
}

/// The name of a variable of the scope.
fn variable(expression: &Expr) -> Option<ImmutableString> {
    let Expr::Variable(variable, ..) = expression else { return None };
    variable.2.is_empty().then(|| variable.1.clone())
}

#[derive(Clone, Copy)]
enum Number {
    Int(INT),
    Float(FLOAT),
}

impl Number {
    #[inline]
    fn of(value: &Dynamic) -> Option<Self> {
        let int = value.as_int().ok().map(Self::Int);
        int.or_else(|| value.as_float().ok().map(Self::Float))
    }

    fn float(self) -> FLOAT {
        match self {
            Self::Int(int) => int as FLOAT,
            Self::Float(float) => float,
        }
    }
}

impl From<Number> for Dynamic {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(int) => Self::from_int(int),
            Number::Float(float) => Self::from_float(float),
        }
    }
}

#[derive(Clone, Copy)]
enum Operator {
    Plus,
    Minus,
    Times,
}

impl Operator {
    fn of(token: &Token) -> Option<Self> {
        match token {
            Token::Plus => Some(Self::Plus),
            Token::Minus => Some(Self::Minus),
            Token::Multiply => Some(Self::Times),
            _ => None,
        }
    }

    /// As the engine does it; `None` if an int does not hold the result.
    fn apply(self, left: Number, right: Number) -> Option<Number> {
        if let (Number::Int(left), Number::Int(right)) = (left, right) {
            let result = match self {
                Self::Plus => left.checked_add(right),
                Self::Minus => left.checked_sub(right),
                Self::Times => left.checked_mul(right),
            };
            return result.map(Number::Int);
        }
        let (left, right) = (left.float(), right.float());
        Some(Number::Float(match self {
            Self::Plus => left + right,
            Self::Minus => left - right,
            Self::Times => left * right,
        }))
    }
}
