//! `Barrier`.

use rhai::{Dynamic, Engine, FnPtr, NativeCallContext};

use crate::process::start;
use crate::script::carry::Carry;
use crate::script::raise::{Raise, RhaiResult, interrupted, not_packed, out_of_memory, raise};
use crate::script::runtime;
use crate::script::signature::{Arguments, Signature};
use crate::sync::barrier::{Arrival, Barrier, Stopped};
use crate::sys::clock::Deadline;

static BARRIER: Signature =
    Signature { name: "Barrier", parameters: &["parties", "action", "timeout"], required: 1 };
static WAIT: Signature = Signature { name: "Barrier.wait", parameters: &["timeout"], required: 0 };

/// Registers the type.
pub fn register(engine: &mut Engine) {
    BARRIER.context_function(engine, |_, _, arguments| new(arguments));
    WAIT.method(engine, wait);
    engine
        .register_type_with_name::<Barrier>("Barrier")
        .register_fn("to_string", |barrier: &mut Barrier| text(barrier))
        .register_fn("to_debug", |barrier: &mut Barrier| text(barrier))
        .register_fn("==", |one: Barrier, other: Barrier| one.offset() == other.offset())
        .register_fn("!=", |one: Barrier, other: Barrier| one.offset() != other.offset())
        .register_fn("reset", |barrier: &mut Barrier| barrier.reset())
        .register_fn("abort", |barrier: &mut Barrier| barrier.abort())
        .register_get("parties", |barrier: &mut Barrier| number(barrier.parties()))
        .register_get("n_waiting", |barrier: &mut Barrier| number(barrier.waiting() as u64))
        .register_get("broken", |barrier: &mut Barrier| barrier.is_broken());
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn text(barrier: &Barrier) -> String {
    let broken = if barrier.is_broken() { ", broken" } else { "" };
    format!("<Barrier with {} of {} parties waiting{broken}>", barrier.waiting(), barrier.parties())
}

fn new(mut arguments: Arguments) -> RhaiResult {
    let parties = arguments.int(0)?.unwrap_or(0);
    let parties = u64::try_from(parties)
        .ok()
        .filter(|parties| *parties > 0)
        .ok_or_else(|| raise("ValueError", format!("Barrier() wants 1 party or more, not {parties}")))?;
    let action = arguments.function(1)?;
    let patience = arguments.seconds(2)?;
    let parcel = match action {
        Some(action) => {
            let action = Dynamic::from(action);
            Some(start::pack(&[], &[("action", &action)], &Carry).map_err(not_packed)?)
        }
        None => None,
    };
    Barrier::new(parties, parcel.as_ref(), patience).map(Dynamic::from).map_err(out_of_memory)
}

fn wait(context: &NativeCallContext, barrier: Barrier, mut arguments: Arguments) -> RhaiResult {
    let patience = arguments.seconds(0)?.or_else(|| barrier.patience());
    let arrival = barrier.wait(Deadline::after(patience)).map_err(stopped)?;
    let acting = match arrival {
        Arrival::Passed(index) => return Ok(number(index).into()),
        Arrival::Act(acting) => acting,
    };
    let result = action(&barrier).and_then(|action| runtime::call(context, &action, Vec::new()));
    let index = barrier.acted(acting, result.is_ok());
    // The action's own error is the news.
    result.and_then(|_| Ok(number(index.map_err(stopped)?).into()))
}

/// The barrier's action, as this process reads it.
fn action(barrier: &Barrier) -> Result<FnPtr, Raise> {
    let parcel = barrier.action().map_err(out_of_memory)?;
    let values = parcel.map(|parcel| start::unpack(&parcel, &Carry)).transpose();
    let values = values
        .map_err(|error| raise("RuntimeError", format!("the barrier's action can't be read: {error}")))?;
    let action = values.into_iter().flatten().next().and_then(Dynamic::try_cast);
    action.ok_or_else(|| raise("RuntimeError", "the barrier's action is not a function"))
}

fn stopped(stopped: Stopped) -> Raise {
    match stopped {
        Stopped::Broken => raise("BrokenBarrierError", "the barrier is broken, or was reset"),
        Stopped::Interrupted => interrupted(),
    }
}
