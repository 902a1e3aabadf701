//! Chains of properties, indexes and method calls.
//!
//! Rhai evaluates all operands of a chain first, from left to right, then its root, and walks it then. So a chain
//! whose walk meets something unexpected before it has changed anything can be walked again by the engine, with
//! the same operands: the whole chain stands at its site, with names in place of root and operands.

use rhai::{ASTFlags, BinaryExpr, Expr, ImmutableString, Namespace, OpAssignment, Position, Stmt, StmtBlock};

use super::expression::operands;
use super::{Lowered, Lowering};
use crate::native::ir::{Accessors, Chain, Node, Op, Root, Step, VarId};
use crate::native::runtime::Known;
use crate::native::site::{Evaluated, Seen, Style, What};

/// A variable that is looked up by its name.
pub(super) fn named(name: &str, position: Position) -> Expr {
    Expr::Variable(Box::new((None, name.into(), Namespace::NONE, 0)), None, position)
}

/// The engine's names of an indexer's two functions.
const INDEXERS: [&str; 2] = ["index$get$", "index$set$"];

/// A link of a chain as it stands in the AST.
enum Link<'a> {
    /// The operand, and where the bracket stands.
    Item(&'a Expr, Position),
    /// The property, and where the dot stands.
    Property(&'a Expr, Position),
    Method(&'a rhai::FnCallExpr, Position),
}

/// The root and the links; none if it is skipped when a value is `()`.
fn links(expression: &Expr) -> Option<(&Expr, Vec<Link<'_>>)> {
    let (Expr::Index(first, ..) | Expr::Dot(first, ..)) = expression else { return None };
    let mut links = Vec::new();
    let mut parent = expression;
    loop {
        let (sides, options, indexes, at) = match parent {
            Expr::Index(sides, options, at) => (sides, *options, true, *at),
            Expr::Dot(sides, options, at) => (sides, *options, false, *at),
            _ => return None,
        };
        if options.contains(ASTFlags::NEGATED) {
            return None;
        }
        let (here, next) = match &sides.rhs {
            rest @ (Expr::Index(inner, ..) | Expr::Dot(inner, ..))
                if !indexes || !super::fragment::ends(options) =>
            {
                (&inner.lhs, Some(rest))
            }
            last => (last, None),
        };
        links.push(match here {
            Expr::Property(..) if !indexes => Link::Property(here, at),
            Expr::MethodCall(call, position) if !indexes => Link::Method(call, *position),
            operand if indexes => Link::Item(operand, at),
            _ => return None,
        });
        match next {
            Some(rest) => parent = rest,
            None => return Some((&first.lhs, links)),
        }
    }
}

/// A copy of the chain with its root and operands replaced by names, `$n` for operand n.
fn with_names(expression: &Expr, root: &str, next: &mut usize) -> Expr {
    let mut copy = expression.clone();
    if let Expr::Index(sides, ..) | Expr::Dot(sides, ..) = &mut copy {
        sides.lhs = named(root, sides.lhs.position());
        name_operands(&mut copy, next);
    }
    copy
}

fn name_operands(parent: &mut Expr, next: &mut usize) {
    let (sides, indexes, ends) = match parent {
        Expr::Index(sides, options, _) => (sides, true, super::fragment::ends(*options)),
        Expr::Dot(sides, ..) => (sides, false, false),
        _ => return,
    };
    let goes_on = matches!(sides.rhs, Expr::Index(..) | Expr::Dot(..)) && !ends;
    let here = match &mut sides.rhs {
        Expr::Index(inner, ..) | Expr::Dot(inner, ..) if goes_on => &mut inner.lhs,
        last => last,
    };
    let mut replace = |operand: &mut Expr| {
        *operand = named(&format!("${next}"), operand.start_position());
        *next += 1;
    };
    match here {
        Expr::MethodCall(call, _) => call.args.iter_mut().for_each(replace),
        operand if indexes => replace(operand),
        _ => {}
    }
    if goes_on {
        name_operands(&mut sides.rhs, next);
    }
}

impl Lowering<'_> {
    /// The value of a chain.
    pub(super) fn chain(&mut self, expression: &Expr) -> Lowered<Node> {
        let Some((root, links)) = links(expression) else { return self.fragment(expression) };
        let method = match links.as_slice() {
            [.., Link::Method(call, position)] => Some((*call, *position)),
            _ => None,
        };
        let before = &links[..links.len() - usize::from(method.is_some())];
        // What comes after a method's call cannot be walked twice: the engine does it all.
        if before.iter().any(|link| matches!(link, Link::Method(..))) {
            return self.long_chain(expression);
        }
        if let Some((call, _)) = method {
            if matches!(call.name.as_str(), "call" | "curry" | "is_shared") {
                return self.fragment(expression);
            }
            self.expose_receiver(&call.name, root);
        }
        let (mut steps, mut lowered) = self.steps(before)?;
        if let Some((call, _)) = method {
            for argument in &call.args {
                lowered.push(self.expression(argument)?);
            }
        }
        let (root, seen) = self.root(root, lowered.len())?;
        let expression = with_names(expression, &seen[0].name, &mut 0);
        let evaluated = Evaluated { expression, seen };
        let Some((call, position)) = method else {
            let site = self.pool.site(Position::NONE, What::Engine(evaluated));
            let accessors = self.accessors(before.last(), true, None);
            return Ok(Node::Get(Chain { root, steps, operands: lowered, site, accessors }));
        };
        let site = self.pool.site(Position::NONE, What::Engine(evaluated));
        let name = call.name.to_string();
        let one = self.method_site(call, position);
        steps.shrink_to_fit();
        let chain = Chain { root, steps, operands: lowered, site, accessors: None };
        Ok(Node::Method(chain, name, call.args.len(), one))
    }

    /// The site of `$0.method($1, ..)`.
    fn method_site(&mut self, call: &rhai::FnCallExpr, position: Position) -> usize {
        let seen = operands(call.args.len() + 1);
        let mut replaced = call.clone();
        for (argument, seen) in replaced.args.iter_mut().zip(&seen[1..]) {
            *argument = named(&seen.name, argument.start_position());
        }
        let sides =
            BinaryExpr { lhs: named("$0", position), rhs: Expr::MethodCall(Box::new(replaced), position) };
        let expression = Expr::Dot(Box::new(sides), ASTFlags::empty(), position);
        let evaluated = Evaluated { expression, seen };
        let site = self.pool.site(position, What::Native(call.name.clone(), Style::Method, evaluated));
        if self.defines(&call.name) {
            self.pool.defined(site);
        } else {
            self.pool.known(site, Known::find(&call.name, call.args.len() + 1));
        }
        site
    }

    /// A chain that goes on after a method's call. If nothing in it depends on the order, it is cut in two.
    fn long_chain(&mut self, expression: &Expr) -> Lowered<Node> {
        let Some((root, links)) = links(expression) else { return self.fragment(expression) };
        let simple = |operand: &Expr| {
            operand.is_constant() || matches!(operand, Expr::Variable(parts, ..) if parts.2.is_empty())
        };
        let constant = |link: &Link| match link {
            Link::Item(operand, _) => simple(operand),
            Link::Property(..) => true,
            Link::Method(call, _) => {
                call.args.iter().all(Expr::is_constant)
                    && !matches!(call.name.as_str(), "call" | "curry" | "is_shared")
            }
        };
        let Some(cut) = links.iter().position(|link| matches!(link, Link::Method(..))) else {
            return self.fragment(expression);
        };
        let rest_is_constant = links[cut + 1..].iter().all(|link| match link {
            Link::Item(operand, _) => operand.is_constant(),
            other => constant(other),
        });
        // What a property's getter gave goes back to its setter or not by what the last call was.
        let at_once = cut == 0 && matches!(root, Expr::Variable(..));
        if !rest_is_constant || !at_once {
            return self.fragment(expression);
        }
        let (head, tail) = split(expression, cut);
        let value = self.chain(&head)?;
        self.chain_on(value, &tail)
    }

    /// A chain whose root has been lowered; it stands as `$root` in the tree.
    fn chain_on(&mut self, value: Node, tail: &Expr) -> Lowered<Node> {
        let depth = self.scope.len();
        let variable = self.declare("$root", false);
        let rest = self.chain(tail)?;
        self.scope.truncate(depth);
        Ok(Node::Block(vec![Node::Let(variable, Box::new(value)), rest], vec![variable]))
    }

    fn steps(&mut self, links: &[Link]) -> Lowered<(Vec<Step>, Vec<Node>)> {
        let mut steps = Vec::with_capacity(links.len());
        let mut lowered = Vec::new();
        for link in links {
            match link {
                Link::Item(operand, _) => {
                    steps.push(Step::Item(lowered.len()));
                    lowered.push(self.expression(operand)?);
                }
                Link::Property(Expr::Property(parts, _), _) => {
                    steps.push(Step::Property(self.pool.constant(parts.2.clone().into())));
                }
                Link::Property(other, _) => return super::fragment::no_form(other.position()),
                Link::Method(_, position) => return super::fragment::no_form(*position),
            }
        }
        Ok((steps, lowered))
    }

    /// The root of a chain and what the engine sees of it.
    fn root(&mut self, root: &Expr, count: usize) -> Lowered<(Root, Vec<Seen>)> {
        let variable: Option<VarId> = self.variable(root);
        let (root, seen) = match (variable, root) {
            (Some(variable), _) => {
                let known = &self.variables[variable];
                let seen = Seen::new(&known.name, known.constant);
                (Root::Variable(variable), seen)
            }
            (None, root) => {
                let value = self.expression(root)?;
                (Root::Value(Box::new(value)), Seen::new("$root", false))
            }
        };
        Ok((root, [seen].into_iter().chain(operands(count)).collect()))
    }

    /// `chain = value` and `chain op= value`.
    pub(super) fn assign_chain(
        &mut self,
        statement: &Stmt,
        op: Option<(Op, OpAssignment)>,
        sides: &BinaryExpr,
    ) -> Lowered<Node> {
        let Some((root, links)) = links(&sides.lhs) else { return self.fragment_of(statement) };
        if links.iter().any(|link| matches!(link, Link::Method(..))) {
            return self.fragment_of(statement);
        }
        let known = self.variable(root).is_some_and(|variable| !self.variables[variable].constant);
        if !known {
            return self.fragment_of(statement);
        }
        let value = Box::new(self.expression(&sides.rhs)?);
        let (steps, lowered) = self.steps(&links)?;
        let (root, mut seen) = self.root(root, lowered.len())?;
        seen.push(Seen::new("$value", false));
        let Stmt::Assignment(parts) = statement else { return self.fragment_of(statement) };
        let how = parts.0.clone();
        let replaced = BinaryExpr {
            lhs: with_names(&sides.lhs, &seen[0].name, &mut 0),
            rhs: named("$value", sides.rhs.position()),
        };
        let assignment = Stmt::Assignment(Box::new((how, replaced)));
        let block = StmtBlock::new([assignment], parts.0.position(), Position::NONE);
        let evaluated = Evaluated { expression: Expr::Stmt(Box::new(block)), seen };
        let site = self.pool.site(parts.0.position(), What::Engine(evaluated));
        let op = op.map(|(op, how)| (op, self.update_site(op, &how, sides.lhs.position())));
        let accessors = self.accessors(links.last(), op.is_some(), Some(parts.0.position()));
        Ok(Node::Set(Chain { root, steps, operands: lowered, site, accessors }, op, value))
    }

    /// The sites of a chain's last link: if it is read, and of the assignment at `set`.
    fn accessors(&mut self, last: Option<&Link>, reads: bool, set: Option<Position>) -> Option<Accessors> {
        // Errors stand where the engine has them: at a property's name, at an index's bracket.
        let (expression, style, names, position) = match *last? {
            Link::Property(property @ Expr::Property(parts, position), at) => {
                let sides = BinaryExpr { lhs: named("$0", at), rhs: property.clone() };
                let expression = Expr::Dot(Box::new(sides), ASTFlags::empty(), at);
                let names = [parts.0.0.clone(), parts.1.0.clone()];
                (expression, Style::Property, names, *position)
            }
            Link::Item(operand, at) => {
                let sides = BinaryExpr { lhs: named("$0", at), rhs: named("$1", operand.start_position()) };
                let expression = Expr::Index(Box::new(sides), ASTFlags::BREAK, at);
                (expression, Style::Index, INDEXERS.map(ImmutableString::from), at)
            }
            Link::Property(..) | Link::Method(..) => return None,
        };
        let count = if style == Style::Index { 2 } else { 1 };
        let [getter, setter] = names;
        let set = set.map(|at| {
            let seen = operands(count + 1);
            let sides = BinaryExpr { lhs: expression.clone(), rhs: named(&seen[count].name, at) };
            let assignment = Stmt::Assignment(Box::new((OpAssignment::new_assignment(at), sides)));
            let block = StmtBlock::new([assignment], at, Position::NONE);
            let evaluated = Evaluated { expression: Expr::Stmt(Box::new(block)), seen };
            self.pool.site(position, What::Native(setter, style, evaluated))
        });
        let get = reads.then(|| {
            let evaluated = Evaluated { expression, seen: operands(count) };
            self.pool.site(position, What::Native(getter, style, evaluated))
        });
        Some(Accessors { get, set })
    }
}

/// Cuts a chain after link `cut`, which is a method's call: what comes before, and the rest with the root `$root`.
fn split(expression: &Expr, cut: usize) -> (Expr, Expr) {
    let mut head = expression.clone();
    let mut tail = None;
    cut_after(&mut head, cut, &mut tail);
    (head, tail.unwrap_or_default())
}

fn cut_after(parent: &mut Expr, cut: usize, tail: &mut Option<Expr>) {
    let (Expr::Index(sides, ..) | Expr::Dot(sides, ..)) = parent else { return };
    if cut > 0 {
        return cut_after(&mut sides.rhs, cut - 1, tail);
    }
    let mut rest = std::mem::take(&mut sides.rhs);
    if let Expr::Index(inner, ..) | Expr::Dot(inner, ..) = &mut rest {
        let position = inner.lhs.position();
        sides.rhs = std::mem::replace(&mut inner.lhs, named("$root", position));
        *tail = Some(rest);
    }
}
