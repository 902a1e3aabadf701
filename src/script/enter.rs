//! A started process: it loads its parent's script as `__mp_main__`, and then does what it was started for.
//!
//! The script's top level ends with a call of our own, made when everything the script defines is there:
//! so targets see its private functions, constants and imports like any function of the script does.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext, Scope};

use super::carry::Carry;
use super::program::Program;
use super::raise::{RhaiResult, raise};
use super::runtime::{self, Runtime};
use super::{engine, pool, report, run, time};
use crate::arena::parcel::{self, Parcel};
use crate::arena::table;
use crate::pool::worker::Worker;
use crate::process::{finish, session, start};
use crate::sync::channel::Channel;
use crate::sync::claims::Claims;
use crate::wire::Raised;

/// The call that stands at the end of a child's script.
const TAIL: &str = "__stook_enter__()";

/// What this process is to do.
struct Job {
    what: String,
    objects: Vec<u64>,
    parts: Vec<Dynamic>,
}

/// The life of a started process; `argument` says which it is.
pub fn enter(argument: &str) -> ! {
    match session::enter(argument) {
        Ok(true) => {}
        Ok(false) => crate::sys::process::exit_now(0),
        Err(error) => {
            time::eprint(&format!("stook: {error}"));
            crate::sys::process::exit_now(2)
        }
    }
    engine::prepare();
    let code = match receive() {
        Ok((job, parcel)) => {
            let code = live(job);
            drop(parcel);
            code
        }
        Err(reason) => {
            let name = table::me().map(table::Slot::name).unwrap_or_default();
            time::eprint(&format!("stook: process {name} can't be started: {reason}"));
            1
        }
    };
    finish::finish(code)
}

/// Unpacks what the parent left for this process, and installs the runtime.
fn receive() -> Result<(Job, Parcel), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let parcel = parcel::given_to_me().map_err(|error| text(&error))?.ok_or("there is nothing to do")?;
    let mut references = parcel.references().into_iter();
    let packed = references.next().ok_or("there is no program")?;
    let packed = Parcel::open(packed).map_err(|error| text(&error))?;
    let program = Program::unpack(&packed).map_err(|error| text(&error))?;
    let mut values = start::unpack(&parcel, &Carry).map_err(|error| text(&error))?.into_iter();
    let mut string = || values.next().and_then(|value| value.into_string().ok()).unwrap_or_default();
    let (what, name) = (string(), string());
    let arguments = values.next().and_then(Dynamic::try_cast::<Array>).unwrap_or_default();
    let arguments = arguments.into_iter().filter_map(|argument| argument.into_string().ok()).collect();
    let parent = values.next().and_then(|value| value.into_string().ok()).unwrap_or_default();
    let mut runtime = Runtime::new(runtime::CHILD, name, arguments, program);
    let creator = table::me().and_then(table::Slot::creator).and_then(table::ProcessId::slot);
    runtime.parent = Some((parent, creator.map_or(0, table::Slot::pid)));
    runtime.install();
    runtime::keep_packed(packed);
    Ok((Job { what, objects: references.collect(), parts: values.collect() }, parcel))
}

/// Loads the script and does the job; gives the exit code.
fn live(job: Job) -> i32 {
    let mut engine = engine::build();
    let job = Rc::new(RefCell::new(Some(job)));
    let result: Rc<RefCell<Option<RhaiResult>>> = Rc::default();
    let (taken, done) = (Rc::clone(&job), Rc::clone(&result));
    engine.register_fn("__stook_enter__", move |context: NativeCallContext| {
        runtime::set_loading(false);
        if let Some(job) = taken.borrow_mut().take() {
            done.replace(Some(perform(&context, job)));
        }
    });
    runtime::set_loading(true);
    let mut program = runtime::program();
    let mut loaded = load(&engine, &program);
    if job.borrow().is_some() && loaded.is_none() && runtime::with_exit(Option::is_none) {
        // The top level returned early. Its functions are there all the same.
        for unit in &mut program.units {
            unit.style = super::program::Style::Entry;
        }
        loaded = load(&engine, &program);
    }
    if let Some(code) = loaded {
        return code;
    }
    let result = result.take().unwrap_or(Ok(Dynamic::UNIT));
    run::outcome(&result)
}

/// Runs the script's top level, which ends with the job. An exit code if that failed.
fn load(engine: &Engine, program: &Program) -> Option<i32> {
    let ast = match program.compile(engine, Some(TAIL)) {
        Ok(ast) => ast,
        Err(unreadable) => {
            time::eprint(&report::unreadable(&unreadable));
            return Some(1);
        }
    };
    match run::evaluate(engine, &mut Scope::new(), &ast) {
        Ok(_) => None,
        error => Some(run::outcome(&error)),
    }
}

fn perform(context: &NativeCallContext, job: Job) -> RhaiResult {
    let mut parts = job.parts.into_iter();
    if job.what == pool::SERVE {
        return serve(context, &job.objects, parts);
    }
    let target = parts.next().and_then(Dynamic::try_cast::<FnPtr>);
    let arguments = parts.next().and_then(Dynamic::try_cast::<Array>).unwrap_or_default();
    target.map_or(Ok(Dynamic::UNIT), |target| runtime::call(context, &target, arguments))
}

fn serve(
    context: &NativeCallContext,
    objects: &[u64],
    mut parts: impl Iterator<Item = Dynamic>,
) -> RhaiResult {
    let [tasks, results, claims, ..] = objects else {
        return Err(raise("RuntimeError", "a pool's worker was started without its pool"));
    };
    let seat = parts
        .next()
        .and_then(|seat| seat.as_int().ok())
        .and_then(|seat| usize::try_from(seat).ok())
        .unwrap_or(0);
    let initializer = parts.next().and_then(Dynamic::try_cast::<FnPtr>);
    let arguments = parts.next().and_then(Dynamic::try_cast::<Array>).unwrap_or_default();
    if let Some(initializer) = initializer {
        let _ = runtime::call(context, &initializer, arguments)?;
    }
    let open = |error| super::raise::out_of_memory(error);
    let worker = Worker {
        tasks: Channel::open(*tasks).map_err(open)?,
        results: Channel::open(*results).map_err(open)?,
        claims: Claims::open(*claims).map_err(open)?,
        seat,
        handles: &Carry,
    };
    let source = runtime::program().name().to_owned();
    worker.serve(&mut |function, arguments| {
        let called = match function.read_lock::<FnPtr>() {
            Some(function) => runtime::call(context, &function, arguments),
            None => Err(raise("TypeError", "a task's function is not a function")),
        };
        if let Some(value) = runtime::take_exit() {
            // As in Python, a task may end its worker: the owner learns of it from the claim.
            finish::finish(run::exit_code(&value));
        }
        called.map_err(|error| {
            let raised = Raised::capture(error, &source);
            let process = format!(
                "in process {} (pid {}):\n",
                runtime::with(|runtime| runtime.name.clone()),
                crate::sys::identity::pid()
            );
            Raised { traceback: format!("{process}{}", raised.traceback), ..raised }
        })
    });
    Ok(Dynamic::UNIT)
}
