//! `Lock` and `RLock`.

use rhai::{Dynamic, Engine};

use super::hold::{self, Hold};
use crate::arena::table::{self, Slot};
use crate::script::raise::{Raise, out_of_memory, raise};
use crate::script::runtime;
use crate::script::signature::Signature;
use crate::sync::lock::{Acquired, Lock};
use crate::sync::rlock::RLock;
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;

static LOCK: Signature = Signature { name: "Lock", parameters: &[], required: 0 };
static RLOCK: Signature = Signature { name: "RLock", parameters: &[], required: 0 };
static ACQUIRE_LOCK: Signature =
    Signature { name: "Lock.acquire", parameters: &["block", "timeout"], required: 0 };
static ACQUIRE_RLOCK: Signature =
    Signature { name: "RLock.acquire", parameters: &["block", "timeout"], required: 0 };

/// Registers the types.
pub fn register(engine: &mut Engine) {
    LOCK.context_function(engine, |_, _, _| Lock::new().map(Dynamic::from).map_err(out_of_memory));
    RLOCK.context_function(engine, |_, _, _| RLock::new().map(Dynamic::from).map_err(out_of_memory));
    hold::register::<Lock>(engine);
    hold::register::<RLock>(engine);
}

/// Who holds a lock, for people.
pub fn holder(lock: &Lock) -> String {
    let Some((owner, line)) = lock.holder() else { return "None".to_owned() };
    let line = if line > 0 { format!(" in line {line}") } else { String::new() };
    if Some(owner) == table::my_id() {
        return format!("{}{line}", runtime::name());
    }
    let name = owner.slot().map(Slot::name).unwrap_or_default();
    format!("SomeOtherProcess, {name}{line}")
}

impl Hold for Lock {
    const NAME: &'static str = "Lock";

    fn signature() -> &'static Signature {
        &ACQUIRE_LOCK
    }

    fn offset(&self) -> u64 {
        self.offset()
    }

    #[inline]
    fn acquire(&self, deadline: Deadline) -> Result<Acquired, GaveUp> {
        self.acquire(deadline)
    }

    #[inline]
    fn release(&self) -> Result<(), Raise> {
        self.release().map_err(|_| raise("ValueError", "release() of a Lock that nobody holds"))
    }

    fn is_held(&self) -> bool {
        self.is_held()
    }

    fn was_abandoned(&self) -> bool {
        self.was_abandoned()
    }

    fn text(&self) -> String {
        format!("<Lock(owner={})>", holder(self))
    }
}

impl Hold for RLock {
    const NAME: &'static str = "RLock";

    fn signature() -> &'static Signature {
        &ACQUIRE_RLOCK
    }

    fn offset(&self) -> u64 {
        self.lock().offset()
    }

    #[inline]
    fn acquire(&self, deadline: Deadline) -> Result<Acquired, GaveUp> {
        self.acquire(deadline)
    }

    #[inline]
    fn release(&self) -> Result<(), Raise> {
        self.release().map_err(|_| {
            let what = format!(
                "release() of an RLock that {} does not hold; its owner is {}",
                runtime::name(),
                holder(self.lock())
            );
            raise("AssertionError", what)
        })
    }

    fn is_held(&self) -> bool {
        self.lock().is_held()
    }

    fn was_abandoned(&self) -> bool {
        self.lock().was_abandoned()
    }

    fn text(&self) -> String {
        format!("<RLock(owner={}, count={})>", holder(self.lock()), self.count())
    }
}
