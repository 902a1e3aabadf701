//! A function that is called many times from outside the script: a pool's.
//!
//! Each call from outside has to find the function, and to copy what the running script's calls have in common.
//! Where the program has compiled the function, both are done once, and one machine makes all the calls.

use std::mem;

use rhai::grain::Vm;
use rhai::{Dynamic, Engine, FnArgsVec, FnPtr, NativeCallContext, Position};

use super::raise::RhaiResult;
use super::run::Compiled;
use super::runtime;

/// In a larger program a function is found faster by its hash, which the machine does not do.
const FUNCTIONS: usize = 64;

/// See the head of this file.
pub struct Callee<'a> {
    context: &'a NativeCallContext<'a>,
    function: FnPtr,
    machine: Option<Machine<'a>>,
}

struct Machine<'a> {
    program: Compiled,
    vm: Vm<'a>,
    level: usize,
    /// The number of arguments for which the program's own function is the one to call.
    fits: Option<usize>,
}

impl<'a> Callee<'a> {
    /// `function`, to be called in `context`.
    pub fn new(context: &'a NativeCallContext<'a>, function: FnPtr) -> Self {
        let program = runtime::compiled().filter(|program| program.num_functions() <= FUNCTIONS);
        let machine = program.map(|program| {
            let global = context.global_runtime_state();
            let level = global.level + 1;
            Machine {
                program,
                vm: Vm::with_global_state(context.engine(), global.clone()),
                level,
                fits: None,
            }
        });
        Self { context, function, machine }
    }

    /// The engine that it is called in.
    pub fn engine(&self) -> &Engine {
        self.context.engine()
    }

    /// Calls it; it takes the arguments. The call stands in no script, so it is no part of the chain.
    ///
    /// # Errors
    /// What it raises.
    pub fn call(&mut self, arguments: &mut [Dynamic]) -> RhaiResult {
        let count = self.function.curry().len() + arguments.len();
        let compiled = self.is_compiled(count);
        match &mut self.machine {
            Some(machine) if compiled => {
                let Machine { program, vm, level, .. } = machine;
                let captured = self.function.curry().iter().cloned();
                let all: FnArgsVec<Dynamic> = captured.chain(arguments.iter_mut().map(mem::take)).collect();
                vm.call_function(program, self.function.fn_name(), all, *level, Position::NONE)
            }
            _ => self.function.call_raw(self.context, None, arguments).map_err(|mut error| {
                error.set_position(Position::NONE);
                error
            }),
        }
    }

    /// Whether the program has compiled the function for so many arguments.
    #[inline]
    fn is_compiled(&mut self, count: usize) -> bool {
        let Some(machine) = &mut self.machine else { return false };
        if machine.fits != Some(count) {
            // The last are the first to be asked, and those of the program stand there.
            let own = self.context.namespaces().last();
            let found = own.and_then(|own| own.get_script_fn(self.function.fn_name(), count));
            machine.fits = found.filter(|found| found.this_type.is_none()).map(|_| count);
        }
        machine.fits.is_some()
    }
}
