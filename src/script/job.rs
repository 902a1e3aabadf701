//! What a started process is to do, as it travels and as it is done.
//!
//! ```text
//! parts: heritage, kind, and the values of that kind
//! references: program, and the objects of that kind
//! ```

use rhai::{Array, Dynamic, FnPtr, NativeCallContext};

use super::callee::Callee;
use super::carry::Carry;
use super::heritage::Heritage;
use super::manager::serve::Work;
use super::raise::{RhaiResult, raise};
use super::{atexit, run, runtime, terminal};
use crate::arena::parcel::{self, Parcel};
use crate::pool::line::Manner;
use crate::pool::worker::{self, Limits, Seat, Stopped, Worker};
use crate::process::{finish, start};
use crate::socket::keeper;
use crate::sync::channel::Channel;
use crate::sync::claims::Claims;
use crate::sys::identity;
use crate::wire::Raised;

/// See the head of this file.
pub enum Job {
    /// Call the function with the arguments.
    Call(Option<FnPtr>, Array),
    /// Work for a pool, after calling the initializer.
    Serve(Seat, Option<(FnPtr, Array)>),
    /// Work on for a pool, with another program.
    Resume(Box<Worker<'static>>),
    /// Be a manager's server.
    Manage(Box<Work>),
    /// Be the session's fork server, after importing these files.
    Zygote(Vec<String>),
}

/// How a job went.
pub enum Done {
    /// To its end.
    Result(RhaiResult),
    /// The program has grown: load it, and go on with the job.
    Again(Parcel, Job),
}

const CALL: &str = "call";
const SERVE: &str = "serve";
const MANAGE: &str = "manage";
const ZYGOTE: &str = "zygote";

impl Job {
    /// The objects it needs, as offsets.
    pub fn references(&self) -> Vec<u64> {
        match self {
            Self::Serve(seat, _) => {
                vec![seat.tasks.offset(), seat.results.offset(), seat.claims.offset()]
            }
            Self::Call(..) | Self::Resume(_) | Self::Manage(_) | Self::Zygote(_) => Vec::new(),
        }
    }

    /// Its parts, with the names that errors call them.
    pub fn parts(&self) -> Vec<(&'static str, Dynamic)> {
        let function = |function: &Option<FnPtr>| function.clone().map_or(Dynamic::UNIT, Dynamic::from);
        match self {
            Self::Call(target, arguments) => {
                vec![("kind", CALL.into()), ("target", function(target)), ("args", arguments.clone().into())]
            }
            Self::Serve(seat, initializer) => {
                let (initializer, arguments) = initializer.clone().unzip();
                let number = |number: u64| Dynamic::from(i64::try_from(number).unwrap_or(i64::MAX));
                let Limits { tasks, memory } = seat.limits;
                vec![
                    ("kind", SERVE.into()),
                    ("seat", number(seat.index as u64)),
                    ("maxtasksperchild", number(tasks)),
                    ("max_rss", number(memory)),
                    ("initializer", function(&initializer)),
                    ("initargs", arguments.unwrap_or_default().into()),
                ]
            }
            Self::Manage(work) => {
                let mut parts = vec![("kind", MANAGE.into())];
                parts.extend(work.parts());
                parts
            }
            // Never sent: it is how a worker goes on by itself.
            Self::Resume(_) => Vec::new(),
            Self::Zygote(files) => {
                let files: Array = files.iter().cloned().map(Dynamic::from).collect();
                vec![("kind", ZYGOTE.into()), ("files", files.into())]
            }
        }
    }

    /// What the parent left for this process: what it inherits, its program and its job.
    ///
    /// # Errors
    /// Why it can't be read, in words.
    pub fn receive() -> Result<(Heritage, Parcel, Self), String> {
        let parcel = parcel::given_to_me().map_err(text)?.ok_or("there is nothing to do")?;
        let references = parcel.references();
        let (program, objects) = references.split_first().ok_or("there is no program")?;
        let program = Parcel::open(*program).map_err(text)?;
        let mut values = start::unpack(&parcel, &Carry).map_err(text)?.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let heritage = Heritage::from_value(next()).ok_or("what it inherits can't be read")?;
        let kind = next().into_string().unwrap_or_default();
        let job = match kind.as_str() {
            CALL => Self::Call(next().try_cast(), array(next())),
            SERVE => {
                let [tasks, results, claims, ..] = objects else { return Err("its pool is missing".into()) };
                let mut number =
                    || next().as_int().ok().and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
                let index = number() as usize;
                let limits = Limits { tasks: number(), memory: number() };
                let seat = Seat {
                    tasks: Channel::open(*tasks).map_err(text)?,
                    results: Channel::open(*results).map_err(text)?,
                    claims: Claims::open(*claims).map_err(text)?,
                    index,
                    limits,
                };
                let initializer = next().try_cast();
                Self::Serve(seat, initializer.map(|function| (function, array(next()))))
            }
            MANAGE => Self::Manage(Box::new(Work::receive(next))),
            ZYGOTE => {
                let files = array(next()).into_iter().filter_map(|file| file.into_string().ok());
                Self::Zygote(files.collect())
            }
            other => return Err(format!("nobody knows the job '{other}'")),
        };
        Ok((heritage, program, job))
    }

    /// Does it, in a process that has loaded the program.
    pub fn perform(self, context: &NativeCallContext) -> Done {
        let mut worker = match self {
            Self::Call(target, arguments) => {
                return Done::Result(
                    target.map_or(Ok(Dynamic::UNIT), |target| call(context, &target, arguments)),
                );
            }
            Self::Serve(seat, initializer) => {
                if let Some((initializer, arguments)) = initializer
                    && let Err(error) = call(context, &initializer, arguments)
                {
                    return Done::Result(Err(error));
                }
                match runtime::packed() {
                    Ok(program) => {
                        Box::new(Worker { seat, handles: &Carry, program, waiting: None, done: 0 })
                    }
                    Err(error) => return Done::Result(Err(raise("MemoryError", error.to_string()))),
                }
            }
            Self::Resume(worker) => worker,
            Self::Manage(work) => return Done::Result(work.perform(context)),
            // It never gets here: it has no script to be called from.
            Self::Zygote(_) => return Done::Result(Ok(Dynamic::UNIT)),
        };
        match worker.serve(&|function| task(context, function)) {
            Stopped::NoMoreTasks | Stopped::Retired => Done::Result(Ok(Dynamic::UNIT)),
            Stopped::OutOfMemory => Done::Result(Err(raise("MemoryError", "no memory for a task's result"))),
            Stopped::NewProgram(parcel) => {
                worker.program = parcel.clone();
                Done::Again(parcel, Self::Resume(worker))
            }
        }
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn array(value: Dynamic) -> Array {
    value.try_cast().unwrap_or_default()
}

/// Calls a function that the parent named. The call stands in no script, so it is no part of the chain.
fn call(context: &NativeCallContext, function: &FnPtr, arguments: Array) -> RhaiResult {
    runtime::call(context, function, arguments).map_err(|mut error| {
        error.set_position(rhai::Position::NONE);
        error
    })
}

/// A pool's function, in a worker.
struct Task<'a>(Callee<'a>);

fn task<'a>(
    context: &'a NativeCallContext<'a>,
    function: Dynamic,
) -> Result<Box<dyn worker::Callee + 'a>, String> {
    let function = function.try_cast().ok_or("a task's function is not a function")?;
    Ok(Box::new(Task(Callee::new(context, function))))
}

impl worker::Callee for Task<'_> {
    fn begin(&mut self, manner: Manner, items: usize) {
        terminal::set_bar(manner.bar);
        self.0.expect(items);
    }

    fn call(&mut self, arguments: &mut [Dynamic]) -> Result<Dynamic, Raised> {
        let called = self.0.call(arguments);
        if let Some(value) = runtime::take_exit() {
            // As in Python, a task may end its worker: the owner learns of it from the claim.
            let code = run::exit_code(&value);
            atexit::run(self.0.engine());
            keeper::leave_behind();
            finish::finish(code);
        }
        called.map_err(|error| {
            let source = runtime::program().name().to_owned();
            let raised = Raised::capture(error, &source);
            let process = format!("in process {} (pid {}):", runtime::name(), identity::pid());
            Raised { traceback: format!("{process}\n{}", raised.traceback), ..raised }
        })
    }
}
