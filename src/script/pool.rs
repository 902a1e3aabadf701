//! `Pool`.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};

use super::carry::Carry;
use super::job::Job;
use super::process::launch::{self, Newborn, may_start};
use super::raise::{Raise, RhaiResult, interrupted, not_packed, out_of_memory, raise, refused};
use super::runtime;
use super::signature::{Arguments, Signature};
use crate::arena::table::Role;
use crate::pool::Pool as Workers;
use crate::pool::call::Failure;
use crate::pool::owner::{PoolError, State, Work};
use crate::pool::worker::Seat;
use crate::process::child::Child;
use crate::process::children;
use crate::process::method::{self, Method};
use crate::sys::resources;
use crate::wire::{Error, Raised};

static NEW: Signature =
    Signature { name: "Pool", parameters: &["processes", "initializer", "initargs", "name"], required: 0 };
static APPLY: Signature = Signature { name: "Pool.apply", parameters: &["func", "args"], required: 1 };
static MAP: Signature =
    Signature { name: "Pool.map", parameters: &["func", "iterable", "chunksize"], required: 2 };
static JOIN: Signature = Signature { name: "Pool.join", parameters: &["timeout"], required: 0 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["Pool"];

/// A pool as the script that made it sees it. A clone is the same pool.
#[derive(Clone)]
struct Pool(Rc<RefCell<Workers>>, Rc<Recruit>);

/// How a pool's workers begin.
struct Recruit {
    method: Method,
    name: String,
    initializer: Option<(FnPtr, Array)>,
}

impl Recruit {
    fn start(&self, context: &NativeCallContext, seat: Seat) -> Result<Child, Raise> {
        let name = format!("{}-{}", self.name, children::next_number());
        let authkey = runtime::identity(|identity| identity.authkey.clone());
        let newborn = Newborn { name: &name, authkey: &authkey, role: Role::Worker };
        launch::start(context, Some(self.method), &newborn, Job::Serve(seat, self.initializer.clone()))
    }
}

/// Registers the type.
pub fn register(engine: &mut Engine) {
    NEW.context_function(engine, new);
    APPLY.method(engine, apply);
    MAP.method(engine, map);
    JOIN.method(engine, |_, pool: Pool, mut arguments| {
        let deadline = arguments.deadline(0)?;
        pool.0.borrow_mut().join(deadline).map_err(not_done)?;
        Ok(Dynamic::UNIT)
    });
    engine
        .register_type_with_name::<Pool>("Pool")
        .register_fn("close", |pool: &mut Pool| pool.0.borrow_mut().close())
        .register_fn("terminate", |pool: &mut Pool| pool.0.borrow_mut().terminate())
        .register_fn("__enter__", |pool: &mut Pool| -> Result<Pool, Raise> {
            match pool.0.borrow().state() {
                State::Running => Ok(pool.clone()),
                State::Closed | State::Terminated => Err(raise("ValueError", "Pool not running")),
            }
        })
        .register_fn("__exit__", |pool: &mut Pool| pool.0.borrow_mut().terminate())
        .register_fn("to_string", |pool: &mut Pool| text(pool))
        .register_fn("to_debug", |pool: &mut Pool| text(pool))
        .register_get("pids", |pool: &mut Pool| -> Array {
            pool.0.borrow().pids().into_iter().map(|pid| i64::from(pid).into()).collect()
        });
}

fn text(pool: &Pool) -> String {
    let pool = pool.0.borrow();
    let state = match pool.state() {
        State::Running => "RUN",
        State::Closed => "CLOSE",
        State::Terminated => "TERMINATE",
    };
    format!("<Pool state={state} pool_size={}>", pool.size())
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
    let recruit = Recruit {
        method: method.unwrap_or_else(method::current),
        name: arguments.string(3)?.unwrap_or_else(|| "PoolWorker".to_owned()),
        initializer: initializer.map(|function| (function, initargs)),
    };
    let pool = Workers::new(size, &|seat| recruit.start(context, seat)).map_err(not_done)?;
    Ok(Dynamic::from(Pool(Rc::new(RefCell::new(pool)), Rc::new(recruit))))
}

fn apply(context: &NativeCallContext, pool: Pool, mut arguments: Arguments) -> RhaiResult {
    let function = function(&mut arguments, "Pool.apply")?;
    let items = [Dynamic::from(arguments.array(1)?.unwrap_or_default())];
    let program = runtime::packed_if_growing().map_err(not_packed)?;
    let start = |seat| pool.1.start(context, seat);
    let program = program.as_ref();
    let work = Work { function: &function, items: &items, spread: true, chunk: 1, program, start: &start };
    let results = run(&pool, &work)?;
    Ok(results.into_iter().next().unwrap_or_default())
}

fn map(context: &NativeCallContext, pool: Pool, mut arguments: Arguments) -> RhaiResult {
    let function = function(&mut arguments, "Pool.map")?;
    let items = arguments.items(context, 1)?;
    let chunk = match arguments.int(2)? {
        None => {
            // As Python has it: four chunks a worker, rounded up.
            let parts = pool.0.borrow().size() * 4;
            items.len().div_ceil(parts).max(1)
        }
        Some(chunk) => usize::try_from(chunk)
            .ok()
            .filter(|chunk| *chunk > 0)
            .ok_or_else(|| raise("ValueError", format!("chunksize must be at least 1, not {chunk}")))?,
    };
    let program = runtime::packed_if_growing().map_err(not_packed)?;
    let start = |seat| pool.1.start(context, seat);
    let program = program.as_ref();
    let work = Work { function: &function, items: &items, spread: false, chunk, program, start: &start };
    run(&pool, &work).map(Dynamic::from)
}

fn function(arguments: &mut Arguments, call: &str) -> Result<Dynamic, Raise> {
    let function = arguments.function(0)?;
    function
        .map(Dynamic::from)
        .ok_or_else(|| raise("TypeError", format!("{call}() wants a function for 'func', not ()")))
}

fn run(pool: &Pool, work: &Work) -> Result<Array, Raise> {
    pool.0.borrow_mut().run(work, &Carry).map_err(not_done)
}

fn not_done(error: PoolError) -> Raise {
    match error {
        PoolError::NotRunning | PoolError::StillRunning => raise("ValueError", error.to_string()),
        PoolError::NotMine => raise("AssertionError", error.to_string()),
        PoolError::Start(error) => error,
        PoolError::Refused(error) => refused(error),
        PoolError::OutOfMemory(error) => out_of_memory(error),
        PoolError::Interrupted => interrupted(),
        PoolError::Failed(Failure::Raised(raised)) => raised_elsewhere(raised),
        PoolError::Failed(Failure::Lost(error)) => error.raise(),
    }
}

/// An error that another process raised, raised here: the value as it was, with the calls there noted in
/// it where it has room for that, and in the report if nobody catches it.
fn raised_elsewhere(raised: Raised) -> Raise {
    let Raised { value, traceback } = raised;
    let value = match value.try_cast_result::<Error>() {
        Ok(error) if error.traceback().is_empty() => Dynamic::from(error.with_traceback(traceback.as_str())),
        Ok(error) => Dynamic::from(error),
        Err(value) => value,
    };
    runtime::note_traceback(traceback);
    EvalAltResult::ErrorRuntime(value, rhai::Position::NONE).into()
}
