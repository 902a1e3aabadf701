//! How a pool's workers begin.

use std::rc::Rc;

use rhai::{Array, FnPtr, NativeCallContext};

use crate::arena::table::Role;
use crate::pool::crew::StartWorker;
use crate::pool::worker::Seat;
use crate::process::child::Child;
use crate::process::children;
use crate::process::method::Method;
use crate::script::job::Job;
use crate::script::kept::Kept;
use crate::script::process::launch::{self, Newborn};
use crate::script::raise::Raise;
use crate::script::runtime;

/// See the head of this file.
pub struct Recruit {
    /// How they are started.
    pub method: Method,
    /// What they are called, before their numbers.
    pub name: String,
    /// What each of them calls first.
    pub initializer: Option<(FnPtr, Array)>,
}

impl Recruit {
    /// Starts a worker, now or whenever one has to be replaced.
    pub fn starter(self, context: &NativeCallContext) -> StartWorker {
        let kept = Kept::new(context);
        Rc::new(move |seat| kept.enter(|context| self.start(context, seat))?)
    }

    fn start(&self, context: &NativeCallContext, seat: Seat) -> Result<Child, Raise> {
        let name = format!("{}-{}", self.name, children::next_number());
        let authkey = runtime::identity(|identity| identity.authkey.clone());
        let newborn = Newborn { name: &name, authkey: &authkey, role: Role::Worker };
        launch::start(context, Some(self.method), &newborn, Job::Serve(seat, self.initializer.clone()))
    }
}
