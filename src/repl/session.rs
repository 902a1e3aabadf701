//! What was entered so far: variables live on, functions are there for every later entry.

use rhai::{AST, Dynamic, Engine, Scope};

use crate::script::gate::{self, Gated};
use crate::script::program::{Program, Style, Unit, Unreadable};
use crate::script::runtime::{self, Runtime};
use crate::script::{engine, kept, report, run, time};
use crate::sys::signal;

/// What follows an entry.
pub enum Next {
    /// Another one.
    Entry,
    /// The end, with this exit code.
    Exit(i32),
}

/// See the head of this file.
pub struct Session {
    engine: &'static Engine,
    scope: Scope<'static>,
    functions: AST,
    /// The same functions with gates, made anew whenever one is defined.
    ready: AST,
    gated: Gated,
    entries: usize,
}

impl Session {
    /// A session in which nothing was entered yet; the process's runtime is installed with it.
    pub fn new() -> Self {
        engine::prepare();
        let directory = std::env::current_dir()
            .map_or_else(|_| String::new(), |path| path.to_string_lossy().into_owned());
        let program = Program { directory, ..Program::default() };
        Runtime::first(Vec::new(), program).install();
        Self {
            engine: kept::engine(engine::build()),
            scope: Scope::new(),
            functions: AST::empty(),
            ready: AST::empty(),
            gated: Gated::default(),
            entries: 0,
        }
    }

    /// Runs one entry and shows what it gives.
    pub fn run(&mut self, text: &str) -> Next {
        self.entries += 1;
        let unit =
            Unit { name: format!("<entry {}>", self.entries), text: text.to_owned(), style: Style::Entry };
        let mut ast = match self.engine.compile_with_scope(&self.scope, text) {
            Ok(ast) => ast,
            Err(error) => {
                time::eprint(&report::unreadable(&Unreadable { unit, error }));
                return Next::Entry;
            }
        };
        ast.set_source(unit.name.as_str());
        // The program grows before it runs: processes that this very entry starts know it.
        runtime::change_program(|program| program.units.push(unit));
        if ast.has_functions() {
            self.functions.combine(ast.clone_functions_only());
            ast.clear_functions();
            // What was machine code is none now: it may call what was just defined anew.
            (self.ready, self.gated) = gate::gated(self.engine, self.functions.clone());
        }
        ast = self.ready.merge(&ast);
        ast.set_source(format!("<entry {}>", self.entries));
        // The line editor has its own use for Ctrl-C while it reads.
        signal::count_interrupts();
        let result = self.engine.eval_ast_with_scope::<Dynamic>(&mut self.scope, &ast);
        if let Some(value) = runtime::take_exit() {
            return Next::Exit(run::exit_code(&value));
        }
        match result {
            Ok(value) if value.is_unit() => {}
            Ok(value) => time::print(&self.shown(value)),
            Err(error) => time::eprint(&report::uncaught(&error)),
        }
        signal::take_interrupt();
        Next::Entry
    }

    /// A value as the prompt shows it: as it stands in arrays, with quotes around strings.
    fn shown(&self, value: Dynamic) -> String {
        let mut scope = Scope::new();
        let fallback = value.to_string();
        scope.push_dynamic("value", value);
        self.engine.eval_with_scope::<String>(&mut scope, "to_debug(value)").unwrap_or(fallback)
    }
}
