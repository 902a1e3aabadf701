//! Which functions get a gate, and when a call is worth compiling.
//!
//! A function with a loop is compiled at its first call: that may be the only one, and last. One that calls itself
//! is compiled at its second. Any other costs less to interpret than to leave the interpreter for it; machine code
//! that calls it takes it along.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, NativeCallContext};

use super::{Compiler, Limits, list};
use crate::script::gate::{self, Function, Functions, Mode, report};
use crate::script::raise::RhaiResult;

/// From now on, programs of this process become machine code where that is worth it.
pub fn install() {
    gate::install(translate);
}

fn translate(engine: &Engine, ast: &AST) -> Option<Box<Functions>> {
    let watched = Rc::new(Watched {
        file: ast.source().unwrap_or("<script>").to_owned(),
        compiler: Compiler::new(engine, ast, Limits::default()),
        said: RefCell::default(),
    });
    list::keep(&watched);
    Some(Box::new(move |name, arity| {
        let calls = Cell::new(watched.patience(name, arity)?);
        Some(Rc::new(Routed { watched: Rc::clone(&watched), name: name.to_owned(), calls }))
    }))
}

/// A program's compiler, and what was said about it.
pub struct Watched {
    /// The name of the program.
    pub file: String,
    /// Its compiler.
    pub compiler: Compiler,
    said: RefCell<HashSet<String>>,
}

impl Watched {
    /// How many calls a function is interpreted before it is compiled; `None` if it gets no gate.
    fn patience(&self, name: &str, arity: usize) -> Option<u32> {
        if !self.compiler.knows(name, arity) {
            return None;
        }
        match gate::mode() {
            Mode::Off => None,
            Mode::Always => Some(0),
            Mode::Auto if self.compiler.has_loop(name, arity) => Some(0),
            Mode::Auto if self.compiler.is_recursive(name, arity) => Some(1),
            Mode::Auto => None,
        }
    }

    /// Whether calls of this function come through a gate.
    pub fn wants(&self, name: &str, arity: usize) -> bool {
        self.patience(name, arity).is_some()
    }

    /// Says what is new.
    #[cold]
    fn report(&self) {
        for state in self.compiler.states() {
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
        let result = self.watched.compiler.call(context, &self.name, arguments);
        if report::is_wanted() {
            self.watched.report();
        }
        result
    }
}
