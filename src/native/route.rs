//! Which functions get a gate, and when a call is worth compiling.
//!
//! A function with a loop that computes is compiled at its first call: that may be the only one, and last. One that
//! calls itself, or whose loops only wait or hand on, is compiled at its second, or at once if its arguments promise
//! many turns. Any other costs less to interpret than to leave the interpreter for it; machine code that calls it
//! takes it along. Who calls one from outside a great many times does not come from the interpreter, and has it
//! compiled whatever is in it.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, EvalAltResult, NativeCallContext, Shared};

use super::enter::Prepared;
use super::outline::{Outlines, Shape};
use super::{Compiler, Limits, State, list, unsuitable};
use crate::script::gate::{self, Function, Functions, Mode, Repeated, report};
use crate::script::raise::RhaiResult;

/// A number this large, or as many items, among the arguments: most loops get their length that way.
const MANY: usize = 1000;

/// From now on, programs of this process become machine code where that is worth it.
pub fn install() {
    gate::install(translate);
}

fn translate(engine: &Engine, ast: &AST) -> Option<Rc<dyn Functions>> {
    let mut functions = AST::new([], Shared::clone(ast.shared_lib()));
    if let Some(source) = ast.source() {
        functions.set_source(source);
    }
    let watched = Rc::new(Watched {
        file: ast.source().unwrap_or("<script>").to_owned(),
        outlines: Outlines::new(ast),
        suits: unsuitable(engine).is_none(),
        functions,
        compiler: OnceCell::new(),
        said: RefCell::default(),
    });
    list::keep(&watched);
    Some(Rc::new(Watch(watched)))
}

/// The functions of a program.
struct Watch(Rc<Watched>);

impl Functions for Watch {
    fn gated(&self, name: &str, arity: usize) -> Option<Rc<dyn Function>> {
        let calls = Cell::new(self.0.patience(name, arity)?);
        Some(Rc::new(Routed { watched: Rc::clone(&self.0), name: name.to_owned(), calls }))
    }

    fn repeated(&self, name: &str, arity: usize) -> Option<Box<dyn Repeated>> {
        let watched = &self.0;
        watched.outlines.shape(name, arity).filter(|_| watched.suits && gate::mode() != Mode::Off)?;
        Some(Box::new(Again { watched: Rc::clone(watched), name: name.to_owned(), prepared: None }))
    }
}

/// A program, its compiler if one was needed, and what was said about that.
pub struct Watched {
    /// The name of the program.
    pub file: String,
    outlines: Outlines,
    /// Whether machine code would do what the engine does.
    suits: bool,
    /// As they are written, without gates.
    functions: AST,
    compiler: OnceCell<Compiler>,
    said: RefCell<HashSet<String>>,
}

impl Watched {
    /// How many calls a function is interpreted before it is compiled; `None` if it gets no gate.
    fn patience(&self, name: &str, arity: usize) -> Option<u32> {
        let shape = self.outlines.shape(name, arity).filter(|_| self.suits)?;
        match (gate::mode(), shape) {
            (Mode::Off, _) | (Mode::Auto, Shape::Straight) => None,
            (Mode::Always, _) | (Mode::Auto, Shape::Loop) => Some(0),
            (Mode::Auto, Shape::IdleLoop | Shape::Recursive) => Some(1),
        }
    }

    /// Whether calls of this function come through a gate.
    pub fn wants(&self, name: &str, arity: usize) -> bool {
        self.patience(name, arity).is_some()
    }

    /// The compiler, which is made when the first call comes.
    fn compiler(&self, engine: &Engine) -> &Compiler {
        self.compiler.get_or_init(|| Compiler::new(engine, &self.functions, Limits::default()))
    }

    /// What became of each function.
    pub fn states(&self) -> Vec<State> {
        let anything = Engine::new_raw();
        let compiler = self.compiler(&anything);
        compiler.examine();
        compiler.states()
    }

    /// Says what is new.
    #[cold]
    fn report(&self) {
        let states = self.compiler.get().map(Compiler::states).unwrap_or_default();
        for state in states {
            if let Some(text) = list::said(&self.file, &state)
                && self.said.borrow_mut().insert(text.clone())
            {
                report::say(&text);
            }
        }
    }
}

fn promises_many(argument: &Dynamic) -> bool {
    if let Ok(number) = argument.as_int() {
        return usize::try_from(number).is_ok_and(|number| number >= MANY);
    }
    argument.as_array_ref().is_ok_and(|array| array.len() >= MANY)
}

/// A function behind a gate.
struct Routed {
    watched: Rc<Watched>,
    name: String,
    /// Calls that are still interpreted.
    calls: Cell<u32>,
}

impl Function for Routed {
    fn call(&self, context: &NativeCallContext, arguments: &mut [Dynamic]) -> Option<RhaiResult> {
        let calls = self.calls.get();
        if calls > 0 && !arguments.iter().any(promises_many) {
            self.calls.set(calls - 1);
            return None;
        }
        let compiler = self.watched.compiler(context.engine());
        let result = compiler.call_at(context, context.call_level(), &self.name, arguments);
        if report::is_wanted() {
            self.watched.report();
        }
        // The frame is the interpreter's business.
        result.map(|result| {
            result.map_err(|error| match *error {
                EvalAltResult::ErrorInFunctionCall(name, _, inner, _) if name == self.name => inner,
                other => other.into(),
            })
        })
    }
}

/// A function that is called again and again.
struct Again {
    watched: Rc<Watched>,
    name: String,
    /// The form for the types of the last arguments.
    prepared: Option<Prepared>,
}

impl Repeated for Again {
    fn call(&mut self, context: &NativeCallContext, arguments: &mut [Dynamic]) -> Option<RhaiResult> {
        let compiler = self.watched.compiler(context.engine());
        let known = self.prepared.as_ref().filter(|prepared| prepared.fits(arguments));
        if known.is_none() {
            self.prepared = compiler.prepare(&self.name, arguments);
            if report::is_wanted() {
                self.watched.report();
            }
        }
        compiler.call_prepared(self.prepared.as_ref()?, context, &self.name, arguments)
    }
}

#[cfg(test)]
mod tests {
    use rhai::grain::Vm;
    use rhai::{AST, Dynamic, Engine, Scope};

    use super::{install, promises_many};
    use crate::native::testing::in_context;
    use crate::script::gate::{self, Mode};

    fn engine() -> Engine {
        let mut engine = Engine::new();
        engine.set_max_expr_depths(0, 0);
        gate::register(&mut engine);
        engine
    }

    fn ast(engine: &Engine, script: &str) -> AST {
        engine.compile(script).unwrap_or_else(|error| panic!("{error} in {script}"))
    }

    /// Calls `g(3)` of these functions by the tree walker, as the prompt does.
    fn call_g(engine: &Engine, functions: &AST) -> String {
        let call = ast(engine, "g(3)");
        format!("{:?}", engine.eval_ast::<Dynamic>(&functions.merge(&call)))
    }

    #[test]
    fn what_is_defined_anew_is_what_machine_code_calls() {
        install();
        let engine = engine();
        let mut functions =
            ast(&engine, "fn f(x) { x * 2 } fn g(n) { let s = 0; for i in 0..n { s += f(i); } s }");
        let (ready, gated) = gate::gated(&engine, functions.clone());
        assert_eq!(call_g(&engine, &ready), "Ok(6)");
        let old = ready;
        functions.combine(ast(&engine, "fn f(x) { x * 10 }"));
        let (ready, _gated) = gate::gated(&engine, functions.clone());
        drop(gated);
        assert_eq!(call_g(&engine, &ready), "Ok(30)");
        assert_eq!(call_g(&engine, &old), "Ok(6)", "what was there before is interpreted now");
    }

    #[test]
    fn many_turns_are_promised_by_large_numbers_and_long_arrays() {
        let many: [Dynamic; 2] = [1000.into(), vec![Dynamic::UNIT; 1000].into()];
        let few: [Dynamic; 5] =
            [999.into(), (-5000).into(), 1e9.into(), vec![Dynamic::UNIT].into(), "1000".into()];
        assert!(many.iter().all(promises_many));
        assert!(!few.iter().any(promises_many));
    }

    #[test]
    fn without_machine_code_there_are_no_gates() {
        install();
        let engine = engine();
        gate::set_mode(Mode::Off);
        let (plain, _gated) = gate::gated(&engine, ast(&engine, "fn g(n) { for i in 0..n { } n }"));
        assert!(!plain.iter_fn_def().any(|function| gate::is_body(&function.name)));
        assert_eq!(call_g(&engine, &plain), "Ok(3)");
    }

    #[test]
    fn calls_from_outside_are_like_the_interpreters() {
        install();
        let mut engine = engine();
        engine.set_max_call_levels(20);
        let script = "fn half(x) { x / (x - 2) }
            fn deep(n) { if n == 0 { 0 } else { 1 + deep(n - 1) } }
            fn text(x) { if x == 3 { throw `${x}` } else { half(x) } }
            fn this_one() { this + 1 }
            fn int.twice() { 1 } fn twice() { 2 }";
        let mut functions = ast(&engine, script);
        functions.set_source("main.rhai");
        let lowered = gate::lower(&engine, functions.clone());
        for (name, from, to) in [("half", 0, 5), ("text", 0, 5), ("deep", 10, 25)] {
            let mut repeated = lowered.repeated(name, 1).expect("it is worth it");
            for number in from..to {
                let (machine, interpreted) = in_context(&engine, &functions, |context| {
                    let global = context.global_runtime_state();
                    let level = global.level + 1;
                    let mut vm = Vm::with_global_state(&engine, global.clone());
                    let arguments = [Dynamic::from(number)].into_iter().collect();
                    let interpreted =
                        vm.call_function(&lowered.program, name, arguments, level, context.call_position());
                    (repeated.call(context, &mut [number.into()]), interpreted)
                });
                let machine = machine.expect("it is compiled");
                assert_eq!(format!("{machine:?}"), format!("{interpreted:?}"), "{name}({number})");
            }
        }
        for name in ["this_one", "twice", "nobody"] {
            assert!(lowered.repeated(name, 0).is_none(), "{name}");
        }
        gate::set_mode(Mode::Off);
        assert!(lowered.repeated("half", 1).is_none(), "machine code is off");
    }

    #[test]
    fn recursion_goes_as_deep_by_machine_code() {
        let run = |mode: Mode, levels: usize| {
            install();
            gate::set_mode(mode);
            let mut engine = engine();
            engine.set_max_call_levels(40);
            let script = format!("fn f(n) {{ if n == 0 {{ 0 }} else {{ 1 + f(n - 1) }} }} f({levels})");
            let lowered = gate::lower(&engine, ast(&engine, &script));
            format!("{:?}", Vm::new(&engine).eval_with_callbacks(&mut Scope::new(), &lowered.program))
        };
        for levels in 30..50 {
            let interpreted = run(Mode::Off, levels);
            assert_eq!(run(Mode::Auto, levels), interpreted, "{levels} levels");
            assert_eq!(run(Mode::Always, levels), interpreted, "{levels} levels, at the first call");
        }
    }
}
