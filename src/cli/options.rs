//! What can be given on the command line.

use std::ffi::OsString;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::process::method::Method;

/// Reads the name of a start method, and lists the names where it is none.
fn start_method() -> impl TypedValueParser<Value = Method> {
    PossibleValuesParser::new(Method::ALL.map(Method::name))
        .map(|name| Method::named(&name).unwrap_or(Method::Spawn))
}

/// Runs Rhai scripts on many processes.
///
/// Without FILE and CODE, a prompt reads from the terminal.
#[derive(Debug, Parser)]
#[command(name = "stook", version, about, args_conflicts_with_subcommands = true)]
pub struct Options {
    /// Run CODE instead of a file
    #[arg(short = 'e', long = "eval", value_name = "CODE", allow_hyphen_values = true)]
    pub code: Option<String>,

    /// How processes are started where the script does not say
    #[arg(long, value_parser = start_method(), value_name = "METHOD")]
    pub start_method: Option<Method>,

    /// Shared memory that the session may use, in bytes; half of the machine's without it
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<u64>,

    /// Only read the script and say whether it compiles
    #[arg(long)]
    pub check: bool,

    /// Print the start methods, one a line, the default first
    #[arg(long)]
    pub list_start_methods: bool,

    /// The script to run (`-` reads it from standard input), and what it finds in `args`
    #[arg(value_names = ["FILE", "ARGS"], trailing_var_arg = true)]
    pub script: Vec<OsString>,
}
