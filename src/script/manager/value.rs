//! A manager as scripts have it.
//!
//! ```text
//! new --start--> started --shutdown--> down        new --connect--> connected
//! ```
//!
//! It belongs to the process that made it, and cannot be sent: it has the key. When its last value goes, the server is
//! shut down.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rhai::{Array, Dynamic, FnPtr, Module, NativeCallContext};

use super::fault;
use super::make::KNOWN;
use super::serve::{self, Work};
use crate::arena::table::Role;
use crate::manager::site::{CallError, Site};
use crate::process::children;
use crate::process::method::Method;
use crate::script::job::Job;
use crate::script::process::launch::{self, Newborn, may_start};
use crate::script::raise::{Raise, RhaiResult, interrupted, out_of_memory, raise};
use crate::script::runtime;
use crate::script::signature::Arguments;
use crate::script::socket::address::{named, to_value};
use crate::script::socket::fault::not_connected;
use crate::sys::address::Address;
use crate::sys::clock::Deadline;
use crate::sys::identity;
use crate::sys::process::{SIGKILL, SIGTERM};

/// How long each step of a shutdown may take, in seconds.
const PATIENCE: f64 = 1.0;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    New,
    Started,
    Connected,
    Down,
}

/// A type as a manager knows it.
#[derive(Clone)]
struct Type {
    name: String,
    constructor: Option<FnPtr>,
    exposed: Dynamic,
}

/// See the head of this file. A clone is the same manager.
#[derive(Clone)]
pub struct Manager(Rc<State>);

struct State {
    kind: &'static str,
    address: RefCell<Option<Address>>,
    key: Vec<u8>,
    patience: f64,
    method: Option<Method>,
    /// The process that made it.
    pid: u32,
    status: Cell<Status>,
    site: RefCell<Option<Rc<Site>>>,
    types: RefCell<Vec<Type>>,
    child: RefCell<Option<children::Shared>>,
}

impl Manager {
    /// One that is not started.
    pub fn new(
        kind: &'static str,
        method: Option<Method>,
        address: Option<Address>,
        key: Option<Vec<u8>>,
        patience: Option<f64>,
    ) -> Self {
        Self(Rc::new(State {
            kind,
            address: RefCell::new(address),
            key: key.unwrap_or_else(|| runtime::identity(|identity| identity.authkey.clone())),
            patience: patience.unwrap_or(PATIENCE),
            method,
            pid: identity::pid(),
            status: Cell::new(Status::New),
            site: RefCell::default(),
            types: RefCell::default(),
            child: RefCell::default(),
        }))
    }

    /// The name of its type.
    pub fn kind(&self) -> &'static str {
        self.0.kind
    }

    /// Where its server is, or is to be.
    pub fn address(&self) -> Option<Address> {
        self.0.address.borrow().clone()
    }

    /// Whether a type was registered under that name.
    pub fn knows(&self, typeid: &str) -> bool {
        self.0.types.borrow().iter().any(|known| known.name == typeid)
    }

    /// Waits for the end of the server that it has started.
    pub fn join(&self, deadline: Deadline) -> Result<(), Raise> {
        let child = self.0.child.borrow().clone();
        child.map_or(Ok(None), |child| children::join(&child, deadline)).map(drop).map_err(|_| interrupted())
    }

    /// A `with` block begins.
    pub fn enter(&self, context: &NativeCallContext) -> Result<(), Raise> {
        if self.0.status.get() == Status::New {
            self.start(context, None)?;
        }
        self.running().map(drop)
    }

    /// A `with` block ends.
    pub fn leave(&self) -> Result<(), Raise> {
        if self.0.status.get() == Status::Started { self.shutdown() } else { Ok(()) }
    }

    /// Calls a method of the server.
    pub fn ask(&self, method: &str, mut given: Array) -> RhaiResult {
        let site = self.running()?;
        site.ask(method, &mut given).map_err(fault::not_called)
    }

    /// The server, if there is one.
    fn running(&self) -> Result<Rc<Site>, Raise> {
        match self.0.status.get() {
            Status::New => {
                Err(raise("AssertionError", "server not yet started: start() or connect() comes first"))
            }
            Status::Down => Err(raise("ProcessError", format!("the {} has shut down", self.0.kind))),
            Status::Started | Status::Connected => {
                let site = self.0.site.borrow().clone();
                site.ok_or_else(|| raise("AssertionError", "server not yet started"))
            }
        }
    }

    /// Only a new one can become something.
    fn fresh(&self) -> Result<(), Raise> {
        let kind = self.0.kind;
        match self.0.status.get() {
            Status::New => Ok(()),
            Status::Started => Err(raise("ProcessError", format!("the {kind}'s server is already started"))),
            Status::Connected => Err(raise("ProcessError", format!("the {kind} is connected already"))),
            Status::Down => Err(raise("ProcessError", format!("the {kind} has shut down"))),
        }
    }

    /// As `print` shows it.
    pub fn text(&self) -> String {
        let state = match self.0.status.get() {
            Status::New => "initial",
            Status::Started => "started",
            Status::Connected => "connected",
            Status::Down => "shutdown",
        };
        match &*self.0.address.borrow() {
            Some(address) => format!("<{} {state} at {address}>", self.0.kind),
            None => format!("<{} {state}>", self.0.kind),
        }
    }

    /// Registers a type.
    pub fn register(&self, context: &NativeCallContext, mut arguments: Arguments) -> RhaiResult {
        let name = arguments.string(0)?.unwrap_or_default();
        let constructor = arguments.function(1)?;
        let exposed = arguments.array(2)?.map_or(Dynamic::UNIT, Dynamic::from);
        if !rhai::is_valid_function_name(&name) || KNOWN.contains(&name.as_str()) {
            return Err(raise(
                "ValueError",
                format!(
                    "'{name}' can be no type of a manager: it is no name of a method, or one that managers have"
                ),
            ));
        }
        // The language looks among the script's functions first, whatever the receiver is.
        let mut functions = context.iter_namespaces().flat_map(Module::iter_script_fn_info);
        if functions.any(|(.., function, _, _)| function == name) {
            let what = format!(
                "'{name}' is a function of the script, and m.{name}() would call that one: register the type under another name"
            );
            return Err(raise("ValueError", what));
        }
        if let Some(constructor) = &constructor
            && self.0.status.get() == Status::Started
        {
            let given = vec![name.as_str().into(), constructor.clone().into(), exposed.clone()];
            self.ask("register", given).map(drop)?;
        }
        let mut types = self.0.types.borrow_mut();
        types.retain(|known| known.name != name);
        types.push(Type { name, constructor, exposed });
        Ok(Dynamic::UNIT)
    }

    /// What a server is to do.
    fn work(&self, initializer: Option<(FnPtr, Array)>) -> Work {
        let one = |known: &Type| -> Option<Dynamic> {
            let constructor = known.constructor.clone()?;
            Some(vec![known.name.clone().into(), constructor.into(), known.exposed.clone()].into())
        };
        let registered = self.0.types.borrow().iter().filter_map(one).collect();
        let address = self.0.address.borrow().as_ref().map_or(Dynamic::UNIT, to_value);
        Work { address, key: self.0.key.clone(), registered, initializer, report: None }
    }

    /// Starts the server in a process of its own.
    pub fn start(
        &self,
        context: &NativeCallContext,
        initializer: Option<(FnPtr, Array)>,
    ) -> Result<(), Raise> {
        self.fresh()?;
        may_start("a manager's server")?;
        let report = crate::queue::Queue::new(crate::queue::Flavor::Queue, 0).map_err(out_of_memory)?;
        let name = format!("{}-{}", self.0.kind, children::next_number());
        let newborn = Newborn { name: &name, authkey: &self.0.key, role: Role::Worker };
        let work = Work { report: Some(report.clone()), ..self.work(initializer) };
        let child = launch::start(context, self.0.method, &newborn, Job::Manage(Box::new(work)))?;
        let child = children::add(child);
        let address = match serve::reported(&report, &child) {
            Ok(address) => named(&address, None)?,
            Err(error) => {
                self.0.end(&child);
                return Err(error);
            }
        };
        let site = Site::of(&address, &self.0.key);
        // There may have been another one at that address.
        site.renew().map_err(fault::not_called)?;
        self.0.site.replace(Some(site));
        self.0.address.replace(Some(address));
        self.0.child.replace(Some(child));
        self.0.status.set(Status::Started);
        Ok(())
    }

    /// Connects to a server that somebody else has started.
    pub fn connect(&self) -> Result<(), Raise> {
        self.fresh()?;
        let address = self.0.address.borrow().clone();
        let address =
            address.ok_or_else(|| raise("ValueError", "connect() wants to know the server's address"))?;
        let site = Site::of(&address, &self.0.key);
        site.renew().map_err(|error| match error {
            CallError::Connect(address, error) => not_connected(*error, &address),
            error => fault::not_called(error),
        })?;
        self.0.site.replace(Some(site));
        self.0.status.set(Status::Connected);
        Ok(())
    }

    /// A server for this process to be.
    pub fn server(&self) -> RhaiResult {
        self.fresh()?;
        serve::listening(self.work(None)).map(Dynamic::from)
    }

    /// Ends the server: asks, then terminates, then kills.
    pub fn shutdown(&self) -> Result<(), Raise> {
        match self.0.status.get() {
            Status::Down => return Ok(()),
            Status::Started if self.0.pid == identity::pid() => {}
            Status::Started => {
                return Err(raise(
                    "AssertionError",
                    "only the process that started a manager can shut it down",
                ));
            }
            Status::Connected => {
                let what = format!(
                    "this {} is connected to a server that others have started: they can shut it down",
                    self.0.kind
                );
                return Err(raise("AttributeError", what));
            }
            Status::New => {
                return Err(raise("AttributeError", format!("the {} is not started", self.0.kind)));
            }
        }
        self.0.shut_down();
        Ok(())
    }
}

impl State {
    fn shut_down(&self) {
        self.status.set(Status::Down);
        if let Some(child) = self.child.borrow().clone() {
            // A server that does not answer is ended in other ways.
            let site = self.site.take();
            let _ = site.as_ref().map(|site| site.post("shutdown", self.patience));
            self.end(&child);
            site.iter().for_each(|site| site.leave());
        }
    }

    fn end(&self, child: &children::Shared) {
        let patience = || Deadline::after(Some(self.patience));
        for signal in [SIGTERM, SIGKILL] {
            if child.borrow_mut().join_uninterrupted(patience()).is_some() {
                return;
            }
            // One that has just ended needs none.
            let _ = child.borrow_mut().signal(signal);
        }
        child.borrow_mut().join_uninterrupted(Deadline::Never);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.status.get() == Status::Started && self.pid == identity::pid() {
            self.shut_down();
        }
    }
}
