//! Machine code for one form of a function.
//!
//! Code for a form has the signature `(run, level, parameters.., [out]) -> (value, status)`: a static result is the
//! first value, any other is written to `out`. Status 0 is well, 1 an error that stands in the run.
//!
//! Invariants
//! 1. `level` is the depth of the form's own call; whoever calls has checked it.
//! 2. A parameter of any type comes as a pointer: lent if the function only reads it, else given, and moved out at
//!    once. A result's place is plain before the call, and after one that failed.
//! 3. Blocks are switched to by whoever ends the one before: after an expression the current block is open.

mod access;
mod call;
mod chain;
mod dynamic;
mod each;
mod element;
mod flow;
mod function;
mod literal;
pub mod machine;
mod scalar;
mod standard;
mod switch;
mod thunk;
mod truth;
mod value;
mod with;

use std::collections::HashMap;
use std::rc::Rc;

use cranelift_codegen::ir::{Block, FuncRef, InstBuilder, StackSlot, Value};
use cranelift_frontend::{FunctionBuilder, Variable};

pub use function::generate;
pub use thunk::thunk;
use value::{Place, Val};

use super::ir::{Function, Node};
use super::layout::Layout;
use super::runtime::Helper;
use super::site::SiteId;
use super::types::{Form, Key, Type};

/// What surrounds a form while it is generated.
pub trait Surroundings: super::types::Functions {
    /// The address of a site.
    fn site(&self, site: SiteId) -> i64;
    /// The address of a constant.
    fn constant(&self, constant: usize) -> i64;
    /// The form of a called function.
    fn form(&self, key: &Key) -> Option<(cranelift_module::FuncId, Type)>;
    /// The forms found together with this one.
    fn types(&self) -> (&[(Key, Form)], &HashMap<Key, usize>);
}

/// Where a variable lives.
#[derive(Clone, Copy)]
enum Storage {
    /// In a register, of a static type.
    Register(Variable, Type),
    /// In a slot of the frame.
    Slot(usize),
    /// At the caller's; a register holds the pointer.
    Lent(Variable),
    /// It holds nothing but `()`.
    Unit,
}

/// A loop around the place.
struct Loop {
    goes_on: Block,
    ends: Block,
    result: Outcome,
    /// How many temporaries were live before it.
    live: usize,
    /// How much was entered before it.
    inside: usize,
}

/// What has to be left on the way out of a block.
#[derive(Clone, Copy)]
enum Inside {
    /// A handler of errors.
    Handler,
    /// A resource, outside of which errors go to this block.
    With(Block),
}

/// Where the value of a branch or a loop goes.
#[derive(Clone, Copy)]
pub enum Outcome {
    Nothing,
    Register(Variable, Type),
    Slot(usize),
}

/// Generates one form.
pub struct Generator<'a, 'f> {
    b: FunctionBuilder<'f>,
    around: &'a dyn Surroundings,
    machine: &'a mut machine::Machine,
    layout: Layout,
    function: Rc<Function>,
    form: &'a Form,
    storage: Vec<Storage>,
    helpers: HashMap<Helper, FuncRef>,
    callees: HashMap<cranelift_module::FuncId, FuncRef>,
    run: Value,
    level: Value,
    out: Option<Value>,
    frame: Value,
    frame_slot: StackSlot,
    /// Slots of the frame so far, the temporaries that are free, and those in use.
    slots: usize,
    free: Vec<usize>,
    live: Vec<usize>,
    loops: Vec<Loop>,
    inside: Vec<Inside>,
    /// Where errors go.
    fails: Block,
    /// Where the function's value goes.
    returns: Block,
}

impl Generator<'_, '_> {
    fn site(&mut self, site: SiteId) -> Value {
        let address = self.around.site(site);
        self.b.ins().iconst(cranelift_codegen::ir::types::I64, address)
    }

    fn constant(&mut self, constant: usize) -> Place {
        let address = self.around.constant(constant);
        Place::Lent(self.b.ins().iconst(cranelift_codegen::ir::types::I64, address))
    }

    /// Calls a helper; the result is its first.
    fn helper(&mut self, helper: Helper, arguments: &[Value]) -> Option<Value> {
        let reference = match self.helpers.get(&helper) {
            Some(known) => *known,
            None => {
                let reference = self.machine.helper(helper, self.b.func);
                self.helpers.insert(helper, reference);
                reference
            }
        };
        let call = self.b.ins().call(reference, arguments);
        self.b.inst_results(call).first().copied()
    }

    /// A helper that gives a status or a number.
    fn asked(&mut self, helper: Helper, arguments: &[Value]) -> Value {
        match self.helper(helper, arguments) {
            Some(value) => value,
            None => self.b.ins().iconst(cranelift_codegen::ir::types::I64, 0),
        }
    }

    /// Goes to where errors go if the status isn't 0.
    fn check(&mut self, status: Value) {
        let next = self.b.create_block();
        let fails = self.fails;
        self.b.ins().brif(status, fails, &[], next, &[]);
        self.b.switch_to_block(next);
    }

    /// What follows is never reached.
    fn unreachable(&mut self) -> Val {
        let block = self.b.create_block();
        self.b.switch_to_block(block);
        Val::Never
    }

    /// The static type of a node's value.
    fn kind(&self, node: &Node) -> Type {
        let (results, places) = self.around.types();
        let functions: &dyn super::types::Functions = self.around;
        super::pass::Pass::looking(functions, results, places, self.form.clone()).node(node)
    }
}
