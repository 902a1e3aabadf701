//! The working directory and the environment variables.

use std::env;
use std::ffi::OsString;

use rhai::{Dynamic, Engine, Map};

use super::path::{from_disk, to_disk};
use super::{Outcome, fault};
use crate::script::raise::raise;
use crate::sys::environment;

pub fn register(engine: &mut Engine) {
    engine.register_fn("getcwd", getcwd);
    engine.register_fn("chdir", |path: &str| -> Outcome<()> {
        env::set_current_dir(to_disk(path)).map_err(|error| fault::on(path, &error).raise())
    });
    engine.register_fn("tempdir", || from_disk(env::temp_dir().as_os_str()));
    engine.register_fn("environ", || -> Map {
        env::vars_os()
            .map(|(name, value)| (from_disk(&name).as_str().into(), from_disk(&value).into()))
            .collect()
    });
    engine.register_fn("getenv", |name: &str| variable(name).map_or(Dynamic::UNIT, text));
    engine.register_fn("getenv", |name: &str, default: Dynamic| variable(name).map_or(default, text));
    engine.register_fn("setenv", |name: &str, value: Dynamic| set(name, Some(&value)));
    engine.register_fn("unsetenv", |name: &str| set(name, None));
}

/// Sets or removes a variable, for this process and those that it starts from now on.
fn set(name: &str, value: Option<&Dynamic>) -> Outcome<()> {
    let text = value.map(Dynamic::to_string);
    let (key, value) = (to_disk(name), text.as_deref().map(to_disk));
    if !environment::is_valid(&key, value.as_deref().unwrap_or_default()) {
        let rule = "a name is not empty and has no '=', and neither name nor value has a zero byte";
        return Err(raise("ValueError", format!("the variable {name:?} can't be set so: {rule}")));
    }
    match value {
        Some(value) => environment::set(&key, &value),
        None => environment::remove(&key),
    }
    Ok(())
}

/// The working directory.
///
/// # Errors
/// It was removed.
pub fn getcwd() -> Outcome<String> {
    match env::current_dir() {
        Ok(dir) => Ok(from_disk(dir.as_os_str()).into()),
        Err(error) => Err(fault::on(".", &error).raise()),
    }
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(to_disk(name))
}

fn text(value: OsString) -> Dynamic {
    from_disk(&value).into()
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::super::tests::{eval, fails};

    #[test]
    fn variables_are_read() {
        let dir = tempdir().unwrap();
        let path: bool = eval(&dir, r#"getenv("PATH") == environ().PATH && getenv("PATH").len() > 0"#);
        assert!(path);
        let missing: bool =
            eval(&dir, r#"getenv("NO SUCH=NAME") == () && getenv("", 7) == 7 && getenv("a\x00b") == ()"#);
        assert!(missing);
    }

    #[test]
    fn the_surroundings_are_directories() {
        let dir = tempdir().unwrap();
        let there: bool = eval(&dir, "is_dir(getcwd()) && is_dir(tempdir())");
        assert!(there);
        assert_eq!(fails(&dir, r#"chdir(D + "/none")"#).kind(), "FileNotFoundError");
    }
}
