//! One program, interpreted and native: what a call gives, what it raises, what it prints.
//!
//! The engine is stook's own, with two changes: few levels of calls, so that recursion comes to its end, and a
//! measure of how long a program runs. The interpreter runs first. What takes it too long is left out, so nothing
//! that runs natively goes on for ever.
//!
//! Both ways are compared by their text for debugging, which holds types, kinds of errors, messages, positions
//! and the chain of calls.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::grain::{self, Vm};
use rhai::{AST, Dynamic, Engine, EvalAltResult, NativeCallContext, Scope};
use stook::native::{Compiler, Limits, State};
use stook::script::engine;
use stook::script::runtime::{Identity, MAIN, Runtime};

/// Levels of calls.
const LEVELS: usize = 24;
/// How often the interpreter may report progress within a call, and how long it may take: values that double in a
/// loop fill the memory in a few steps.
const LONG: u64 = 40_000;
const LONG_TIME: Duration = Duration::from_millis(100);

/// What became of the calls of a program.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Calls that ran natively, calls that were left to the interpreter, and calls that took too long.
    pub native: usize,
    pub refused: usize,
    pub long: usize,
    /// The functions of the program and what the compiler made of them.
    pub states: Vec<State>,
    /// What ended with an error in the interpreter.
    pub failed: usize,
    /// Where the two differ.
    pub differences: Vec<Difference>,
    /// Where they differ, but the engine's two interpreters do too, and native code gives what the other one does.
    pub quirks: usize,
}

/// The outcomes of a call, in words.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Which of the calls.
    index: usize,
    call: String,
    interpreted: String,
    native: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, interpreted, native, .. } = self;
        write!(out, "{call}\n  interpreted: {interpreted}\n  native:      {native}")
    }
}

impl Findings {
    /// The differences, for people.
    pub fn told(&self) -> String {
        self.differences.iter().map(|difference| format!("{difference}\n")).collect()
    }
}

/// What the function that is called from the script shares with us.
struct Work {
    ast: RefCell<Option<AST>>,
    entry: RefCell<Rc<str>>,
    /// What each call gives where the tree is walked; nothing unless that is asked for.
    walked: RefCell<Option<Vec<String>>>,
    findings: RefCell<Findings>,
    printed: RefCell<String>,
    /// Reports of progress left, and until when.
    fuel: Cell<u64>,
    end: Cell<Option<Instant>>,
}

/// Runs programs both ways.
pub struct Differ {
    engine: Engine,
    work: Rc<Work>,
}

type Outcome = Result<Dynamic, Box<EvalAltResult>>;

impl Differ {
    pub fn new() -> Self {
        engine::prepare();
        let identity = Identity { name: "MainProcess".to_owned(), authkey: Vec::new(), parent: None };
        Runtime::new(MAIN, identity, Vec::new(), Default::default()).install();
        let mut engine = engine::build();
        let work = Rc::new(Work {
            ast: RefCell::default(),
            entry: RefCell::new("".into()),
            walked: RefCell::default(),
            findings: RefCell::default(),
            printed: RefCell::default(),
            fuel: Cell::new(0),
            end: Cell::new(None),
        });
        engine.set_max_call_levels(LEVELS);
        let printer = Rc::clone(&work);
        engine.on_print(move |text| {
            let _ = writeln!(printer.printed.borrow_mut(), "{text}");
        });
        let meter = Rc::clone(&work);
        engine.on_progress(move |_| {
            meter.fuel.set(meter.fuel.get().saturating_sub(1));
            if meter.end.get().is_some_and(|end| Instant::now() > end) {
                meter.fuel.set(0);
            }
            (meter.fuel.get() == 0).then(|| "too long".into())
        });
        let worker = Rc::clone(&work);
        engine.register_fn("run_both_ways", move |context: NativeCallContext| worker.compare(&context));
        Self { engine, work }
    }

    /// Calls function `entry` of `source` with each of the argument lists that its function `arguments` gives.
    ///
    /// # Errors
    /// What is wrong with the source, or with the arguments.
    pub fn run(&self, source: &str, entry: &str) -> Result<Findings, String> {
        let source = format!("{source}\nrun_both_ways();\n");
        let ast = self.engine.compile(&source).map_err(|error| error.to_string())?;
        self.work.ast.replace(Some(ast.clone()));
        self.work.entry.replace(entry.into());
        self.work.findings.take();
        self.work.unmetered();
        let program = grain::Compiler::new().compile(&ast).into_shared();
        let outcome = Vm::new(&self.engine).eval_with_callbacks(&mut Scope::new(), &program);
        self.work.ast.take();
        let _ = outcome.map_err(|error| error.to_string())?;
        let mut findings = self.work.findings.take();
        if !findings.differences.is_empty() {
            self.work.walked.replace(Some(Vec::new()));
            let walked = self.engine.run_ast(&ast);
            let outcomes = self.work.walked.take().unwrap_or_default();
            walked.map_err(|error| error.to_string())?;
            let before = findings.differences.len();
            findings.differences.retain(|found| outcomes.get(found.index) != Some(&found.native));
            findings.quirks = before - findings.differences.len();
        }
        Ok(findings)
    }
}

impl Work {
    fn compare(&self, context: &NativeCallContext) -> Result<(), Box<EvalAltResult>> {
        if self.walked.borrow().is_some() {
            return self.walk(context);
        }
        let ast = self.ast.borrow();
        let Some(ast) = ast.as_ref() else { return Ok(()) };
        let entry = Rc::clone(&self.entry.borrow());
        let calls = context.call_fn_raw("arguments", false, false, &mut [])?;
        let compiler = Compiler::new(context.engine(), ast, Limits::default());
        for (index, call) in calls.into_array()?.into_iter().enumerate() {
            let arguments = call.into_array()?;
            self.one(context, &compiler, &entry, index, &arguments);
        }
        self.findings.borrow_mut().states = compiler.states();
        Ok(())
    }

    fn unmetered(&self) {
        self.fuel.set(u64::MAX);
        self.end.set(None);
    }

    fn one(
        &self,
        context: &NativeCallContext,
        compiler: &Compiler,
        entry: &str,
        index: usize,
        arguments: &[Dynamic],
    ) {
        self.printed.borrow_mut().clear();
        self.fuel.set(LONG);
        self.end.set(Instant::now().checked_add(LONG_TIME));
        let outcome = interpret(context, entry, arguments);
        let short = self.fuel.get() > 0;
        self.unmetered();
        let interpreted = told(&outcome, &self.printed.borrow());
        let mut findings = self.findings.borrow_mut();
        if !short {
            findings.long += 1;
            return;
        }
        findings.failed += usize::from(outcome.is_err());
        drop(outcome);
        drop(findings);
        self.printed.borrow_mut().clear();
        let mut given = arguments.to_vec();
        let outcome = compiler.call(context, entry, &mut given);
        let mut findings = self.findings.borrow_mut();
        let native = match outcome {
            Some(outcome) => {
                findings.native += 1;
                told(&outcome, &self.printed.borrow())
            }
            None => {
                findings.refused += 1;
                // Nothing has happened yet, and the interpreter gets the same arguments.
                let (before, after) = (format!("{arguments:?}"), format!("{given:?}"));
                if before == after && self.printed.borrow().is_empty() {
                    return;
                }
                format!("refused, with {after} and after printing {:?}", self.printed.borrow())
            }
        };
        if native != interpreted {
            let call = format!("{entry}({arguments:?})");
            findings.differences.push(Difference { index, call, interpreted, native });
        }
    }

    /// What the calls give in this context, which is the tree walker's.
    fn walk(&self, context: &NativeCallContext) -> Result<(), Box<EvalAltResult>> {
        let entry = Rc::clone(&self.entry.borrow());
        for call in context.call_fn_raw("arguments", false, false, &mut [])?.into_array()? {
            self.printed.borrow_mut().clear();
            let outcome = interpret(context, &entry, &call.into_array()?);
            let told = told(&outcome, &self.printed.borrow());
            self.walked.borrow_mut().get_or_insert_default().push(told);
        }
        Ok(())
    }
}

/// The call as a worker makes it.
fn interpret(context: &NativeCallContext, entry: &str, arguments: &[Dynamic]) -> Outcome {
    let mut given = arguments.to_vec();
    let mut given: Vec<&mut Dynamic> = given.iter_mut().collect();
    context.call_fn_raw(entry, false, false, &mut given)
}

fn told(outcome: &Outcome, printed: &str) -> String {
    let mut text = match outcome {
        Ok(value) => format!("{} {value:?}", value.type_name()),
        Err(error) => format!("{error:?}"),
    };
    if !printed.is_empty() {
        let _ = write!(text, ", printed {printed:?}");
    }
    text
}
