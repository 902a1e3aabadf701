//! The types of variables and results, found by running over functions until nothing changes.
//!
//! Invariants
//! 1. A type only rises: nothing, then one type, then any. So the search ends.
//! 2. A variable of a static type holds values of that type alone, whatever path was taken; all else is `Any`.

use std::collections::HashMap;

use super::ir::{Chain, Node, Root, VarId};
use super::numeric;
use super::types::{Form, Found, Functions, Key, Type, binary};

/// Finds the types of a form and of all forms it calls that don't exist yet.
pub fn infer(functions: &dyn Functions, first: Key) -> Found {
    let mut found: Vec<(Key, Form)> = Vec::new();
    let mut places: HashMap<Key, usize> = HashMap::new();
    add(&mut found, &mut places, functions, first);
    loop {
        let mut changed = false;
        let mut at = 0;
        while at < found.len() {
            let (key, form) = found[at].clone();
            if let Some(function) = functions.lowered(key.function) {
                let mut pass = Pass {
                    functions,
                    results: &found,
                    places: &places,
                    form,
                    called: Vec::new(),
                    loops: Vec::new(),
                    changed: false,
                    final_pass: false,
                };
                let value = pass.node(&function.body);
                pass.result(value);
                let (form, called, risen) = (pass.form, pass.called, pass.changed);
                changed |= risen;
                found[at].1 = form;
                for key in called {
                    changed |= add(&mut found, &mut places, functions, key);
                }
            }
            at += 1;
        }
        if !changed {
            return Found { forms: found, places };
        }
    }
}

fn add(
    found: &mut Vec<(Key, Form)>,
    places: &mut HashMap<Key, usize>,
    functions: &dyn Functions,
    key: Key,
) -> bool {
    if places.contains_key(&key) || functions.result(&key).is_some() {
        return false;
    }
    let Some(function) = functions.lowered(key.function) else { return false };
    let mut variables = vec![Type::Never; function.variables.len()];
    variables[..key.parameters.len()].copy_from_slice(&key.parameters);
    for (kind, variable) in variables.iter_mut().zip(&function.variables) {
        if variable.exposed {
            *kind = Type::Any;
        }
    }
    places.insert(key.clone(), found.len());
    found.push((key, Form { variables, result: Type::Never }));
    true
}

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
    /// Nothing is called that isn't known.
    final_pass: bool,
}

impl<'a> Pass<'a> {
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

    fn chain(&mut self, chain: &Chain) -> bool {
        let operands = self.all(&chain.operands).is_some();
        let root = match &chain.root {
            Root::Value(value) => self.node(value) != Type::Never,
            Root::Variable(_) => true,
        };
        operands && root
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
            Node::Constant(_) => Type::Any,
            Node::Read(variable) => self.form.variables[*variable],
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
                if self.node(&each.iterable) == Type::Never {
                    return Type::Never;
                }
                self.raise(each.variable, Type::Any);
                if let Some(counter) = each.counter {
                    self.raise(counter, Type::Int);
                }
                if each.whole.returns {
                    self.result(Type::Any);
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
            Node::Native(name, arguments, _) => match self.all(arguments) {
                Some(types) if !self.functions.defines(name) => {
                    numeric::standard(name, &types).map_or(Type::Any, |(_, kind)| kind)
                }
                Some(_) => Type::Any,
                None => Type::Never,
            },
            Node::Get(chain) => {
                if self.chain(chain) {
                    Type::Any
                } else {
                    Type::Never
                }
            }
            Node::Set(chain, _, value) => {
                let value = self.node(value);
                let fine = self.chain(chain);
                if let Root::Variable(variable) = chain.root {
                    self.raise(variable, Type::Any);
                }
                if value == Type::Never || !fine { Type::Never } else { Type::Unit }
            }
            Node::Method(chain, name, count, _) => {
                if !self.chain(chain) {
                    return Type::Never;
                }
                self.method(chain, name, *count)
            }
            Node::Text(nodes, _) | Node::Array(nodes) => self.all(nodes).map_or(Type::Never, |_| Type::Any),
            Node::Map(_, entries) => {
                let types = entries.iter().map(|(_, value)| self.node(value));
                let ends = types.fold(false, |ends, kind| ends | (kind == Type::Never));
                if ends { Type::Never } else { Type::Any }
            }
            Node::Fragment(fragment) => {
                if fragment.returns {
                    self.result(Type::Any);
                }
                Type::Any
            }
        }
    }

    fn method(&mut self, chain: &Chain, name: &str, count: usize) -> Type {
        if self.functions.defines(name) {
            return Type::Any;
        }
        if name == "len" && count == 0 {
            return Type::Int;
        }
        let receiver = match (&chain.root, chain.steps.is_empty()) {
            (Root::Variable(variable), true) => self.form.variables[*variable],
            (Root::Value(value), true) => self.node(value),
            _ => Type::Any,
        };
        let mut types = vec![receiver];
        types.extend(chain.operands.iter().map(|operand| self.node(operand)).collect::<Vec<_>>());
        numeric::standard(name, &types).map_or(Type::Any, |(_, kind)| kind)
    }
}
