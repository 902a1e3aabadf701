//! Reading a script without running it.

use super::program::Program;
use super::runtime::Runtime;
use super::{engine, report, time};

/// Whether `program` compiles: 0, or 1 after saying why not.
pub fn script(program: Program, arguments: Vec<String>) -> i32 {
    engine::prepare();
    Runtime::first(arguments, program.clone()).install();
    match program.compile(&engine::build(), None) {
        Ok(_) => 0,
        Err(unreadable) => {
            time::eprint(&report::unreadable(&unreadable));
            1
        }
    }
}
