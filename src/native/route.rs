//! Which functions get a gate, and when a call is worth compiling.
//!
//! A function with a loop is compiled at its first call: that may be the only one, and last. One that calls itself
//! is compiled at its second. Any other costs less to interpret than to leave the interpreter for it; machine code
//! that calls it takes it along.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, EvalAltResult, NativeCallContext, Shared};

use super::outline::{Outlines, Shape};
use super::{Compiler, Limits, State, list};
use crate::script::gate::{self, Function, Functions, Mode, report};
use crate::script::raise::RhaiResult;

/// From now on, programs of this process become machine code where that is worth it.
pub fn install() {
    gate::install(translate);
}

fn translate(_: &Engine, ast: &AST) -> Option<Box<Functions>> {
    let mut functions = AST::new([], Shared::clone(ast.shared_lib()));
    if let Some(source) = ast.source() {
        functions.set_source(source);
    }
    let watched = Rc::new(Watched {
        file: ast.source().unwrap_or("<script>").to_owned(),
        outlines: Outlines::new(ast),
        functions,
        compiler: OnceCell::new(),
        said: RefCell::default(),
    });
    list::keep(&watched);
    Some(Box::new(move |name, arity| {
        let calls = Cell::new(watched.patience(name, arity)?);
        Some(Rc::new(Routed { watched: Rc::clone(&watched), name: name.to_owned(), calls }))
    }))
}

/// A program, its compiler if one was needed, and what was said about that.
pub struct Watched {
    /// The name of the program.
    pub file: String,
    outlines: Outlines,
    /// As they are written, without gates.
    functions: AST,
    compiler: OnceCell<Compiler>,
    said: RefCell<HashSet<String>>,
}

impl Watched {
    /// How many calls a function is interpreted before it is compiled; `None` if it gets no gate.
    fn patience(&self, name: &str, arity: usize) -> Option<u32> {
        let shape = self.outlines.shape(name, arity)?;
        match (gate::mode(), shape) {
            (Mode::Off, _) | (Mode::Auto, Shape::Straight) => None,
            (Mode::Always, _) | (Mode::Auto, Shape::Loop) => Some(0),
            (Mode::Auto, Shape::Recursive) => Some(1),
        }
    }

    /// Whether calls of this function come through a gate.
    pub fn wants(&self, name: &str, arity: usize) -> bool {
        self.patience(name, arity).is_some()
    }

    /// The compiler, which is made when the first call comes.
    fn compiler(&self, engine: &Engine) -> &Compiler {
        self.compiler.get_or_init(|| Compiler::new(engine, &self.functions, Limits::default()))
    }

    /// What became of each function.
    pub fn states(&self) -> Vec<State> {
        let anything = Engine::new_raw();
        let compiler = self.compiler(&anything);
        compiler.examine();
        compiler.states()
    }

    /// Says what is new.
    #[cold]
    fn report(&self) {
        let states = self.compiler.get().map(Compiler::states).unwrap_or_default();
        for state in states {
            if let Some(text) = list::said(&self.file, &state)
                && self.said.borrow_mut().insert(text.clone())
            {
                report::say(&text);
            }
        }
    }
}

/// A function behind a gate.
struct Routed {
    watched: Rc<Watched>,
    name: String,
    /// Calls that are still interpreted.
    calls: Cell<u32>,
}

impl Function for Routed {
    fn call(&self, context: &NativeCallContext, arguments: &mut [Dynamic]) -> Option<RhaiResult> {
        let calls = self.calls.get();
        if calls > 0 {
            self.calls.set(calls - 1);
            return None;
        }
        let compiler = self.watched.compiler(context.engine());
        let result = compiler.call_at(context, context.call_level(), &self.name, arguments);
        if report::is_wanted() {
            self.watched.report();
        }
        // The frame is the interpreter's business.
        result.map(|result| {
            result.map_err(|error| match *error {
                EvalAltResult::ErrorInFunctionCall(name, _, inner, _) if name == self.name => inner,
                other => other.into(),
            })
        })
    }
}
