//! Expressions of every type.

use super::grammar::{Maker, Type, Width};
use super::tree::{Kind, Tree};

/// An expression by its template.
pub fn expression(template: &str, pieces: impl IntoIterator<Item = Tree>) -> Tree {
    Tree::new(Kind::Expression, template, pieces)
}

const INT_OPERATORS: &[&str] = &["+", "-", "*", "+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "**"];
const FLOAT_OPERATORS: &[&str] = &["+", "-", "*", "/", "+", "-", "*", "%", "**"];
const COMPARISONS: &[&str] = &["==", "<", "!=", "<=", ">", ">="];

impl Maker<'_, '_> {
    /// An expression of this type, rarely of another.
    pub fn expression(&mut self, kind: Type, depth: usize) -> Tree {
        let kind = self.or_wrong(kind);
        self.exactly(kind, depth)
    }

    /// An expression where only a bool may stand. One of another type would not even be read, unless it is a variable.
    pub fn condition(&mut self, depth: usize) -> Tree {
        if self.or_wrong(Type::Bool) != Type::Bool && !self.variables.is_empty() {
            let index = self.choose(self.variables.len());
            return Tree::leaf(self.variables[index].name);
        }
        let condition = self.exactly(Type::Bool, depth);
        // A block is none, for the parser.
        if condition.text().starts_with(['{', 'f']) {
            expression("(@ == true)", [condition])
        } else {
            condition
        }
    }

    /// What a loop can go through; of a wrong type only if it is a variable.
    pub fn iterable(&mut self, kind: Type, depth: usize) -> Tree {
        if self.or_wrong(kind) != kind && !self.variables.is_empty() {
            let index = self.choose(self.variables.len());
            return Tree::leaf(self.variables[index].name);
        }
        let iterable = self.exactly(kind, depth);
        if iterable.text().starts_with(['{', 'f']) { expression("(@ ?? [])", [iterable]) } else { iterable }
    }

    fn exactly(&mut self, kind: Type, depth: usize) -> Tree {
        if depth == 0 || self.chance(1, 4) {
            return self.simple(kind);
        }
        let depth = depth - 1;
        match self.choose(12) {
            0..=7 => self.of_type(kind, depth),
            8 => expression(
                "if @ { @ } else { @ }",
                [self.condition(depth), self.expression(kind, depth), self.expression(kind, depth)],
            ),
            9 => self.call(kind, depth),
            10 => self.inner_block(kind, depth),
            _ => self.unusual(kind, depth),
        }
    }

    /// A variable of this type, or a literal.
    pub fn simple(&mut self, kind: Type) -> Tree {
        let known: Vec<&str> =
            self.visible().iter().filter(|known| known.kind == kind).map(|known| known.name).collect();
        if known.is_empty() || self.chance(1, 4) {
            if kind == Type::Int && self.chance(1, 12) {
                return Tree::leaf("global::G");
            }
            return self.literal(kind, 1);
        }
        Tree::leaf(known[self.choose(known.len())])
    }

    fn of_type(&mut self, kind: Type, depth: usize) -> Tree {
        match kind {
            Type::Int => self.int(depth),
            Type::Float => self.float(depth),
            Type::Bool => self.bool(depth),
            Type::Char => self.char(depth),
            Type::Text => self.text(depth),
            Type::Unit => self.simple(Type::Unit),
            Type::Ints => self.array_of(Type::Ints, Type::Int, depth),
            Type::Floats => self.array_of(Type::Floats, Type::Float, depth),
            Type::Bools => self.array_of(Type::Bools, Type::Bool, depth),
            Type::Texts => self.array_of(Type::Texts, Type::Text, depth),
            Type::Rows => self.array_of(Type::Rows, Type::Floats, depth),
            Type::Mixed | Type::Blob => self.literal(kind, depth),
            Type::Map => self.literal(Type::Map, depth + 1),
            Type::Function => self.closure(depth),
        }
    }

    fn int(&mut self, depth: usize) -> Tree {
        let narrow = self.width == Width::Numbers;
        match self.choose(if narrow { 14 } else { 21 }) {
            0..=4 => {
                let operator = self.one_of(INT_OPERATORS);
                let (left, right) = (self.expression(Type::Int, depth), self.expression(Type::Int, depth));
                expression(&format!("(@ {operator} @)"), [left, right])
            }
            5 => expression("-(@)", [self.expression(Type::Int, depth)]),
            6 => self.element(Type::Ints, depth),
            7 => {
                let kind = [Type::Ints, Type::Floats, Type::Bools][self.choose(3)];
                expression("(@).len()", [self.simple(kind)])
            }
            8 => {
                let call = self.one_of(&["abs(@)", "(@).abs()", "sign(@)", "(@).sign()"]);
                expression(call, [self.simple(Type::Int)])
            }
            9 => {
                let call = self.one_of(&["min(@, @)", "max(@, @)", "min(@, @).abs()"]);
                expression(call, [self.expression(Type::Int, depth), self.expression(Type::Int, depth)])
            }
            10 => {
                let call = self.one_of(&["(@).to_int()", "to_int(@)"]);
                expression(call, [self.expression(Type::Float, depth)])
            }
            11 => self.choice(Type::Int, depth),
            12 => self.loop_value(Type::Int, depth),
            13 => expression("(@ + @.len)", [self.simple(Type::Int), self.simple(Type::Ints)]),
            14 => {
                let call =
                    self.one_of(&["(@).len()", "(@).bytes", "(@).index_of('a')", "(@).to_chars().len()"]);
                expression(call, [self.expression(Type::Text, depth)])
            }
            15 => {
                let read =
                    self.one_of(&["(@).a", "(@)[\"a\"]", "(@).l.len()", "(@).l[0]", "(@)?.m?.a", "(@).m.a"]);
                expression(read, [self.simple(Type::Map)])
            }
            16 => expression(
                "(@ ?? @)",
                [
                    if self.chance(1, 2) { Tree::leaf("()") } else { self.expression(Type::Int, depth) },
                    self.expression(Type::Int, depth),
                ],
            ),
            17 => expression("@.call(@)", [self.simple(Type::Function), self.expression(Type::Int, depth)]),
            18 => {
                let call = self.one_of(&[
                    "(@).reduce(|s, v| s + v, 0)",
                    "(@).reduce(|s, v| (s ?? 1) * v)",
                    "(@).index_of(2)",
                    "(@).filter(|v| v > 0).len()",
                    "(@).find(|v| v > 1)",
                ]);
                expression(call, [self.expression(Type::Ints, depth)])
            }
            19 => expression("parse_int(@)", [self.expression(Type::Text, depth)]),
            _ => expression("(@).to_int()", [self.expression(Type::Char, depth)]),
        }
    }

    fn float(&mut self, depth: usize) -> Tree {
        match self.choose(if self.width == Width::Numbers { 10 } else { 12 }) {
            0..=2 => {
                let operator = self.one_of(FLOAT_OPERATORS);
                let (left, right) =
                    (self.expression(Type::Float, depth), self.expression(Type::Float, depth));
                expression(&format!("(@ {operator} @)"), [left, right])
            }
            3 => {
                let operator = self.one_of(FLOAT_OPERATORS);
                let mut kinds = [Type::Int, Type::Float];
                if self.chance(1, 2) {
                    kinds.reverse();
                }
                let [left, right] = kinds.map(|kind| self.expression(kind, depth));
                expression(&format!("(@ {operator} @)"), [left, right])
            }
            4 => expression("-(@)", [self.expression(Type::Float, depth)]),
            5 => self.element(Type::Floats, depth),
            6 => {
                let call = self.one_of(&[
                    "sqrt(@)",
                    "(@).sqrt()",
                    "sin(@)",
                    "cos(@)",
                    "floor(@)",
                    "(@).ceiling()",
                    "round(@)",
                    "exp(@)",
                    "ln(@)",
                    "abs(@)",
                    "(@).int",
                    "(@).fraction()",
                    "tanh(@)",
                    "atan(@)",
                    "log(@)",
                ]);
                expression(call, [self.expression(Type::Float, depth)])
            }
            7 => {
                let call = self.one_of(&["min(@, @)", "max(@, @)", "hypot(@, @)", "atan(@, @)", "log(@, @)"]);
                expression(call, [self.expression(Type::Float, depth), self.expression(Type::Float, depth)])
            }
            8 => expression("(@).to_float()", [self.expression(Type::Int, depth)]),
            9 => expression(
                "(@)[@][@]",
                [self.simple(Type::Rows), self.simple(Type::Int), self.simple(Type::Int)],
            ),
            10 => {
                let read = self.one_of(&["(@).b", "(@)[\"b\"]", "(@).m.b"]);
                expression(read, [self.simple(Type::Map)])
            }
            _ => expression("(@).reduce(|s, v| s + v, 0.0)", [self.expression(Type::Floats, depth)]),
        }
    }

    fn bool(&mut self, depth: usize) -> Tree {
        match self.choose(if self.width == Width::Numbers { 9 } else { 13 }) {
            0 | 1 => self.comparison(Type::Int, Type::Int, depth),
            2 => self.comparison(Type::Float, Type::Float, depth),
            3 => {
                let kinds = [(Type::Int, Type::Float), (Type::Float, Type::Int), (Type::Bool, Type::Bool)];
                let (left, right) = kinds[self.choose(3)];
                self.comparison(left, right, depth)
            }
            4 | 5 => {
                let operator = self.one_of(&["&&", "||", "&&", "||", "^", "|", "&"]);
                let (left, right) = (self.condition(depth), self.condition(depth));
                expression(&format!("(@ {operator} @)"), [left, right])
            }
            6 => expression("!(@)", [self.condition(depth)]),
            7 => self.element(Type::Bools, depth),
            8 => {
                let call = self.one_of(&["(@).is_nan()", "(@).is_finite()", "(@).is_zero()"]);
                expression(call, [self.expression(Type::Float, depth)])
            }
            9 => {
                // Any two types can be compared.
                let (left, right) = (self.any(), self.any());
                self.comparison(left, right, depth)
            }
            10 => {
                let kind = [Type::Text, Type::Char, Type::Ints, Type::Map, Type::Unit][self.choose(5)];
                self.comparison(kind, kind, depth)
            }
            11 => {
                let (test, left, right) = [
                    ("(@ in @)", Type::Int, Type::Ints),
                    ("(@ in @)", Type::Text, Type::Map),
                    ("(@ !in @)", Type::Char, Type::Text),
                    ("(@ in @)", Type::Int, Type::Mixed),
                    ("(@ in @)", Type::Text, Type::Texts),
                ][self.choose(5)];
                expression(test, [self.expression(left, depth), self.expression(right, depth)])
            }
            _ => {
                let (test, kind) = [
                    ("(@).is_empty()", Type::Ints),
                    ("(@).contains(\"a\")", Type::Text),
                    ("(@).some(|v| v > 1)", Type::Ints),
                    ("(@).all(|v| v > 1)", Type::Ints),
                    ("(@).starts_with(\"r\")", Type::Text),
                    ("(@).contains(\"m\")", Type::Map),
                ][self.choose(6)];
                expression(test, [self.expression(kind, depth)])
            }
        }
    }

    fn comparison(&mut self, left: Type, right: Type, depth: usize) -> Tree {
        let operator = self.one_of(COMPARISONS);
        let (left, right) = (self.expression(left, depth), self.expression(right, depth));
        expression(&format!("(@ {operator} @)"), [left, right])
    }

    fn char(&mut self, depth: usize) -> Tree {
        if self.width == Width::Numbers || self.chance(1, 3) {
            return self.choice(Type::Char, depth);
        }
        let text = self.expression(Type::Text, depth);
        if self.chance(1, 3) {
            return expression("(@).to_upper()", [self.simple(Type::Char)]);
        }
        expression("(@)[@]", [text, self.simple(Type::Int)])
    }

    fn text(&mut self, depth: usize) -> Tree {
        match self.choose(8) {
            0 | 1 => {
                let left = self.expression(Type::Text, depth);
                let kind = [Type::Text, Type::Text, Type::Char, Type::Int, Type::Float][self.choose(5)];
                expression("(@ + @)", [left, self.expression(kind, depth)])
            }
            2 | 3 => {
                let (one, other) = (self.any(), self.any());
                expression("`v ${@}:${@}`", [self.expression(one, depth), self.expression(other, depth)])
            }
            4 => {
                let kind = self.any();
                let call = self.one_of(&["(@).to_string()", "to_debug(@)", "type_of(@)"]);
                expression(call, [self.expression(kind, depth)])
            }
            5 => {
                let call = self.one_of(&[
                    "(@).to_upper()",
                    "(@).sub_string(1)",
                    "(@).sub_string(0, 2)",
                    "(@)[0..2]",
                    "(@).sub_string(-2, 2)",
                ]);
                expression(call, [self.expression(Type::Text, depth)])
            }
            6 => self.element(Type::Texts, depth),
            _ => {
                let read = self.one_of(&["(@).s", "(@)[\"s\"]", "(@).keys()[0]"]);
                expression(read, [self.simple(Type::Map)])
            }
        }
    }

    /// An array, whose elements are of `element`.
    fn array_of(&mut self, kind: Type, element: Type, depth: usize) -> Tree {
        match self.choose(if self.width == Width::Numbers { 2 } else { 6 }) {
            0 => self.literal(kind, depth + 1),
            1 => self.simple(kind),
            2 => expression("(@ + @)", [self.expression(kind, depth), self.expression(kind, depth)]),
            3 => {
                let call = match element {
                    Type::Int => self.one_of(&[
                        "(@).map(|v| v * 2)",
                        "(@).map(|v, i| v + i)",
                        "(@).filter(|v| v % 2 == 0)",
                        "(@).order()",
                        "(@).order(|a, b| b - a)",
                        "(@).map(|v| this + v)",
                    ]),
                    Type::Float => {
                        self.one_of(&["(@).map(|v| v * 0.5)", "(@).filter(|v| v > 0.0)", "(@).order()"])
                    }
                    Type::Text => self.one_of(&["(@).map(|v| v + \"!\")", "(@).filter(|v| v.len() > 1)"]),
                    _ => self.one_of(&["(@).map(|v| v)", "(@).filter(|v| true)"]),
                };
                expression(call, [self.expression(kind, depth)])
            }
            4 => {
                let call =
                    self.one_of(&["(@).extract(1)", "(@).extract(0, 2)", "(@).extract(-1)", "(@)[0..2]"]);
                expression(call, [self.expression(kind, depth)])
            }
            _ if element == Type::Text => {
                let call = self.one_of(&["(@).split(\",\")", "(@).split()"]);
                expression(call, [self.expression(Type::Text, depth)])
            }
            _ if element == Type::Int && self.chance(1, 2) => expression("(@).l", [self.simple(Type::Map)]),
            _ => self.simple(kind),
        }
    }

    /// An element of an array, mostly one that is there.
    fn element(&mut self, array: Type, depth: usize) -> Tree {
        let index = match self.choose(4) {
            0 => Tree::leaf(self.one_of(&["0", "1", "-1", "2", "-2"])),
            1 => self.simple(Type::Int),
            2 => self.expression(Type::Int, depth),
            _ => return expression("(@)?[@]", [self.simple(array), self.simple(Type::Int)]),
        };
        expression("(@)[@]", [self.simple(array), index])
    }
}
