//! Functions of scripts with parameters by position, or optional ones by name (see `call`).

use std::any::TypeId;

use rhai::{Array, Dynamic, Engine, EvalAltResult, NativeCallContext};

use super::raise::RhaiResult;
use super::{iterate, runtime};
pub use crate::call::{Arguments, Signature, bytes, described, seconds};
use crate::process::method::Method;

/// A start method with all constructors as its methods, as scripts get it from `get_context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context(pub Method);

type Fallible<T> = Result<T, Box<EvalAltResult>>;

impl Signature {
    /// The last word of the name: what a script calls.
    fn word(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// Registers `body` as a function for every number of arguments that fits.
    pub fn function(
        &'static self,
        engine: &mut Engine,
        body: impl Fn(&NativeCallContext, Arguments) -> RhaiResult + Clone + 'static,
    ) {
        for count in self.required..=self.parameters.len() {
            let types = vec![TypeId::of::<Dynamic>(); count];
            let body = body.clone();
            engine.register_raw_fn(
                self.word(),
                types,
                move |context: NativeCallContext, given: &mut [&mut Dynamic]| {
                    runtime::at(&context);
                    // The first may be the caller's variable itself, the others are copies already.
                    let owned = given.iter_mut().enumerate();
                    let owned = owned.map(|(index, value)| match index {
                        0 => value.flatten_clone(),
                        _ => value.take().flatten(),
                    });
                    body(&context, self.bind(owned.collect())?)
                },
            );
        }
    }

    /// Registers `body` as a function and as a method of every [`Context`], whose start method it then gets.
    pub fn context_function(
        &'static self,
        engine: &mut Engine,
        body: impl Fn(&NativeCallContext, Option<Method>, Arguments) -> RhaiResult + Clone + 'static,
    ) {
        let of_context = body.clone();
        self.function(engine, move |context, arguments| body(context, None, arguments));
        self.method(engine, move |context, start: Context, arguments| {
            of_context(context, Some(start.0), arguments)
        });
    }

    /// Registers `body` as a method of `T` for every number of arguments that fits. `T` is a handle: it is
    /// cloned for the call.
    pub fn method<T: Clone + 'static>(
        &'static self,
        engine: &mut Engine,
        body: impl Fn(&NativeCallContext, T, Arguments) -> RhaiResult + Clone + 'static,
    ) {
        for count in self.required..=self.parameters.len() {
            let mut types = vec![TypeId::of::<T>()];
            types.resize(count + 1, TypeId::of::<Dynamic>());
            let body = body.clone();
            engine.register_raw_fn(
                self.word(),
                types,
                move |context: NativeCallContext, given: &mut [&mut Dynamic]| {
                    runtime::at(&context);
                    let Some((this, given)) = given.split_first_mut() else { return Ok(Dynamic::UNIT) };
                    let Some(this) = this.read_lock::<T>().map(|this| this.clone()) else {
                        return Ok(Dynamic::UNIT);
                    };
                    let owned = given.iter_mut().map(|value| value.take().flatten());
                    body(&context, this, self.bind(owned.collect())?)
                },
            );
        }
    }
}

impl Arguments {
    /// Everything that an iterable gives: an array, a range, a string's characters, a map's keys, or what
    /// any registered iterator yields.
    ///
    /// # Errors
    /// `TypeError` if it can't be iterated over; what the iterator raises.
    pub fn items(&mut self, context: &NativeCallContext, index: usize) -> Fallible<Array> {
        let value = self.any(index);
        let value = match value.try_cast_result::<Array>() {
            Ok(array) => return Ok(array),
            Err(value) => value,
        };
        if let Ok(map) = value.as_map_ref() {
            return Ok(map.keys().map(|key| key.as_str().into()).collect());
        }
        self.collected(context, index, value)
    }

    /// Everything that a loop over `value`, which was given for parameter `index`, goes through.
    ///
    /// # Errors
    /// `TypeError` if it can't be iterated over; what the iterator raises.
    pub fn collected(&self, context: &NativeCallContext, index: usize, value: Dynamic) -> Fallible<Array> {
        let value = match iterate::steps(context, value) {
            Ok(steps) => return steps.collect(),
            Err(value) => value,
        };
        let kept = value.clone();
        collected(context, value).map_err(|error| match *error {
            EvalAltResult::ErrorFor(..) => self.wrong(index, "something to iterate over", &kept).raise(),
            error => error.into(),
        })
    }
}

/// What a `for` loop over `value` goes through: only the engine knows all iterators.
pub fn collected(context: &NativeCallContext, value: Dynamic) -> Fallible<Array> {
    thread_local! {
        static LOOP: std::cell::OnceCell<rhai::AST> = const { std::cell::OnceCell::new() };
    }
    let engine = context.engine();
    let text = "let items = []; for item in iterable { items.push(item); } items";
    let ast = LOOP.with(|cell| match cell.get() {
        Some(ast) => Ok(ast.clone()),
        None => engine.compile(text).map(|ast| cell.get_or_init(|| ast).clone()),
    });
    let mut scope = rhai::Scope::new();
    scope.push_dynamic("iterable", value);
    engine.eval_ast_with_scope(&mut scope, &ast?)
}
