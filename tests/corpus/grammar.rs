//! Makes up programs: a few functions that call each other, and arguments for the last of them.
//!
//! All is chosen by bytes: those of a seed, or those of a fuzzer. Where there are no more of them the first and
//! simplest choice is taken, so every string of bytes gives a program. Most programs are well typed; some hold
//! places of a wrong type, and some calls give arguments of a wrong type.
//!
//! Programs end: loops count, functions call earlier ones only, and those that call themselves count down.

use arbitrary::Unstructured;

use super::tree::{Kind, Tree};

/// The type that a place wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Int,
    Float,
    Bool,
    Char,
    Text,
    Unit,
    Ints,
    Floats,
    Bools,
    Texts,
    /// An array of anything.
    Mixed,
    /// An array of arrays of floats.
    Rows,
    Blob,
    /// With the fields `a` (int), `b` (float), `s` (text), `l` (ints), `m` (such a map or unit).
    Map,
    /// Takes an int, gives an int.
    Function,
}

pub const TYPES: &[Type] = &[
    Type::Int,
    Type::Float,
    Type::Bool,
    Type::Ints,
    Type::Floats,
    Type::Text,
    Type::Map,
    Type::Bools,
    Type::Rows,
    Type::Char,
    Type::Mixed,
    Type::Texts,
    Type::Blob,
    Type::Unit,
    Type::Function,
];

/// What programs are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Numbers, bools, characters, and arrays and blobs of them.
    Numbers,
    /// Everything.
    Everything,
}

/// A variable in sight.
#[derive(Clone, Debug)]
pub struct Variable {
    pub name: &'static str,
    pub kind: Type,
    pub constant: bool,
}

/// A function that can be called.
#[derive(Clone, Debug)]
pub struct Signature {
    pub name: String,
    pub parameters: Vec<Type>,
    pub gives: Type,
    /// What `this` is in it.
    pub this: Option<Type>,
}

/// A program and the calls to make.
#[derive(Clone, Debug)]
pub struct Program {
    /// Blocks of functions.
    pub functions: Tree,
    pub entry: String,
    /// An expression for each argument, for each call.
    pub calls: Vec<Vec<Tree>>,
}

impl Program {
    /// The source text. Function `arguments` gives the arguments of all calls.
    pub fn source(&self) -> String {
        let call = |arguments: &Vec<Tree>| {
            let arguments: Vec<String> = arguments.iter().map(Tree::text).collect();
            format!("[{}]", arguments.join(", "))
        };
        let calls: Vec<String> = self.calls.iter().map(call).collect();
        format!("const G = 7;\n{}fn arguments() {{ [{}] }}\n", self.functions, calls.join(", "))
    }

    /// This program with one change that makes it smaller, for every such change.
    pub fn smaller(&self) -> Vec<Program> {
        let mut found = Vec::new();
        if self.calls.len() > 1 {
            found.extend(self.calls.iter().map(|call| Program { calls: vec![call.clone()], ..self.clone() }));
        }
        for functions in self.functions.smaller() {
            found.push(Program { functions, ..self.clone() });
        }
        for (at, call) in self.calls.iter().enumerate() {
            for (place, argument) in call.iter().enumerate() {
                for new in argument.smaller() {
                    let mut program = self.clone();
                    program.calls[at][place] = new;
                    found.push(program);
                }
            }
        }
        found
    }
}

/// The choices made so far.
pub struct Maker<'a, 'b> {
    pub bytes: &'a mut Unstructured<'b>,
    pub width: Width,
    pub variables: Vec<Variable>,
    pub functions: Vec<Signature>,
    /// How many loops stand around.
    pub loops: usize,
    /// Stands in a closure, where `return` leaves only that, and loops of the function can't be left.
    pub closure: bool,
    /// What the function gives.
    pub gives: Type,
    /// The function that calls itself, and how often it may still.
    pub itself: Option<(Signature, usize)>,
    /// A place in so many is of a wrong type; 0 for none.
    wrong: usize,
    /// Numbers are often so large that they overflow.
    large: bool,
}

/// Makes up a program from these bytes.
pub fn program(bytes: &mut Unstructured, width: Width) -> Program {
    let mut maker = Maker {
        bytes,
        width,
        variables: Vec::new(),
        functions: Vec::new(),
        loops: 0,
        closure: false,
        gives: Type::Int,
        itself: None,
        wrong: 0,
        large: false,
    };
    maker.wrong = [0, 0, 0, 60, 60, 15][maker.choose(6)];
    maker.large = maker.chance(1, 4);
    let count = 1 + maker.choose(4);
    let functions: Vec<Tree> = (0..count).map(|index| maker.function(index, index + 1 == count)).collect();
    let entry = maker.functions.last().cloned().expect("a function");
    let calls = 1 + maker.choose(3);
    let calls = (0..calls).map(|_| maker.arguments(&entry)).collect();
    Program { functions: Tree::block(functions), entry: entry.name, calls }
}

impl Maker<'_, '_> {
    /// One of so many; the first when there are no more bytes.
    pub fn choose(&mut self, count: usize) -> usize {
        self.bytes.choose_index(count).unwrap_or(0)
    }

    /// True `part` times out of `whole`; not when there are no more bytes.
    pub fn chance(&mut self, part: usize, whole: usize) -> bool {
        self.choose(whole) >= whole - part
    }

    pub fn one_of(&mut self, texts: &[&'static str]) -> &'static str {
        texts[self.choose(texts.len())]
    }

    /// Any type.
    pub fn any(&mut self) -> Type {
        let count = match self.width {
            Width::Numbers => 5,
            Width::Everything => TYPES.len(),
        };
        TYPES[self.choose(count)]
    }

    /// The variables that no later one of the same name hides.
    pub fn visible(&self) -> Vec<Variable> {
        let mut found: Vec<Variable> = Vec::new();
        for variable in self.variables.iter().rev() {
            if found.iter().all(|known| known.name != variable.name) {
                found.push(variable.clone());
            }
        }
        found
    }

    /// The type that is wanted, or rarely a wrong one.
    pub fn or_wrong(&mut self, kind: Type) -> Type {
        if self.wrong > 0 && self.chance(1, self.wrong) { self.any() } else { kind }
    }

    pub fn large(&mut self) -> bool {
        self.large && self.chance(1, 4)
    }

    fn function(&mut self, index: usize, last: bool) -> Tree {
        let mut parameters: Vec<Type> = (0..self.choose(4)).map(|_| self.any()).collect();
        let gives = self.any();
        // The type of `this` stays the same: what is called with it is a variable.
        let this = if !last && self.chance(1, 5) { Some(self.any()) } else { None };
        let recursive = this.is_none() && self.chance(1, 4);
        if recursive {
            parameters.insert(0, Type::Int);
        }
        let signature = Signature { name: format!("f{index}"), parameters: parameters.clone(), gives, this };
        let names = ["n", "x", "y", "z"];
        self.variables.clear();
        for (name, kind) in names.iter().zip(&parameters) {
            self.variables.push(Variable { name, kind: *kind, constant: false });
        }
        if let Some(kind) = this {
            self.variables.push(Variable { name: "this", kind, constant: false });
        }
        self.gives = gives;
        self.loops = 0;
        self.itself = recursive.then(|| (signature.clone(), 2));
        let mut statements = Vec::new();
        if recursive {
            // Without an upper end it is the depth of calls that ends it, in those that call themselves once.
            let guard = if self.chance(1, 4) {
                self.itself = Some((signature.clone(), 1));
                "if n <= 0 { return @; }"
            } else {
                "if n <= 0 || n > 6 { return @; }"
            };
            statements.push(Tree::new(Kind::Statement, guard, [self.expression(gives, 2)]));
        }
        let scope = self.variables.len();
        for _ in 0..1 + self.choose(6) {
            statements.push(self.statement(3));
        }
        let last = self.expression(gives, 3);
        statements.push(Tree::new(Kind::Statement, "@", [last]));
        self.variables.truncate(scope);
        self.itself = None;
        let names: Vec<&str> = names.iter().take(parameters.len()).copied().collect();
        let head = format!("fn f{index}({}) {{\n@}}\n", names.join(", "));
        self.functions.push(signature);
        Tree::new(Kind::Other, &head, [Tree::block(statements)])
    }

    /// Arguments of a call from outside: literals, sometimes of a wrong type.
    fn arguments(&mut self, signature: &Signature) -> Vec<Tree> {
        self.variables.clear();
        let functions = std::mem::take(&mut self.functions);
        let wrong = self.chance(1, 8);
        let argument = |maker: &mut Self, kind: &Type| {
            let kind = if wrong && maker.chance(1, 2) { maker.any() } else { *kind };
            maker.literal(kind, 2)
        };
        let arguments = signature.parameters.iter().map(|kind| argument(self, kind)).collect();
        self.functions = functions;
        arguments
    }
}
