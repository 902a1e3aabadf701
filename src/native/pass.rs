//! One run over a function, which finds the types of its variables and of its value.

use std::collections::HashMap;

use super::elements::{self, Effect};
use super::ir::{Chain, Node, Root, VarId};
use super::numeric;
use super::types::{Form, Functions, Key, Type, binary};

/// A run over one function.
pub struct Pass<'a> {
    functions: &'a dyn Functions,
    results: &'a [(Key, Form)],
    places: &'a HashMap<Key, usize>,
    form: Form,
    called: Vec<Key>,
    /// What the loops around the place give.
    loops: Vec<Type>,
    changed: bool,
    /// Nothing is called that isn't known; what is called is noted.
    final_pass: bool,
}

impl<'a> Pass<'a> {
    /// What it finds on its way over a function's body: the form, what is called, and whether a type has risen.
    pub fn over(mut self, body: &Node) -> (Form, Vec<Key>, bool) {
        let value = self.node(body);
        self.result(value);
        (self.form, self.called, self.changed)
    }

    /// A pass that only looks.
    pub fn looking(
        functions: &'a dyn Functions,
        results: &'a [(Key, Form)],
        places: &'a HashMap<Key, usize>,
        form: Form,
    ) -> Self {
        let (called, loops) = (Vec::new(), Vec::new());
        Self { functions, results, places, form, called, loops, changed: false, final_pass: true }
    }

    /// The same, but it finds more.
    pub fn finding(self) -> Self {
        Self { final_pass: false, ..self }
    }

    fn raise(&mut self, variable: VarId, to: Type) {
        let known = self.form.variables[variable];
        let joined = known.join(to);
        if joined != known {
            self.form.variables[variable] = joined;
            self.changed = true;
        }
    }

    fn result(&mut self, to: Type) {
        let joined = self.form.result.join(to);
        if joined != self.form.result {
            self.form.result = joined;
            self.changed = true;
        }
    }

    fn all(&mut self, nodes: &[Node]) -> Option<Vec<Type>> {
        let types: Vec<Type> = nodes.iter().map(|node| self.node(node)).collect();
        (!types.contains(&Type::Never)).then_some(types)
    }

    /// The type of a chain's root, if it comes to that.
    fn chain(&mut self, chain: &Chain) -> Option<Type> {
        self.all(&chain.operands)?;
        Some(match &chain.root {
            Root::Value(value) => self.node(value),
            Root::Variable(variable) => self.form.variables[*variable],
        })
        .filter(|root| *root != Type::Never)
    }

    /// The root of a chain is of this type from now on.
    fn changed(&mut self, chain: &Chain, to: Type) {
        if let Root::Variable(variable) = chain.root {
            self.raise(variable, to);
        }
    }

    fn in_loop(&mut self, start: Type, body: &Node) -> Type {
        self.loops.push(start);
        self.node(body);
        self.loops.pop().unwrap_or(Type::Any)
    }

    /// The result of a form.
    pub fn result_of(&mut self, key: Key) -> Type {
        if let Some(result) = self.functions.result(&key) {
            return result;
        }
        if let Some(place) = self.places.get(&key) {
            if self.final_pass {
                self.called.push(key);
            }
            return self.results[*place].1.result;
        }
        if self.functions.lowered(key.function).is_none_or(|function| function.uses_this) {
            return Type::Any;
        }
        if !self.final_pass {
            self.called.push(key);
        }
        Type::Never
    }

    /// The type of a node's value.
    pub fn node(&mut self, node: &Node) -> Type {
        match node {
            Node::Unit => Type::Unit,
            Node::Bool(_) => Type::Bool,
            Node::Int(_) => Type::Int,
            Node::Float(_) => Type::Float,
            Node::Char(_) => Type::Char,
            Node::Constant(constant) => self.functions.constant_type(*constant),
            Node::Read(variable) | Node::Take(variable) => self.form.variables[*variable],
            Node::Block(nodes, _) => {
                let mut last = Type::Unit;
                for node in nodes {
                    last = self.node(node);
                    if last == Type::Never {
                        break;
                    }
                }
                last
            }
            Node::Let(variable, value) | Node::Assign(variable, value) => {
                let value = self.node(value);
                self.raise(*variable, value);
                if value == Type::Never { Type::Never } else { Type::Unit }
            }
            Node::Update(variable, op, value, _) => {
                let value = self.node(value);
                let known = self.form.variables[*variable];
                self.raise(*variable, binary(*op, known, value));
                if value == Type::Never { Type::Never } else { Type::Unit }
            }
            Node::Not(value, _) => match self.node(value) {
                one @ (Type::Bool | Type::Never) => one,
                _ => Type::Any,
            },
            Node::Negate(value, _) => match self.node(value) {
                one @ (Type::Int | Type::Float | Type::Never) => one,
                _ => Type::Any,
            },
            Node::Binary(op, left, right, _) => {
                let left = self.node(left);
                binary(*op, left, self.node(right))
            }
            Node::Logic(_, operands) => {
                let first = operands.first().map(|(operand, _)| self.node(operand));
                operands.iter().skip(1).for_each(|(operand, _)| {
                    self.node(operand);
                });
                if first == Some(Type::Never) { Type::Never } else { Type::Bool }
            }
            Node::Coalesce(nodes) => {
                nodes.iter().fold(Type::Never, |joined, node| joined.join(self.node(node)))
            }
            Node::If(condition, _, body, branch) => {
                if self.node(condition) == Type::Never {
                    return Type::Never;
                }
                let body = self.node(body);
                body.join(self.node(branch))
            }
            Node::While(condition, body) => {
                let start = match condition {
                    None => Type::Never,
                    Some((condition, _)) => {
                        if self.node(condition) == Type::Never {
                            return Type::Never;
                        }
                        Type::Unit
                    }
                };
                self.in_loop(start, body)
            }
            Node::Do(body, condition, ..) => {
                let found = self.in_loop(Type::Unit, body);
                self.node(condition);
                found
            }
            Node::Range(variable, counter, bounds, _, body, _) => {
                if self.node(&bounds.0) == Type::Never || self.node(&bounds.1) == Type::Never {
                    return Type::Never;
                }
                self.raise(*variable, Type::Int);
                if let Some(counter) = counter {
                    self.raise(*counter, Type::Int);
                }
                self.in_loop(Type::Unit, body)
            }
            Node::Each(each) => {
                let iterable = self.node(&each.iterable);
                if iterable == Type::Never {
                    return Type::Never;
                }
                let item = iterable.element();
                if item == Type::Never {
                    return Type::Unit; // the array is empty
                }
                self.raise(each.variable, item);
                if let Some(counter) = each.counter {
                    self.raise(counter, Type::Int);
                }
                self.in_loop(Type::Unit, &each.body)
            }
            Node::Switch(switch) => {
                if self.node(&switch.subject) == Type::Never {
                    return Type::Never;
                }
                let cases = switch.cases.iter().map(|(_, condition, _)| condition);
                let ranges = switch.ranges.iter().map(|(_, _, _, condition, _)| condition);
                for (condition, _) in cases.chain(ranges).flatten() {
                    self.node(condition);
                }
                let rest = if switch.default.is_some() { Type::Never } else { Type::Unit };
                switch.arms.iter().fold(rest, |joined, arm| joined.join(self.node(arm)))
            }
            Node::Break(value) => {
                let value = value.as_ref().map_or(Type::Unit, |value| self.node(value));
                if let Some(around) = self.loops.last_mut() {
                    *around = around.join(value);
                }
                Type::Never
            }
            Node::Continue => Type::Never,
            Node::Return(value) => {
                let value = value.as_ref().map_or(Type::Unit, |value| self.node(value));
                self.result(value);
                Type::Never
            }
            Node::Throw(value, _) => {
                if let Some(value) = value {
                    self.node(value);
                }
                Type::Never
            }
            Node::Try(body, caught, handler) => {
                let body = self.node(body);
                if let Some(caught) = caught {
                    self.raise(*caught, Type::Any);
                }
                match self.node(handler) {
                    Type::Never => body,
                    _ => body.join(Type::Unit),
                }
            }
            Node::With(with) => match self.node(&with.resource) {
                Type::Never => Type::Never,
                _ => self.node(&with.body),
            },
            Node::Call(function, arguments, _) => match self.all(arguments) {
                Some(parameters) => self.result_of(Key { function: *function, parameters }),
                None => Type::Never,
            },
            Node::Native(name, arguments, _) => self.native(name, arguments),
            Node::Get(chain) => match self.chain(chain) {
                Some(root) => elements::at(root, &chain.steps),
                None => Type::Never,
            },
            Node::Set(chain, op, value) => {
                let value = self.node(value);
                let Some(root) = self.chain(chain).filter(|_| value != Type::Never) else {
                    return Type::Never;
                };
                let new = op.map_or(value, |(op, _)| binary(op, elements::at(root, &chain.steps), value));
                self.changed(chain, elements::stored(root, &chain.steps, new));
                Type::Unit
            }
            Node::Method(chain, name, count, _) => self.method(chain, name, *count),
            Node::Text(nodes, _) | Node::Map(_, nodes, _) => {
                self.all(nodes).map_or(Type::Never, |_| Type::Any)
            }
            Node::Array(nodes) => self
                .all(nodes)
                .map_or(Type::Never, |types| Type::array_of(types.into_iter().fold(Type::Never, Type::join))),
            Node::Fragment(fragment) => {
                if fragment.returns {
                    self.result(Type::Any);
                }
                Type::Any
            }
        }
    }

    fn native(&mut self, name: &str, arguments: &[Node]) -> Type {
        let Some(types) = self.all(arguments) else { return Type::Never };
        let ours = !self.functions.defines(name);
        // A variable in front goes by reference.
        if let Some(Node::Read(variable)) = arguments.first()
            && types[0].is_array()
        {
            match elements::effect(name, types.len() - 1) {
                Effect::None if ours => {}
                Effect::Adds if ours => self.raise(*variable, Type::array_of(types[1])),
                _ => self.raise(*variable, Type::Any),
            }
        }
        let found = numeric::standard(name, &types).filter(|_| ours);
        found.map_or(Type::Any, |(_, kind)| kind)
    }

    fn method(&mut self, chain: &Chain, name: &str, count: usize) -> Type {
        let Some(root) = self.chain(chain) else { return Type::Never };
        let ours = !self.functions.defines(name);
        let object = elements::at(root, &chain.steps);
        let (given, effect) = (chain.operands.len() - count, elements::effect(name, count));
        if ours && object.is_array() && effect == Effect::Adds {
            let element = self.node(&chain.operands[given]);
            let array = object.join(Type::array_of(element));
            self.changed(chain, elements::stored(root, &chain.steps, array));
            return Type::Unit;
        }
        if root.is_array() && !(ours && object.is_array() && effect == Effect::None) {
            self.changed(chain, Type::Any);
        }
        if !ours || !chain.steps.is_empty() {
            return if ours && name == "len" && count == 0 { Type::Int } else { Type::Any };
        }
        if name == "len" && count == 0 {
            return Type::Int;
        }
        let mut types = vec![root];
        types.extend(chain.operands.iter().map(|operand| self.node(operand)).collect::<Vec<_>>());
        numeric::standard(name, &types).map_or(Type::Any, |(_, kind)| kind)
    }
}
