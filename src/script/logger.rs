//! `get_logger` and `log_to_stderr`: what goes on in this process and its children, on standard error.
//!
//! One logger in a process, with the levels of Python's `logging`; a child begins with its parent's settings.
//! A record is one line: `[LEVEL/ProcessName] message`.

use std::cell::Cell;

use rhai::{Dynamic, Engine};

use super::raise::{Raise, RhaiResult, raise};
use super::signature::{Signature, described};
use super::{runtime, time};

/// The levels that have names.
const LEVELS: &[(&str, i64)] =
    &[("NOTSET", 0), ("DEBUG", 10), ("INFO", 20), ("WARNING", 30), ("ERROR", 40), ("CRITICAL", 50)];

/// The level that counts where none is set.
const UNSET: i64 = 0;
const WARNING: i64 = 30;

static TO_STDERR: Signature = Signature { name: "log_to_stderr", parameters: &["level"], required: 0 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["get_logger", "log_to_stderr"];

/// What the logger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Records below it are not shown; 0 is not set.
    pub level: i64,
    /// Whether anything is shown.
    pub to_stderr: bool,
}

thread_local! {
    static SETTINGS: Cell<Settings> = const { Cell::new(Settings { level: UNSET, to_stderr: false }) };
}

/// What this process's logger does.
pub fn settings() -> Settings {
    SETTINGS.get()
}

/// Sets what this process's logger does.
pub fn set(settings: Settings) {
    SETTINGS.set(settings);
}

/// Logs a message of stook's own, such as the start of a process.
pub fn info(message: impl FnOnce() -> String) {
    record(20, message);
}

/// Logs that something is probably not what the script means.
pub fn warning(message: impl FnOnce() -> String) {
    record(WARNING, message);
}

fn record(level: i64, message: impl FnOnce() -> String) {
    let Settings { level: least, to_stderr } = settings();
    let least = if least == UNSET { WARNING } else { least };
    if to_stderr && level >= least {
        time::eprint(&format!("[{}/{}] {}", level_name(level), runtime::name(), message()));
    }
}

fn level_name(level: i64) -> String {
    let known = LEVELS.iter().find(|(_, number)| *number == level);
    known.map_or_else(|| format!("Level {level}"), |(name, _)| (*name).to_owned())
}

/// A level as scripts give it: a number, or one of the names.
fn level(value: &Dynamic) -> Result<i64, Raise> {
    if let Ok(number) = value.as_int() {
        return Ok(number);
    }
    let Ok(name) = value.as_immutable_string_ref() else {
        return Err(raise("TypeError", format!("a level is an int or a name, not {}", described(value))));
    };
    let known = LEVELS.iter().find(|(known, _)| *known == name.as_str());
    known.map(|(_, number)| *number).ok_or_else(|| {
        let names: Vec<&str> = LEVELS.iter().map(|(name, _)| *name).collect();
        raise("ValueError", format!("unknown level '{}'; there are {}", name.as_str(), names.join(", ")))
    })
}

/// The process's logger. It has no state of its own.
#[derive(Clone, Copy)]
struct Logger;

fn set_level(value: &Dynamic) -> Result<(), Raise> {
    let level = level(value)?;
    set(Settings { level, ..settings() });
    Ok(())
}

/// Registers the functions and the type.
pub fn register(engine: &mut Engine) {
    TO_STDERR.function(engine, |_, mut arguments| -> RhaiResult {
        set(Settings { to_stderr: true, ..settings() });
        if let Some(value) = arguments.value(0) {
            set_level(&value)?;
        }
        Ok(Dynamic::from(Logger))
    });
    engine
        .register_type_with_name::<Logger>("Logger")
        .register_fn("get_logger", || Logger)
        .register_fn("setLevel", |_: &mut Logger, value: Dynamic| set_level(&value))
        .register_set("level", |_: &mut Logger, value: Dynamic| set_level(&value))
        .register_get("level", |_: &mut Logger| settings().level)
        .register_fn("getEffectiveLevel", |_: &mut Logger| match settings().level {
            UNSET => WARNING,
            level => level,
        })
        .register_fn("log", |_: &mut Logger, value: Dynamic, message: Dynamic| -> Result<(), Raise> {
            let number = level(&value)?;
            record(number, || message.to_string());
            Ok(())
        })
        .register_fn("to_string", |_: &mut Logger| {
            format!("<Logger stook ({})>", level_name(settings().level))
        });
    // `debug` is Rhai's own word, and not for methods: that level is for `log`.
    for (name, number) in LEVELS.iter().skip(2) {
        engine.register_fn(name.to_lowercase(), |_: &mut Logger, message: Dynamic| {
            record(*number, || message.to_string());
        });
    }
}
