//! What may be said about a call beyond its function and its items.

use std::path::Path;
use std::time::Duration;

use rhai::{Dynamic, FnPtr, NativeCallContext};

use super::progress::Bar;
use crate::pool::call::{Callback, Failure, Meter};
use crate::pool::journal::Journal;
use crate::process::finish;
use crate::script::files::path::to_disk;
use crate::script::kept::Kept;
use crate::script::raise::{Raise, raise};
use crate::script::signature::Arguments;
use crate::script::{atexit, engine, report, run, runtime, time};
use crate::sys::signal;

/// The options of all calls over many items, in the order of their parameters.
pub struct Options {
    /// How long one item may take.
    pub timeout: Option<Duration>,
    /// How often it is tried again.
    pub retries: u32,
    /// Errors take the places of results.
    pub collect: bool,
    /// The label of a bar.
    pub progress: Option<String>,
    /// The file for what is finished.
    pub journal: Option<String>,
    /// Items in flight.
    pub buffer: Option<usize>,
}

impl Options {
    /// `timeout` and `retries`, from parameter `first` on.
    ///
    /// # Errors
    /// `TypeError`, `ValueError`.
    pub fn read_two(arguments: &mut Arguments, first: usize) -> Result<Self, Raise> {
        let timeout = match arguments.seconds(first)? {
            None => None,
            Some(seconds) if seconds > 0.0 => Duration::try_from_secs_f64(seconds).ok(),
            Some(seconds) => {
                return Err(raise(
                    "ValueError",
                    format!("timeout must be more than 0 seconds, not {seconds}"),
                ));
            }
        };
        let retries = arguments.int(first + 1)?.unwrap_or(0);
        let retries = u32::try_from(retries)
            .map_err(|_| raise("ValueError", format!("retries must be 0 or more, not {retries}")))?;
        Ok(Self { timeout, retries, collect: false, progress: None, journal: None, buffer: None })
    }

    /// All of them, from parameter `first` on.
    ///
    /// # Errors
    /// `TypeError`, `ValueError`.
    pub fn read(arguments: &mut Arguments, first: usize) -> Result<Self, Raise> {
        let two = Self::read_two(arguments, first)?;
        let collect = match arguments.string(first + 2)?.as_deref() {
            None | Some("raise") => false,
            Some("collect") => true,
            Some(other) => {
                return Err(raise(
                    "ValueError",
                    format!("on_error must be \"raise\" or \"collect\", not {other:?}"),
                ));
            }
        };
        let progress = arguments.any(first + 3);
        let progress = match (progress.as_bool(), progress.as_immutable_string_ref()) {
            (Ok(shown), _) => shown.then(String::new),
            (_, Ok(label)) => Some(label.to_string()),
            _ if progress.is_unit() => None,
            _ => return Err(raise("TypeError", "progress must be true, false or a label")),
        };
        let journal = arguments.string(first + 4)?;
        let buffer = arguments.int(first + 5)?.map(|size| positive("buffersize", size)).transpose()?;
        Ok(Self { collect, progress, journal, buffer, ..two })
    }

    /// The bar, if one is wanted and there is a terminal for it.
    pub fn meter(&self) -> Option<Box<dyn Meter>> {
        self.progress.as_deref().and_then(Bar::on_terminal)
    }

    /// The journal, if one is wanted, for calls of the function that is made of `function`.
    ///
    /// # Errors
    /// `OSError` if the file can't be used.
    pub fn journal(&self, function: &[u8]) -> Result<Option<Journal>, Raise> {
        let Some(name) = &self.journal else { return Ok(None) };
        let source = runtime::program().source();
        let path = to_disk(name);
        let journal = Journal::open(name, Path::new(&path), [&source, function], time::eprint);
        journal.map(Some).map_err(crate::wire::Error::raise)
    }
}

/// A count of at least 1.
///
/// # Errors
/// `ValueError`.
pub fn positive(name: &str, value: i64) -> Result<usize, Raise> {
    usize::try_from(value)
        .ok()
        .filter(|value| *value > 0)
        .ok_or_else(|| raise("ValueError", format!("{name} must be at least 1, not {value}")))
}

/// Calls one of two functions with what came of a call.
pub fn callback(
    context: &NativeCallContext,
    on_value: Option<FnPtr>,
    on_error: Option<FnPtr>,
) -> Option<Callback> {
    if on_value.is_none() && on_error.is_none() {
        return None;
    }
    let kept = Kept::new(context);
    Some(Box::new(move |answer: &Result<Dynamic, Failure>| {
        let (function, value) = match answer {
            Ok(value) => (on_value, value.clone()),
            Err(failure) => (on_error, failure.clone().into_value()),
        };
        if let Some(function) = function {
            call_back(&kept, &function, value);
        }
    }))
}

/// Calls a callback. What it raises is nobody's who could catch it: it is reported.
fn call_back(kept: &Kept, function: &FnPtr, value: Dynamic) {
    let Err(error) = kept.call(function, vec![value]) else { return };
    if let Some(value) = runtime::take_exit() {
        let code = run::exit_code(&value);
        let _ = kept.enter(|context| atexit::run(context.engine()));
        finish::finish(code);
    }
    if engine::is_interrupt(&error) {
        // It is for whatever the script is in.
        signal::give_back_interrupt();
        return;
    }
    // What another process raised last has nothing to do with it.
    let _ = runtime::take_traceback();
    time::eprint(&format!("in a callback of a pool's call:\n{}", report::uncaught(&error)));
}
