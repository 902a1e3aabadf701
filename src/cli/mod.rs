//! The command line.
//!
//! | file | concept |
//! |---|---|
//! | `options` | what can be given |
//! | `source` | the script, wherever it comes from |

pub mod options;
pub mod source;

use std::ffi::OsString;

use clap::Parser;

use crate::native::{self, list};
use crate::process::{finish, method, session, watcher};
use crate::script::gate;
use crate::script::{check, enter, program::Program, run, time};
use options::{Command, Options};

/// The whole program: a person's command, or a started process.
pub fn main() {
    native::route::install();
    // A started process is told by its first argument, before anything else is looked at.
    let mut arguments = std::env::args_os().skip(1);
    if let Some(entry) = arguments.next().as_ref().and_then(|first| first.to_str()) {
        if let Some(entry) = entry.strip_prefix(session::ENTER) {
            enter::spawned(entry);
        }
        if let Some(entry) = entry.strip_prefix(session::WATCH) {
            watcher::spawned(entry);
        }
    }
    let options = match parse(std::env::args_os()) {
        Ok(options) => options,
        Err(error) => error.exit(),
    };
    let code = command(options);
    finish::finish(code)
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Options, clap::Error> {
    Options::try_parse_from(arguments)
}

/// Does what the options say and gives the exit code. A session is open when it returns.
fn command(mut options: Options) -> i32 {
    if let Err(error) = session::begin(options.memory) {
        time::eprint(&format!("stook: this system does not let a session begin: {error}"));
        crate::sys::process::exit_now(1);
    }
    if let Some(method) = options.start_method {
        method::set_default(method);
    }
    gate::set_mode(options.native);
    if options.list_start_methods {
        for method in method::all() {
            time::print(method.name());
        }
        return 0;
    }
    let listing = options.command.take().map(|Command::Native { script }| options.script = script).is_some();
    if listing && let Err(error) = list::begin() {
        time::eprint(&format!("stook: machine code can't be listed: {error}"));
        return 1;
    }
    let (unit, arguments) = match source::find(&options) {
        Ok(Some(found)) => found,
        Ok(None) => return crate::repl::repl(),
        Err(problem) => {
            time::eprint(&format!("stook: {problem}"));
            return 2;
        }
    };
    let directory = source::directory(&unit.name);
    let program = Program { units: vec![unit], directory, ..Program::default() };
    if options.check {
        return check::script(program, arguments);
    }
    let code = run::script(program, arguments);
    // What ends the wait ends everything, and nobody wants a list then.
    if listing && finish::end_children().is_ok() {
        list::lines().iter().for_each(|line| time::print(line));
    }
    code
}
