//! What a server does about calls: it finds the object, has the call done or parked, and collects the answers.
//!
//! There is one desk in a server process, and the server's own scripts reach it as well.
//!
//! Invariants
//! 1. A call is answered once: by what it gives, or later by `outgoing`, or by `cancel`.
//! 2. While a call is being done its object is borrowed, and nothing else of the desk is: the script's functions may
//!    make calls of their own.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use rhai::{Array, Dynamic, ImmutableString};

use super::blocking::{Answer, Answers, Caller, Step, Ticket, Who};
use super::create::create;
use super::host::{Host, Trial};
use super::methods::perform;
use super::object::{Exposed, Object};
use super::proxy::Proxy;
use super::registry::{Registered, Registry};
use super::site::Site;
use crate::sys::clock::Deadline;
use crate::wire::{Error, Raised};

/// How long what is tried again rests, at least and at most.
const TRY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));

/// A call that waits.
struct Parked {
    object: Rc<Object>,
    until: Option<Instant>,
}

#[derive(Default)]
struct State {
    parked: HashMap<Ticket, Parked>,
    timers: BTreeSet<(Instant, Ticket)>,
    trials: Vec<(Ticket, Trial)>,
    /// The objects that each client may hold or wait for.
    touched: HashMap<u64, HashMap<u64, Weak<Object>>>,
    outgoing: Vec<(Ticket, Answer, String)>,
}

/// See the head of this file.
pub struct Desk {
    site: Rc<Site>,
    registry: Registry,
    state: RefCell<State>,
    /// How long to rest before trying again.
    rest: Cell<Duration>,
    down: Cell<bool>,
    myself: Rc<Who>,
}

thread_local! {
    static HERE: RefCell<Option<Rc<Desk>>> = const { RefCell::new(None) };
}

/// The desk of this process, if it is a server.
pub fn here() -> Option<Rc<Desk>> {
    HERE.try_with(|here| here.borrow().clone()).ok().flatten()
}

/// This process is a server no more, or was forked off one.
pub fn leave() {
    // What is in there may look for the desk while it goes.
    drop(HERE.take());
}

/// What a call comes to: an answer and a word to the caller, or nothing yet.
pub type Outcome = Option<(Answer, String)>;

fn error<T>(kind: &str, message: impl Into<ImmutableString>) -> Result<T, Raised> {
    Err(Raised::of(Error::new(kind, message)))
}

impl Desk {
    /// The desk of this process, which is the server at `site` from now on.
    pub fn open(site: Rc<Site>, name: String, registry: Registry) -> Rc<Self> {
        let pid = u64::from(crate::sys::identity::pid());
        let desk = Rc::new(Self {
            site,
            registry,
            state: RefCell::default(),
            rest: Cell::new(TRY.0),
            down: Cell::new(false),
            myself: Rc::new(Who { client: 0, name, pid, local: true }),
        });
        HERE.set(Some(Rc::clone(&desk)));
        desk
    }

    /// Where the server is.
    pub fn site(&self) -> &Rc<Site> {
        &self.site
    }

    /// Its objects.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether it was asked to shut down.
    pub fn is_down(&self) -> bool {
        self.down.get()
    }

    /// Calls `method` of the object `id`; 0 is the server itself.
    pub fn call(&self, caller: &Caller, id: u64, method: &str, given: Array, host: &dyn Host) -> Outcome {
        if id == 0 {
            return Some((self.own(caller, method, given, host), String::new()));
        }
        let Some(object) = self.registry.get(id) else {
            let gone = format!("the manager's object {id} is gone: nobody referred to it any more");
            return Some((error("RemoteError", gone), String::new()));
        };
        self.call_object(caller, &object, method, given, host)
    }

    /// Calls a method from a script in the server, which must not wait.
    ///
    /// # Errors
    /// What it raises; `RuntimeError` if it would wait.
    pub fn call_here(&self, object: &Rc<Object>, method: &str, given: Array, host: &dyn Host) -> Answer {
        let ticket = Ticket { client: 0, request: 0 };
        let caller = Caller { ticket, who: Rc::clone(&self.myself) };
        if let Some((answer, word)) = self.call_object(&caller, object, method, given, host) {
            if !word.is_empty() {
                use crate::sys::output::{Stream, write_whole};
                // Where nobody can be warned, the call has done its work all the same.
                let _ = write_whole(Stream::Err, format!("{word}\n").as_bytes(), None);
            }
            return answer;
        }
        self.cancel(ticket);
        let what = format!("{method}() would wait, and this is the server itself: nobody else could go on");
        error("RuntimeError", what)
    }

    fn call_object(
        &self,
        caller: &Caller,
        object: &Rc<Object>,
        method: &str,
        given: Array,
        host: &dyn Host,
    ) -> Outcome {
        let mut answers = Answers::default();
        let step = perform(object, caller, method, given, &mut answers, host, self);
        let blocking = self.settle(&mut answers);
        let word = std::mem::take(&mut answers.word);
        let mut state = self.state.borrow_mut();
        if blocking || matches!(step, Ok(Done::Blocking(_))) {
            let touched = state.touched.entry(caller.ticket.client).or_default();
            touched.entry(object.id).or_insert_with(|| Rc::downgrade(object));
        }
        match step {
            Err(raised) => Some((Err(raised), word)),
            Ok(Done::Value(value) | Done::Blocking(Step::Done(value))) => Some((Ok(value), word)),
            Ok(Done::Blocking(Step::Unknown)) => None,
            Ok(Done::Blocking(Step::Waits(deadline))) => {
                let until = if let Deadline::At(until) = deadline { Some(until) } else { None };
                state.timers.extend(until.map(|until| (until, caller.ticket)));
                state.parked.insert(caller.ticket, Parked { object: Rc::clone(object), until });
                None
            }
            Ok(Done::Trial(trial)) => {
                state.trials.push((caller.ticket, trial));
                self.rest.set(TRY.0);
                None
            }
        }
    }

    /// Sends the answers to parked calls on their way; whether there were any.
    fn settle(&self, answers: &mut Answers) -> bool {
        let mut state = self.state.borrow_mut();
        let any = !answers.parked.is_empty();
        for (ticket, answer, word) in answers.parked.drain(..) {
            if let Some(Parked { until: Some(until), .. }) = state.parked.remove(&ticket) {
                state.timers.remove(&(until, ticket));
            }
            state.outgoing.push((ticket, answer, word));
        }
        any
    }

    /// A method of the server itself.
    fn own(&self, caller: &Caller, method: &str, given: Array, host: &dyn Host) -> Answer {
        let mut given = given.into_iter();
        let mut next = || given.next().unwrap_or_default();
        match method {
            "create" => {
                let typeid = next().into_immutable_string().unwrap_or_default();
                create(self, &typeid, given.collect(), host).map(Dynamic::from)
            }
            "typeid" => {
                let id = next().as_int().unwrap_or(0) as u64;
                let object = self.registry.get(id);
                object.map_or_else(
                    || error("RemoteError", "the object is gone"),
                    |object| Ok(object.typeid.clone().into()),
                )
            }
            "ping" => Ok(Dynamic::UNIT),
            "number_of_objects" => Ok((self.registry.count() as i64).into()),
            "debug_info" => Ok(self.described(host).into()),
            "shutdown" | "register" if !caller.who.local => {
                error("RemoteError", format!("{method}() is for the session that runs the manager"))
            }
            "shutdown" => {
                self.down.set(true);
                Ok(Dynamic::UNIT)
            }
            "register" => {
                let name = next().into_immutable_string().unwrap_or_default();
                let constructor = next().try_cast();
                let constructor =
                    constructor.ok_or_else(|| Raised::of(Error::new("TypeError", "no constructor")))?;
                let exposed = next().try_cast::<Array>().map(names);
                self.registry.register(name, Registered { constructor, exposed });
                Ok(Dynamic::UNIT)
            }
            _ => error("RemoteError", format!("the manager has no method '{method}'")),
        }
    }

    /// A line for each object.
    fn described(&self, host: &dyn Host) -> String {
        let line = |(id, object): (u64, Rc<Object>)| {
            let shown = self.call_here(&object, "to_string", Array::new(), host);
            format!("{id}: {} {}", object.typeid, shown.unwrap_or_default())
        };
        self.registry.all().into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// A proxy for a new object with the value.
    pub fn keep(&self, typeid: &str, exposed: Exposed, body: super::object::Body) -> Proxy {
        Proxy::Here(self.registry.add(typeid.into(), exposed, body))
    }

    /// A client cancels a call; `false` if it will be answered, or was.
    pub fn cancel(&self, ticket: Ticket) -> bool {
        let mut state = self.state.borrow_mut();
        let trials = state.trials.len();
        state.trials.retain(|(waiting, _)| *waiting != ticket);
        if state.trials.len() != trials {
            return true;
        }
        let Some(object) = state.parked.get(&ticket).map(|parked| Rc::clone(&parked.object)) else {
            return false;
        };
        drop(state);
        let mut answers = Answers::default();
        let cancelled = with_blocking(&object, |machine| machine.cancel(ticket, &mut answers));
        self.settle(&mut answers);
        if cancelled == Some(true) {
            let mut state = self.state.borrow_mut();
            if let Some(Parked { until: Some(until), .. }) = state.parked.remove(&ticket) {
                state.timers.remove(&(until, ticket));
            }
        }
        cancelled == Some(true)
    }

    /// A client is gone.
    pub fn bereave(&self, client: u64) {
        let touched = {
            let mut state = self.state.borrow_mut();
            state.parked.retain(|ticket, _| ticket.client != client);
            state.timers.retain(|(_, ticket)| ticket.client != client);
            state.trials.retain(|(ticket, _)| ticket.client != client);
            state.touched.remove(&client).unwrap_or_default()
        };
        let mut answers = Answers::default();
        for object in touched.into_values().filter_map(|object| object.upgrade()) {
            with_blocking(&object, |machine| machine.bereave(client, &mut answers));
        }
        self.settle(&mut answers);
    }

    /// Tells those whose time is over, and tries what is to be tried again.
    pub fn go_on(&self, host: &dyn Host) {
        let now = Instant::now();
        loop {
            let mut state = self.state.borrow_mut();
            let Some((_, ticket)) = state.timers.first().copied().filter(|(until, _)| *until <= now) else {
                break;
            };
            state.timers.pop_first();
            let object = state.parked.get_mut(&ticket).map(|parked| {
                parked.until = None;
                Rc::clone(&parked.object)
            });
            drop(state);
            let mut answers = Answers::default();
            object.and_then(|object| with_blocking(&object, |machine| machine.expire(ticket, &mut answers)));
            self.settle(&mut answers);
        }
        self.try_again(host);
    }

    fn try_again(&self, host: &dyn Host) {
        let trials = std::mem::take(&mut self.state.borrow_mut().trials);
        if trials.is_empty() {
            return;
        }
        let before = trials.len();
        let mut waiting = Vec::new();
        for (ticket, trial) in trials {
            let late = trial.deadline.slice(Duration::MAX).is_none();
            let answer = host.attempt(&trial).or_else(|| late.then(|| host.too_late(&trial)));
            match answer {
                Some(answer) => {
                    let answer = answer.map(|value| self.travelling(value, host));
                    self.state.borrow_mut().outgoing.push((ticket, answer, String::new()));
                }
                None => waiting.push((ticket, trial)),
            }
        }
        let rest = if waiting.len() < before { TRY.0 } else { (self.rest.get() * 2).min(TRY.1) };
        self.rest.set(rest);
        self.state.borrow_mut().trials.append(&mut waiting);
    }

    /// A result, or a proxy for it if it belongs to the process that made it.
    pub fn travelling(&self, value: Dynamic, host: &dyn Host) -> Dynamic {
        match host.bound(&value) {
            Some(name) => Dynamic::from(self.keep(name, Exposed::All, super::object::Body::Value(value))),
            None => value,
        }
    }

    /// How long nothing happens by itself.
    pub fn patience(&self) -> Option<Duration> {
        let state = self.state.borrow();
        let timer = state.timers.first().map(|(until, _)| until.saturating_duration_since(Instant::now()));
        let trial = (!state.trials.is_empty()).then(|| self.rest.get());
        timer.into_iter().chain(trial).min()
    }

    /// The answers to parked calls.
    pub fn outgoing(&self) -> Vec<(Ticket, Answer, String)> {
        std::mem::take(&mut self.state.borrow_mut().outgoing)
    }
}

/// What an object's method came to.
pub enum Done {
    Value(Dynamic),
    Blocking(Step),
    Trial(Trial),
}

fn names(names: Array) -> Vec<ImmutableString> {
    names.into_iter().filter_map(|name| name.into_immutable_string().ok()).collect()
}

/// Does `what` with an object that is a state machine. One that is being called right now is left alone.
fn with_blocking<T>(
    object: &Object,
    what: impl FnOnce(&mut dyn super::blocking::Blocking) -> T,
) -> Option<T> {
    object.body.try_borrow_mut().ok()?.blocking(what)
}
