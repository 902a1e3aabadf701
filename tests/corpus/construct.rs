//! Expressions that hold statements or call functions: blocks, `switch`, loops that give a value, calls, closures.

use super::expression::expression;
use super::grammar::{Maker, Signature, Type, Variable};
use super::tree::{Kind, Tree};

impl Maker<'_, '_> {
    /// A call of a function of the program that gives this type.
    pub fn call(&mut self, kind: Type, depth: usize) -> Tree {
        let mut known: Vec<Signature> = self
            .functions
            .iter()
            .filter(|known| known.gives == kind && known.this.is_none())
            .cloned()
            .collect();
        if let Some((itself, left)) = &mut self.itself
            && itself.gives == kind
            && *left > 0
            && self.loops == 0
            && !self.closure
        {
            *left -= 1;
            let mut pieces = vec![Tree::leaf("n - 1")];
            let signature = itself.clone();
            for parameter in signature.parameters.iter().skip(1) {
                pieces.push(self.expression(*parameter, depth));
            }
            return call_of(&signature, pieces);
        }
        if self.loops > 1 || self.closure {
            // Calls in loops in loops take long.
            known.clear();
        }
        if known.is_empty() {
            return self.simple(kind);
        }
        let signature = known[self.choose(known.len())].clone();
        let pieces =
            signature.parameters.iter().map(|parameter| self.expression(*parameter, depth)).collect();
        call_of(&signature, pieces)
    }

    /// A block with a value.
    pub fn inner_block(&mut self, kind: Type, depth: usize) -> Tree {
        let scope = self.variables.len();
        let mut statements: Vec<Tree> = (0..self.choose(3)).map(|_| self.statement(depth)).collect();
        let last = self.expression(kind, depth);
        statements.push(Tree::new(Kind::Statement, "@", [last]));
        self.variables.truncate(scope);
        expression("{ @ }", [Tree::block(statements)])
    }

    /// What people rarely write.
    pub fn unusual(&mut self, kind: Type, depth: usize) -> Tree {
        match self.choose(5) {
            0 => self.choice(kind, depth),
            1 => self.loop_value(kind, depth),
            // Of one type or another.
            2 => {
                let other = self.any();
                expression(
                    "if @ { @ } else { @ }",
                    [self.condition(depth), self.expression(kind, depth), self.expression(other, depth)],
                )
            }
            // Or nothing at all.
            3 => expression("if @ { @ }", [self.condition(depth), self.expression(kind, depth)]),
            _ => self.first_argument(kind, depth),
        }
    }

    /// A first argument that later ones change.
    fn first_argument(&mut self, kind: Type, depth: usize) -> Tree {
        let known: Vec<Variable> =
            self.visible().into_iter().filter(|known| known.kind == kind && !known.constant).collect();
        let call = match kind {
            Type::Int | Type::Float => {
                self.one_of(&["max(@, { @ = @; @ })", "min(@, { @ = @; @ })", "(@ + { @ = @; @ })"])
            }
            _ => return self.simple(kind),
        };
        if known.is_empty() {
            return self.simple(kind);
        }
        let name = Tree::leaf(known[self.choose(known.len())].name);
        expression(call, [name.clone(), name.clone(), self.expression(kind, depth), name])
    }

    /// A `switch` that gives this type.
    pub fn choice(&mut self, kind: Type, depth: usize) -> Tree {
        let (on, [first, second, third]) = match self.choose(4) {
            0 | 1 => (Type::Int, ["0", "1 | 2", "3..7"]),
            2 => (Type::Bool, ["true", "false if 1 > 2", "1"]),
            _ if self.width == super::grammar::Width::Everything => {
                (Type::Text, ["\"a\"", "\"rye\" | \"\"", "()"])
            }
            _ => (Type::Char, ["'a'", "'z' | '7'", "' '"]),
        };
        let template = format!("switch @ {{ {first} => @, {second} => @, {third} => @, _ => @ }}");
        let on = self.expression(on, depth);
        expression(
            &template,
            [
                on,
                self.expression(kind, depth),
                self.expression(kind, depth),
                self.expression(kind, depth),
                self.expression(kind, depth),
            ],
        )
    }

    /// A loop that gives this type by `break`.
    pub fn loop_value(&mut self, kind: Type, depth: usize) -> Tree {
        if self.loops > 1 {
            return self.simple(kind);
        }
        let scope = self.variables.len();
        let condition = self.condition(depth);
        self.variables.push(Variable { name: "k", kind: Type::Int, constant: true });
        self.loops += 1;
        let body = self.statements(1, depth);
        let value = self.expression(kind, depth);
        self.loops -= 1;
        self.variables.truncate(scope);
        let whole = match self.choose(3) {
            0 => "{ let k = 0; loop { k += 1; if @ || k > 3 { break @; } @ } }",
            1 => "{ let k = 0; while k < 9 { k += 1; if @ { break @; } @ } }",
            _ => "for k in 0..4 { if @ { break @; } @ }",
        };
        expression(whole, [condition, value, body])
    }

    /// A closure that takes an int and gives one, with what it captures.
    pub fn closure(&mut self, depth: usize) -> Tree {
        let (loops, closure) = (std::mem::take(&mut self.loops), std::mem::replace(&mut self.closure, true));
        let scope = self.variables.len();
        self.variables.retain(|known| known.name != "this");
        self.variables.push(Variable { name: "q", kind: Type::Int, constant: false });
        let body = self.expression(Type::Int, depth);
        let (template, body) = if self.chance(1, 3) {
            let gives = std::mem::replace(&mut self.gives, Type::Int);
            let before = self.statements(2, depth.min(1));
            self.gives = gives;
            ("(|q| { @ @ })", vec![before, body])
        } else {
            ("(|q| @)", vec![body])
        };
        self.variables.truncate(scope);
        (self.loops, self.closure) = (loops, closure);
        expression(template, body)
    }
}

fn call_of(signature: &Signature, pieces: Vec<Tree>) -> Tree {
    let places = vec!["@"; pieces.len()].join(", ");
    expression(&format!("{}({places})", signature.name), pieces)
}
