//! From the engine's AST to the compiler's tree: the only folder that matches on AST enums.
//!
//! What has no form of its own in the tree becomes a fragment: the engine evaluates it, with the function's
//! variables in its scope. So nearly every function can be lowered, and results stay the engine's.

mod call;
mod chain;
mod expression;
mod fragment;
mod statement;
mod with;

use std::collections::HashMap;

use rhai::{Position, Stmt};

use super::collect::Head;
use super::ir::{Function, Node, VarId, Variable};
use super::lend;
use super::moves;
use super::site::Pool;

/// Why a function stays with the interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: String,
    pub position: Position,
}

pub type Lowered<T> = Result<T, Refusal>;

pub(super) fn refuse<T>(reason: impl Into<String>, position: Position) -> Lowered<T> {
    Err(Refusal { reason: reason.into(), position })
}

/// The name of the variable that `this` is.
const THIS: &str = "this";

/// Whether a variable stands in the script.
fn is_written(name: &str) -> bool {
    name != THIS && !name.starts_with('$')
}

/// The functions of the program by name and arity.
pub type Names = HashMap<(String, usize), usize>;

/// Lowers one function.
struct Lowering<'a> {
    names: &'a Names,
    pool: &'a mut Pool,
    variables: Vec<Variable>,
    /// What is in scope, innermost last.
    scope: Vec<(String, VarId)>,
    /// How many loops surround the place.
    loops: usize,
}

/// Lowers the function with this head and body.
pub fn function(head: &Head, body: &[Stmt], names: &Names, pool: &mut Pool) -> Lowered<Function> {
    if head.ambiguous {
        return refuse("its body depends on the type of `this`", head.position);
    }
    let mut lowering = Lowering { names, pool, variables: Vec::new(), scope: Vec::new(), loops: 0 };
    let uses_this = fragment::uses_this(body);
    if uses_this {
        lowering.declare(THIS, false);
    }
    for parameter in &head.parameters {
        lowering.declare(parameter, false);
    }
    let mut body = lowering.body(body)?;
    let variables = lowering.variables;
    let parameters = head.parameters.len() + usize::from(uses_this);
    let mut lends = lend::parameters(&body, &variables, parameters);
    if uses_this {
        lends[0] = true;
    }
    if let Node::Block(nodes, _) = &mut body {
        moves::take_last(nodes, (0..parameters).filter(|parameter| !lends[*parameter]), &variables);
    }
    Ok(Function { uses_this, parameters, variables, body, lends })
}

impl Lowering<'_> {
    fn declare(&mut self, name: &str, constant: bool) -> VarId {
        let variable = self.variables.len();
        self.variables.push(Variable { name: name.to_owned(), constant, exposed: false });
        self.scope.push((name.to_owned(), variable));
        variable
    }

    /// A `let`; one in the same block may take the place of an earlier one of its name.
    fn declare_again(&mut self, name: &str, constant: bool, replaces: bool) -> VarId {
        let place = self.scope.iter().rposition(|(known, _)| known == name).filter(|_| replaces);
        let Some(place) = place else { return self.declare(name, constant) };
        let old = self.scope[place].1;
        if !constant && !self.variables[old].constant {
            return old;
        }
        let variable = self.declare(name, constant);
        self.scope.pop();
        self.scope[place].1 = variable;
        variable
    }

    /// The variable that an expression is.
    fn variable(&self, expression: &rhai::Expr) -> Option<VarId> {
        match expression {
            rhai::Expr::Variable(parts, ..) if parts.2.is_empty() => self.find(&parts.1),
            rhai::Expr::ThisPtr(_) => self.find(THIS),
            _ => None,
        }
    }

    /// Whether the program has a function of this name, whatever its arity: it may win over a native one.
    fn defines(&self, name: &str) -> bool {
        self.names.keys().any(|(known, _)| known == name)
    }

    fn find(&self, name: &str) -> Option<VarId> {
        self.scope.iter().rev().find(|(known, _)| known == name).map(|(_, variable)| *variable)
    }

    /// Statements whose variables end with them.
    fn block(&mut self, statements: &[Stmt]) -> Lowered<Node> {
        let depth = self.scope.len();
        let mut nodes = Vec::with_capacity(statements.len());
        for statement in statements {
            nodes.push(self.statement(statement)?);
        }
        let ended: Vec<VarId> = self.scope.drain(depth..).map(|(_, variable)| variable).collect();
        // Whoever might expose one of them has been seen.
        moves::take_last(&mut nodes, ended.iter().copied(), &self.variables);
        Ok(Node::Block(nodes, ended))
    }

    /// The statements of a function.
    fn body(&mut self, statements: &[Stmt]) -> Lowered<Node> {
        self.block(statements)
    }

    /// The body of a loop.
    fn turn(&mut self, statements: &[Stmt]) -> Lowered<Node> {
        self.loops += 1;
        let body = self.block(statements);
        self.loops -= 1;
        body
    }
}
