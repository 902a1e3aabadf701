//! Where a variable is read for the last time and its value wanted to be kept, it is moved and not copied.
//!
//! Invariants
//! 1. Nothing mentions a variable after it was taken, until it is declared anew. So nobody sees what is left in it.

use super::ir::{Chain, Node, Root, VarId, Variable};
use super::lend;

/// Takes variables that end with a block where they are mentioned for the last time, if that is in one place.
pub fn take_last(nodes: &mut [Node], ended: impl Iterator<Item = VarId>, variables: &[Variable]) {
    for variable in ended.filter(|variable| !variables[*variable].exposed) {
        let mut last = nodes.iter_mut().rev().map(|node| (mentions(node, variable), node));
        if let Some((1, node)) = last.find(|(count, _)| *count > 0) {
            take(node, variable);
        }
    }
}

/// How often a variable is mentioned.
fn mentions(node: &Node, variable: VarId) -> usize {
    let mut count = 0;
    lend::visit(node, &mut |node| {
        count += match node {
            Node::Read(one) | Node::Take(one) | Node::Let(one, _) | Node::Assign(one, _) => {
                usize::from(*one == variable)
            }
            Node::Update(one, ..) => usize::from(*one == variable),
            Node::Get(chain) | Node::Set(chain, ..) | Node::Method(chain, ..) => {
                usize::from(matches!(chain.root, Root::Variable(root) if root == variable))
            }
            Node::With(with) => usize::from(with.lock_of == Some(variable)),
            Node::Fragment(fragment) => usize::from(fragment.variables.contains(&variable)),
            _ => 0,
        };
    });
    count
}

/// Takes the variable if it stands where a value is kept, and not in a loop.
fn take(node: &mut Node, variable: VarId) {
    let all = |nodes: &mut [Node]| nodes.iter_mut().for_each(|node| take(node, variable));
    match node {
        Node::Read(one) if *one == variable => *node = Node::Take(variable),
        Node::Block(nodes, _) | Node::Call(_, nodes, _) | Node::Array(nodes) | Node::Map(_, nodes, _) => {
            all(nodes);
        }
        // The first may be handed out by reference.
        Node::Native(_, nodes, _) => all(nodes.get_mut(1..).unwrap_or_default()),
        Node::Method(Chain { operands, .. }, _, count, _) => {
            let given = operands.len() - *count;
            all(&mut operands[given..]);
        }
        Node::Let(_, value)
        | Node::Assign(_, value)
        | Node::Set(_, None, value)
        | Node::Return(Some(value))
        | Node::Throw(Some(value), _) => take(value, variable),
        Node::If(_, _, body, branch) => {
            take(body, variable);
            take(branch, variable);
        }
        Node::Switch(switch) => all(&mut switch.arms),
        Node::Try(body, _, handler) => {
            take(body, variable);
            take(handler, variable);
        }
        _ => {}
    }
}
