//! Putting gates into a program.

use std::fmt;
use std::rc::Rc;

use rhai::grain::Compiler;
use rhai::{AST, Engine, FnAccess, Module, ScriptFuncDef, Shared};

use super::pass::{self, Gate, KEY};
use super::{Function, Functions, Mode, Repeated, TRANSLATOR, mode};
use crate::script::run::Compiled;

/// How the names of the bodies that stand beside gates begin. Rhai takes them for closures', which nothing
/// outside calls by name.
const BODY: &str = "anon$body$";

/// A program's gates and the functions behind them. When it is dropped, the program goes on interpreted.
#[derive(Default)]
pub struct Gated {
    gates: Vec<Rc<Gate>>,
    /// The gates don't hold them.
    functions: Vec<Rc<dyn Function>>,
    /// All functions: as they are written, and what there is to be had for them.
    all: Option<(AST, Rc<dyn Functions>)>,
}

impl fmt::Debug for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gated({})", self.functions.len())
    }
}

/// A program for the virtual machine, with its gates.
#[derive(Debug)]
pub struct Lowered {
    /// The program.
    pub program: Compiled,
    gated: Gated,
}

impl Lowered {
    /// The machine code of a function, for one outside the script who calls it a great many times; `None` if it is
    /// to be interpreted.
    pub fn repeated(&self, name: &str, arity: usize) -> Option<Box<dyn Repeated>> {
        let (functions, all) = self.gated.all.as_ref()?;
        functions.iter_fn_def().find(|function| is_alone(functions, function, name, arity))?;
        all.repeated(name, arity)
    }
}

/// Whether a function of this name is the body behind a gate.
pub fn is_body(name: &str) -> bool {
    name.starts_with(BODY)
}

/// Compiles a program for the virtual machine, with gates.
pub fn lower(engine: &Engine, ast: AST) -> Rc<Lowered> {
    let (ast, gated) = gated(engine, ast);
    let program = Compiler::new().compile(&ast).into_shared();
    for gate in &gated.gates {
        gate.lowered(&program);
    }
    Rc::new(Lowered { program, gated })
}

/// Puts gates into a program.
pub fn gated(engine: &Engine, mut ast: AST) -> (AST, Gated) {
    let mut gated = Gated::default();
    let translator = TRANSLATOR.get().filter(|_| mode() != Mode::Off);
    let Some(translator) = translator.filter(|_| ast.has_functions()) else { return (ast, gated) };
    let Some(functions) = translator(engine, &ast) else { return (ast, gated) };
    let mut chosen = Vec::new();
    for definition in ast.iter_fn_def() {
        let (name, arity) = (definition.name.as_str(), definition.params.len());
        if is_alone(&ast, definition, name, arity)
            && let Some(function) = functions.gated(name, arity)
        {
            chosen.push((Shared::clone(definition), function));
        }
    }
    gated.all = Some((AST::new([], Shared::clone(ast.shared_lib())), functions));
    if chosen.is_empty() {
        return (ast, gated);
    }
    let first = pass::count();
    let Some(fronts) = fronts(engine, first, chosen.len()) else { return (ast, gated) };
    let plain = ast.shared_lib().clone();
    let mut module = Module::new();
    for ((number, (definition, function)), front) in (first..).zip(chosen).zip(fronts) {
        let body = format!("{BODY}{number}");
        module.set_script_fn(ScriptFuncDef {
            name: definition.name.clone(),
            params: definition.params.clone(),
            access: definition.access,
            ..front
        });
        // A module does not show it to those that import it.
        let access = FnAccess::Private;
        module.set_script_fn(ScriptFuncDef {
            name: body.as_str().into(),
            access,
            ..ScriptFuncDef::clone(&definition)
        });
        let gate = Rc::new(Gate::new(&definition, body, &function, Shared::clone(&plain)));
        pass::add(Rc::clone(&gate));
        gated.gates.push(gate);
        gated.functions.push(function);
    }
    ast.combine(AST::new([], module));
    (ast, gated)
}

/// Whether `definition` is what a call by this name and number of arguments means, whatever they are: methods for
/// single types may share their name.
fn is_alone(ast: &AST, definition: &ScriptFuncDef, name: &str, arity: usize) -> bool {
    let called = |other: &ScriptFuncDef| other.name == name && other.params.len() == arity;
    called(definition)
        && definition.this_type.is_none()
        && ast.iter_fn_def().filter(|other| called(other)).count() == 1
}

/// Functions whose body is a gate, numbered from `first` on.
fn fronts(engine: &Engine, first: usize, count: usize) -> Option<Vec<ScriptFuncDef>> {
    let text: String = (0..count).map(|number| format!("fn f{number}(){{{KEY}}}")).collect();
    let ast = pass::numbering(first, || engine.compile(text)).ok()?;
    let mut fronts: Vec<_> = ast.iter_fn_def().map(|front| ScriptFuncDef::clone(front)).collect();
    let number = |front: &ScriptFuncDef| front.name.get(1..).and_then(|number| number.parse::<usize>().ok());
    fronts.sort_by_key(number);
    (fronts.len() == count).then_some(fronts)
}
