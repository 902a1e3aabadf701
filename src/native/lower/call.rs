//! Calls: operators, functions of the program, native functions.

use rhai::{Expr, FnCallExpr, Position, Token};

use super::chain::named;
use super::expression::{operands, operator};
use super::{Lowered, Lowering, refuse};
use crate::native::ir::Node;
use crate::native::runtime::Known;
use crate::native::site::{Evaluated, SiteId, Style, What};

/// Functions that the engine itself treats in a way of their own.
const SPECIAL: &[&str] = &["call", "curry", "Fn", "is_shared", "is_def_fn"];
/// Native functions that change a number, a character or the tag of a value in place.
const IN_PLACE: &[&str] = &["set_bit", "set_bits", "make_upper", "make_lower", "set_tag"];

impl Lowering<'_> {
    pub(super) fn call(&mut self, call: &FnCallExpr, position: Position) -> Lowered<Node> {
        let whole = || Expr::FnCall(Box::new(call.clone()), position);
        if call.capture_parent_scope {
            return refuse("a call hands its variables to another function", position);
        }
        if let Some(value) = whole().get_literal_value(None) {
            self.checked(&whole())?;
            return Ok(Node::Constant(self.pool.constant(value)));
        }
        if call.is_qualified() || SPECIAL.contains(&call.name.as_str()) {
            return self.fragment(&whole());
        }
        if matches!(call.name.as_str(), "eval" | "is_def_var") {
            return self.fragment(&whole()); // which refuses it
        }
        if let Some(token) = &call.op_token {
            return self.operator(call, token, position);
        }
        if let Some(Expr::ThisPtr(position)) = call.args.first() {
            return refuse("it uses `this`", *position);
        }
        let name = call.name.to_string();
        if IN_PLACE.contains(&name.as_str()) {
            self.expose(call.args.first());
        }
        let arguments = self.arguments(call)?;
        let evaluated = self.with_operands(call, position);
        if let Some(function) = self.names.get(&(name.clone(), call.args.len())) {
            let site = self.pool.site(position, What::Call(name, evaluated));
            return Ok(Node::Call(*function, arguments, site));
        }
        let site = self.pool.site(position, What::Native(call.name.clone(), Style::Function, evaluated));
        if !self.defines(&name) {
            self.pool.known(site, Known::find(&name, call.args.len()));
        }
        Ok(Node::Native(name, arguments, site))
    }

    fn arguments(&mut self, call: &FnCallExpr) -> Lowered<Vec<Node>> {
        call.args.iter().map(|argument| self.expression(argument)).collect()
    }

    fn expose(&mut self, argument: Option<&Expr>) {
        if let Some(Expr::Variable(parts, ..)) = argument
            && let Some(variable) = self.find(&parts.1)
        {
            self.variables[variable].exposed = true;
        }
    }

    /// The method `name` is called on a variable.
    pub(super) fn expose_receiver(&mut self, name: &str, receiver: &Expr) {
        if IN_PLACE.contains(&name) || self.defines(name) {
            self.expose(Some(receiver));
        }
    }

    /// The call with `$0`, `$1` and so on for its arguments.
    fn with_operands(&self, call: &FnCallExpr, position: Position) -> Evaluated {
        let seen = operands(call.args.len());
        let mut replaced = call.clone();
        for (argument, seen) in replaced.args.iter_mut().zip(&seen) {
            *argument = named(&seen.name, argument.start_position());
        }
        Evaluated { expression: Expr::FnCall(Box::new(replaced), position), seen }
    }

    fn operator(&mut self, call: &FnCallExpr, token: &Token, position: Position) -> Lowered<Node> {
        let mut arguments = self.arguments(call)?;
        let evaluated = self.with_operands(call, position);
        match (arguments.len(), operator(token), token) {
            (2, Some(op), _) => {
                let site = self.pool.site(position, What::Operator(op, evaluated));
                let right = arguments.remove(1);
                Ok(Node::Binary(op, Box::new(arguments.remove(0)), Box::new(right), site))
            }
            (1, _, Token::Bang) => {
                let site = self.pool.site(position, What::Engine(evaluated));
                Ok(Node::Not(Box::new(arguments.remove(0)), site))
            }
            (1, _, Token::Minus | Token::UnaryMinus) => {
                let site = self.pool.site(position, What::Engine(evaluated));
                Ok(Node::Negate(Box::new(arguments.remove(0)), site))
            }
            // A range, or a unary plus. The function's name is the operator's.
            _ => {
                let name = call.name.clone();
                let site = self.pool.site(position, What::Native(name.clone(), Style::Function, evaluated));
                Ok(Node::Native(name.to_string(), arguments, site))
            }
        }
    }

    /// The bounds of `from..to` or `from..=to`, whether it is closed, and the site of `$0..$1`.
    pub(super) fn bounds(
        &mut self,
        call: &FnCallExpr,
        position: Position,
    ) -> Lowered<Option<(Node, Node, bool, SiteId)>> {
        let closed = match call.op_token {
            Some(Token::ExclusiveRange) => false,
            Some(Token::InclusiveRange) => true,
            _ => return Ok(None),
        };
        if call.args.iter().any(|bound| matches!(bound, Expr::Unit(..))) {
            return Ok(None);
        }
        let from = self.expression(&call.args[0])?;
        let to = self.expression(&call.args[1])?;
        let evaluated = self.with_operands(call, position);
        let site = self.pool.site(position, What::Engine(evaluated));
        Ok(Some((from, to, closed, site)))
    }
}
