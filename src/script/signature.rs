//! Parameters by position, or optional ones by name in a trailing map.
//!
//! `pool.map(f, xs, 20)` is `pool.map(f, xs, #{chunksize: 20})`. An unknown name is a `TypeError` that
//! lists the known ones.

use std::any::TypeId;

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, Map, NativeCallContext};

use super::raise::RhaiResult;
use super::{iterate, runtime};
use crate::process::method::Method;
use crate::sys::clock::Deadline;
use crate::wire::Error;

/// What a function is called and takes.
#[derive(Debug)]
pub struct Signature {
    /// As errors name it: `Queue` or `Queue.put`.
    pub name: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [&'static str],
    /// How many of them must be given.
    pub required: usize,
}

/// A start method with all constructors as its methods, as scripts get it from `get_context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context(pub Method);

/// The arguments of one call, one place a parameter.
pub struct Arguments {
    signature: &'static Signature,
    values: Vec<Option<Dynamic>>,
}

type Fallible<T> = Result<T, Box<EvalAltResult>>;

impl Signature {
    /// The last word of the name: what a script calls.
    fn word(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    fn bind(&'static self, mut given: Vec<Dynamic>) -> Fallible<Arguments> {
        let mut values: Vec<Option<Dynamic>> = vec![None; self.parameters.len()];
        let options = given.len() > self.required && given.last().is_some_and(|last| last.is_map());
        let positional = given.len() - usize::from(options);
        for (place, value) in values.iter_mut().zip(given.iter_mut().take(positional)) {
            *place = Some(value.take());
        }
        if let Some(last) = given.last_mut().filter(|_| options) {
            for (name, value) in last.take().try_cast::<Map>().unwrap_or_default() {
                let Some(index) = self.parameters.iter().position(|parameter| *parameter == name.as_str())
                else {
                    let known =
                        self.parameters.get(self.required.min(positional)..).unwrap_or_default().join(", ");
                    return Err(self.error(format!("has no option '{name}'; it knows: {known}")));
                };
                match values.get_mut(index) {
                    Some(place @ None) => *place = Some(value),
                    _ => return Err(self.error(format!("got '{name}' twice: by position and by name"))),
                }
            }
        }
        Ok(Arguments { signature: self, values })
    }

    fn error(&self, what: impl std::fmt::Display) -> Box<EvalAltResult> {
        Error::new("TypeError", format!("{}() {what}", self.name)).raise()
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
    /// Whether parameter `index` was given, if only as `()`.
    pub fn is_given(&self, index: usize) -> bool {
        self.values.get(index).is_some_and(Option::is_some)
    }

    /// The value of parameter `index`, if it was given and is not `()`.
    pub fn value(&mut self, index: usize) -> Option<Dynamic> {
        self.values.get_mut(index).and_then(Option::take).filter(|value| !value.is_unit())
    }

    /// The value of parameter `index`, even if it is `()`.
    pub fn any(&mut self, index: usize) -> Dynamic {
        self.values.get_mut(index).and_then(Option::take).unwrap_or(Dynamic::UNIT)
    }

    fn wrong(&self, index: usize, wanted: &str, value: &Dynamic) -> Box<EvalAltResult> {
        let name = self.signature.parameters.get(index).copied().unwrap_or("an argument");
        self.signature.error(format!("wants {wanted} for '{name}', not {}", described(value)))
    }

    /// An int.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn int(&mut self, index: usize) -> Fallible<Option<i64>> {
        let Some(value) = self.value(index) else { return Ok(None) };
        value.as_int().map(Some).map_err(|_| self.wrong(index, "an int", &value))
    }

    /// A bool.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn bool(&mut self, index: usize) -> Fallible<Option<bool>> {
        let Some(value) = self.value(index) else { return Ok(None) };
        value.as_bool().map(Some).map_err(|_| self.wrong(index, "true or false", &value))
    }

    /// A string.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn string(&mut self, index: usize) -> Fallible<Option<String>> {
        let Some(value) = self.value(index) else { return Ok(None) };
        let kept = value.clone();
        value.into_string().map(Some).map_err(|_| self.wrong(index, "a string", &kept))
    }

    /// Bytes: a blob, or a string.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn bytes(&mut self, index: usize) -> Fallible<Option<Blob>> {
        let Some(value) = self.value(index) else { return Ok(None) };
        bytes(&value).map(Some).ok_or_else(|| self.wrong(index, "a blob or a string", &value))
    }

    /// Seconds, an int or a float.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn seconds(&mut self, index: usize) -> Fallible<Option<f64>> {
        let Some(value) = self.value(index) else { return Ok(None) };
        seconds(&value).map(Some).ok_or_else(|| self.wrong(index, "seconds (a number)", &value))
    }

    /// Seconds, where `()` will not do.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn needed_seconds(&mut self, index: usize) -> Fallible<f64> {
        self.seconds(index)?.ok_or_else(|| self.wrong(index, "seconds (a number)", &Dynamic::UNIT))
    }

    /// A time-out in seconds as a deadline from now; `()` is never.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn deadline(&mut self, index: usize) -> Fallible<Deadline> {
        Ok(Deadline::after(self.seconds(index)?))
    }

    /// `block, timeout` from parameter `first` on; a number in place of `block` is the time-out.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn block_and_timeout(&mut self, first: usize) -> Fallible<Deadline> {
        let block = self.any(first);
        if let Some(seconds) = seconds(&block) {
            if self.value(first + 1).is_some() {
                let twice = "got two time-outs: a number in place of 'block' is one";
                return Err(self.signature.error(twice));
            }
            return Ok(Deadline::after(Some(seconds)));
        }
        let deadline = self.deadline(first + 1)?;
        match block.as_bool() {
            Ok(false) => Ok(Deadline::after(Some(0.0))),
            Err(_) if !block.is_unit() => Err(self.wrong(first, "true or false", &block)),
            _ => Ok(deadline),
        }
    }

    /// A function.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn function(&mut self, index: usize) -> Fallible<Option<FnPtr>> {
        let Some(value) = self.value(index) else { return Ok(None) };
        value.clone().try_cast::<FnPtr>().map(Some).ok_or_else(|| self.wrong(index, "a function", &value))
    }

    /// A function, where `()` will not do.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn needed_function(&mut self, index: usize) -> Fallible<FnPtr> {
        self.function(index)?.ok_or_else(|| self.wrong(index, "a function", &Dynamic::UNIT))
    }

    /// An array.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn array(&mut self, index: usize) -> Fallible<Option<Array>> {
        let Some(value) = self.value(index) else { return Ok(None) };
        value.clone().try_cast::<Array>().map(Some).ok_or_else(|| self.wrong(index, "an array", &value))
    }

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
            EvalAltResult::ErrorFor(..) => self.wrong(index, "something to iterate over", &kept),
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

/// A number as seconds.
pub fn seconds(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|whole| whole as f64))
}

/// The bytes of a blob, or of a string.
pub fn bytes(value: &Dynamic) -> Option<Blob> {
    if let Some(blob) = value.read_lock::<Blob>() {
        return Some(blob.clone());
    }
    value.as_immutable_string_ref().ok().map(|text| text.as_bytes().to_vec())
}

/// A value as an error names it: its type and, if it is short, itself.
pub fn described(value: &Dynamic) -> String {
    if value.is_unit() {
        return "()".to_owned();
    }
    let kind = match value.type_name() {
        "i64" => "int",
        "f64" => "float",
        name => name.rsplit("::").next().unwrap_or(name),
    };
    if value.is_int() || value.is_float() || value.is_bool() {
        return format!("{kind} {value}");
    }
    if value.is_string() {
        let text = value.to_string();
        if text.chars().count() <= 40 {
            return format!("{kind} {text:?}");
        }
    }
    kind.to_owned()
}
