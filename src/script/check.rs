//! Reading a script without running it.

use super::program::Program;
use super::runtime::{self, Runtime};
use super::{engine, report, time};
use crate::process::session;

/// Whether `program` compiles: 0, or 1 after saying why not.
pub fn script(program: Program, arguments: Vec<String>) -> i32 {
    engine::prepare();
    Runtime::new(runtime::MAIN, session::MAIN.to_owned(), arguments, program.clone()).install();
    match program.compile(&engine::build(), None) {
        Ok(_) => 0,
        Err(unreadable) => {
            time::eprint(&report::unreadable(&unreadable));
            1
        }
    }
}
