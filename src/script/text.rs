//! What scripts do with text beyond Rhai's own string functions.
//!
//! | file | what |
//! |---|---|
//! | `text/pattern.rs` | regular expressions, under the names of Python's `re` |
//! | `text/count.rs` | maps of counts, as Python's `collections.Counter` |
//! | `text/shape.rs` | columns and ASCII case |

mod count;
mod pattern;
mod shape;

use rhai::{Engine, EvalAltResult};

/// What a function of scripts gives.
type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// Every name that [`register`] gives to scripts.
pub const NAMES: &[&str] = &[
    "findall",
    "search",
    "sub",
    "split_re",
    "counter",
    "update_counts",
    "most_common",
    "ljust",
    "rjust",
    "to_ascii_lower",
];

/// Gives scripts the functions of [`NAMES`].
pub fn register(engine: &mut Engine) {
    pattern::register(engine);
    count::register(engine);
    shape::register(engine);
}

#[cfg(test)]
mod tests {
    use rhai::{Engine, EvalAltResult, Variant};

    use super::{NAMES, register};
    use crate::wire::Error;

    fn engine() -> Engine {
        let mut engine = Engine::new();
        register(&mut engine);
        engine
    }

    /// What `script` gives.
    pub(super) fn eval<T: Variant + Clone>(script: &str) -> T {
        engine().eval(script).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The array that `script` gives, as Rhai prints it.
    pub(super) fn shown(script: &str) -> String {
        eval(&format!("({script}).to_string()"))
    }

    /// The error that `script` raises.
    pub(super) fn fails(script: &str) -> Error {
        let error = engine().run(script).expect_err(script);
        match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(value, _) => value.clone().try_cast().expect("an Error"),
            other => panic!("{script}: {other}"),
        }
    }

    #[test]
    fn every_name_is_a_function() {
        for name in NAMES {
            let known = ["\"\", \"\"", "\"\", \"\", \"\"", "\"\", 0", "\"\"", "[]", "#{}", "#{}, []"]
                .iter()
                .any(|arguments| match engine().run(&format!("{name}({arguments})")) {
                    Ok(()) => true,
                    Err(error) => !matches!(*error, EvalAltResult::ErrorFunctionNotFound(..)),
                });
            assert!(known, "{name}");
        }
    }
}
