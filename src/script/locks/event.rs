//! `Event`.

use rhai::{Dynamic, Engine};

use crate::script::raise::{interrupted, out_of_memory};
use crate::script::signature::Signature;
use crate::sync::event::Event;

static EVENT: Signature = Signature { name: "Event", parameters: &[], required: 0 };
static WAIT: Signature = Signature { name: "Event.wait", parameters: &["timeout"], required: 0 };

/// Registers the type.
pub fn register(engine: &mut Engine) {
    EVENT.context_function(engine, |_, _, _| Event::new().map(Dynamic::from).map_err(out_of_memory));
    WAIT.method(engine, |_, event: Event, mut arguments| {
        event.wait(arguments.deadline(0)?).map(Dynamic::from).map_err(|_| interrupted())
    });
    engine
        .register_type_with_name::<Event>("Event")
        .register_fn("to_string", |event: &mut Event| text(event))
        .register_fn("to_debug", |event: &mut Event| text(event))
        .register_fn("==", |one: Event, other: Event| one.offset() == other.offset())
        .register_fn("!=", |one: Event, other: Event| one.offset() != other.offset())
        .register_fn("set", |event: &mut Event| event.set())
        .register_fn("clear", |event: &mut Event| event.clear())
        .register_fn("is_set", |event: &mut Event| event.is_set());
}

fn text(event: &Event) -> String {
    format!("<Event {}>", if event.is_set() { "set" } else { "unset" })
}
