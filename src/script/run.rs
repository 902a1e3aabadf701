//! The first process's script, from start to end.

use std::rc::Rc;

use rhai::grain::Vm;
use rhai::{Dynamic, Engine, Scope};

use super::gate::{self, Lowered};
use super::program::Program;
use super::raise::RhaiResult;
use super::runtime::{self, Runtime};
use super::{atexit, engine, kept, report, time};
use crate::arena::table;
use crate::sys::signal;

/// What a script's exit value means: nothing is 0, a bool 1 or 0, a number itself modulo 256; anything
/// else is printed on standard error and means 1.
pub fn exit_code(value: &Dynamic) -> i32 {
    if value.is_unit() {
        return 0;
    }
    if let Ok(code) = value.as_int() {
        return i32::try_from(code.rem_euclid(256)).unwrap_or(255);
    }
    if let Ok(failed) = value.as_bool() {
        return i32::from(failed);
    }
    time::eprint(&value.to_string());
    1
}

/// Runs `program` as `__main__` and gives its exit code. The caller ends the process with it.
pub fn script(program: Program, arguments: Vec<String>) -> i32 {
    engine::prepare();
    Runtime::first(arguments, program.clone()).install();
    let engine = kept::engine(engine::build());
    let ast = match program.compile(engine, None) {
        Ok(ast) => ast,
        Err(unreadable) => {
            time::eprint(&report::unreadable(&unreadable));
            return 1;
        }
    };
    let lowered = gate::lower(engine, ast);
    let code = outcome(&evaluate(engine, &mut Scope::new(), &lowered));
    atexit::run(engine);
    code
}

/// A script lowered to bytecode where that is possible, which is decided piece by piece.
pub type Compiled = rhai::grain::SharedProgram;

/// Runs a compiled script.
///
/// # Errors
/// What the script raises.
pub fn evaluate(engine: &Engine, scope: &mut Scope, lowered: &Rc<Lowered>) -> RhaiResult {
    let before = runtime::set_compiled(Some(Rc::clone(lowered)));
    let result = Vm::new(engine).eval_with_callbacks(scope, &lowered.program);
    runtime::set_compiled(before);
    result
}

/// The exit code of a script that ended so; an error is reported.
pub fn outcome(result: &RhaiResult) -> i32 {
    if let Some(value) = runtime::take_exit() {
        return exit_code(&value);
    }
    match result {
        Ok(_) => 0,
        Err(error) => {
            time::eprint(&report::uncaught(error));
            if !engine::is_interrupt(error) {
                return 1;
            }
            if !table::is_first() {
                // Somebody meant this very process, and it ends as after any error.
                signal::take_interrupt();
                return 1;
            }
            // What follows is the end of everything: no child is waited for.
            signal::give_back_interrupt();
            130
        }
    }
}
