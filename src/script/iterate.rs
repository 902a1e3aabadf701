//! What a `for` loop goes through, one at a time: for calls that take their items as they need them.
//!
//! `iter(f)` makes something to go through of a function, which is called for each item until it gives the
//! sentinel.

use std::any::TypeId;
use std::cell::RefCell;
use std::rc::Rc;

use rhai::packages::{Package, StandardPackage};
use rhai::{
    Dynamic, Engine, EvalAltResult, FnPtr, GlobalRuntimeState, Module, NativeCallContext, Shared, Variant,
};

use super::kept::Kept;
use super::raise::Raise;
use super::signature::Signature;

static ITER: Signature = Signature { name: "iter", parameters: &["func", "sentinel"], required: 1 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["iter"];

/// Items, or what went wrong.
pub type Steps = Box<dyn Iterator<Item = Result<Dynamic, Raise>>>;

thread_local! {
    /// The types of our own that loops go through.
    static OURS: RefCell<Module> = const { RefCell::new(Module::new()) };
    /// Those of the language.
    static STANDARD: Shared<Module> = StandardPackage::new().as_shared_module();
    /// Both, to look up, since the last type was added.
    static FOUND: RefCell<Option<Rc<GlobalRuntimeState>>> = const { RefCell::new(None) };
}

/// Lets loops go through a `T`, and calls that take its items one at a time.
pub fn register<T, X>(engine: &mut Engine)
where
    T: Variant + Clone + IntoIterator<Item = Result<X, Raise>>,
    X: Variant + Clone,
{
    engine.register_iterator_result::<T, X>();
    let steps = |value: Dynamic| -> Steps {
        match value.try_cast::<T>() {
            Some(value) => Box::new(value.into_iter().map(|item| item.map(Dynamic::from))),
            None => Box::new(std::iter::empty()),
        }
    };
    OURS.with_borrow_mut(|ours| {
        ours.set_iter_result(TypeId::of::<T>(), steps);
    });
    FOUND.set(None);
}

/// Registers `iter`.
pub fn register_iter(engine: &mut Engine) {
    ITER.function(engine, |context, mut arguments| {
        let function = arguments.needed_function(0)?;
        let sentinel = arguments.any(1);
        Ok(Dynamic::from(Calls(Rc::new((Kept::new(context), function, sentinel)))))
    });
    engine.register_type_with_name::<Calls>("CallIterator");
    register::<Calls, Dynamic>(engine);
}

/// The items of `value`, one at a time, if it is something that a loop goes through.
pub fn steps(context: &NativeCallContext, value: Dynamic) -> Result<Steps, Dynamic> {
    if let Ok(map) = value.as_map_ref() {
        let keys: Vec<Dynamic> = map.keys().map(|key| key.as_str().into()).collect();
        return Ok(Box::new(keys.into_iter().map(Ok)));
    }
    loops(context.engine(), value)
}

/// The items of `value`, one at a time, if a loop of the language goes through it.
pub fn loops(engine: &Engine, value: Dynamic) -> Result<Steps, Dynamic> {
    let found = FOUND.with_borrow_mut(|found| Rc::clone(found.get_or_insert_with(|| Rc::new(all(engine)))));
    match found.get_iter(value.type_id()) {
        Some(steps) => Ok(steps(value)),
        None => Err(value),
    }
}

/// A state in which all types are found that loops go through.
fn all(engine: &Engine) -> GlobalRuntimeState {
    let mut global = engine.new_global_runtime_state();
    global.push_import("standard", STANDARD.with(Shared::clone));
    let ours = OURS.with_borrow_mut(|ours| {
        ours.build_index();
        Shared::new(ours.clone())
    });
    global.push_import("ours", ours);
    global
}

/// What `iter` gives: a function, and what it gives after its last item.
#[derive(Clone)]
struct Calls(Rc<(Kept, FnPtr, Dynamic)>);

impl IntoIterator for Calls {
    type Item = Result<Dynamic, Box<EvalAltResult>>;
    type IntoIter = Called;

    fn into_iter(self) -> Called {
        Called { calls: self, over: false }
    }
}

/// A walk through what [`Calls`] gives.
struct Called {
    calls: Calls,
    over: bool,
}

impl Iterator for Called {
    type Item = Result<Dynamic, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let (kept, function, sentinel) = &*self.calls.0;
        let item = kept.call(function, rhai::Array::new());
        let last = match &item {
            Ok(item) => is(kept, item, sentinel),
            // A loop with an empty body passes over errors: it would go on for ever.
            Err(_) => {
                self.over = true;
                return Some(item);
            }
        };
        self.over = last;
        (!last).then_some(item)
    }
}

/// Whether two values are equal, as scripts have it.
fn is(kept: &Kept, one: &Dynamic, other: &Dynamic) -> bool {
    if one.is_unit() || other.is_unit() {
        return one.is_unit() && other.is_unit();
    }
    let (one, other) = (one.clone(), other.clone());
    let equal = kept.enter(|context| context.call_native_fn::<bool>("==", (one, other)));
    equal.is_ok_and(|equal| equal.unwrap_or(false))
}
