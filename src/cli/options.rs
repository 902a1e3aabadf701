//! What can be given on the command line.

use std::ffi::OsString;

use clap::{Parser, ValueEnum};

/// How new processes come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StartMethod {
    /// Run this program anew; the child loads the script first.
    Spawn,
}

impl StartMethod {
    /// The names of all methods, the default first.
    pub fn names() -> Vec<String> {
        let possible = Self::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        possible.map(|value| value.get_name().to_owned()).collect()
    }
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

    /// How processes are started
    #[arg(long, value_enum, value_name = "METHOD")]
    pub start_method: Option<StartMethod>,

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
