//! `Condition`.

use rhai::{Dynamic, Engine, FnPtr, NativeCallContext};

use super::hold::{self, Hold};
use crate::script::raise::{Raise, RhaiResult, interrupted, out_of_memory, raise};
use crate::script::runtime;
use crate::script::signature::{Arguments, Signature, described};
use crate::sync::condition::{AnyLock, Condition, NotHeldHere, Woken};
use crate::sync::lock::{Acquired, Lock};
use crate::sync::rlock::RLock;
use crate::sync::wait::{GaveUp, SLICE};
use crate::sys::clock::Deadline;

static CONDITION: Signature = Signature { name: "Condition", parameters: &["lock"], required: 0 };
static ACQUIRE: Signature =
    Signature { name: "Condition.acquire", parameters: &["block", "timeout"], required: 0 };
static WAIT: Signature = Signature { name: "Condition.wait", parameters: &["timeout"], required: 0 };
static WAIT_FOR: Signature =
    Signature { name: "Condition.wait_for", parameters: &["predicate", "timeout"], required: 1 };
static NOTIFY: Signature = Signature { name: "Condition.notify", parameters: &["n"], required: 0 };
static NOTIFY_ALL: Signature = Signature { name: "Condition.notify_all", parameters: &[], required: 0 };

/// Registers the type.
pub fn register(engine: &mut Engine) {
    CONDITION.context_function(engine, |_, _, arguments| new(arguments));
    WAIT.method(engine, |_, condition: Condition, mut arguments| {
        Ok(wait(&condition, arguments.deadline(0)?)?.into())
    });
    WAIT_FOR.method(engine, wait_for);
    NOTIFY.method(engine, |_, condition: Condition, mut arguments| {
        let count = arguments.int(0)?.unwrap_or(1);
        // As in Python, less than one is none.
        notify(&condition, "notify", u64::try_from(count).unwrap_or(0))
    });
    NOTIFY_ALL.method(engine, |_, condition: Condition, _| notify(&condition, "notify_all", u64::MAX));
    hold::register::<Condition>(engine);
}

fn new(mut arguments: Arguments) -> RhaiResult {
    let lock = match arguments.value(0) {
        None => AnyLock::RLock(RLock::new().map_err(out_of_memory)?),
        Some(value) => match (value.read_lock::<Lock>(), value.read_lock::<RLock>()) {
            (Some(lock), _) => AnyLock::Lock(lock.clone()),
            (_, Some(lock)) => AnyLock::RLock(lock.clone()),
            _ => {
                let what =
                    format!("Condition() wants a Lock or an RLock for 'lock', not {}", described(&value));
                return Err(raise("TypeError", what));
            }
        },
    };
    Condition::new(lock).map(Dynamic::from).map_err(out_of_memory)
}

fn not_held(call: &str) -> impl Fn(NotHeldHere) -> Raise {
    move |error| raise("AssertionError", format!("Condition.{call}(): {error}; acquire() comes first"))
}

/// Waits to be notified; whether that was before the deadline.
fn wait(condition: &Condition, deadline: Deadline) -> Result<bool, Raise> {
    let Woken { notified, acquired } = condition.wait(deadline).map_err(not_held("wait"))?;
    if let Some(abandoned) = acquired {
        hold::warn(Condition::NAME, &abandoned);
    }
    notified.map_err(|_| interrupted())
}

/// Waits until the predicate gives something that counts as true, or the deadline; what it gave last.
fn wait_for(context: &NativeCallContext, condition: Condition, mut arguments: Arguments) -> RhaiResult {
    let predicate = arguments.any(0);
    let Some(predicate) = predicate.read_lock::<FnPtr>() else {
        let what =
            format!("Condition.wait_for() wants a function for 'predicate', not {}", described(&predicate));
        return Err(raise("TypeError", what));
    };
    let deadline = arguments.deadline(1)?;
    loop {
        let value = runtime::call(context, &predicate, Vec::new())?;
        if counts_as_true(&value) || deadline.slice(SLICE).is_none() {
            return Ok(value);
        }
        wait(&condition, deadline)?;
    }
}

/// As in Python: nothing, zero and what is empty are false, all else is true.
pub fn counts_as_true(value: &Dynamic) -> bool {
    if let Ok(truth) = value.as_bool() {
        return truth;
    }
    let is_nothing = value.is_unit()
        || value.as_int().is_ok_and(|number| number == 0)
        || value.as_float().is_ok_and(|number| number == 0.0)
        || value.as_immutable_string_ref().is_ok_and(|text| text.is_empty())
        || value.as_array_ref().is_ok_and(|array| array.is_empty())
        || value.as_map_ref().is_ok_and(|map| map.is_empty())
        || value.as_blob_ref().is_ok_and(|blob| blob.is_empty());
    !is_nothing
}

fn notify(condition: &Condition, call: &str, count: u64) -> RhaiResult {
    condition.notify(count).map(|()| Dynamic::UNIT).map_err(not_held(call))
}

impl Hold for Condition {
    const NAME: &'static str = "Condition";

    fn signature() -> &'static Signature {
        &ACQUIRE
    }

    fn offset(&self) -> u64 {
        self.offset()
    }

    fn acquire(&self, deadline: Deadline) -> Result<Acquired, GaveUp> {
        match self.lock() {
            AnyLock::Lock(lock) => lock.acquire(deadline),
            AnyLock::RLock(lock) => lock.acquire(deadline),
        }
    }

    fn release(&self) -> Result<(), Raise> {
        match self.lock() {
            AnyLock::Lock(lock) => Hold::release(lock),
            AnyLock::RLock(lock) => Hold::release(lock),
        }
    }

    fn is_held(&self) -> bool {
        self.lock().lock().is_held()
    }

    fn was_abandoned(&self) -> bool {
        self.lock().lock().was_abandoned()
    }

    fn text(&self) -> String {
        let lock = match self.lock() {
            AnyLock::Lock(lock) => lock.text(),
            AnyLock::RLock(lock) => lock.text(),
        };
        format!("<Condition({lock}, {} waiting)>", self.waiters())
    }
}
