//! Statements.

use super::grammar::{Maker, Type, Variable, Width};
use super::tree::{Kind, Tree};

const NAMES: &[&str] = &["a", "b", "c", "d", "x", "y", "i", "n"];

/// A statement by its template.
fn statement(template: &str, pieces: impl IntoIterator<Item = Tree>) -> Tree {
    Tree::new(Kind::Statement, template, pieces)
}

impl Maker<'_, '_> {
    /// A block of up to so many statements, and one at least.
    pub fn statements(&mut self, most: usize, depth: usize) -> Tree {
        let scope = self.variables.len();
        let statements = (0..=self.choose(most)).map(|_| self.statement(depth)).collect();
        self.variables.truncate(scope);
        Tree::block(statements)
    }

    /// A statement. What it declares is in sight from then on.
    pub fn statement(&mut self, depth: usize) -> Tree {
        if depth == 0 {
            return if self.chance(1, 2) { self.assignment(0) } else { self.declaration(0) };
        }
        let depth = depth - 1;
        match self.choose(20) {
            0..=3 => self.declaration(depth),
            4..=7 => self.assignment(depth),
            8 => statement("if @ { @ }", [self.condition(depth), self.statements(2, depth)]),
            9 => statement(
                "if @ { @ } else { @ }",
                [self.condition(depth), self.statements(2, depth), self.statements(2, depth)],
            ),
            10 | 11 => self.counting(depth),
            12 => self.going_through(depth),
            13 => {
                let kind = self.any();
                statement("print(@);", [self.expression(kind, depth)])
            }
            14 | 15 => self.change(depth),
            16 => self.method(depth),
            17 => self.leaving(depth),
            18 => self.catching(depth),
            _ => {
                let kind = self.any();
                statement("@;", [self.expression(kind, depth)])
            }
        }
    }

    fn declaration(&mut self, depth: usize) -> Tree {
        let kind = self.any();
        let constant = self.chance(1, 12);
        let name = NAMES[self.choose(NAMES.len())];
        let value = self.expression(kind, depth);
        self.variables.push(Variable { name, kind, constant });
        statement(&format!("{} {name} = @;", if constant { "const" } else { "let" }), [value])
    }

    fn assignment(&mut self, depth: usize) -> Tree {
        let known: Vec<Variable> =
            self.visible().into_iter().filter(|known| !known.constant && known.name != "this").collect();
        if known.is_empty() {
            return self.declaration(depth);
        }
        let Variable { name, kind, .. } = known[self.choose(known.len())].clone();
        let operator = match kind {
            Type::Int => {
                self.one_of(&["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "**="])
            }
            Type::Float => self.one_of(&["=", "+=", "-=", "*=", "/="]),
            Type::Bool => self.one_of(&["=", "=", "|=", "&=", "^="]),
            Type::Text | Type::Ints | Type::Floats => self.one_of(&["=", "+="]),
            _ => "=",
        };
        let kind = if kind == Type::Float && self.chance(1, 4) { Type::Int } else { kind };
        statement(&format!("{name} {operator} @;"), [self.expression(kind, depth)])
    }

    /// A loop that counts.
    fn counting(&mut self, depth: usize) -> Tree {
        if self.loops > 1 {
            return self.assignment(depth);
        }
        let scope = self.variables.len();
        let condition = self.condition(depth);
        let (before, name) =
            [("for i in 0..@ {", "i"), ("for x in 1..=@ {", "x"), ("for n in range(6, @, -2) {", "n")]
                [self.choose(3)];
        let turns = ["5", "3", "0", "9"][self.choose(4)];
        let form = self.choose(5);
        let name = if form == 0 { name } else { "k" };
        self.variables.push(Variable { name, kind: Type::Int, constant: form > 0 });
        self.loops += 1;
        let body = self.statements(3, depth);
        self.loops -= 1;
        self.variables.truncate(scope);
        match form {
            0 => statement(&format!("{before} @ }}"), [Tree::leaf(turns), body]),
            1 => statement("{ let k = 0; while k < 5 && @ { k += 1; @ } }", [condition, body]),
            2 => statement("{ let k = 0; do { k += 1; @ } while k < 4 && @; }", [body, condition]),
            3 => statement("{ let k = 0; do { k += 1; @ } until k > 3 || @; }", [body, condition]),
            _ => statement("{ let k = 0; loop { k += 1; if k > 4 || @ { break; } @ } }", [condition, body]),
        }
    }

    /// A loop over what there is.
    fn going_through(&mut self, depth: usize) -> Tree {
        if self.loops > 1 {
            return self.assignment(depth);
        }
        let kinds = [
            (Type::Ints, Type::Int),
            (Type::Floats, Type::Float),
            (Type::Bools, Type::Bool),
            (Type::Text, Type::Char),
            (Type::Texts, Type::Text),
            (Type::Rows, Type::Floats),
            (Type::Mixed, Type::Int),
        ];
        let (over, element) = kinds[self.choose(if self.width == Width::Numbers { 3 } else { 7 })];
        let over = self.iterable(over, depth);
        let scope = self.variables.len();
        let name = NAMES[self.choose(4)];
        self.variables.push(Variable { name, kind: element, constant: false });
        let counted = self.chance(1, 4);
        if counted {
            self.variables.push(Variable { name: "i", kind: Type::Int, constant: false });
        }
        self.loops += 1;
        let body = self.statements(3, depth);
        self.loops -= 1;
        self.variables.truncate(scope);
        let names = if counted { format!("({name}, i)") } else { name.to_owned() };
        statement(&format!("for {names} in @ {{ @ }}"), [over, body])
    }

    /// Changes part of a variable.
    fn change(&mut self, depth: usize) -> Tree {
        let known: Vec<Variable> = self.visible().into_iter().filter(|known| !known.constant).collect();
        let changes = |kind: Type| -> &'static [(&'static str, &'static [Type])] {
            match kind {
                Type::Ints => &[
                    ("[@] = @;", &[Type::Int, Type::Int]),
                    ("[@] += @;", &[Type::Int, Type::Int]),
                    (".push(@);", &[Type::Int]),
                    (".pop();", &[]),
                    (".insert(@, @);", &[Type::Int, Type::Int]),
                    (".remove(@);", &[Type::Int]),
                    (".sort();", &[]),
                    (".shift();", &[]),
                ],
                Type::Floats => &[
                    ("[@] = @;", &[Type::Int, Type::Float]),
                    ("[@] -= @;", &[Type::Int, Type::Float]),
                    (".push(@);", &[Type::Float]),
                    ("[@] *= @;", &[Type::Int, Type::Int]),
                ],
                Type::Bools => &[("[@] = @;", &[Type::Int, Type::Bool]), (".push(@);", &[Type::Bool])],
                Type::Texts => &[("[@] = @;", &[Type::Int, Type::Text]), (".push(@);", &[Type::Text])],
                Type::Mixed => &[("[@] = @;", &[Type::Int, Type::Text]), (".push(@);", &[Type::Float])],
                Type::Rows => &[
                    ("[@][@] = @;", &[Type::Int, Type::Int, Type::Float]),
                    ("[@][@] += @;", &[Type::Int, Type::Int, Type::Float]),
                    ("[@].push(@);", &[Type::Int, Type::Float]),
                    (".push(@);", &[Type::Floats]),
                ],
                Type::Blob => &[("[@] = @;", &[Type::Int, Type::Int]), (".push(@);", &[Type::Int])],
                Type::Map => &[
                    (".a = @;", &[Type::Int]),
                    (".a += @;", &[Type::Int]),
                    (".b *= @;", &[Type::Float]),
                    ("[\"a\"] -= @;", &[Type::Int]),
                    (".s += @;", &[Type::Text]),
                    (".l[@] = @;", &[Type::Int, Type::Int]),
                    (".l.push(@);", &[Type::Int]),
                    (".m.a = @;", &[Type::Int]),
                    (".m = @;", &[Type::Map]),
                    (".f = @;", &[Type::Function]),
                    (".f(@);", &[Type::Int]),
                    (".remove(\"s\");", &[]),
                    ("[@] = @;", &[Type::Text, Type::Float]),
                ],
                Type::Text => &[("[@] = @;", &[Type::Int, Type::Char]), (".trim();", &[]), (".pop();", &[])],
                _ => &[],
            }
        };
        let known: Vec<Variable> =
            known.into_iter().filter(|known| !changes(known.kind).is_empty()).collect();
        if known.is_empty() {
            return self.assignment(depth);
        }
        let Variable { name, kind, .. } = known[self.choose(known.len())].clone();
        let all = changes(kind);
        let (template, kinds) = all[self.choose(all.len())];
        let mut pieces: Vec<Tree> = kinds.iter().map(|kind| self.expression(*kind, depth)).collect();
        if template.starts_with('[') && self.chance(2, 3) {
            // An index that is likely there.
            pieces[0] = match kind {
                Type::Map => Tree::leaf(self.one_of(&["\"b\"", "\"c\""])),
                _ => Tree::leaf(self.one_of(&["0", "-1", "1"])),
            };
        }
        statement(&format!("{name}{template}"), pieces)
    }

    /// Calls a function of the program as a method, which may change the variable that it is called with.
    fn method(&mut self, depth: usize) -> Tree {
        let methods: Vec<_> = self.functions.iter().filter(|known| known.this.is_some()).cloned().collect();
        if methods.is_empty() || self.loops > 1 || self.closure {
            return self.change(depth);
        }
        let method = methods[self.choose(methods.len())].clone();
        let known: Vec<Variable> =
            self.visible().into_iter().filter(|known| Some(known.kind) == method.this).collect();
        if known.is_empty() {
            return self.change(depth);
        }
        let name = known[self.choose(known.len())].name;
        let places = vec!["@"; method.parameters.len()].join(", ");
        let pieces: Vec<Tree> =
            method.parameters.iter().map(|parameter| self.expression(*parameter, depth)).collect();
        statement(&format!("{name}.{}({places});", method.name), pieces)
    }

    /// Leaves a loop or the function, mostly under a condition.
    fn leaving(&mut self, depth: usize) -> Tree {
        let condition = self.condition(depth);
        match self.choose(5) {
            0 | 1 if self.loops > 0 => {
                let word = self.one_of(&["break", "continue"]);
                statement(&format!("if @ {{ {word}; }}"), [condition])
            }
            0..=2 => statement("if @ { return @; }", [condition, self.expression(self.gives, depth)]),
            3 if self.width == Width::Everything => {
                let kind = self.any();
                statement("if @ { throw @; }", [condition, self.expression(kind, depth)])
            }
            _ => statement("if @ { return; }", [condition]),
        }
    }

    fn catching(&mut self, depth: usize) -> Tree {
        if self.width == Width::Numbers {
            return self.assignment(depth);
        }
        let body = self.statements(3, depth);
        match self.choose(3) {
            0 => statement("try { @ } catch { @ }", [body, self.statements(1, depth)]),
            1 => statement("try { @ } catch (e) { print(e); @ }", [body, self.statements(1, depth)]),
            _ => statement(
                "try { @ throw @; } catch (e) { print(type_of(e)); }",
                [body, self.expression(Type::Int, depth)],
            ),
        }
    }
}
