//! What functions are lowered to: a tree with resolved variables, which knows neither types nor the engine.

use super::site::SiteId;

/// A variable of a function; a shadowing `let` makes another one.
pub type VarId = usize;
/// A constant of the program, by its place in the list.
pub type ConstantId = usize;

/// The operators on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    ShiftLeft,
    ShiftRight,
    And,
    Or,
    Xor,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Op {
    /// How the engine calls `op=`.
    pub const fn assigning(self) -> &'static str {
        match self {
            Self::Add => "+=",
            Self::Subtract => "-=",
            Self::Multiply => "*=",
            Self::Divide => "/=",
            Self::Modulo => "%=",
            Self::Power => "**=",
            Self::ShiftLeft => "<<=",
            Self::ShiftRight => ">>=",
            Self::And => "&=",
            Self::Or => "|=",
            Self::Xor => "^=",
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual => "",
        }
    }

    pub const fn compares(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Less
                | Self::LessOrEqual
                | Self::Greater
                | Self::GreaterOrEqual
        )
    }
}

/// A variable.
#[derive(Clone, Debug)]
pub struct Variable {
    pub name: String,
    pub constant: bool,
    /// It is captured, or handed to the engine by reference: it lives in memory as a value of any type.
    pub exposed: bool,
}

/// A step of a property and index chain.
#[derive(Clone, Debug)]
pub enum Step {
    /// `[operand]`, the operand's place in the chain's list.
    Item(usize),
    /// `.name`, a string constant.
    Property(ConstantId),
}

/// What a chain starts from.
#[derive(Clone, Debug)]
pub enum Root {
    Variable(VarId),
    Value(Box<Node>),
}

/// A chain of steps, with its operands in the order in which they are evaluated.
#[derive(Clone, Debug)]
pub struct Chain {
    pub root: Root,
    pub steps: Vec<Step>,
    pub operands: Vec<Node>,
    /// The whole chain for the interpreter: its values are the root, then the operands, then the assigned value.
    pub site: SiteId,
    /// The last step alone, where it is one into a value of a native type.
    pub accessors: Option<Accessors>,
}

/// The sites of `$0.name` and `$0.name = $1`, or of `$0[$1]` and `$0[$1] = $2`: those that are needed.
#[derive(Clone, Copy, Debug)]
pub struct Accessors {
    pub get: Option<SiteId>,
    pub set: Option<SiteId>,
}

/// An expression or a statement.
#[derive(Clone, Debug)]
pub enum Node {
    Unit,
    Bool(bool),
    Int(i64),
    Float(f64),
    Char(char),
    Constant(ConstantId),
    Read(VarId),
    /// The variable's value, which nobody reads any more.
    Take(VarId),
    /// A block: its value is the last node's; the variables end with it.
    Block(Vec<Node>, Vec<VarId>),
    Let(VarId, Box<Node>),
    Assign(VarId, Box<Node>),
    Update(VarId, Op, Box<Node>, SiteId),
    Not(Box<Node>, SiteId),
    Negate(Box<Node>, SiteId),
    Binary(Op, Box<Node>, Box<Node>, SiteId),
    /// `&&` or `||` with the sites of the operands that are no bools.
    Logic(bool, Vec<(Node, SiteId)>),
    Coalesce(Vec<Node>),
    If(Box<Node>, SiteId, Box<Node>, Box<Node>),
    While(Option<(Box<Node>, SiteId)>, Box<Node>),
    /// `do`; the bool is the value of the condition that goes on.
    Do(Box<Node>, Box<Node>, SiteId, bool),
    /// `for variable, counter in from..to`.
    Range(VarId, Option<VarId>, Box<(Node, Node)>, bool, Box<Node>, SiteId),
    Each(Box<Each>),
    Switch(Box<Switch>),
    Break(Option<Box<Node>>),
    Continue,
    Return(Option<Box<Node>>),
    Throw(Option<Box<Node>>, SiteId),
    Try(Box<Node>, Option<VarId>, Box<Node>),
    With(Box<With>),
    /// A call of a function of the program.
    Call(usize, Vec<Node>, SiteId),
    /// A native function in function-call style.
    Native(String, Vec<Node>, SiteId),
    /// A chain's value.
    Get(Chain),
    /// `chain = value` or `chain op= value`; the second site is the operator's.
    Set(Chain, Option<(Op, SiteId)>, Box<Node>),
    /// `chain.method(arguments)`: the arguments are the chain's last operands.
    Method(Chain, String, usize, SiteId),
    Text(Vec<Node>, SiteId),
    Array(Vec<Node>),
    /// A map with the keys of this one, the values in the order of the program, and for each key the place of its
    /// value, in the order of the map.
    Map(ConstantId, Vec<Node>, Vec<usize>),
    /// Evaluated by the engine, with these variables in its scope.
    Fragment(Fragment),
}

/// `for variable, counter in iterable`.
#[derive(Clone, Debug)]
pub struct Each {
    pub variable: VarId,
    pub counter: Option<VarId>,
    pub iterable: Node,
    pub body: Node,
    /// Where it is said that nothing goes through such a value, and that a step fails.
    pub begins: SiteId,
    pub steps: SiteId,
}

/// `with resource { .. }`.
#[derive(Clone, Debug)]
pub struct With {
    pub resource: Node,
    /// The variable, if the resource is its `get_lock()`: what has a door gives it without being asked.
    pub lock_of: Option<VarId>,
    pub body: Node,
    /// Where the resource stands.
    pub site: SiteId,
}

/// Evaluated by the engine, with these variables in its scope.
#[derive(Clone, Debug)]
pub struct Fragment {
    pub variables: Vec<VarId>,
    pub site: SiteId,
    /// It may end the function.
    pub returns: bool,
}

/// A condition and the site of the complaint if it is no bool.
pub type Condition = (Node, SiteId);

/// `switch` over integer, character, bool and string cases.
#[derive(Clone, Debug)]
pub struct Switch {
    pub subject: Node,
    /// Constants, in the order of the program; the condition and its site; the place in `arms`.
    pub cases: Vec<(ConstantId, Option<Condition>, usize)>,
    /// Start, end, whether the end belongs to it, condition, arm.
    pub ranges: Vec<(i64, i64, bool, Option<Condition>, usize)>,
    pub default: Option<usize>,
    pub arms: Vec<Node>,
}

/// A function as lowered.
#[derive(Debug)]
pub struct Function {
    /// It works on `this`, which is its first parameter then, by reference.
    pub uses_this: bool,
    /// The first variables are the parameters.
    pub parameters: usize,
    pub variables: Vec<Variable>,
    pub body: Node,
    /// Which parameters are only read, so that the caller may lend them.
    pub lends: Vec<bool>,
}
