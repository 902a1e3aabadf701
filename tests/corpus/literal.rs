//! Literals: the values from which all others are made, with those at the ends of their types among them.

use super::grammar::{Maker, Type};
use super::tree::{Kind, Tree};

const LARGE: &[&str] = &[
    "9223372036854775807",
    "(-9223372036854775807 - 1)",
    "4611686018427387904",
    "3037000500",
    "-9223372036854775807",
    "2147483648",
];

const FLOATS: &[&str] = &[
    "0.0",
    "1.0",
    "-1.5",
    "0.1",
    "0.2",
    "0.3",
    "2.5",
    "100.25",
    "-0.0",
    "1e-9",
    "3.0",
    "1.0000000000000002",
    "0.9999999999999999",
    "-2.0",
];

const LARGE_FLOATS: &[&str] =
    &["1e308", "-1e308", "(0.0 / 0.0)", "(1.0 / 0.0)", "(-1.0 / 0.0)", "5e-324", "9.3e18"];

const TEXTS: &[&str] = &[
    "\"\"",
    "\"a\"",
    "\"rye\"",
    "\"Oats and hay\"",
    "\"12\"",
    "\"-7\"",
    "\"\u{fc}\u{4e16}z\"",
    "\"a,b,a\"",
    "\"1.5\"",
];

const CHARS: &[&str] = &["'a'", "'z'", "' '", "'\u{fc}'", "'7'", "'A'"];

impl Maker<'_, '_> {
    /// A value of this type without variables.
    pub fn literal(&mut self, kind: Type, depth: usize) -> Tree {
        match kind {
            Type::Int if self.large() => Tree::leaf(self.one_of(LARGE)),
            Type::Int => {
                let number = [0, 1, 2, -1, 3, 5, 7, 10, -3, 63, 64, 100][self.choose(12)];
                Tree::leaf(number.to_string())
            }
            Type::Float if self.large() => Tree::leaf(self.one_of(LARGE_FLOATS)),
            Type::Float => Tree::leaf(self.one_of(FLOATS)),
            Type::Bool => Tree::leaf(self.one_of(&["true", "false"])),
            Type::Char => Tree::leaf(self.one_of(CHARS)),
            Type::Text => Tree::leaf(self.one_of(TEXTS)),
            Type::Unit => Tree::leaf("()"),
            Type::Ints => self.array(Type::Int, depth),
            Type::Floats => self.array(Type::Float, depth),
            Type::Bools => self.array(Type::Bool, depth),
            Type::Texts => self.array(Type::Text, depth),
            Type::Rows => self.array(Type::Floats, depth),
            Type::Mixed => {
                let count = self.choose(4);
                let elements: Vec<Tree> = (0..count)
                    .map(|_| {
                        let kind = self.any();
                        self.literal(kind, depth.saturating_sub(1))
                    })
                    .collect();
                list(elements)
            }
            Type::Blob => {
                Tree::leaf(self.one_of(&["blob(3, 7)", "blob()", "blob(5, 255)", "\"hay\".to_blob()"]))
            }
            Type::Map => self.map(depth),
            Type::Function => Tree::leaf(self.one_of(&[
                "(|q| q + 1)",
                "(|q| q * q)",
                "(|q| if q > 2 { q } else { -q })",
                "(|q| q / 2)",
            ])),
        }
    }

    fn array(&mut self, element: Type, depth: usize) -> Tree {
        let count = [0, 1, 2, 3, 5][self.choose(5)];
        let elements = (0..count)
            .map(|_| {
                let element = self.or_wrong(element);
                self.value(element, depth.saturating_sub(1))
            })
            .collect();
        list(elements)
    }

    fn map(&mut self, depth: usize) -> Tree {
        let depth = depth.saturating_sub(1);
        let mut fields = vec![self.value(Type::Int, depth), self.value(Type::Float, depth)];
        let mut template = "#{ a: @, b: @".to_owned();
        if !self.chance(1, 6) {
            template += ", s: @, l: @";
            fields.push(self.value(Type::Text, depth));
            fields.push(self.value(Type::Ints, depth));
        }
        if depth > 0 && self.chance(1, 3) {
            template += ", m: @";
            fields.push(self.map(depth));
        }
        template += " }";
        Tree::new(Kind::Expression, &template, fields)
    }

    /// Part of a literal: another, or any expression where there are variables.
    fn value(&mut self, kind: Type, depth: usize) -> Tree {
        if self.variables.is_empty() || depth == 0 {
            self.literal(kind, depth)
        } else {
            self.expression(kind, depth)
        }
    }
}

/// An array literal.
fn list(elements: Vec<Tree>) -> Tree {
    let places = vec!["@"; elements.len()].join(", ");
    Tree::new(Kind::Expression, &format!("[{places}]"), elements)
}
