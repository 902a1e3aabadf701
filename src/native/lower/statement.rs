//! Statements.

use rhai::{ASTFlags, BinaryExpr, Expr, Stmt, SwitchCasesCollection};

use super::{Lowered, Lowering, refuse};
use crate::native::ir::{Each, Node, Switch};
use crate::native::site::What;

impl Lowering<'_> {
    pub(super) fn statement(&mut self, statement: &Stmt) -> Lowered<Node> {
        match statement {
            Stmt::Noop(..) => Ok(Node::Unit),
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::FnCall(call, position) => self.call(call, *position),
            Stmt::Block(block) => self.block(block.statements()),
            Stmt::Var(parts, options, position) => {
                if options.contains(ASTFlags::EXPORTED) {
                    return refuse("it exports a variable", *position);
                }
                let value = self.expression(&parts.1)?;
                let constant = options.contains(ASTFlags::CONSTANT);
                let variable = self.declare_again(&parts.0.name, constant, parts.2.is_some());
                Ok(Node::Let(variable, Box::new(value)))
            }
            Stmt::Assignment(parts) => self.assignment(statement, &parts.0, &parts.1),
            Stmt::If(parts, _) => {
                let condition = self.condition(&parts.expr)?;
                let body = self.block(parts.body.statements())?;
                let branch = self.block(parts.branch.statements())?;
                Ok(Node::If(condition.0, condition.1, Box::new(body), Box::new(branch)))
            }
            Stmt::While(parts, _) => {
                let condition = match &parts.expr {
                    Expr::Unit(..) | Expr::BoolConstant(true, ..) => None,
                    condition => Some(self.condition(condition)?),
                };
                let body = self.turn(parts.body.statements())?;
                Ok(Node::While(condition, Box::new(body)))
            }
            Stmt::Do(parts, options, _) => {
                let body = self.turn(parts.body.statements())?;
                let (condition, no_bool) = self.condition(&parts.expr)?;
                let goes_on = !options.contains(ASTFlags::NEGATED);
                Ok(Node::Do(Box::new(body), condition, no_bool, goes_on))
            }
            Stmt::For(..) => self.each(statement),
            Stmt::Switch(parts, _) => self.switch(statement, &parts.0, &parts.1),
            Stmt::BreakLoop(value, options, position) => {
                if self.loops == 0 {
                    return refuse("it leaves a loop that isn't its own", *position);
                }
                if !options.contains(ASTFlags::BREAK) {
                    return Ok(Node::Continue);
                }
                Ok(Node::Break(self.optional(value.as_deref())?))
            }
            Stmt::Return(value, options, position) => {
                let value = self.optional(value.as_deref())?;
                if options.contains(ASTFlags::BREAK) {
                    let site = self.pool.site(*position, What::Plain);
                    return Ok(Node::Throw(value, site));
                }
                Ok(Node::Return(value))
            }
            Stmt::TryCatch(parts, _) => {
                let body = self.block(parts.body.statements())?;
                let depth = self.scope.len();
                let caught = match &parts.expr {
                    Expr::Variable(name, ..) => Some(self.declare(&name.1, false)),
                    _ => None,
                };
                let handler = self.block(parts.branch.statements())?;
                self.scope.truncate(depth);
                Ok(Node::Try(Box::new(body), caught, Box::new(handler)))
            }
            Stmt::Share(_) => self.fragment_of(statement),
            Stmt::Import(_, position) => refuse("it imports a module", *position),
            other => refuse("a statement that has no compiled form", other.position()),
        }
    }

    fn optional(&mut self, value: Option<&Expr>) -> Lowered<Option<Box<Node>>> {
        value.map(|value| self.expression(value).map(Box::new)).transpose()
    }

    /// An expression that must be a bool, and the site of the complaint if it isn't.
    pub(super) fn condition(&mut self, expression: &Expr) -> Lowered<(Box<Node>, usize)> {
        let node = self.expression(expression)?;
        Ok((Box::new(node), self.pool.site(expression.position(), What::Condition)))
    }

    fn each(&mut self, statement: &Stmt) -> Lowered<Node> {
        let Stmt::For(parts, position) = statement else { return self.fragment_of(statement) };
        let (variable, counter, flow) = &**parts;
        let bounds = match &flow.expr {
            Expr::FnCall(call, at) if call.args.len() == 2 && !call.is_qualified() => {
                self.bounds(call, *at)?
            }
            Expr::DynamicConstant(value, _) => {
                let half_open = value.read_lock::<std::ops::Range<i64>>();
                let closed = value.read_lock::<std::ops::RangeInclusive<i64>>();
                let half_open = half_open.map(|range| (range.start, range.end, false));
                let closed = closed.map(|range| (*range.start(), *range.end(), true));
                half_open.or(closed).map(|(from, to, closed)| {
                    (Node::Int(from), Node::Int(to), closed, self.pool.site(*position, What::Plain))
                })
            }
            _ => None,
        };
        let depth = self.scope.len();
        if let Some((from, to, closed, outside)) = bounds {
            let counter = counter.as_ref().map(|counter| self.declare(&counter.name, false));
            let variable = self.declare(&variable.name, false);
            let body = self.turn(flow.body.statements())?;
            self.scope.truncate(depth);
            let body = Box::new(body);
            return Ok(Node::Range(variable, counter, Box::new((from, to)), closed, body, outside));
        }
        let iterable = self.expression(&flow.expr)?;
        let begins = self.pool.site(flow.expr.start_position(), What::Plain);
        let steps = self.pool.site(flow.expr.position(), What::Plain);
        let counter = counter.as_ref().map(|counter| self.declare(&counter.name, false));
        let variable = self.declare(&variable.name, false);
        let body = self.turn(flow.body.statements())?;
        self.scope.truncate(depth);
        Ok(Node::Each(Box::new(Each { variable, counter, iterable, body, begins, steps })))
    }

    fn switch(&mut self, statement: &Stmt, subject: &Expr, table: &SwitchCasesCollection) -> Lowered<Node> {
        let values = table.cases.values().map(|case| &case.value);
        let plain =
            |value: &rhai::Dynamic| value.is_int() || value.is_char() || value.is_bool() || value.is_string();
        if !values.clone().all(plain) {
            return self.fragment_of(statement);
        }
        let subject = self.expression(subject)?;
        let mut arms = Vec::with_capacity(table.expressions.len());
        let mut conditions = Vec::with_capacity(table.expressions.len());
        for BinaryExpr { lhs, rhs } in &table.expressions {
            conditions.push(match lhs {
                Expr::BoolConstant(true, _) => None,
                condition => {
                    let (node, site) = self.condition(condition)?;
                    Some((*node, site))
                }
            });
            arms.push(self.expression(rhs)?);
        }
        let mut cases = Vec::new();
        for case in table.cases.values() {
            let constant = self.pool.constant(case.value.clone());
            cases.extend(case.blocks.iter().map(|arm| (constant, conditions[*arm].clone(), *arm)));
        }
        // The table is a hash map: the order of its cases is made the same in every process.
        cases.sort_by_key(|(_, _, arm)| *arm);
        let mut ranges = Vec::new();
        for range in &table.ranges {
            let (start, end, closed) = match range {
                rhai::RangeCase::ExclusiveInt(range, _) => (range.start, range.end, false),
                rhai::RangeCase::InclusiveInt(range, _) => (*range.start(), *range.end(), true),
            };
            ranges.push((start, end, closed, conditions[range.index()].clone(), range.index()));
        }
        Ok(Node::Switch(Box::new(Switch { subject, cases, ranges, default: table.def_case, arms })))
    }
}
