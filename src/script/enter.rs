//! A started process, from its beginning to its end, one function for each start method.

use rhai::NativeCallContext;

use super::heritage::Heritage;
use super::job::{Done, Job};
use super::program::Program;
use super::stage::Stage;
use super::{atexit, engine, inherit, logger, manager, run, runtime, time, zygote};
use crate::arena::parcel::Parcel;
use crate::arena::table;
use crate::process::{finish, session};
use crate::socket::keeper;
use crate::sys::process;

/// The life of a process that was spawned; `argument` says which it is.
pub fn spawned(argument: &str) -> ! {
    match session::enter(argument) {
        Ok(true) => {}
        Ok(false) => process::exit_now(0),
        Err(error) => {
            time::eprint(&format!("stook: {error}"));
            process::exit_now(2)
        }
    }
    engine::prepare();
    let code = match arrive() {
        Ok(Job::Zygote(files)) => zygote::live(&files),
        Ok(job) => Stage::build().perform(job),
        Err(reason) => failed(&reason),
    };
    leave(code)
}

/// Unpacks what the parent left for this process, and installs the runtime.
fn arrive() -> Result<Job, String> {
    let (heritage, parcel, job) = Job::receive()?;
    let program = Program::unpack(&parcel).map_err(|error| error.to_string())?;
    let arguments = heritage.arguments.clone();
    runtime::Runtime::new(runtime::CHILD, heritage.identity.clone(), arguments, program.clone()).install();
    runtime::set_program(program, parcel);
    heritage.take_up().map_err(|error| format!("its working directory can't be entered: {error}"))?;
    Ok(job)
}

/// The life of a process that the fork server made, on its stage, where `loaded` is compiled.
pub fn served(stage: &Stage, loaded: Option<&Parcel>) -> ! {
    let arrived = Job::receive().and_then(|(heritage, parcel, job)| {
        if loaded.is_none_or(|loaded| loaded.offset() != parcel.offset()) {
            // The one that started this process has imported or been told more since.
            let program = Program::unpack(&parcel).map_err(|error| error.to_string())?;
            runtime::set_program(program, parcel);
            stage.prepare();
        }
        heritage.take_up().map_err(|error| format!("its working directory can't be entered: {error}"))?;
        Ok(job)
    });
    let code = match arrived {
        Ok(job) => stage.perform(job),
        Err(reason) => failed(&reason),
    };
    leave(code)
}

/// The life of a process that was forked off in the middle of a script.
pub fn forked(context: &NativeCallContext, heritage: Heritage, job: Job) -> ! {
    atexit::forget();
    runtime::forked();
    manager::forked();
    // It has no surroundings to enter: they are its parent's.
    let _ = heritage.take_up();
    inherit::sort_out(context, &job);
    match job.perform(context) {
        Done::Result(result) => {
            let code = run::outcome(&result);
            atexit::run(context.engine());
            leave(code)
        }
        Done::Again(parcel, job) => {
            let code = match Program::unpack(&parcel) {
                Ok(program) => {
                    runtime::set_program(program, parcel);
                    Stage::build().perform(job)
                }
                Err(error) => failed(&error.to_string()),
            };
            leave(code)
        }
    }
}

fn failed(reason: &str) -> i32 {
    let name = table::me().map(table::Slot::name).unwrap_or_default();
    time::eprint(&format!("stook: process {name} can't be started: {reason}"));
    1
}

fn leave(code: i32) -> ! {
    logger::info(|| format!("process exiting with exit code {code}"));
    keeper::leave_behind();
    finish::finish(code)
}
