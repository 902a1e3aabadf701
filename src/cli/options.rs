//! What can be given on the command line.

use std::ffi::OsString;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};

use crate::process::method::Method;
use crate::script::gate::Mode;

/// Reads the name of a start method, and lists the names where it is none.
fn start_method() -> impl TypedValueParser<Value = Method> {
    PossibleValuesParser::new(Method::ALL.map(Method::name))
        .map(|name| Method::named(&name).unwrap_or(Method::Spawn))
}

/// Reads a mode of machine code, and lists them where it is none.
fn native() -> impl TypedValueParser<Value = Mode> {
    PossibleValuesParser::new(Mode::ALL.map(Mode::name)).map(|name| Mode::named(&name).unwrap_or_default())
}

/// Runs Rhai scripts on many processes.
///
/// Without FILE and CODE, a prompt reads from the terminal.
#[derive(Debug, Parser)]
#[command(name = "stook", version, about)]
pub struct Options {
    /// Run CODE instead of a file
    #[arg(short = 'e', long = "eval", value_name = "CODE", allow_hyphen_values = true)]
    pub code: Option<String>,

    /// How processes are started where the script does not say
    #[arg(long, value_parser = start_method(), value_name = "METHOD")]
    pub start_method: Option<Method>,

    /// Whether script functions become machine code: when it is worth it, never, or at their first call
    #[arg(long, env = "STOOK_NATIVE", default_value = "auto", value_parser = native(), value_name = "MODE")]
    pub native: Mode,

    /// Shared memory that the session may use, in bytes; half of the machine's without it
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<u64>,

    /// Only read the script and say whether it compiles
    #[arg(long)]
    pub check: bool,

    /// Print the start methods, one a line, the default first
    #[arg(long)]
    pub list_start_methods: bool,

    /// Something else than running a script
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The script to run (`-` reads it from standard input), and what it finds in `args`
    #[arg(value_names = ["FILE", "ARGS"], trailing_var_arg = true)]
    pub script: Vec<OsString>,
}

/// Something else than running a script.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script, then list what became of its functions, in all its processes
    Native {
        /// The script, and what it finds in `args`
        #[arg(required = true, value_names = ["FILE", "ARGS"], trailing_var_arg = true)]
        script: Vec<OsString>,
    },
}
