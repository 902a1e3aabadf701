//! `Pool`.
//!
//! | file | concept |
//! |---|---|
//! | `calls` | `map`, `apply` and their kin |
//! | `options` | what may be said about a call |
//! | `feedstock` | what its items come from |
//! | `result` | `AsyncResult` |
//! | `items` | what `imap` gives |
//! | `progress` | a bar on the terminal |
//! | `recruit` | how workers begin |

mod calls;
mod feedstock;
mod items;
mod options;
mod progress;
mod recruit;
mod result;

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, NativeCallContext};

pub use result::AsyncResult;

use super::carry::Carry;
use super::logger;
use super::process::launch::may_start;
use super::raise::{Raise, RhaiResult, interrupted, out_of_memory, raise, refused};
use super::runtime;
use super::signature::{Arguments, Signature, described};
use crate::pool::call::Failure;
use crate::pool::owner::{PoolError, State};
use crate::pool::pump::Driven;
use crate::pool::worker::Limits;
use crate::process::method::{self, Method};
use crate::sys::resources;
use recruit::Recruit;

static NEW: Signature = Signature {
    name: "Pool",
    parameters: &["processes", "initializer", "initargs", "maxtasksperchild", "max_rss", "name"],
    required: 0,
};
static JOIN: Signature = Signature { name: "Pool.join", parameters: &["timeout"], required: 0 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["Pool"];

/// A pool as the script that made it sees it. A clone is the same pool.
#[derive(Clone)]
struct Pool(Rc<Held>);

/// The script's hold on a pool. A call that goes on has one of its own.
struct Held(Driven);

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.is_forgotten() {
            logger::warning(|| "a pool that nobody closed was dropped: its workers are ended".to_owned());
        }
    }
}

impl std::ops::Deref for Pool {
    type Target = Driven;

    fn deref(&self) -> &Driven {
        &self.0.0
    }
}

/// Registers the types.
pub fn register(engine: &mut Engine) {
    NEW.context_function(engine, new);
    JOIN.method(engine, |_, pool: Pool, mut arguments| {
        pool.join(arguments.deadline(0)?).map_err(not_done)?;
        Ok(Dynamic::UNIT)
    });
    calls::register(engine);
    result::register(engine);
    items::register(engine);
    engine
        .register_type_with_name::<Pool>("Pool")
        .register_fn("close", |pool: &mut Pool| pool.close())
        .register_fn("terminate", |pool: &mut Pool| pool.terminate())
        .register_fn("__enter__", |pool: &mut Pool| -> Result<Pool, Raise> {
            match pool.borrow().state() {
                State::Running => Ok(pool.clone()),
                State::Closed | State::Terminated => Err(raise("ValueError", "Pool not running")),
            }
        })
        .register_fn("__exit__", |pool: &mut Pool| pool.terminate())
        .register_fn("to_string", |pool: &mut Pool| text(pool))
        .register_fn("to_debug", |pool: &mut Pool| text(pool))
        .register_fn("stats", |pool: &mut Pool| stats(pool))
        .register_get("pids", |pool: &mut Pool| -> Array {
            pool.borrow().pids().into_iter().map(|pid| i64::from(pid).into()).collect()
        });
}

/// Whether `value` is a pool.
pub fn is_pool(value: &Dynamic) -> bool {
    value.is::<Pool>()
}

fn text(pool: &Pool) -> String {
    let pool = pool.borrow();
    let state = match pool.state() {
        State::Running => "RUN",
        State::Closed => "CLOSE",
        State::Terminated => "TERMINATE",
    };
    format!("<Pool state={state} pool_size={}>", pool.size())
}

fn stats(pool: &Pool) -> Map {
    let pool = pool.borrow();
    let (stats, busy) = pool.stats();
    let count = |number: u64| Dynamic::from(i64::try_from(number).unwrap_or(i64::MAX));
    let busy: Array = busy.into_iter().map(|time| time.as_secs_f64().into()).collect();
    [
        ("workers", count(pool.size() as u64)),
        ("done", count(stats.done)),
        ("failed", count(stats.failed)),
        ("retried", count(stats.retried)),
        ("skipped", count(stats.skipped)),
        ("lost", count(stats.lost)),
        ("busy", busy.into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value))
    .collect()
}

fn new(context: &NativeCallContext, method: Option<Method>, mut arguments: Arguments) -> RhaiResult {
    may_start("the workers of a pool")?;
    let size = match arguments.int(0)? {
        None => resources::cpu_count(),
        Some(size) => usize::try_from(size).ok().filter(|size| *size > 0).ok_or_else(|| {
            raise("ValueError", format!("Number of processes must be at least 1, not {size}"))
        })?,
    };
    let initializer = arguments.function(1)?;
    let initargs = arguments.array(2)?.unwrap_or_default();
    let limits = Limits {
        tasks: limit("maxtasksperchild", &mut arguments, 3)?,
        memory: limit("max_rss", &mut arguments, 4)?,
    };
    let recruit = Recruit {
        method: method.unwrap_or_else(method::current),
        name: arguments.string(5)?.unwrap_or_else(|| "PoolWorker".to_owned()),
        initializer: initializer.map(|function| (function, initargs)),
    };
    let pool = Driven::new(size, limits, recruit.starter(context), &Carry).map_err(not_done)?;
    Ok(Dynamic::from(Pool(Rc::new(Held(pool)))))
}

/// A limit of a worker; 0 where none is given. As in Python, whatever is no count of at least 1 is a wrong value.
fn limit(name: &str, arguments: &mut Arguments, index: usize) -> Result<u64, Raise> {
    let value = arguments.any(index);
    if value.is_unit() {
        return Ok(0);
    }
    let limit = value.as_int().ok().and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0);
    limit.ok_or_else(|| {
        raise("ValueError", format!("{name} must be a positive int or (), not {}", described(&value)))
    })
}

fn not_done(error: PoolError) -> Raise {
    match error {
        PoolError::NotRunning | PoolError::StillRunning => raise("ValueError", error.to_string()),
        PoolError::NotMine => raise("AssertionError", error.to_string()),
        PoolError::Start(error) => error,
        PoolError::Refused(error) => refused(error),
        PoolError::OutOfMemory(error) => out_of_memory(error),
        PoolError::Broken(error) => error.raise(),
        PoolError::Interrupted => interrupted(),
    }
}

/// An error that another process raised, raised here: the value as it was, with the calls there noted in
/// it where it has room for that, and in the report if nobody catches it.
fn raised(failure: Failure) -> Raise {
    if let Failure::Raised(raised) = &failure
        && !raised.traceback.is_empty()
    {
        runtime::note_traceback(raised.traceback.clone());
    }
    EvalAltResult::ErrorRuntime(failure.into_value(), rhai::Position::NONE).into()
}
