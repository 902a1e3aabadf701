//! Files and directories, under the names of Python's `os`, `os.path`, `pathlib` and `glob`.
//!
//! | file | what |
//! |---|---|
//! | `path.rs` | names on the disk as strings of scripts, without loss |
//! | `fault.rs` | what the system said, as an `Error` that names the path |
//! | `options.rs` | the trailing map of named arguments |
//! | `content.rs` | reading and writing whole files |
//! | `lines.rs` | a file line by line |
//! | `walk.rs` | every file below a directory |
//! | `glob.rs` | paths by pattern |
//! | `tree.rs` | what stands in a directory, and changing it |
//! | `name.rs` | taking paths apart and putting them together |
//! | `surroundings.rs` | working directory and environment variables |
//!
//! Everything that fails raises an [`Error`](crate::wire::Error) with the fields `path` and, when the system
//! refused, `errno` in its data. Nothing here keeps state between calls but the two iterators.

mod content;
pub(super) mod fault;
mod glob;
mod lines;
mod name;
mod options;
pub mod path;
mod surroundings;
mod tree;
mod walk;

use rhai::{Engine, EvalAltResult};

/// What a function of scripts gives.
type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// Every name that [`register`] gives to scripts.
pub const NAMES: &[&str] = &[
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "append_text",
    "lines",
    "walk",
    "glob",
    "listdir",
    "getsize",
    "getmtime",
    "exists",
    "is_file",
    "is_dir",
    "mkdir",
    "remove",
    "rmtree",
    "rename",
    "copy",
    "basename",
    "dirname",
    "join_path",
    "splitext",
    "abspath",
    "fsencode",
    "is_utf8",
    "printable",
    "getcwd",
    "chdir",
    "tempdir",
    "environ",
    "getenv",
    "setenv",
    "unsetenv",
];

/// Gives scripts the functions of [`NAMES`] and the iterators of `lines` and `walk`.
pub fn register(engine: &mut Engine) {
    content::register(engine);
    lines::register(engine);
    walk::register(engine);
    glob::register(engine);
    tree::register(engine);
    name::register(engine);
    surroundings::register(engine);
}

#[cfg(test)]
mod tests {
    use rhai::{Engine, EvalAltResult, Scope, Variant};

    use super::{NAMES, register};
    use crate::wire::Error;

    /// An engine with the functions of this folder.
    pub(super) fn engine() -> Engine {
        let mut engine = Engine::new();
        register(&mut engine);
        engine.register_type_with_name::<Error>("Error");
        engine.register_get("message", |error: &mut Error| error.message().clone());
        engine
    }

    /// What `script` gives; the directory `dir` is its constant `D`.
    pub(super) fn eval<T: Variant + Clone>(dir: &tempfile::TempDir, script: &str) -> T {
        let mut scope = Scope::new();
        scope.push_constant("D", dir.path().to_str().expect("a UTF-8 path").to_string());
        match engine().eval_with_scope::<T>(&mut scope, script) {
            Ok(value) => value,
            Err(error) => match *error {
                EvalAltResult::ErrorRuntime(value, _) if value.is::<Error>() => {
                    panic!("{script}: {}", value.cast::<Error>())
                }
                other => panic!("{script}: {other}"),
            },
        }
    }

    /// The error that `script` raises.
    pub(super) fn fails(dir: &tempfile::TempDir, script: &str) -> Error {
        let mut scope = Scope::new();
        scope.push_constant("D", dir.path().to_str().expect("a UTF-8 path").to_string());
        let error = engine().run_with_scope(&mut scope, script).expect_err(script);
        match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(value, _) => value.clone().try_cast().expect("an Error"),
            other => panic!("{script}: {other}"),
        }
    }

    #[test]
    fn every_name_is_a_function() {
        for name in NAMES {
            let known = ["", "\"\"", "\"\", \"\"", "\"\", blob()"].iter().any(|arguments| {
                match engine().run(&format!("{name}({arguments})")) {
                    Ok(()) => true,
                    Err(error) => !matches!(*error, EvalAltResult::ErrorFunctionNotFound(..)),
                }
            });
            assert!(known, "{name}");
        }
    }
}
