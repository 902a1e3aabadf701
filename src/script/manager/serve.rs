//! The server's process: what it is to do, as it travels and as it is done; and `get_server`.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};

use super::CARRIERS;
use super::fault;
use super::host::{Engineer, captured};
use crate::manager::host::Host;
use crate::manager::registry::{Registered, Registry};
use crate::manager::server::Server;
use crate::process::{children, watcher};
use crate::queue::{Queue, ReceiveError};
use crate::script::carry::Carry;
use crate::script::kept::Kept;
use crate::script::raise::{Raise, RhaiResult, interrupted, not_got, not_started, raise};
use crate::script::runtime;
use crate::script::socket::address::{named, to_value};
use crate::script::socket::fault::of_system;
use crate::socket::listener::Listener;
use crate::sync::channel::TakeError;
use crate::sync::wait::GaveUp;
use crate::sys::address::Address;
use crate::sys::clock::Deadline;
use crate::sys::process::{End, signal_name};
use crate::sys::signal;
use crate::wire::Raised;

/// Clients that may wait with the system.
const BACKLOG: i32 = 1024;
/// How long somebody waits for a server's report before looking whether it lives, in seconds.
const GLANCE: f64 = 0.1;

/// What a server is to do.
pub struct Work {
    pub address: Dynamic,
    pub key: Vec<u8>,
    /// Arrays of a name, a constructor and the names that are exposed.
    pub registered: Array,
    pub initializer: Option<(FnPtr, Array)>,
    /// Where it says how it began.
    pub report: Option<Queue>,
}

thread_local! {
    /// The surroundings of the server's own calls, and the address of one that is in the middle of it.
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// This process is a server no more.
pub fn leave() {
    KEPT.take();
}

/// Calls `what` with the server's engine.
///
/// # Errors
/// If this process is no server.
pub fn with_host<T>(what: impl FnOnce(&dyn Host) -> T) -> Result<T, Raise> {
    let kept = KEPT.with_borrow(Clone::clone);
    let kept = kept.ok_or_else(|| raise("RuntimeError", "this process is no manager's server"))?;
    kept.enter(|context| what(&Engineer(context)))
}

impl Work {
    /// Its parts, with the names that errors call them.
    pub fn parts(&self) -> Vec<(&'static str, Dynamic)> {
        let (initializer, arguments) = self.initializer.clone().unzip();
        let report = self.report.clone().map(crate::queue::view::Queue::from);
        vec![
            ("address", self.address.clone()),
            ("authkey", Dynamic::from_blob(self.key.clone())),
            ("callable", self.registered.clone().into()),
            ("initializer", initializer.map_or(Dynamic::UNIT, Dynamic::from)),
            ("initargs", arguments.unwrap_or_default().into()),
            ("report", report.map_or(Dynamic::UNIT, Dynamic::from)),
        ]
    }

    /// What [`Work::parts`] made.
    pub fn receive(mut next: impl FnMut() -> Dynamic) -> Self {
        let address = next();
        let key = next().try_cast().unwrap_or_default();
        let registered = next().try_cast().unwrap_or_default();
        let (initializer, arguments) = (next().try_cast(), next().try_cast().unwrap_or_default());
        let initializer = initializer.map(|function| (function, arguments));
        let report = next().try_cast::<crate::queue::view::Queue>().map(|queue| queue.queue.clone());
        Self { address, key, registered, initializer, report }
    }

    fn registry(&self) -> Registry {
        let registry = Registry::new();
        for one in &self.registered {
            let Some(one) = one.read_lock::<Array>().map(|one| one.clone()) else { continue };
            let Ok([name, constructor, exposed]) = <[Dynamic; 3]>::try_from(one) else { continue };
            let (Ok(name), Some(constructor)) = (name.into_immutable_string(), constructor.try_cast()) else {
                continue;
            };
            let exposed = exposed.try_cast::<Array>();
            let exposed = exposed.map(|names| {
                names.into_iter().filter_map(|name| name.into_immutable_string().ok()).collect()
            });
            registry.register(name, Registered { constructor, exposed });
        }
        registry
    }

    fn listener(&self) -> Result<Listener, Raise> {
        let address = if self.address.is_unit() { None } else { Some(named(&self.address, None)?) };
        if address.as_ref().is_none_or(|address| matches!(address, Address::Path(_))) {
            // Before there is a socket file there is somebody who takes it away.
            watcher::running().map_err(not_started)?;
        }
        Listener::new(address.clone(), None, BACKLOG, Some(self.key.clone())).map_err(
            |error| match &address {
                Some(address) => of_system(address, &error),
                None => raise("OSError", format!("there is no place to serve at: {error}")),
            },
        )
    }

    fn begin(&self, context: &NativeCallContext) -> Result<Listener, Raised> {
        if let Some((initializer, arguments)) = &self.initializer {
            initializer.call_raw(context, None, arguments.clone()).map(drop).map_err(captured)?;
        }
        self.listener().map_err(captured)
    }

    /// The life of a server in a process of its own.
    pub fn perform(self, context: &NativeCallContext) -> RhaiResult {
        // Ctrl-C is for those who use it, and they may need it until they are done.
        signal::ignore_interrupts();
        let begun = self.begin(context);
        let report: Array = match &begun {
            Ok(listener) => vec![true.into(), to_value(listener.address())],
            Err(Raised { value, traceback }) => vec![false.into(), value.clone(), traceback.clone().into()],
        };
        if let Some(queue) = &self.report {
            queue.put(&report.into(), &Carry, Deadline::Never).map_err(crate::script::raise::not_put)?;
        }
        match begun {
            Ok(listener) => serve(context, listener, &self, || false),
            // Whoever started it has been told.
            Err(_) => runtime::ask_exit(1_i64.into()),
        }
    }
}

fn serve(
    context: &NativeCallContext,
    listener: Listener,
    work: &Work,
    stop: impl Fn() -> bool,
) -> RhaiResult {
    KEPT.set(Some(Kept::new(context)));
    let address = listener.address().clone();
    let host = Engineer(context);
    let server = Server::new(listener, &work.key, &runtime::name(), work.registry(), &host, CARRIERS);
    let served = server.and_then(|server| server.serve(stop));
    leave();
    match served {
        Ok(()) => Ok(Dynamic::UNIT),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Err(interrupted()),
        Err(error) => Err(of_system(&address, &error)),
    }
}

/// The address that a server reports which has just been started.
///
/// # Errors
/// Why there is none.
pub fn reported(report: &Queue, child: &children::Shared) -> RhaiResult {
    loop {
        match report.get(&Carry, Deadline::after(Some(GLANCE))) {
            Ok(report) => {
                let mut report = report.try_cast::<Array>().unwrap_or_default().into_iter();
                let mut next = || report.next().unwrap_or_default();
                if next().as_bool() == Ok(true) {
                    return Ok(next());
                }
                return Err(fault::raised(Raised { value: next(), traceback: next().to_string() }));
            }
            Err(ReceiveError::Take(TakeError::GaveUp(GaveUp::TimedOut))) => {}
            Err(error) => return Err(not_got(error)),
        }
        // It may have reported at the very last.
        let ended = child.borrow_mut().poll();
        if let Some(end) = ended.filter(|_| report.channel().is_empty()) {
            let how = match end {
                End::Exited(code) => format!("ended with exit code {code}"),
                End::Signalled(number) => format!("was ended by {}", signal_name(number)),
            };
            return Err(raise("EOFError", format!("the manager's server {how} before it could serve")));
        }
    }
}

/// A server that this process can be.
#[derive(Clone)]
struct Waiting(Rc<State>);

struct State {
    address: Address,
    work: Work,
    /// `None` once it serves, or has.
    listener: RefCell<Option<Listener>>,
}

/// A server whose address is known, and which does not serve yet.
///
/// # Errors
/// If it can't listen there.
pub fn listening(work: Work) -> Result<impl rhai::Variant + Clone, Raise> {
    let listener = work.listener()?;
    let address = listener.address().clone();
    Ok(Waiting(Rc::new(State { address, work, listener: RefCell::new(Some(listener)) })))
}

/// Registers what `get_server` gives.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Waiting>("Server")
        .register_get("address", |server: &mut Waiting| to_value(&server.0.address))
        .register_fn("to_string", |server: &mut Waiting| format!("<Server at {}>", server.0.address))
        .register_fn("to_debug", |server: &mut Waiting| format!("<Server at {}>", server.0.address))
        .register_fn("serve_forever", |context: NativeCallContext, server: &mut Waiting| -> RhaiResult {
            runtime::at(&context);
            let state = Rc::clone(&server.0);
            let listener = state.listener.take();
            let listener = listener.ok_or_else(|| raise("ProcessError", "this server has served already"))?;
            serve(&context, listener, &state.work, signal::interrupted).map(drop)?;
            // As in Python, the process ends with its server; with the code that the script has asked for, if it has.
            let code = runtime::take_exit().unwrap_or_default();
            runtime::ask_exit(code)
        });
}
