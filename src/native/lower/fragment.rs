//! Parts of a function that the engine evaluates.
//!
//! Invariants
//! 1. A fragment never leaves a loop that surrounds it, uses no `this`, imports nothing and evaluates no text: what
//!    it does to the function's variables is seen in its tree.
//! 2. Variables that it may write or take by reference are exposed: they live in memory.

use rhai::{ASTFlags, ASTNode, Expr, FnCallExpr, Position, Stmt, StmtBlock};

use super::{Lowered, Lowering, Refusal, refuse};
use crate::native::ir::{Fragment, Node, VarId};
use crate::native::site::{Evaluated, Seen, SiteId, What};

/// What a tree says about variables.
#[derive(Default)]
struct Mentions {
    /// Names, and whether the variable is only read.
    names: Vec<(String, bool)>,
    refused: Option<Refusal>,
    returns: bool,
    /// It captures variables by their places in the function's scope.
    captures: bool,
}

impl Mentions {
    fn name(&mut self, name: &str, read_only: bool) {
        match self.names.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known &= read_only,
            None => self.names.push((name.to_owned(), read_only)),
        }
    }

    fn refuse(&mut self, reason: &str, position: Position) {
        let refusal = || Refusal { reason: reason.to_owned(), position };
        self.refused.get_or_insert_with(refusal);
    }

    fn by_reference(&mut self, expression: &Expr) {
        if let Expr::Variable(parts, ..) = expression {
            self.name(&parts.1, false);
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position) {
        if call.capture_parent_scope {
            self.refuse("a call hands its variables to another function", position);
        }
        match call.name.as_str() {
            "eval" => self.refuse("it evaluates text", position),
            "is_def_var" => self.refuse("it asks which variables there are", position),
            _ => {}
        }
        if let Some(first) = call.args.first().filter(|_| call.op_token.is_none()) {
            self.by_reference(first);
        }
        if call.name == "curry" {
            call.args.iter().for_each(|argument| self.by_reference(argument));
        }
    }

    fn node(&mut self, path: &[ASTNode]) {
        let around = path.len().saturating_sub(1);
        match path.last() {
            Some(ASTNode::Expr(expression)) => match expression {
                Expr::Variable(parts, ..) => self.name(&parts.1, true),
                Expr::ThisPtr(position) => {
                    self.refuse("it uses `this` where the engine has to evaluate it", *position)
                }
                Expr::FnCall(call, position) | Expr::MethodCall(call, position) => {
                    self.call(call, *position);
                }
                Expr::Dot(chain, ..) | Expr::Index(chain, ..) => self.by_reference(&chain.lhs),
                Expr::Custom(custom, position) if custom.scope_may_be_changed => {
                    self.refuse("a statement that makes variables of its own", *position);
                }
                _ => {}
            },
            Some(ASTNode::Stmt(statement)) => match statement {
                Stmt::FnCall(call, position) => self.call(call, *position),
                Stmt::Assignment(parts) => self.by_reference(&parts.1.lhs),
                Stmt::Share(names) => {
                    self.captures = true;
                    names.iter().for_each(|(name, _)| self.name(&name.name, false));
                }
                Stmt::Import(_, position) | Stmt::Export(_, position) => {
                    self.refuse("it imports or exports", *position);
                }
                Stmt::Return(_, options, _) => self.returns |= !options.contains(ASTFlags::BREAK),
                Stmt::BreakLoop(value, _, position) => {
                    let is_loop = |node: &ASTNode| {
                        matches!(node, ASTNode::Stmt(Stmt::While(..) | Stmt::Do(..) | Stmt::For(..)))
                    };
                    if !path[..around].iter().any(is_loop) {
                        self.refuse("it leaves a loop in the middle of an expression", *position);
                    }
                    // The engine's own walk leaves it out.
                    if let Some(value) = value {
                        value.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
                            self.node(path);
                            true
                        });
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
}

fn statement_mentions(statement: &Stmt) -> Mentions {
    let mut mentions = Mentions::default();
    statement.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
        mentions.node(path);
        true
    });
    mentions
}

fn expression_mentions(expression: &Expr) -> Mentions {
    let mut mentions = Mentions::default();
    expression.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
        mentions.node(path);
        true
    });
    mentions
}

impl Lowering<'_> {
    fn seen(&mut self, mentions: Mentions) -> Lowered<(Vec<VarId>, Vec<Seen>, bool)> {
        if let Some(refusal) = mentions.refused {
            return Err(refusal);
        }
        let mut variables = Vec::new();
        let mut seen = Vec::new();
        for (name, read_only) in &mentions.names {
            let Some(variable) = self.find(name) else { continue };
            let known = &mut self.variables[variable];
            known.exposed |= !read_only;
            if !mentions.captures {
                seen.push(Seen::new(name, known.constant));
                variables.push(variable);
            }
        }
        if mentions.captures {
            // Places count from the end of the scope: it is filled as the parser saw it.
            for (name, variable) in self.scope.iter().filter(|(name, _)| super::is_written(name)) {
                let mentioned = mentions.names.iter().any(|(known, _)| known == name);
                if mentioned && self.find(name) == Some(*variable) {
                    seen.push(Seen::new(name, self.variables[*variable].constant));
                    variables.push(*variable);
                } else {
                    seen.push(Seen::placeholder());
                }
            }
        }
        Ok((variables, seen, mentions.returns))
    }

    /// The engine evaluates the expression.
    pub(super) fn fragment(&mut self, expression: &Expr) -> Lowered<Node> {
        let (variables, seen, returns) = self.seen(expression_mentions(expression))?;
        let evaluated = Evaluated { expression: expression.clone(), seen };
        let site = self.pool.site(expression.position(), What::Engine(evaluated));
        Ok(Node::Fragment(Fragment { variables, site, returns }))
    }

    /// The engine runs the statement.
    pub(super) fn fragment_of(&mut self, statement: &Stmt) -> Lowered<Node> {
        let (variables, seen, returns) = self.seen(statement_mentions(statement))?;
        let site = self.statement_site(statement.clone(), seen);
        Ok(Node::Fragment(Fragment { variables, site, returns }))
    }

    fn statement_site(&mut self, statement: Stmt, seen: Vec<Seen>) -> SiteId {
        let position = statement.position();
        let block = StmtBlock::new([statement], position, position);
        let evaluated = Evaluated { expression: Expr::Stmt(Box::new(block)), seen };
        self.pool.site(position, What::Engine(evaluated))
    }

    /// Whether a tree may be evaluated by the engine at all.
    pub(super) fn checked(&mut self, expression: &Expr) -> Lowered<()> {
        expression_mentions(expression).refused.map_or(Ok(()), Err)
    }
}

/// Whether statements mention `this`.
pub(super) fn uses_this(statements: &[Stmt]) -> bool {
    let mut found = false;
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
            found |= matches!(path.last(), Some(ASTNode::Expr(Expr::ThisPtr(_))));
            true
        });
    }
    found
}

/// Whether `options` say that a chain ends here.
pub(super) fn ends(options: ASTFlags) -> bool {
    options.contains(ASTFlags::BREAK)
}

/// A refusal for what cannot be lowered where a fragment is no way out.
pub(super) fn no_form<T>(position: Position) -> Lowered<T> {
    refuse("an expression that has no compiled form", position)
}
