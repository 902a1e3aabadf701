//! Starting processes: the work, the start method, and what the child begins with.

use rhai::{Dynamic, EvalAltResult, NativeCallContext};

use super::context;
use crate::arena::parcel::Parcel;
use crate::arena::table::{self, Role};
use crate::process::child::Child;
use crate::process::fork::{self, Forked};
use crate::process::method::{self, Method};
use crate::process::start::{self, PackError};
use crate::process::{forkserver, spawn};
use crate::script::carry::Carry;
use crate::script::heritage::Heritage;
use crate::script::job::Job;
use crate::script::raise::{Raise, not_packed, not_started, raise};
use crate::script::{enter, logger, runtime};

/// Who a new process is to be.
pub struct Newborn<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its key.
    pub authkey: &'a [u8],
    /// What it is to this process.
    pub role: Role,
}

/// Whether this process may start `what` now.
///
/// # Errors
/// `RuntimeError` while it loads its parent's script, `AssertionError` in a daemon.
pub fn may_start(what: &str) -> Result<(), Box<EvalAltResult>> {
    if runtime::is_loading() {
        return Err(raise(
            "RuntimeError",
            format!(
                "an attempt to start {what} while this process still loads the script of its parent.\n\
                 Every child runs the top level of the script first, so what starts processes has to stand behind the guard:\n\
                 \n    if __name__ == \"__main__\" {{\n        ...\n    }}"
            ),
        ));
    }
    if table::me().is_some_and(|me| me.role() == Role::Daemon) {
        return Err(raise("AssertionError", "daemonic processes are not allowed to have children"));
    }
    Ok(())
}

/// Starts a process that does `job`, by `method` or by the one that is chosen. In a forked child this does
/// the job and does not return.
pub fn start(
    caller: &NativeCallContext,
    method: Option<Method>,
    newborn: &Newborn,
    job: Job,
) -> Result<Child, Raise> {
    let method = method.unwrap_or_else(method::current);
    let heritage = Heritage::new(newborn.name, newborn.authkey, method);
    let child = match method {
        Method::Spawn => {
            let parcel = pack(&heritage, &job).map_err(not_packed)?;
            spawn::spawn(newborn.name, newborn.role, &parcel)
        }
        Method::ForkServer => {
            let parcel = pack(&heritage, &job).map_err(not_packed)?;
            let begin = || {
                let server = Heritage::new(forkserver::NAME, newborn.authkey, Method::Spawn);
                Ok(pack(&server, &Job::Zygote(context::preloaded()))?)
            };
            forkserver::start(newborn.name, newborn.role, &parcel, &begin)
        }
        // The child has it all in its memory, and a worker's program where its owner's is.
        Method::Fork => {
            if matches!(job, Job::Serve(..)) {
                runtime::packed().map_err(not_packed)?;
            }
            match fork::fork(newborn.name, newborn.role).map(Forked::child) {
                Ok(Some(child)) => Ok(child),
                Ok(None) => enter::forked(caller, heritage, job),
                Err(error) => Err(error),
            }
        }
    };
    let child = child.map_err(not_started)?;
    logger::info(|| format!("started {} (pid {}) by {}", newborn.name, child.pid(), method.name()));
    Ok(child)
}

/// The start parcel of a process: its program, what it inherits, and its work.
fn pack(heritage: &Heritage, job: &Job) -> Result<Parcel, PackError> {
    let program = runtime::packed()?;
    let mut references = vec![program.offset()];
    references.extend(job.references());
    let heritage = heritage.to_value();
    let parts = job.parts();
    let mut all: Vec<(&str, &Dynamic)> = vec![("heritage", &heritage)];
    all.extend(parts.iter().map(|(name, value)| (*name, value)));
    start::pack(&references, &all, &Carry)
}
