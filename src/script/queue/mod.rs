//! `Queue`, `JoinableQueue` and `SimpleQueue`.
//!
//! | file | concept |
//! |---|---|
//! | `end` | what one process does with a queue |

mod end;

use rhai::{Dynamic, Engine, NativeCallContext};

use super::raise::{Raise, RhaiResult, interrupted, out_of_memory, raise};
use super::signature::{Arguments, Signature};
use super::{iterate, runtime};
use crate::process::method::Method;
use crate::queue::view::{JoinableQueue, Queue, SimpleQueue};
use crate::queue::{Flavor, Queue as Shared};
use crate::sync::channel::Channel;
use crate::sys::clock::Deadline;
use end::End;

static QUEUE: Signature = Signature { name: "Queue", parameters: &["maxsize"], required: 0 };
static JOINABLE: Signature = Signature { name: "JoinableQueue", parameters: &["maxsize"], required: 0 };
static SIMPLE: Signature = Signature { name: "SimpleQueue", parameters: &[], required: 0 };
static PUT: Signature =
    Signature { name: "Queue.put", parameters: &["value", "block", "timeout"], required: 1 };
static GET: Signature = Signature { name: "Queue.get", parameters: &["block", "timeout"], required: 0 };
static PUT_NOWAIT: Signature = Signature { name: "Queue.put_nowait", parameters: &["value"], required: 1 };
static GET_NOWAIT: Signature = Signature { name: "Queue.get_nowait", parameters: &[], required: 0 };
static SHUTDOWN: Signature = Signature { name: "Queue.shutdown", parameters: &["immediate"], required: 0 };
static JOIN: Signature = Signature { name: "JoinableQueue.join", parameters: &["timeout"], required: 0 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["Queue", "JoinableQueue", "SimpleQueue"];

/// The next item for one who goes through the queue: `None` if there is none now, `Some(None)` if there will be
/// none.
///
/// # Errors
/// As those of `get`.
pub fn poll<T: End>(queue: &T) -> Result<Option<Option<Dynamic>>, Raise> {
    queue.poll()
}

/// The shared object, if `value` is a queue.
pub fn offset(value: &Dynamic) -> Option<u64> {
    fn of<T: End>(value: &Dynamic) -> Option<u64> {
        value.read_lock::<T>().map(|queue| queue.view().channel().offset())
    }
    of::<Queue>(value).or_else(|| of::<JoinableQueue>(value)).or_else(|| of::<SimpleQueue>(value))
}

/// What `wait` waits for, if `value` is a queue.
///
/// # Errors
/// If this process has closed it.
pub fn channel(value: &Dynamic) -> Result<Option<Channel>, Raise> {
    fn of<T: End>(value: &Dynamic) -> Option<Result<Channel, Raise>> {
        let queue = value.read_lock::<T>()?;
        Some(if queue.is_closed() { Err(queue.closed()) } else { Ok(queue.view().channel().clone()) })
    }
    of::<Queue>(value).or_else(|| of::<JoinableQueue>(value)).or_else(|| of::<SimpleQueue>(value)).transpose()
}

/// The queue at `offset`, as a value of its kind.
pub fn open(offset: u64) -> Option<Dynamic> {
    let queue = Shared::open(offset).ok()?;
    Some(match queue.flavor() {
        Flavor::Queue => Dynamic::from(Queue::from(queue)),
        Flavor::Joinable => Dynamic::from(JoinableQueue::from(queue)),
        Flavor::Simple => Dynamic::from(SimpleQueue::from(queue)),
    })
}

/// Registers the types.
pub fn register(engine: &mut Engine) {
    QUEUE.context_function(engine, |_, _: Option<Method>, mut arguments| {
        Ok(Dynamic::from(Queue::from(new(Flavor::Queue, &mut arguments)?)))
    });
    JOINABLE.context_function(engine, |_, _, mut arguments| {
        Ok(Dynamic::from(JoinableQueue::from(new(Flavor::Joinable, &mut arguments)?)))
    });
    SIMPLE.context_function(engine, |_, _, _| {
        let queue = Shared::new(Flavor::Simple, 0).map_err(out_of_memory)?;
        Ok(Dynamic::from(SimpleQueue::from(queue)))
    });
    full::<Queue>(engine);
    full::<JoinableQueue>(engine);
    // Behind what they go before: its `put` and `get` are those without a signature.
    common::<Queue>(engine);
    common::<JoinableQueue>(engine);
    common::<SimpleQueue>(engine);
    iterate::register::<Queue, Dynamic>(engine);
    iterate::register::<JoinableQueue, Dynamic>(engine);
    engine.register_fn("task_done", |queue: &mut JoinableQueue| -> Result<(), Raise> {
        let done = queue.view().channel().task_done();
        if done { Ok(()) } else { Err(raise("ValueError", "task_done() called too many times")) }
    });
    JOIN.method(engine, |_, queue: JoinableQueue, mut arguments| {
        let deadline = arguments.deadline(0)?;
        queue.view().channel().join(deadline).map(Dynamic::from).map_err(|_| interrupted())
    });
}

/// What all three have.
fn common<T: End>(engine: &mut Engine) {
    let same = |one: &T, other: &T| one.view().channel().offset() == other.view().channel().offset();
    engine
        .register_type_with_name::<T>(T::NAME)
        .register_fn("to_string", |queue: &mut T| queue.text())
        .register_fn("to_debug", |queue: &mut T| queue.text())
        .register_fn("==", move |one: T, other: T| same(&one, &other))
        .register_fn("!=", move |one: T, other: T| !same(&one, &other))
        .register_fn("empty", |queue: &mut T| queue.is_empty())
        .register_fn("close", |queue: &mut T| queue.close())
        // The two that loops are made of, without the way through a signature.
        .register_fn("put", |context: NativeCallContext, queue: &mut T, value: Dynamic| {
            runtime::at(&context);
            queue.put(&value, Deadline::Never)
        })
        .register_fn("get", |context: NativeCallContext, queue: &mut T| {
            runtime::at(&context);
            queue.get(Deadline::Never)
        });
}

/// What `SimpleQueue` lacks.
fn full<T: End>(engine: &mut Engine) {
    PUT.method(engine, put::<T>);
    GET.method(engine, |_, queue: T, mut arguments: Arguments| queue.get(arguments.block_and_timeout(0)?));
    PUT_NOWAIT.method(engine, |_, queue: T, mut arguments: Arguments| {
        queue.put(&arguments.any(0), Deadline::after(Some(0.0)))?;
        Ok(Dynamic::UNIT)
    });
    GET_NOWAIT.method(engine, |_, queue: T, _| queue.get(Deadline::after(Some(0.0))));
    SHUTDOWN.method(engine, |_, queue: T, mut arguments: Arguments| {
        let channel = queue.view().channel();
        if arguments.bool(0)?.unwrap_or(false) {
            channel.close_at_once()
        } else {
            channel.close()
        }
        Ok(Dynamic::UNIT)
    });
    engine
        .register_fn("qsize", |queue: &mut T| i64::try_from(queue.view().channel().len()).unwrap_or(i64::MAX))
        .register_fn("full", |queue: &mut T| {
            let channel = queue.view().channel();
            channel.limit() != 0 && channel.len() >= channel.limit()
        })
        .register_fn("join_thread", |queue: &mut T| -> Result<(), Raise> {
            // put() has handed everything over: there is nobody to wait for.
            if queue.is_closed() {
                return Ok(());
            }
            Err(raise("AssertionError", format!("{} is not closed", T::NAME)))
        })
        .register_fn("cancel_join_thread", |_: &mut T| {});
}

fn new(flavor: Flavor, arguments: &mut Arguments) -> Result<Shared, Raise> {
    // As in Python, zero and less are no limit.
    let limit = arguments.int(0)?.unwrap_or(0);
    Shared::new(flavor, u64::try_from(limit).unwrap_or(0)).map_err(out_of_memory)
}

fn put<T: End>(_: &NativeCallContext, queue: T, mut arguments: Arguments) -> RhaiResult {
    let value = arguments.any(0);
    let deadline = arguments.block_and_timeout(1)?;
    queue.put(&value, deadline)?;
    Ok(Dynamic::UNIT)
}
