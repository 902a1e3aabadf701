//! Which parameters a function only reads, so that a caller may lend its variable and no copy is made.
//!
//! Invariants
//! 1. A lent parameter is never written, never a loop's subject that the body could change, never seen by the engine
//!    by reference, and never captured.

use super::ir::{Chain, Node, Root, Variable};

/// Methods and functions that read their first argument and are run by us.
pub const READERS: &[&str] = &["len", "contains", "keys", "values", "is_empty"];

/// For each parameter, whether it is only read.
pub fn parameters(body: &Node, variables: &[Variable], count: usize) -> Vec<bool> {
    let mut lends: Vec<bool> = variables[..count].iter().map(|variable| !variable.exposed).collect();
    visit(body, &mut |node| {
        if let Some(variable) = written(node)
            && let Some(lent) = lends.get_mut(variable)
        {
            *lent = false;
        }
    });
    lends
}

/// The variables of loops over values that are only read: they are the element itself, not a copy. It stays where it
/// is, as the loop has what it iterates for itself or changes it nowhere.
pub fn items(body: &Node, variables: &[Variable]) -> Vec<usize> {
    let mut items = Vec::new();
    visit(body, &mut |node| {
        if let Node::Each(each) = node
            && !variables[each.variable].exposed
            && !writes(&each.body, each.variable)
        {
            items.push(each.variable);
        }
    });
    items
}

/// Whether a tree may write to a variable that isn't exposed.
pub fn writes(tree: &Node, variable: usize) -> bool {
    let mut found = false;
    visit(tree, &mut |node| found |= written(node) == Some(variable));
    found
}

/// The variable that a node writes to, or hands out to be written.
fn written(node: &Node) -> Option<usize> {
    match node {
        Node::Let(variable, _) | Node::Assign(variable, _) | Node::Update(variable, ..) => Some(*variable),
        Node::Set(Chain { root: Root::Variable(variable), .. }, ..) => Some(*variable),
        Node::Method(Chain { root: Root::Variable(variable), .. }, name, ..)
            if !READERS.contains(&name.as_str()) =>
        {
            Some(*variable)
        }
        Node::Native(name, arguments, _) if !READERS.contains(&name.as_str()) => match arguments.first() {
            Some(Node::Read(variable)) => Some(*variable),
            _ => None,
        },
        _ => None,
    }
}

/// Visits a node and all below it.
pub fn visit(node: &Node, see: &mut dyn FnMut(&Node)) {
    see(node);
    let chain = |chain: &Chain, see: &mut dyn FnMut(&Node)| {
        chain.operands.iter().for_each(|operand| visit(operand, see));
        if let Root::Value(value) = &chain.root {
            visit(value, see);
        }
    };
    match node {
        Node::Block(nodes, _)
        | Node::Coalesce(nodes)
        | Node::Call(_, nodes, _)
        | Node::Native(_, nodes, _)
        | Node::Text(nodes, _)
        | Node::Array(nodes)
        | Node::Map(_, nodes, _) => nodes.iter().for_each(|node| visit(node, see)),
        Node::Let(_, value)
        | Node::Assign(_, value)
        | Node::Update(_, _, value, _)
        | Node::Not(value, _)
        | Node::Negate(value, _) => visit(value, see),
        Node::Binary(_, left, right, _) => {
            visit(left, see);
            visit(right, see);
        }
        Node::Logic(_, operands) => operands.iter().for_each(|(operand, _)| visit(operand, see)),
        Node::If(condition, _, body, branch) => {
            [condition, body, branch].into_iter().for_each(|node| visit(node, see));
        }
        Node::While(condition, body) => {
            if let Some((condition, _)) = condition {
                visit(condition, see);
            }
            visit(body, see);
        }
        Node::Do(body, condition, ..) => {
            visit(body, see);
            visit(condition, see);
        }
        Node::Range(_, _, bounds, _, body, _) => {
            visit(&bounds.0, see);
            visit(&bounds.1, see);
            visit(body, see);
        }
        Node::Each(each) => {
            visit(&each.iterable, see);
            visit(&each.body, see);
        }
        Node::Switch(switch) => {
            visit(&switch.subject, see);
            let conditions = switch.cases.iter().map(|(_, condition, _)| condition);
            let more = switch.ranges.iter().map(|(_, _, _, condition, _)| condition);
            for (condition, _) in conditions.chain(more).flatten() {
                visit(condition, see);
            }
            switch.arms.iter().for_each(|arm| visit(arm, see));
        }
        Node::Break(value) | Node::Return(value) | Node::Throw(value, _) => {
            if let Some(value) = value {
                visit(value, see);
            }
        }
        Node::Try(body, _, handler) => {
            visit(body, see);
            visit(handler, see);
        }
        Node::With(with) => {
            visit(&with.resource, see);
            visit(&with.body, see);
        }
        Node::Get(one) | Node::Method(one, ..) => chain(one, see),
        Node::Set(one, _, value) => {
            visit(value, see);
            chain(one, see);
        }
        Node::Unit
        | Node::Bool(_)
        | Node::Int(_)
        | Node::Float(_)
        | Node::Char(_)
        | Node::Constant(_)
        | Node::Read(_)
        | Node::Take(_)
        | Node::Continue
        | Node::Fragment(..) => {}
    }
}
