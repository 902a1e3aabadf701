//! Short blocks: done statement by statement.
//!
//! Compiled code runs the block of a custom syntax in a virtual machine of its own, whose caches are empty. A block
//! without loops and without calls of the script's functions is done before that machine knows where anything is. So it
//! is taken from the syntax tree here, when a text is compiled, and each time its statements are done one by
//! one: as an [`Assignment`] if they are, and else by walking the tree, which finds the caches of the code around.
//! Where the resource stands is taken from there, too: compiled code knows only its first instruction.
//!
//! The parser gives each `with` a number, which says here which one it is. Closures are named after what stands in
//! them, also such numbers, so these follow from the text alone.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use rhai::{
    AST, ASTNode, CustomExpr, Dynamic, Engine, EvalContext, Expr, Expression, INT, ImmutableString,
    ParseError, Position, Stmt, StmtBlock,
};

use super::step::{Assignment, Undone};
use crate::script::raise::RhaiResult;

thread_local! {
    /// The number of the next `with` of the text that is being compiled.
    static NEXT: Cell<Option<INT>> = const { Cell::new(None) };
    static KNOWN: RefCell<BTreeMap<INT, Rc<Known>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Compiles `text`.
///
/// # Errors
/// If it can't be parsed.
pub fn compile(engine: &Engine, text: &str) -> Result<AST, ParseError> {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let first = hasher.finish() as INT;
    NEXT.set(Some(first));
    let ast = engine.compile(text);
    let next = NEXT.take();
    let ast = ast?;
    if next != Some(first) {
        keep(&ast);
    }
    Ok(ast)
}

/// The number of a `with` that the parser begins; `()` in a text that is compiled while a script runs.
pub fn number() -> Dynamic {
    let number = NEXT.get();
    NEXT.set(number.map(|number| number.wrapping_add(1)));
    number.map_or(Dynamic::UNIT, Dynamic::from_int)
}

fn keep(ast: &AST) {
    let functions: HashSet<&str> = ast.iter_functions().map(|function| function.name).collect();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Expr(Expr::Custom(with, _))) = path.last()
            && let Ok(number) = with.state.as_int()
        {
            let position = with.inputs.first().map_or(Position::NONE, Expr::start_position);
            let known = Known { position, short: Short::of(with, &functions) };
            KNOWN.with_borrow_mut(|all| all.insert(number, Rc::new(known)));
        }
        true
    });
}

/// What is known of the `with` of this number.
pub struct Known {
    /// Where the resource stands.
    pub position: Position,
    /// The block, if it is a short one.
    pub short: Option<Short>,
}

/// What is known of the `with` of this number, if it has one.
pub fn find(number: &Dynamic) -> Option<Rc<Known>> {
    let number = number.as_int().ok()?;
    KNOWN.with_borrow(|all| all.get(&number).map(Rc::clone))
}

/// See the head of this file.
pub struct Short {
    resource: Option<Resource>,
    statements: Vec<Statement>,
}

/// A resource that needs no machine to come by.
pub enum Resource {
    Variable(ImmutableString),
    /// `variable.get_lock()`
    LockOf(ImmutableString),
    Other(Expr),
}

struct Statement {
    assignment: Option<Assignment>,
    tree: Expr,
}

impl Short {
    fn of(with: &CustomExpr, functions: &HashSet<&str>) -> Option<Self> {
        let (Some(resource), Some(Expr::Stmt(block))) = (with.inputs.first(), with.inputs.last()) else {
            return None;
        };
        let mut path = Vec::new();
        if !block.iter().all(|statement| statement.walk(&mut path, &mut |path| is_short(path, functions))) {
            return None;
        }
        let statements = if block.iter().any(declares) {
            vec![Statement { assignment: None, tree: Expr::Stmt(block.clone()) }]
        } else {
            let alone = |statement: &Stmt| {
                StmtBlock::new([statement.clone()], block.position(), block.end_position())
            };
            let each = block.iter().map(|statement| Statement {
                assignment: Assignment::of(statement),
                tree: Expr::Stmt(alone(statement).into()),
            });
            each.collect()
        };
        Some(Self { resource: Resource::of(resource, functions), statements })
    }

    /// The resource, if there is a short way to it.
    pub fn resource(&self) -> Option<&Resource> {
        self.resource.as_ref()
    }

    /// Runs the block.
    ///
    /// # Errors
    /// What it raises, also `return`, `break` and `continue`.
    pub fn run(&self, context: &mut EvalContext) -> RhaiResult {
        let mut value = Dynamic::UNIT;
        for Statement { assignment, tree } in &self.statements {
            value = match assignment.as_ref().map(|assignment| assignment.perform(context.scope())) {
                Some(Ok(())) => Dynamic::UNIT,
                Some(Err(Undone::Raised(error))) => return Err(error),
                Some(Err(Undone::Declined)) | None => {
                    context.eval_expression_tree(&Expression::from(tree))?
                }
            };
        }
        Ok(value)
    }
}

impl Resource {
    fn of(expression: &Expr, functions: &HashSet<&str>) -> Option<Self> {
        let variable = |expression: &Expr| match expression {
            Expr::Variable(variable, ..) if variable.2.is_empty() => Some(variable.1.clone()),
            _ => None,
        };
        if let Some(name) = variable(expression) {
            return Some(Self::Variable(name));
        }
        if !expression.walk(&mut Vec::new(), &mut |path| is_short(path, functions)) {
            return None;
        }
        if let Expr::Dot(sides, ..) = expression
            && let Expr::MethodCall(call, _) = &sides.rhs
            && call.name == "get_lock"
            && call.args.is_empty()
            && let Some(name) = variable(&sides.lhs)
        {
            return Some(Self::LockOf(name));
        }
        Some(Self::Other(expression.clone()))
    }
}

/// Whether there is a variable more after the statement.
fn declares(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Var(..))
}

/// Whether what stands at the end of `path` is soon done, and does not need the script's functions: walking the
/// tree does not find those of a compiled module.
fn is_short(path: &[ASTNode], functions: &HashSet<&str>) -> bool {
    match path.last() {
        Some(ASTNode::Stmt(statement)) => !matches!(
            statement,
            Stmt::While(..)
                | Stmt::Do(..)
                | Stmt::For(..)
                | Stmt::FnCall(..)
                | Stmt::Import(..)
                | Stmt::Export(..)
                | Stmt::Share(..)
        ),
        Some(ASTNode::Expr(expression)) => match expression {
            Expr::FnCall(call, _) => call.is_operator_call(),
            Expr::MethodCall(call, _) => {
                !matches!(call.name.as_str(), "call" | "curry") && !functions.contains(call.name.as_str())
            }
            Expr::DynamicConstant(value, _) => !value.is_fnptr(),
            _ => true,
        },
        _ => true,
    }
}
