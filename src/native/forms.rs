//! The compiled forms of a program's functions, and how one is made.
//!
//! Invariants
//! 1. What is entered has been finished: an address is only handed out after the memory is executable.
//! 2. After the code generator has failed once it isn't used again; what was compiled before stays.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use cranelift_module::FuncId;

use super::codegen::machine::Machine;
use super::codegen::{self, Surroundings};
use super::infer;
use super::ir::Function;
use super::layout::layout;
use super::program::Program;
use super::site::SiteId;
use super::types::{Form, Found, Functions, Key, Type};

/// The address of a thunk, see [`codegen::thunk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(pub *const u8);

/// See the head of this file.
#[derive(Default)]
pub struct Forms {
    machine: Option<Machine>,
    failed: bool,
    compiled: HashMap<Key, (FuncId, Type)>,
    /// For each function, its forms that can be entered.
    entries: HashMap<usize, Vec<(Vec<Type>, Entry)>>,
}

struct Around<'a> {
    program: &'a Program,
    compiled: &'a HashMap<Key, (FuncId, Type)>,
    found: &'a Found,
}

impl Functions for Around<'_> {
    fn lowered(&self, function: usize) -> Option<Rc<Function>> {
        self.program.lowered(function)
    }

    fn defines(&self, name: &str) -> bool {
        self.program.defines(name)
    }

    fn constant_type(&self, constant: usize) -> Type {
        self.program.constant_type(constant)
    }

    fn result(&self, key: &Key) -> Option<Type> {
        self.program.result(key)
    }
}

impl Surroundings for Around<'_> {
    fn site(&self, site: SiteId) -> i64 {
        std::ptr::from_ref(self.program.pool.borrow().get(site)).addr() as i64
    }

    fn constant(&self, constant: usize) -> i64 {
        std::ptr::from_ref(self.program.pool.borrow().value(constant)).addr() as i64
    }

    fn form(&self, key: &Key) -> Option<(FuncId, Type)> {
        self.compiled.get(key).copied()
    }

    fn types(&self) -> (&[(Key, Form)], &HashMap<Key, usize>) {
        (&self.found.forms, &self.found.places)
    }
}

impl Forms {
    pub fn entry(&self, function: usize, types: &[Type]) -> Option<Entry> {
        let known = self.entries.get(&function)?;
        known.iter().find(|(parameters, _)| parameters == types).map(|(_, entry)| *entry)
    }

    /// The types that a function can be entered with.
    pub fn types(&self, function: usize) -> Vec<Vec<Type>> {
        let mut types: Vec<Vec<Type>> = self
            .compiled
            .keys()
            .filter(|key| key.function == function)
            .map(|key| key.parameters.clone())
            .collect();
        types.sort_by_key(|types| format!("{types:?}"));
        types
    }

    /// How many forms of a function there are.
    pub fn count(&self, function: usize) -> usize {
        self.compiled.keys().filter(|key| key.function == function).count()
    }

    pub fn bytes(&self) -> usize {
        self.machine.as_ref().map_or(0, |machine| machine.bytes)
    }

    /// Compiles a form and all that it calls. What goes wrong in the code generator reaches nobody: the function is
    /// interpreted.
    pub fn compile(&mut self, program: &Program, key: &Key) -> Option<Entry> {
        if self.failed {
            return None;
        }
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let compiling = AssertUnwindSafe(|| self.compile_now(program, key));
        let compiled = std::panic::catch_unwind(compiling).ok().flatten();
        std::panic::set_hook(loud);
        // What was begun and not finished would be linked to.
        self.failed |= compiled.is_none();
        compiled
    }

    fn compile_now(&mut self, program: &Program, key: &Key) -> Option<Entry> {
        let layout = layout()?;
        if self.machine.is_none() {
            self.machine = Machine::new();
        }
        let machine = self.machine.as_mut()?;
        let found = if self.compiled.contains_key(key) {
            Found { forms: Vec::new(), places: HashMap::new() }
        } else {
            infer::infer(program, key.clone())
        };
        for (key, form) in &found.forms {
            let signature = machine.signature(&key.parameters, form.result);
            let id = machine.declare(&program.heads[key.function].name, &signature)?;
            self.compiled.insert(key.clone(), (id, form.result));
        }
        let around = Around { program, compiled: &self.compiled, found: &found };
        let mut well = true;
        for (key, form) in &found.forms {
            let Some(function) = program.lowered(key.function) else { continue };
            let (id, _) = self.compiled[key];
            well &= codegen::generate(machine, &around, (key, form, &function), id, layout);
        }
        let (id, result) = *self.compiled.get(key)?;
        let thunk = codegen::thunk(machine, key, result, id, layout);
        let thunk = thunk.filter(|_| well)?;
        machine.module().finalize_definitions().ok()?;
        let entry = Entry(machine.module().get_finalized_function(thunk));
        let results = found.forms.iter().map(|(key, form)| (key.clone(), form.result));
        program.results.borrow_mut().extend(results);
        self.entries.entry(key.function).or_default().push((key.parameters.clone(), entry));
        Some(entry)
    }
}
