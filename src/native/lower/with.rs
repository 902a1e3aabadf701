//! `with`, the commonest of the statements that are none of the engine's own.

use rhai::{ASTFlags, CustomExpr, Expr};

use super::{Lowered, Lowering};
use crate::native::ir::{Node, VarId, With};
use crate::native::site::What;

impl Lowering<'_> {
    pub(super) fn custom(&mut self, expression: &Expr, custom: &CustomExpr) -> Lowered<Node> {
        let known = custom.tokens.first().is_some_and(|token| token == "with");
        // With a name behind `as` there is one input more.
        let ([resource, Expr::Stmt(block)], true) = (&*custom.inputs, known) else {
            return self.fragment(expression);
        };
        let lock_of = self.lock_of(resource);
        let site = self.pool.site(resource.start_position(), What::Plain);
        let resource = self.expression(resource)?;
        let body = self.block(block.statements())?;
        Ok(Node::With(Box::new(With { resource, lock_of, body, site })))
    }

    /// The variable whose lock the resource is.
    fn lock_of(&self, resource: &Expr) -> Option<VarId> {
        let Expr::Dot(sides, flags, _) = resource else { return None };
        let Expr::MethodCall(call, _) = &sides.rhs else { return None };
        let plain = !flags.contains(ASTFlags::NEGATED) && call.args.is_empty();
        let ours = plain && call.name == "get_lock" && !self.defines("get_lock");
        self.variable(&sides.lhs).filter(|_| ours)
    }
}
