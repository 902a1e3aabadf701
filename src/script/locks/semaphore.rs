//! `Semaphore` and `BoundedSemaphore`.

use rhai::{Dynamic, Engine};

use super::hold::{self, Hold};
use crate::script::raise::{Raise, RhaiResult, out_of_memory, raise};
use crate::script::signature::{Arguments, Signature};
use crate::sync::lock::Acquired;
use crate::sync::semaphore::Semaphore;
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;

static SEMAPHORE: Signature = Signature { name: "Semaphore", parameters: &["value"], required: 0 };
static BOUNDED: Signature = Signature { name: "BoundedSemaphore", parameters: &["value"], required: 0 };
static ACQUIRE: Signature =
    Signature { name: "Semaphore.acquire", parameters: &["block", "timeout"], required: 0 };

/// Registers the types.
pub fn register(engine: &mut Engine) {
    SEMAPHORE.context_function(engine, |_, _, arguments| new(arguments, "Semaphore", false));
    BOUNDED.context_function(engine, |_, _, arguments| new(arguments, "BoundedSemaphore", true));
    hold::register::<Semaphore>(engine);
    engine.register_fn("get_value", |semaphore: &mut Semaphore| {
        i64::try_from(semaphore.value()).unwrap_or(i64::MAX)
    });
}

fn new(mut arguments: Arguments, name: &str, bounded: bool) -> RhaiResult {
    let value = arguments.int(0)?.unwrap_or(1);
    let units = u64::try_from(value)
        .map_err(|_| raise("ValueError", format!("{name}() wants 0 units or more, not {value}")))?;
    Semaphore::new(units, bounded).map(Dynamic::from).map_err(out_of_memory)
}

impl Hold for Semaphore {
    const NAME: &'static str = "Semaphore";

    fn title(&self) -> &'static str {
        if self.bound().is_some() { "BoundedSemaphore" } else { Self::NAME }
    }

    fn signature() -> &'static Signature {
        &ACQUIRE
    }

    fn offset(&self) -> u64 {
        self.offset()
    }

    fn acquire(&self, deadline: Deadline) -> Result<Acquired, GaveUp> {
        self.acquire(deadline)
    }

    fn release(&self) -> Result<(), Raise> {
        self.release().map_err(|error| {
            raise("ValueError", format!("BoundedSemaphore released too many times: {error}"))
        })
    }

    fn is_held(&self) -> bool {
        self.is_empty()
    }

    fn was_abandoned(&self) -> bool {
        self.was_abandoned()
    }

    fn text(&self) -> String {
        match self.bound() {
            Some(bound) => format!("<BoundedSemaphore(value={}, maxvalue={bound})>", self.value()),
            None => format!("<Semaphore(value={})>", self.value()),
        }
    }
}
