//! A function that is called many times from outside the script: a pool's.
//!
//! Each call from outside has to find the function, and to copy what the running script's calls have in common.
//! Where the program has compiled the function, both are done once, and one machine makes all the calls.
//!
//! After a great many calls, or when it is known that so many will come, the function is machine code, and the calls go
//! straight to it, if there can be any for it and for the arguments at hand.

use std::mem;
use std::rc::Rc;

use rhai::grain::Vm;
use rhai::{Dynamic, Engine, FnArgsVec, FnPtr, NativeCallContext, Position};

use super::gate::{Lowered, Repeated};
use super::raise::{Raise, RhaiResult};
use super::runtime;
use crate::arena::sweep;
use crate::sys::signal;

/// In a larger program a function is found faster by its hash, which the machine does not do.
const FUNCTIONS: usize = 64;

/// To compile a function of a few lines takes about as long as so many calls of it by the machine.
const MANY: usize = 5000;

/// See the head of this file.
pub struct Callee<'a> {
    context: &'a NativeCallContext<'a>,
    function: FnPtr,
    lowered: Option<Rc<Lowered>>,
    machine: Option<Machine<'a>>,
    /// The number of arguments for which the program's own function is the one to call.
    fits: Option<usize>,
    /// Calls so far, and those that are known to come.
    calls: usize,
    repeated: Asked,
}

struct Machine<'a> {
    vm: Vm<'a>,
    level: usize,
}

/// The machine code.
enum Asked {
    /// Nobody has asked for it.
    NotYet,
    /// There is some.
    Yes(Box<dyn Repeated>),
    /// There is none.
    No,
}

impl<'a> Callee<'a> {
    /// `function`, to be called in `context`.
    pub fn new(context: &'a NativeCallContext<'a>, function: FnPtr) -> Self {
        let lowered = runtime::compiled();
        let small = lowered.as_ref().is_some_and(|lowered| lowered.program.num_functions() <= FUNCTIONS);
        let machine = small.then(|| {
            let global = context.global_runtime_state();
            let level = global.level + 1;
            Machine { vm: Vm::with_global_state(context.engine(), global.clone()), level }
        });
        Self { context, function, lowered, machine, fits: None, calls: 0, repeated: Asked::NotYet }
    }

    /// The engine that it is called in.
    pub fn engine(&self) -> &Engine {
        self.context.engine()
    }

    /// So many calls will come.
    pub fn expect(&mut self, calls: usize) {
        self.calls = self.calls.saturating_add(calls);
    }

    /// Calls it; it takes the arguments. The call stands in no script, so it is no part of the chain.
    ///
    /// # Errors
    /// What it raises.
    pub fn call(&mut self, arguments: &mut [Dynamic]) -> RhaiResult {
        let captured = self.function.curry().len();
        if self.is_own(captured + arguments.len()) {
            // What it has captured is shared between its calls, and that is nothing for machine code.
            if captured == 0
                && self.calls >= MANY
                && let Some(result) = self.call_repeated(arguments)
            {
                return result.map_err(nowhere);
            }
            if let (Some(lowered), Some(machine)) = (&self.lowered, &mut self.machine) {
                let captured = self.function.curry().iter().cloned();
                let all: FnArgsVec<Dynamic> = captured.chain(arguments.iter_mut().map(mem::take)).collect();
                let (name, level) = (self.function.fn_name(), machine.level);
                return machine.vm.call_function(&lowered.program, name, all, level, Position::NONE);
            }
        }
        self.function.call_raw(self.context, None, arguments).map_err(nowhere)
    }

    /// Whether the function of the program is the one that a call with so many arguments means.
    #[inline]
    fn is_own(&mut self, count: usize) -> bool {
        if self.fits != Some(count) {
            // The last are the first to be asked, and those of the program stand there.
            let own = self.context.namespaces().last().filter(|_| self.lowered.is_some());
            let found = own.and_then(|own| own.get_script_fn(self.function.fn_name(), count));
            self.fits = found.filter(|found| found.this_type.is_none()).map(|_| count);
            self.repeated = Asked::NotYet;
        }
        self.fits.is_some()
    }

    /// The call by machine code, if there is any.
    fn call_repeated(&mut self, arguments: &mut [Dynamic]) -> Option<RhaiResult> {
        if let Asked::NotYet = self.repeated {
            let lowered = self.lowered.as_ref();
            let found =
                lowered.and_then(|lowered| lowered.repeated(self.function.fn_name(), arguments.len()));
            self.repeated = found.map_or(Asked::No, Asked::Yes);
        }
        let Asked::Yes(repeated) = &mut self.repeated else { return None };
        // As the interpreter does at each call; and it raises the error of an interrupt.
        sweep::after_reaping();
        if signal::interrupted() {
            return None;
        }
        let result = repeated.call(self.context, arguments);
        if result.is_none() {
            self.repeated = Asked::No;
        }
        result
    }
}

fn nowhere(mut error: Raise) -> Raise {
    error.set_position(Position::NONE);
    error
}
