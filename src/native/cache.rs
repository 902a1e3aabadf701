//! The functions of one program, compiled on demand for the types of their arguments, within bounds.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{AST, Caches, Dynamic, Engine, EvalAltResult, FnArgsVec, NativeCallContext, Position};

use super::elements;
use super::enter::{self, Prepared};
use super::forms::{Entry, Forms};
use super::ir::Function;
use super::layout;
use super::lower::Refusal;
use super::program::Program;
use super::runtime::{Closures, Run};
use super::types::{Key, Type};

/// What compiled code may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of machine code in one process; when they are used up, nothing more is compiled.
    pub code: usize,
    /// Forms of one function, one for each combination of argument types.
    pub forms: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { code: 4 << 20, forms: 8 }
    }
}

/// The functions of one program, compiled on demand, specialised on argument types.
pub struct Compiler {
    limits: Limits,
    program: Program,
    forms: RefCell<Forms>,
    /// Why nothing is compiled for this engine.
    unsuitable: Option<&'static str>,
}

/// What became of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody has called it yet.
    NotYet,
    /// The argument types it is compiled for.
    Compiled(Vec<String>),
    /// Why it stays with the interpreter, and where.
    Refused(String, Position),
}

/// A line of `stook native FILE`.
#[derive(Clone, Debug)]
pub struct State {
    pub name: String,
    pub parameters: Vec<String>,
    pub position: Position,
    pub outcome: Outcome,
}

/// Why compiled code would not do what this engine does.
pub fn unsuitable(engine: &Engine) -> Option<&'static str> {
    let limited = engine.max_operations() > 0
        || engine.max_string_size() > 0
        || engine.max_array_size() > 0
        || engine.max_map_size() > 0;
    let reasons = [
        (layout::layout().is_none(), "the layout of values in memory is not known in this build"),
        (!engine.fast_operators(), "the engine lets scripts replace operators"),
        (limited, "the engine limits sizes or operations"),
        (engine.fail_on_invalid_map_property(), "the engine raises errors for missing properties"),
        (!engine.allow_shadowing(), "the engine forbids shadowing"),
    ];
    reasons.into_iter().find(|(holds, _)| *holds).map(|(_, reason)| reason)
}

impl Compiler {
    /// Looks at the functions of `ast` and compiles nothing yet.
    pub fn new(engine: &Engine, ast: &AST, limits: Limits) -> Self {
        let (program, forms) = (Program::new(ast), RefCell::default());
        Self { limits, program, forms, unsuitable: unsuitable(engine) }
    }

    /// Bytes of machine code so far.
    pub fn bytes(&self) -> usize {
        self.forms.borrow().bytes()
    }

    /// Runs it natively, and compiles it for these argument types if need be. `None`: not for these types; the
    /// arguments are untouched and the caller interprets. The result or error is that of
    /// `context.call_fn_raw(name, false, false, arguments)`, with the frame of the call.
    pub fn call(
        &self,
        context: &NativeCallContext,
        name: &str,
        arguments: &mut [Dynamic],
    ) -> Option<Result<Dynamic, Box<EvalAltResult>>> {
        // The levels that the engine counts for such a call.
        self.call_at(context, context.call_level() + 2, name, arguments)
    }

    /// The same, for a call that stands in a script: `level` is the depth of the function's body.
    pub fn call_at(
        &self,
        context: &NativeCallContext,
        level: usize,
        name: &str,
        arguments: &mut [Dynamic],
    ) -> Option<Result<Dynamic, Box<EvalAltResult>>> {
        let given: FnArgsVec<&Dynamic> = arguments.iter().collect();
        // They were copied for this call: to look at all they hold costs no more than that.
        let (entry, _) = self.ready(name, false, &given, elements::of)?;
        drop(given);
        self.enter_at(entry, context, level, name, arguments)
    }

    /// The form for such arguments, for [`Self::call_prepared`].
    pub fn prepare(&self, name: &str, arguments: &[Dynamic]) -> Option<Prepared> {
        let given: FnArgsVec<&Dynamic> = arguments.iter().collect();
        self.prepared(name, false, &given)
    }

    /// As [`Self::call`], by a form of `name` that fits the arguments.
    pub fn call_prepared(
        &self,
        prepared: &Prepared,
        context: &NativeCallContext,
        name: &str,
        arguments: &mut [Dynamic],
    ) -> Option<Result<Dynamic, Box<EvalAltResult>>> {
        self.enter_at(prepared.entry, context, context.call_level() + 2, name, arguments)
    }

    fn enter_at(
        &self,
        entry: Entry,
        context: &NativeCallContext,
        level: usize,
        name: &str,
        arguments: &mut [Dynamic],
    ) -> Option<Result<Dynamic, Box<EvalAltResult>>> {
        let engine = context.engine();
        if level > engine.max_call_levels() {
            return None;
        }
        let mut run = Run {
            deepest: i64::try_from(engine.max_call_levels()).unwrap_or(i64::MAX),
            engine,
            context,
            global: None,
            caches: Caches::new(),
            source: self.program.source.clone(),
            error: None,
            caught: Vec::new(),
            entered: Vec::new(),
            closures: self,
        };
        for argument in arguments.iter_mut().filter(|argument| argument.is_read_only()) {
            *argument = argument.clone();
        }
        let level = i64::try_from(level).unwrap_or(i64::MAX);
        let result = enter::enter(entry, &mut run, level, arguments);
        Some(result.map_err(|error| enter::in_call(&run, name, context.call_position(), error)))
    }

    /// The form for these arguments, compiled now if that is worth it.
    fn ready(
        &self,
        name: &str,
        has_this: bool,
        arguments: &[&Dynamic],
        kind: fn(&Dynamic) -> Type,
    ) -> Option<(Entry, Rc<Function>)> {
        let function = self.program.find(name, arguments.len())?;
        if self.unsuitable.is_some() || arguments.iter().any(|argument| argument.is_shared()) {
            return None;
        }
        let lowered = self.program.lower(function).ok()?;
        if lowered.uses_this && !has_this {
            return None;
        }
        let this = lowered.uses_this.then_some(Type::Any);
        let mut types: FnArgsVec<Type> =
            this.into_iter().chain(arguments.iter().map(|argument| kind(argument))).collect();
        let mut forms = self.forms.try_borrow_mut().ok()?;
        if let Some(entry) = forms.entry(function, &types) {
            return Some((entry, lowered));
        }
        if forms.count(function) >= self.limits.forms / 2 {
            // A form for arrays of anything does for many.
            types.iter_mut().filter(|kind| kind.is_array()).for_each(|kind| *kind = Type::Any);
            if let Some(entry) = forms.entry(function, &types) {
                return Some((entry, lowered));
            }
        }
        if forms.bytes() >= self.limits.code || forms.count(function) >= self.limits.forms {
            return None;
        }
        let entry = forms.compile(&self.program, &Key { function, parameters: types.to_vec() });
        if entry.is_none() {
            let position = self.program.heads[function].position;
            let reason = "the code generator fails".to_owned();
            self.program.refuse(function, Refusal { reason, position });
        }
        Some((entry?, lowered))
    }

    /// What became of each function, in the order of their lines.
    pub fn states(&self) -> Vec<State> {
        let forms = self.forms.borrow();
        let state = |(function, head): (usize, &super::collect::Head)| {
            let types = forms.types(function);
            let outcome = if let Some(reason) = self.unsuitable {
                Outcome::Refused(reason.to_owned(), head.position)
            } else if let Some(refusal) = self.program.refusal(function) {
                Outcome::Refused(refusal.reason, refusal.position)
            } else if types.is_empty() {
                Outcome::NotYet
            } else {
                Outcome::Compiled(types.iter().map(|types| described(types)).collect())
            };
            let (name, parameters) = (head.name.clone(), head.parameters.clone());
            State { name, parameters, position: head.position, outcome }
        };
        self.program.heads.iter().enumerate().map(state).collect()
    }

    /// Lowers every function, so that [`Self::states`] knows what is refused.
    pub fn examine(&self) {
        for function in 0..self.program.heads.len() {
            let _ = self.program.lower(function);
        }
    }
}

fn described(types: &[Type]) -> String {
    let names: Vec<String> = types.iter().map(|kind| named(*kind)).collect();
    format!("({})", names.join(", "))
}

fn named(kind: Type) -> String {
    match kind {
        Type::Int => "int".to_owned(),
        Type::Float => "float".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Char => "char".to_owned(),
        Type::Unit => "()".to_owned(),
        Type::Array(1, Type::Never) => "[]".to_owned(),
        Type::Array(..) => format!("[{}]", named(kind.element())),
        Type::Any | Type::Never => "any".to_owned(),
    }
}

impl Closures for Compiler {
    fn prepared(&self, name: &str, has_this: bool, arguments: &[&Dynamic]) -> Option<Prepared> {
        let (entry, function) = self.ready(name, has_this, arguments, elements::scalar)?;
        let types = arguments.iter().map(|argument| elements::scalar(argument)).collect();
        Some(Prepared { entry, function, types })
    }
}
