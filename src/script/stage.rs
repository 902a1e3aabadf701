//! Where a started process does its job: an engine, and the program loaded into it.
//!
//! The program's top level ends with a call of our own, made when everything the script defines is there: so
//! targets see its private functions, constants and imports like any function of the script does.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, NativeCallContext, Scope};

use super::carry::Carry;
use super::gate::{self, Lowered};
use super::heritage::Heritage;
use super::job::{Done, Job};
use super::program::{Program, Style};
use super::{atexit, engine, kept, report, run, runtime, time};
use crate::process::method::Method;
use crate::process::start;

/// The call that stands at the end of a child's program.
const TAIL: &str = "__stook_enter__()";

/// See the head of this file.
pub struct Stage {
    engine: &'static Engine,
    job: Rc<RefCell<Option<Job>>>,
    done: Rc<RefCell<Option<Done>>>,
    ready: RefCell<Option<Rc<Lowered>>>,
    /// The last program: what of it is machine code may be called to the end.
    loaded: RefCell<Option<Rc<Lowered>>>,
}

impl Stage {
    /// Builds the engine. The runtime is installed.
    pub fn build() -> Self {
        let mut engine = engine::build();
        let job: Rc<RefCell<Option<Job>>> = Rc::default();
        let done: Rc<RefCell<Option<Done>>> = Rc::default();
        let (todo, result) = (Rc::clone(&job), Rc::clone(&done));
        engine.register_fn("__stook_enter__", move |context: NativeCallContext| {
            runtime::set_loading(false);
            let job = todo.borrow_mut().take();
            if let Some(job) = job {
                let done = job.perform(&context);
                result.replace(Some(done));
            }
        });
        let engine = kept::engine(engine);
        Self { engine, job, done, ready: RefCell::default(), loaded: RefCell::default() }
    }

    /// Compiles the program now, for a job that comes later. What is wrong with it is said then.
    pub fn prepare(&self) {
        let ast = runtime::program().compile(self.engine, Some(TAIL));
        self.ready.replace(ast.ok().map(|ast| self.lower(ast)));
    }

    /// What every job does, on nothing: the pages of memory that it takes are the process's own when the real
    /// one comes.
    pub fn rehearsal(&self) -> impl Fn() {
        let heritage = Heritage::new("", &[], Method::ForkServer).to_value();
        let parcel = start::pack(&[], &[("heritage", &heritage)], &Carry).ok();
        let ast = self.engine.compile("let f = |x| [x].len(); f.call(1)").ok();
        let compiled = ast.map(|ast| gate::lower(self.engine, ast));
        move || {
            let values = parcel.as_ref().and_then(|parcel| start::unpack(parcel, &Carry).ok());
            values.into_iter().flatten().for_each(|value| drop(Heritage::from_value(value)));
            if let Some(compiled) = &compiled {
                let _ = run::evaluate(self.engine, &mut Scope::new(), compiled);
            }
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.engine
    }

    /// Loads the program and does the job, as often as the program grows; gives the exit code.
    pub fn perform(&self, job: Job) -> i32 {
        self.job.replace(Some(job));
        let code = self.live();
        atexit::run(self.engine);
        code
    }

    fn live(&self) -> i32 {
        loop {
            let failed = self.load();
            let done = self.done.borrow_mut().take();
            match done {
                Some(Done::Result(result)) => return run::outcome(&result),
                Some(Done::Again(parcel, again)) => match Program::unpack(&parcel) {
                    Ok(program) => {
                        runtime::set_program(program, parcel);
                        self.job.replace(Some(again));
                    }
                    Err(error) => {
                        time::eprint(&format!("stook: the program can't be read: {error}"));
                        return 1;
                    }
                },
                None => return failed.unwrap_or(0),
            }
        }
    }

    /// Runs the program's top level, which ends with the job. An exit code if it did not come that far.
    fn load(&self) -> Option<i32> {
        runtime::set_loading(true);
        let failed = match self.ready.take() {
            Some(compiled) => self.evaluate(&compiled),
            None => self.compile_and_evaluate(&runtime::program()),
        };
        if failed.is_some() || self.job.borrow().is_none() {
            return failed;
        }
        if runtime::with_exit(Option::is_some) {
            return Some(run::outcome(&Ok(Dynamic::UNIT)));
        }
        // The top level returned early. Its functions are there all the same.
        let mut program = runtime::program();
        for unit in &mut program.units {
            unit.style = Style::Entry;
        }
        self.compile_and_evaluate(&program)
    }

    fn compile_and_evaluate(&self, program: &Program) -> Option<i32> {
        match program.compile(self.engine, Some(TAIL)) {
            Ok(ast) => self.evaluate(&self.lower(ast)),
            Err(unreadable) => {
                time::eprint(&report::unreadable(&unreadable));
                Some(1)
            }
        }
    }

    /// The program for the virtual machine. What was machine code of the one before is none now.
    fn lower(&self, ast: AST) -> Rc<Lowered> {
        let lowered = gate::lower(self.engine, ast);
        self.loaded.replace(Some(Rc::clone(&lowered)));
        lowered
    }

    fn evaluate(&self, compiled: &Rc<Lowered>) -> Option<i32> {
        match run::evaluate(self.engine, &mut Scope::new(), compiled) {
            Ok(_) => None,
            error => Some(run::outcome(&error)),
        }
    }
}
