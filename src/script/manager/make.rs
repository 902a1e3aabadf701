//! What scripts call of a manager: the constructors, its methods, and the types that it makes.

use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};

use super::value::Manager;
use crate::manager::create::TYPES;
use crate::process::method::Method;
use crate::script::raise::{Raise, RhaiResult, raise};
use crate::script::runtime;
use crate::script::signature::{Arguments, Signature, described};
use crate::script::socket::address::{named, to_value};
use crate::socket::address::Family;

static MANAGER: Signature = Signature { name: "Manager", parameters: &[], required: 0 };
const PARAMETERS: &[&str] = &["address", "authkey", "shutdown_timeout"];
static SYNC: Signature = Signature { name: "SyncManager", parameters: PARAMETERS, required: 0 };
static BASE: Signature = Signature { name: "BaseManager", parameters: PARAMETERS, required: 0 };
static START: Signature =
    Signature { name: "BaseManager.start", parameters: &["initializer", "initargs"], required: 0 };
static JOIN: Signature = Signature { name: "BaseManager.join", parameters: &["timeout"], required: 0 };
static REGISTER: Signature =
    Signature { name: "BaseManager.register", parameters: &["typeid", "callable", "exposed"], required: 1 };

/// What managers have of their own: no type can be registered under these names.
pub const KNOWN: &[&str] = &[
    "start",
    "connect",
    "get_server",
    "shutdown",
    "register",
    "join",
    "number_of_objects",
    "debug_info",
    "to_string",
    "to_debug",
];

/// Registers the constructors and the type.
pub fn register(engine: &mut Engine) {
    MANAGER.context_function(engine, |context, method, _| {
        let manager = Manager::new("SyncManager", method, None, None, None);
        manager.start(context, None)?;
        Ok(Dynamic::from(manager))
    });
    SYNC.context_function(engine, |_, method, arguments| make("SyncManager", method, arguments));
    BASE.context_function(engine, |_, method, arguments| make("BaseManager", method, arguments));
    START.method(engine, |context, manager: Manager, mut arguments| {
        let initializer = arguments.any(0);
        let initargs = arguments.array(1)?.unwrap_or_default();
        let initializer = match initializer.is_unit() {
            true => None,
            false => {
                let kind = described(&initializer);
                let wanted = || raise("TypeError", format!("initializer must be a function, not {kind}"));
                Some((initializer.try_cast::<FnPtr>().ok_or_else(wanted)?, initargs))
            }
        };
        manager.start(context, initializer)?;
        Ok(Dynamic::UNIT)
    });
    JOIN.method(engine, |_, manager: Manager, mut arguments| {
        manager.join(arguments.deadline(0)?)?;
        Ok(Dynamic::UNIT)
    });
    REGISTER.method(engine, |context, manager: Manager, arguments| manager.register(context, arguments));
    engine
        .register_type_with_name::<Manager>("Manager")
        .register_fn("connect", |manager: &mut Manager| manager.connect())
        .register_fn("get_server", |manager: &mut Manager| manager.server())
        .register_fn("shutdown", |manager: &mut Manager| manager.shutdown())
        .register_fn("number_of_objects", |manager: &mut Manager| {
            manager.ask("number_of_objects", Array::new())
        })
        .register_fn("debug_info", |manager: &mut Manager| manager.ask("debug_info", Array::new()))
        .register_get("address", |manager: &mut Manager| {
            manager.address().map_or(Dynamic::UNIT, |address| to_value(&address))
        })
        .register_fn("to_string", |manager: &mut Manager| manager.text())
        .register_fn("to_debug", |manager: &mut Manager| manager.text());
    engine.register_fn(
        "__enter__",
        |context: NativeCallContext, manager: &mut Manager| -> Result<Manager, Raise> {
            manager.enter(&context)?;
            Ok(manager.clone())
        },
    );
    engine.register_fn("__exit__", |manager: &mut Manager| manager.leave());
}

fn make(kind: &'static str, method: Option<Method>, mut arguments: Arguments) -> RhaiResult {
    let address = arguments.value(0).map(|value| named(&value, None::<Family>)).transpose()?;
    let key = arguments.bytes(1)?;
    let patience = arguments.seconds(2)?;
    Ok(Dynamic::from(Manager::new(kind, method, address, key, patience)))
}

/// Makes an object, and notes the script's line.
pub fn create(context: &NativeCallContext, manager: &Manager, typeid: &str, given: Array) -> RhaiResult {
    runtime::at(context);
    created(manager, typeid, given)
}

/// Makes an object of a type.
pub fn created(manager: &Manager, typeid: &str, mut given: Array) -> RhaiResult {
    if !TYPES.contains(&typeid) && !manager.knows(typeid) {
        let what = format!("the {} has no type '{typeid}': register() comes first", manager.kind());
        return Err(raise("AttributeError", what));
    }
    given.insert(0, typeid.into());
    manager.ask("create", given)
}
