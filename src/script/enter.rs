//! A started process: it loads its parent's script as `__mp_main__`, and then does what it was started for.
//!
//! The script's top level ends with a call of our own, made when everything the script defines is there:
//! so targets see its private functions, constants and imports like any function of the script does.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext, Scope};

use super::carry::Carry;
use super::program::{Program, Style};
use super::raise::{RhaiResult, raise};
use super::runtime::{self, Runtime};
use super::{engine, pool, report, run, time};
use crate::arena::parcel::{self, Parcel};
use crate::arena::table;
use crate::pool::worker::{Stopped, Worker};
use crate::process::{finish, session, start};
use crate::sync::channel::Channel;
use crate::sync::claims::Claims;
use crate::sys::identity;
use crate::wire::Raised;

/// The call that stands at the end of a child's script.
const TAIL: &str = "__stook_enter__()";

/// What this process is to do.
enum Job {
    /// Call the function with the arguments.
    Call(Option<FnPtr>, Array),
    /// Work for a pool, after calling the initializer.
    Serve(Box<Worker<'static>>, Option<(FnPtr, Array)>),
}

/// How that went.
enum Done {
    /// To its end.
    Result(RhaiResult),
    /// The program has grown: load it, and go on with the job.
    Again(Parcel, Job),
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
        Ok(job) => live(job),
        Err(reason) => {
            let name = table::me().map(table::Slot::name).unwrap_or_default();
            time::eprint(&format!("stook: process {name} can't be started: {reason}"));
            1
        }
    };
    finish::finish(code)
}

/// Unpacks what the parent left for this process, and installs the runtime.
fn receive() -> Result<Job, String> {
    fn text(error: impl std::fmt::Display) -> String {
        error.to_string()
    }
    let parcel = parcel::given_to_me().map_err(text)?.ok_or("there is nothing to do")?;
    let references = parcel.references();
    let (packed, objects) = references.split_first().ok_or("there is no program")?;
    let packed = Parcel::open(*packed).map_err(text)?;
    let program = Program::unpack(&packed).map_err(text)?;
    let mut values = start::unpack(&parcel, &Carry).map_err(text)?.into_iter();
    let what = string(values.next());
    let name = string(values.next());
    let arguments =
        array(values.next()).into_iter().filter_map(|argument| argument.into_string().ok()).collect();
    let parent = string(values.next());
    let mut runtime = Runtime::new(runtime::CHILD, name, arguments, program.clone());
    let creator = table::me().and_then(table::Slot::creator).and_then(table::ProcessId::slot);
    runtime.parent = Some((parent, creator.map_or(0, table::Slot::pid)));
    runtime.install();
    runtime::set_program(program, packed.clone());
    if what != pool::SERVE {
        let target = values.next().and_then(Dynamic::try_cast);
        return Ok(Job::Call(target, array(values.next())));
    }
    let [tasks, results, claims, ..] = objects else { return Err("its pool is missing".to_owned()) };
    let seat = values.next().and_then(|seat| usize::try_from(seat.as_int().ok()?).ok()).unwrap_or(0);
    let initializer =
        values.next().and_then(Dynamic::try_cast).map(|function| (function, array(values.next())));
    let worker = Worker {
        tasks: Channel::open(*tasks).map_err(text)?,
        results: Channel::open(*results).map_err(text)?,
        claims: Claims::open(*claims).map_err(text)?,
        seat,
        handles: &Carry,
        program: packed,
        waiting: None,
    };
    Ok(Job::Serve(Box::new(worker), initializer))
}

fn string(value: Option<Dynamic>) -> String {
    value.and_then(|value| value.into_string().ok()).unwrap_or_default()
}

fn array(value: Option<Dynamic>) -> Array {
    value.and_then(Dynamic::try_cast).unwrap_or_default()
}

/// Loads the script and does the job, as often as the program grows; gives the exit code.
fn live(job: Job) -> i32 {
    // Taking an engine apart costs as much as making it, and the process ends with it anyway.
    let mut engine = std::mem::ManuallyDrop::new(engine::build());
    let job = Rc::new(RefCell::new(Some(job)));
    let done: Rc<RefCell<Option<Done>>> = Rc::default();
    let (todo, result) = (Rc::clone(&job), Rc::clone(&done));
    engine.register_fn("__stook_enter__", move |context: NativeCallContext| {
        runtime::set_loading(false);
        let job = todo.borrow_mut().take();
        if let Some(job) = job {
            let done = perform(&context, job);
            result.replace(Some(done));
        }
    });
    loop {
        let failed = load(&engine, &job);
        let done = done.borrow_mut().take();
        match done {
            Some(Done::Result(result)) => return run::outcome(&result),
            Some(Done::Again(parcel, again)) => match Program::unpack(&parcel) {
                Ok(program) => {
                    runtime::set_program(program, parcel);
                    job.replace(Some(again));
                }
                Err(error) => {
                    time::eprint(&format!("stook: the program can't be read: {error}"));
                    return 1;
                }
            },
            None => return failed.unwrap_or(0),
        }
    }
}

/// Runs the script's top level, which ends with the job. An exit code if it did not come that far.
fn load(engine: &Engine, job: &RefCell<Option<Job>>) -> Option<i32> {
    runtime::set_loading(true);
    let mut program = runtime::program();
    let failed = evaluate(engine, &program);
    if failed.is_some() || job.borrow().is_none() {
        return failed;
    }
    if runtime::with_exit(Option::is_some) {
        return Some(run::outcome(&Ok(Dynamic::UNIT)));
    }
    // The top level returned early. Its functions are there all the same.
    for unit in &mut program.units {
        unit.style = Style::Entry;
    }
    evaluate(engine, &program)
}

fn evaluate(engine: &Engine, program: &Program) -> Option<i32> {
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

fn perform(context: &NativeCallContext, job: Job) -> Done {
    match job {
        Job::Call(target, arguments) => {
            Done::Result(target.map_or(Ok(Dynamic::UNIT), |target| call(context, &target, arguments)))
        }
        Job::Serve(mut worker, initializer) => {
            if let Some((initializer, arguments)) = initializer
                && let Err(error) = call(context, &initializer, arguments)
            {
                return Done::Result(Err(error));
            }
            match worker.serve(&mut |function, arguments| task(context, function, arguments)) {
                Stopped::NoMoreTasks => Done::Result(Ok(Dynamic::UNIT)),
                Stopped::OutOfMemory => {
                    Done::Result(Err(raise("MemoryError", "no memory for a task's result")))
                }
                Stopped::NewProgram(parcel) => {
                    worker.program = parcel.clone();
                    Done::Again(parcel, Job::Serve(worker, None))
                }
            }
        }
    }
}

/// Calls a function that the parent named. The call stands in no script, so it is no part of the chain.
fn call(context: &NativeCallContext, function: &FnPtr, arguments: Array) -> RhaiResult {
    runtime::call(context, function, arguments).map_err(|mut error| {
        error.set_position(rhai::Position::NONE);
        error
    })
}

/// One call of a pool's function.
fn task(context: &NativeCallContext, function: &Dynamic, arguments: Array) -> Result<Dynamic, Raised> {
    let called = match function.read_lock::<FnPtr>() {
        Some(function) => call(context, &function, arguments),
        None => Err(raise("TypeError", "a task's function is not a function")),
    };
    if let Some(value) = runtime::take_exit() {
        // As in Python, a task may end its worker: the owner learns of it from the claim.
        finish::finish(run::exit_code(&value));
    }
    called.map_err(|error| {
        let (name, source) =
            runtime::with(|runtime| (runtime.name.clone(), runtime::program().name().to_owned()));
        let raised = Raised::capture(error, &source);
        let process = format!("in process {name} (pid {}):", identity::pid());
        Raised { traceback: format!("{process}\n{}", raised.traceback), ..raised }
    })
}
