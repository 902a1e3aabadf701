//! Expressions, and assignments to variables and chains.

use rhai::{BinaryExpr, Dynamic, Expr, OpAssignment, Position, Stmt, StmtBlock, Token};

use super::chain::named;
use super::{Lowered, Lowering, refuse};
use crate::native::ir::{Node, Op};
use crate::native::site::{Evaluated, Seen, What};

/// The operator that a token stands for.
pub(super) fn operator(token: &Token) -> Option<Op> {
    Some(match token {
        Token::Plus => Op::Add,
        Token::Minus => Op::Subtract,
        Token::Multiply => Op::Multiply,
        Token::Divide => Op::Divide,
        Token::Modulo => Op::Modulo,
        Token::PowerOf => Op::Power,
        Token::LeftShift => Op::ShiftLeft,
        Token::RightShift => Op::ShiftRight,
        Token::Ampersand => Op::And,
        Token::Pipe => Op::Or,
        Token::XOr => Op::Xor,
        Token::EqualsTo => Op::Equal,
        Token::NotEqualsTo => Op::NotEqual,
        Token::LessThan => Op::Less,
        Token::LessThanEqualsTo => Op::LessOrEqual,
        Token::GreaterThan => Op::Greater,
        Token::GreaterThanEqualsTo => Op::GreaterOrEqual,
        _ => return None,
    })
}

/// Names for values that have none.
pub(super) fn operands(count: usize) -> Vec<Seen> {
    (0..count).map(|at| Seen::new(&format!("${at}"), false)).collect()
}

impl Lowering<'_> {
    pub(super) fn expression(&mut self, expression: &Expr) -> Lowered<Node> {
        Ok(match expression {
            Expr::Unit(..) => Node::Unit,
            Expr::BoolConstant(value, _) => Node::Bool(*value),
            Expr::IntegerConstant(value, _) => Node::Int(*value),
            Expr::FloatConstant(value, _) => Node::Float(**value),
            Expr::CharConstant(value, _) => Node::Char(*value),
            Expr::StringConstant(value, _) => Node::Constant(self.pool.constant(value.clone().into())),
            Expr::DynamicConstant(value, _) => Node::Constant(self.pool.constant((**value).clone())),
            Expr::Variable(parts, ..) if parts.2.is_empty() => match self.find(&parts.1) {
                Some(variable) => Node::Read(variable),
                None => return self.fragment(expression),
            },
            Expr::Variable(..) => return self.fragment(expression),
            Expr::Stmt(block) => return self.block(block.statements()),
            Expr::FnCall(call, position) => return self.call(call, *position),
            Expr::And(operands, _) => return self.logic(true, operands),
            Expr::Or(operands, _) => return self.logic(false, operands),
            Expr::Coalesce(operands, _) => {
                Node::Coalesce(operands.iter().map(|one| self.expression(one)).collect::<Lowered<_>>()?)
            }
            Expr::InterpolatedString(parts, position) => {
                let nodes = parts.iter().map(|one| self.expression(one)).collect::<Lowered<Vec<_>>>()?;
                let names = operands(parts.len());
                let replaced =
                    parts.iter().zip(&names).map(|(part, seen)| named(&seen.name, part.position()));
                let text = Expr::InterpolatedString(replaced.collect(), *position);
                let evaluated = Evaluated { expression: text, seen: names };
                Node::Text(nodes, self.pool.site(*position, What::Engine(evaluated)))
            }
            Expr::Array(items, _) => {
                Node::Array(items.iter().map(|item| self.expression(item)).collect::<Lowered<_>>()?)
            }
            Expr::Map(parts, _) => {
                let (entries, template) = (&parts.0, &parts.1);
                let place = |key: &str| entries.iter().position(|(name, _)| name.name == key);
                let places: Option<Vec<usize>> = template.keys().map(|key| place(key)).collect();
                let Some(places) = places.filter(|places| places.len() == entries.len()) else {
                    return self.fragment(expression);
                };
                let values =
                    entries.iter().map(|(_, value)| self.expression(value)).collect::<Lowered<_>>()?;
                Node::Map(self.pool.constant(Dynamic::from_map(template.clone())), values, places)
            }
            Expr::Index(..) | Expr::Dot(..) => return self.chain(expression),
            Expr::Custom(custom, _) => return self.custom(expression, custom),
            Expr::ThisPtr(position) => match self.find(super::THIS) {
                Some(variable) => Node::Read(variable),
                None => return refuse("it uses `this`", *position),
            },
            other => return super::fragment::no_form(other.position()),
        })
    }

    fn logic(&mut self, all: bool, operands: &[Expr]) -> Lowered<Node> {
        let lowered = operands.iter().map(|operand| {
            let (node, site) = self.condition(operand)?;
            Ok((*node, site))
        });
        Ok(Node::Logic(all, lowered.collect::<Lowered<_>>()?))
    }

    pub(super) fn assignment(
        &mut self,
        statement: &Stmt,
        how: &OpAssignment,
        sides: &BinaryExpr,
    ) -> Lowered<Node> {
        let op = match how.get_op_assignment_info() {
            None => None,
            Some((.., token, _)) => match operator(token) {
                Some(op) => Some((op, how.clone())),
                None => return self.fragment_of(statement),
            },
        };
        match &sides.lhs {
            Expr::Variable(..) | Expr::ThisPtr(_) => {
                let Some(variable) = self.variable(&sides.lhs) else { return self.fragment_of(statement) };
                if self.variables[variable].constant {
                    return self.fragment_of(statement);
                }
                let value = Box::new(self.expression(&sides.rhs)?);
                Ok(match op {
                    None => Node::Assign(variable, value),
                    Some((op, how)) => {
                        let at = sides.lhs.position();
                        Node::Update(variable, op, value, self.update_site(op, &how, at))
                    }
                })
            }
            Expr::Index(..) | Expr::Dot(..) => self.assign_chain(statement, op, sides),
            _ => self.fragment_of(statement),
        }
    }

    /// The site of `$0 op= $1`.
    pub(super) fn update_site(&mut self, op: Op, how: &OpAssignment, at: Position) -> usize {
        let sides = BinaryExpr { lhs: named("$0", at), rhs: named("$1", how.position()) };
        let statement = Stmt::Assignment(Box::new((how.clone(), sides)));
        let block = StmtBlock::new([statement], how.position(), Position::NONE);
        let evaluated = Evaluated { expression: Expr::Stmt(Box::new(block)), seen: operands(2) };
        self.pool.site(how.position(), What::Update(op, evaluated))
    }
}
