//! A form from its first instruction to its last.

use std::collections::HashMap;
use std::rc::Rc;

use cranelift_codegen::ir::{
    BlockArg, InstBuilder, StackSlotData, StackSlotKind, UserFuncName, Value, types,
};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{FuncId, Module};

use super::machine::Machine;
use super::value::{Place, Val, flags, machine};
use super::{Generator, Outcome, Storage, Surroundings};
use crate::native::ir::{Function, Node};
use crate::native::layout::Layout;
use crate::native::lend;
use crate::native::runtime::Helper;
use crate::native::types::{Form, Key, Type};

/// Compiles a form as `id`. False if the code generator refuses it.
pub fn generate(
    machine: &mut Machine,
    around: &dyn Surroundings,
    (key, form, function): (&Key, &Form, &Rc<Function>),
    id: FuncId,
    layout: Layout,
) -> bool {
    let mut context = machine.module().make_context();
    context.func.signature = machine.signature(&key.parameters, form.result);
    context.func.name = UserFuncName::user(0, id.as_u32());
    let mut shared = std::mem::take(&mut machine.context);
    {
        let mut b = FunctionBuilder::new(&mut context.func, &mut shared);
        let frame_slot = b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 0, 4));
        let (entry, body) = (b.create_block(), b.create_block());
        b.append_block_params_for_function_params(entry);
        let given = b.block_params(entry).to_vec();
        let (fails, returns) = (b.create_block(), b.create_block());
        if !form.result.is_boxed() && !matches!(form.result, Type::Unit | Type::Never) {
            b.append_block_param(returns, self::machine(form.result));
        }
        b.switch_to_block(entry);
        let frame = b.ins().stack_addr(types::I64, frame_slot, 0);
        b.ins().jump(body, &[]);
        b.switch_to_block(body);
        let mut generator = Generator {
            b,
            around,
            machine,
            layout,
            function: Rc::clone(function),
            form,
            storage: Vec::new(),
            helpers: HashMap::new(),
            callees: HashMap::new(),
            run: given[0],
            level: given[1],
            out: form.result.is_boxed().then(|| given[given.len() - 1]),
            frame,
            frame_slot,
            slots: 0,
            free: Vec::new(),
            live: Vec::new(),
            loops: Vec::new(),
            inside: Vec::new(),
            fails,
            returns,
        };
        generator.variables();
        generator.parameters(&key.parameters, &given);
        generator.poll();
        let value = generator.node(&function.body);
        generator.give(value);
        generator.ends(entry);
    }
    let defined = machine.module().define_function(id, &mut context).is_ok();
    let size = context.compiled_code().map_or(0, |code| code.code_info().total_size as usize);
    machine.bytes += size;
    machine.module().clear_context(&mut context);
    machine.context = shared;
    defined
}

impl Generator<'_, '_> {
    /// Gives every variable its place.
    fn variables(&mut self) {
        let function = Rc::clone(&self.function);
        let items = lend::items(&function.body, &function.variables);
        for at in 0..function.variables.len() {
            let lent = at < function.parameters && function.lends[at] || items.contains(&at);
            let storage = match self.form.variables[at] {
                kind if kind.is_boxed() && lent => Storage::Lent(self.b.declare_var(types::I64)),
                kind if kind.is_boxed() => {
                    self.slots += 1;
                    Storage::Slot(self.slots - 1)
                }
                Type::Unit | Type::Never => Storage::Unit,
                kind => Storage::Register(self.b.declare_var(machine(kind)), kind),
            };
            // Defined on every path, also those that never come to its `let`.
            if let Storage::Register(variable, kind) = storage {
                let zero = self.zero(kind);
                self.b.def_var(variable, zero);
            } else if let Storage::Lent(variable) = storage {
                let frame = self.frame;
                self.b.def_var(variable, frame);
            }
            self.storage.push(storage);
        }
    }

    /// Takes the parameters in.
    fn parameters(&mut self, kinds: &[Type], given: &[Value]) {
        let mut next = 2;
        for (at, kind) in kinds.iter().enumerate() {
            if *kind == Type::Unit {
                continue;
            }
            let value = given[next];
            next += 1;
            match (self.storage[at], *kind) {
                (Storage::Lent(variable), kind) if kind.is_boxed() => self.b.def_var(variable, value),
                (Storage::Slot(slot), kind) if kind.is_boxed() => {
                    self.copy(Place::Lent(value), Place::Slot(slot));
                    self.write(Place::Lent(value), Val::Unit);
                }
                (Storage::Slot(slot), kind) => {
                    let value = self.typed(kind, value);
                    self.write(Place::Slot(slot), value);
                }
                (Storage::Lent(variable), kind) => {
                    // An exposed variable is never lent, so this one was raised to any type by an assignment, which
                    // would have unlent it.
                    let value = self.typed(kind, value);
                    let place = self.boxed(value);
                    let pointer = self.pointer(place);
                    self.b.def_var(variable, pointer);
                }
                (Storage::Register(variable, _), _) => self.b.def_var(variable, value),
                (Storage::Unit, _) => {}
            }
        }
    }

    /// Ends the function with a value.
    pub fn give(&mut self, value: Val) {
        match (self.form.result, self.out) {
            (_, Some(out)) => {
                if !matches!(value, Val::Never) {
                    self.put(Place::Lent(out), value);
                }
                self.b.ins().jump(self.returns, &[]);
            }
            (Type::Unit | Type::Never, _) => {
                self.release(value);
                self.b.ins().jump(self.returns, &[]);
            }
            (kind, _) => {
                let value = self.scalar(value, kind);
                self.b.ins().jump(self.returns, &[BlockArg::Value(value)]);
            }
        }
    }

    fn ends(mut self, entry: cranelift_codegen::ir::Block) {
        let count = self.slots as i64;
        for (block, status) in [(self.returns, 0), (self.fails, 1)] {
            self.b.switch_to_block(block);
            if count > 0 {
                let count = self.b.ins().iconst(types::I64, count);
                let frame = self.frame;
                self.helper(Helper::DropFrame, &[frame, count]);
            }
            let value = match self.b.block_params(block).first() {
                Some(value) => *value,
                None => self.zero(self.form.result),
            };
            let status = self.b.ins().iconst(types::I64, status);
            self.b.ins().return_(&[value, status]);
        }
        // The frame is as large as was needed, and every slot holds `()` from the start.
        self.b.func.sized_stack_slots[self.frame_slot].size = self.slots as u32 * 16;
        self.begin_frame(entry);
        self.b.seal_all_blocks();
        let configuration = self.machine.module().target_config();
        self.b.finalize(configuration);
    }

    /// Writes to the entry block what waited for the number of slots.
    fn begin_frame(&mut self, entry: cranelift_codegen::ir::Block) {
        use cranelift_codegen::cursor::{Cursor, FuncCursor};
        let (frame, word, slots) = (self.frame, self.layout.unit as i64, self.slots);
        let Some(jump) = self.b.func.layout.last_inst(entry) else { return };
        if slots == 0 {
            return;
        }
        let mut cursor = FuncCursor::new(self.b.func).at_inst(jump);
        let word = cursor.ins().iconst(types::I64, word);
        for slot in 0..slots {
            cursor.ins().store(flags(), word, frame, slot as i32 * 16);
        }
    }

    /// Asks whether there is an interrupt: at the start of a function and at every turn of a loop.
    pub fn poll(&mut self) {
        let mut any = None;
        for address in crate::native::runtime::flags() {
            let address = self.b.ins().iconst(types::I64, address);
            let flag = self.b.ins().load(types::I8, flags(), address, 0);
            any = Some(match any {
                None => flag,
                Some(other) => self.b.ins().bor(flag, other),
            });
        }
        let Some(any) = any else { return };
        let (asks, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(asks);
        self.b.ins().brif(any, asks, &[], next, &[]);
        self.b.switch_to_block(asks);
        let (run, level) = (self.run, self.level);
        let status = self.asked(Helper::Poll, &[run, level]);
        let fails = self.fails;
        self.b.ins().brif(status, fails, &[], next, &[]);
        self.b.switch_to_block(next);
    }

    /// The place where a branch's value goes.
    pub fn outcome(&mut self, kind: Type) -> Outcome {
        match kind {
            Type::Never | Type::Unit => Outcome::Nothing,
            kind if kind.is_boxed() => Outcome::Slot(self.temporary()),
            kind => Outcome::Register(self.b.declare_var(machine(kind)), kind),
        }
    }

    pub fn deliver(&mut self, outcome: Outcome, value: Val) {
        match outcome {
            Outcome::Nothing => self.release(value),
            Outcome::Register(variable, kind) => {
                let value = self.scalar(value, kind);
                self.b.def_var(variable, value);
            }
            Outcome::Slot(_) if matches!(value, Val::Never) => {}
            Outcome::Slot(slot) => self.put(Place::Own(slot), value),
        }
    }

    pub fn delivered(&mut self, outcome: Outcome, kind: Type) -> Val {
        match outcome {
            Outcome::Nothing if kind == Type::Never => Val::Never,
            Outcome::Nothing => Val::Unit,
            Outcome::Register(variable, kind) => {
                let value = self.b.use_var(variable);
                self.typed(kind, value)
            }
            Outcome::Slot(slot) => Val::Any(Place::Own(slot)),
        }
    }

    /// A variable's value.
    pub fn read(&mut self, variable: usize) -> Val {
        match self.storage[variable] {
            Storage::Register(register, kind) => {
                let value = self.b.use_var(register);
                self.typed(kind, value)
            }
            Storage::Slot(slot) => Val::Any(Place::Slot(slot)),
            Storage::Lent(register) => {
                let pointer = self.b.use_var(register);
                let is_this = variable == 0 && self.function.uses_this;
                Val::Any(if is_this { Place::Reference(pointer) } else { Place::Lent(pointer) })
            }
            Storage::Unit => Val::Unit,
        }
    }

    /// A variable's value, which nobody reads any more.
    pub fn take(&mut self, variable: usize) -> Val {
        match self.storage[variable] {
            Storage::Slot(slot) if !self.function.variables[variable].exposed => {
                let value = self.temporary();
                self.copy(Place::Slot(slot), Place::Own(value));
                self.write(Place::Slot(slot), Val::Unit);
                Val::Any(Place::Own(value))
            }
            _ => self.read(variable),
        }
    }

    pub fn node(&mut self, node: &Node) -> Val {
        let (live, free) = (self.live.clone(), self.free.clone());
        let value = self.any_node(node);
        if matches!(value, Val::Never) {
            // What was in use on the way is dropped by whoever left.
            self.back_to(&live, &free);
        }
        value
    }

    fn any_node(&mut self, node: &Node) -> Val {
        match node {
            Node::Unit => Val::Unit,
            Node::Bool(value) => Val::Bool(self.b.ins().iconst(types::I8, i64::from(*value))),
            Node::Int(value) => Val::Int(self.b.ins().iconst(types::I64, *value)),
            Node::Float(value) => Val::Float(self.b.ins().f64const(*value)),
            Node::Char(value) => Val::Char(self.b.ins().iconst(types::I32, i64::from(u32::from(*value)))),
            Node::Constant(constant) => Val::Any(self.constant(*constant)),
            Node::Read(variable) => self.read(*variable),
            Node::Take(variable) => self.take(*variable),
            Node::Block(nodes, ended) => self.block(nodes, ended),
            Node::Let(variable, value) => self.declare(*variable, value),
            Node::Assign(variable, value) => self.set(*variable, value),
            Node::Update(variable, op, value, site) => self.update_variable(*variable, *op, value, *site),
            Node::Not(value, site) => self.not(value, *site),
            Node::Negate(value, site) => self.negate(value, *site),
            Node::Binary(op, left, right, site) => self.binary(*op, left, right, *site),
            Node::Logic(all, operands) => self.logic(*all, operands),
            Node::Coalesce(nodes) => self.coalesce(nodes),
            Node::If(condition, site, body, branch) => self.branch(node, condition, *site, body, branch),
            Node::While(condition, body) => self.while_loop(node, condition.as_ref(), body),
            Node::Do(body, condition, site, goes_on) => self.do_loop(node, body, condition, *site, *goes_on),
            Node::Range(variable, counter, bounds, closed, body, site) => {
                self.range(node, (*variable, *counter), bounds, *closed, body, *site)
            }
            Node::Each(each) => self.each(node, each),
            Node::Switch(switch) => self.switch(node, switch),
            Node::Break(value) => self.leave(value.as_deref()),
            Node::Continue => self.next_turn(),
            Node::Return(value) => self.return_value(value.as_deref()),
            Node::Throw(value, site) => self.throw(value.as_deref(), *site),
            Node::Try(body, caught, handler) => self.attempt(node, body, *caught, handler),
            Node::With(with) => self.with(node, with),
            Node::Call(function, arguments, site) => self.call(*function, arguments, *site),
            Node::Native(name, arguments, site) => self.native(name, arguments, *site),
            Node::Get(chain) => self.get(chain),
            Node::Set(chain, op, value) => self.set_chain(chain, *op, value),
            Node::Method(chain, name, count, site) => self.method(chain, name, *count, *site),
            Node::Text(nodes, site) => self.text(nodes, *site),
            Node::Array(nodes) => self.array(nodes),
            Node::Map(template, values, places) => self.map(*template, values, places),
            Node::Fragment(fragment) => self.fragment(fragment),
        }
    }
}
