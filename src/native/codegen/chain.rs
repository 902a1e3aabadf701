//! Chains of properties and indexes, walked by pointers into arrays and maps.
//!
//! Invariants
//! 1. A walk changes nothing before its last step. Where it meets what is no plain array or map, the engine walks
//!    the whole chain instead, with the same operands.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value, types};

use super::value::{Place, Val};
use super::{Generator, Storage};
use crate::native::elements::{self, Effect};
use crate::native::ir::{Accessors, Chain, Node, Op, Root, Step};
use crate::native::lend;
use crate::native::numeric;
use crate::native::runtime::Helper;
use crate::native::site::SiteId;
use crate::native::types::Type;

/// Where a walk begins.
pub struct Start {
    pub root: Val,
    pub operands: Vec<Val>,
}

impl Generator<'_, '_> {
    /// Evaluates a chain's operands, then its root.
    pub fn start(&mut self, chain: &Chain, by_reference: bool) -> Option<Start> {
        let mut operands = Vec::with_capacity(chain.operands.len());
        for (at, operand) in chain.operands.iter().enumerate() {
            let value = self.node(operand);
            let rest = &chain.operands[at + 1..];
            let value = self.kept_before(value, rest.iter());
            let value = match &chain.root {
                Root::Value(root) => self.kept(value, root),
                Root::Variable(_) => value,
            };
            if matches!(value, Val::Never) {
                return None;
            }
            operands.push(value);
        }
        let root = match &chain.root {
            Root::Variable(variable) => self.read(*variable),
            Root::Value(value) => self.node(value),
        };
        if matches!(root, Val::Never) {
            return None;
        }
        // A constant is not handed out to be changed; what isn't in memory gets a place there.
        let root = match (root, &chain.root) {
            (Val::Any(Place::Lent(_)), Root::Value(_)) if by_reference => Place::Own(self.owned(root)),
            (root, _) => self.boxed(root),
        };
        Some(Start { root: Val::Any(root), operands })
    }

    pub fn finish(&mut self, start: Start) {
        for value in start.operands.into_iter().rev() {
            self.release(value);
        }
        self.release(start.root);
    }

    pub fn is_constant(&self, chain: &Chain) -> bool {
        matches!(chain.root, Root::Variable(variable) if self.function.variables[variable].constant)
    }

    /// A pointer that a helper found, or `slow` for none.
    fn found(&mut self, pointer: Value, slow: Block) -> Value {
        let next = self.b.create_block();
        self.b.ins().brif(pointer, next, &[], slow, &[]);
        self.b.switch_to_block(next);
        pointer
    }

    /// A step from a value of type `kind`. `item` finds the entries of maps.
    fn step(
        &mut self,
        (from, kind): (Value, Type),
        step: &Step,
        operands: &[Val],
        slow: Block,
        item: Helper,
    ) -> Value {
        match step {
            Step::Property(name) => {
                let name = self.constant(*name);
                let name = self.pointer(name);
                let pointer = self.asked(item, &[from, name]);
                self.found(pointer, slow)
            }
            Step::Item(at) => match operands[*at] {
                Val::Int(index) => self.element((from, kind), index, slow),
                Val::Any(place) => {
                    let done = self.b.create_block();
                    self.b.append_block_param(done, types::I64);
                    let next = self.when(place, Type::Int);
                    let index = self.load(Type::Int, place);
                    let element = self.element((from, kind), index, slow);
                    self.b.ins().jump(done, &[BlockArg::Value(element)]);
                    self.b.switch_to_block(next);
                    if kind.is_array() {
                        self.b.ins().jump(slow, &[]);
                        self.b.switch_to_block(done);
                        return self.b.block_params(done)[0];
                    }
                    let key = self.pointer(place);
                    let pointer = self.asked(item, &[from, key]);
                    let pointer = self.found(pointer, slow);
                    self.b.ins().jump(done, &[BlockArg::Value(pointer)]);
                    self.b.switch_to_block(done);
                    self.b.block_params(done)[0]
                }
                _ => {
                    self.b.ins().jump(slow, &[]);
                    self.unreachable();
                    from
                }
            },
        }
    }

    /// Walks from a value of type `kind`.
    pub fn walk(
        &mut self,
        (from, kind): (Place, Type),
        steps: &[Step],
        operands: &[Val],
        slow: Block,
        item: Helper,
    ) -> Value {
        let mut pointer = self.pointer(from);
        for (at, step) in steps.iter().enumerate() {
            let kind = elements::at(kind, &steps[..at]);
            pointer = self.step((pointer, kind), step, operands, slow, item);
        }
        pointer
    }

    /// The type of a chain's root.
    pub fn root_kind(&self, chain: &Chain) -> Type {
        match &chain.root {
            Root::Variable(variable) => self.form.variables[*variable],
            Root::Value(value) => self.kind(value),
        }
    }

    pub fn place_of(value: Val) -> Place {
        match value {
            Val::Any(place) => place,
            _ => Place::Slot(0),
        }
    }

    /// What the engine sees of a chain: its root, then its operands.
    pub fn seen(start: &Start) -> Vec<Val> {
        [start.root].into_iter().chain(start.operands.iter().copied()).collect()
    }

    pub fn get(&mut self, chain: &Chain) -> Val {
        let root_kind = self.root_kind(chain);
        match elements::at(root_kind, &chain.steps) {
            Type::Array(..) | Type::Any => {}
            kind => return self.get_scalar(chain, root_kind, kind),
        }
        let Some(start) = self.start(chain, false) else { return Val::Never };
        let slot = self.temporary();
        let out = Place::Own(slot);
        let blocks = [self.b.create_block(), self.b.create_block(), self.b.create_block()];
        let [slow, other, done] = blocks;
        self.b.set_cold_block(slow);
        let (before, last) = chain.steps.split_at(chain.steps.len() - 1);
        let root = (Self::place_of(start.root), root_kind);
        let from = self.walk(root, before, &start.operands, slow, Helper::Item);
        let kind = elements::at(root_kind, before);
        let pointer = self.step((from, kind), &last[0], &start.operands, other, Helper::Item);
        self.put(out, Val::Any(Place::Lent(pointer)));
        self.b.ins().jump(done, &[]);
        let (live, free) = (self.live.clone(), self.free.clone());
        self.b.switch_to_block(other);
        if let Some(Accessors { get: Some(get), .. }) = chain.accessors.filter(|_| !self.is_constant(chain)) {
            let next = self.b.create_block();
            let lent = matches!(root.0, Place::Lent(_));
            self.get_native((chain, get), &start.operands, from, lent, out, next);
            self.b.ins().jump(done, &[]);
            self.b.switch_to_block(next);
        }
        if let Step::Item(at) = last[0] {
            // A character of a string.
            let index = self.boxed(start.operands[at]);
            let (index, to) = (self.pointer(index), self.pointer(out));
            let found = self.asked(Helper::Character, &[from, index, to]);
            self.b.ins().brif(found, done, &[], slow, &[]);
            self.back_to(&live, &free);
        } else {
            self.b.ins().jump(slow, &[]);
        }
        self.b.switch_to_block(slow);
        self.evaluate(chain.site, &Self::seen(&start), out);
        self.back_to(&live, &free);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.finish(start);
        Val::Any(out)
    }

    pub fn set_chain(&mut self, chain: &Chain, op: Option<(Op, SiteId)>, value: &Node) -> Val {
        let value = self.node(value);
        if matches!(value, Val::Never) {
            return value;
        }
        let value = self.kept_before(value, chain.operands.iter());
        // A variable that is put into itself is copied before it changes.
        let value = match value {
            Val::Any(Place::Slot(_) | Place::Reference(_)) => Val::Any(Place::Own(self.owned(value))),
            value => value,
        };
        let Some(start) = self.start(chain, true) else { return Val::Never };
        let (slow, done) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(slow);
        let (before, last) = chain.steps.split_at(chain.steps.len() - 1);
        let other = self.b.create_block();
        let root_kind = self.root_kind(chain);
        let root = (Self::place_of(start.root), root_kind);
        let from = self.walk(root, before, &start.operands, slow, Helper::ItemThere);
        let kind = elements::at(root_kind, before);
        let pointer = self.step((from, kind), &last[0], &start.operands, other, Helper::ItemToSet);
        let (live, free) = (self.live.clone(), self.free.clone());
        let kind = elements::at(root_kind, &chain.steps);
        if !self.set_scalar(pointer, kind, op, value) {
            match op {
                None => self.assign(Place::Lent(pointer), value),
                Some((op, site)) => {
                    self.update(Place::Lent(pointer), op, value, site);
                    self.release(value);
                }
            }
        }
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(other);
        self.back_to(&live, &free);
        if let Some(Accessors { get, set: Some(set) }) = chain.accessors.filter(|_| !self.is_constant(chain))
        {
            self.set_native((chain, get, set), &start.operands, from, (op, value), slow);
            self.b.ins().jump(done, &[]);
        } else {
            self.b.ins().jump(slow, &[]);
        }
        self.b.switch_to_block(slow);
        self.back_to(&live, &free);
        let mut seen = Self::seen(&start);
        seen.push(value);
        let slot = self.temporary();
        self.evaluate(chain.site, &seen, Place::Own(slot));
        self.release(Val::Any(Place::Own(slot)));
        self.release(value);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.finish(start);
        Val::Unit
    }

    pub fn method(&mut self, chain: &Chain, name: &str, count: usize, site: SiteId) -> Val {
        let ours = !self.around.defines(name);
        let root_kind = self.root_kind(chain);
        if ours && chain.steps.is_empty() {
            let mut kinds = vec![root_kind];
            kinds.extend(chain.operands.iter().map(|operand| self.kind(operand)));
            if let Some((function, kind)) = numeric::standard(name, &kinds) {
                return self.standard_method(function, kind, chain, site);
            }
        }
        let object = elements::at(root_kind, &chain.steps);
        if ours && object.is_array() && elements::effect(name, count) == Effect::Adds {
            return self.push(chain, root_kind);
        }
        let reads = lend::READERS.contains(&name);
        let Some(start) = self.start(chain, !reads) else { return Val::Never };
        let slot = self.temporary();
        let out = Place::Own(slot);
        let (slow, done) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(slow);
        let steps_operands = start.operands.len() - count;
        if self.is_constant(chain) {
            self.b.ins().jump(slow, &[]);
            self.unreachable();
        }
        let root = Self::place_of(start.root);
        let pointer = self.walk((root, root_kind), &chain.steps, &start.operands, slow, Helper::ItemThere);
        if ours && name == "len" && count == 0 {
            let result = self.b.declare_var(types::I64);
            let (finds, next) = (self.b.create_block(), self.b.create_block());
            let length = if object.is_array() {
                self.length(pointer)
            } else {
                let length = self.asked(Helper::Length, &[pointer]);
                let none = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, length, 0);
                self.b.ins().brif(none, slow, &[], next, &[]);
                self.b.switch_to_block(next);
                length
            };
            self.b.def_var(result, length);
            self.b.ins().jump(done, &[]);
            self.b.switch_to_block(slow);
            self.evaluate(chain.site, &Self::seen(&start), out);
            let is_int = self.has_tag(out, Type::Int);
            let wrong = self.b.create_block();
            self.b.ins().brif(is_int, finds, &[], wrong, &[]);
            self.b.switch_to_block(wrong);
            self.never_so(site, out);
            self.b.switch_to_block(finds);
            let length = self.load(Type::Int, out);
            self.b.def_var(result, length);
            self.b.ins().jump(done, &[]);
            self.b.switch_to_block(done);
            self.forget(slot);
            self.finish(start);
            return Val::Int(self.b.use_var(result));
        }
        let receiver = Val::Any(Place::Lent(pointer));
        let (live, free) = (self.live.clone(), self.free.clone());
        let arguments = [receiver].into_iter().chain(start.operands[steps_operands..].iter().copied());
        let arguments: Vec<Val> = self.given(arguments.collect());
        let lent = matches!(start.root, Val::Any(Place::Lent(_)));
        let pushed = self.b.create_block();
        if ours && name == "push" && count == 1 && !lent {
            let Val::Any(place) = arguments[1] else { return Val::Never };
            let item = self.pointer(place);
            let well = self.asked(Helper::Push, &[pointer, item]);
            self.write(out, Val::Unit);
            let other = self.b.create_block();
            self.b.ins().brif(well, pushed, &[], other, &[]);
            self.b.switch_to_block(other);
        }
        self.call_native(site, &arguments, lent, out);
        self.b.ins().jump(pushed, &[]);
        self.b.switch_to_block(pushed);
        for (at, value) in arguments.into_iter().enumerate().skip(1) {
            if !matches!(start.operands[steps_operands + at - 1], Val::Any(Place::Own(_))) {
                self.release(value);
            }
        }
        self.back_to(&live, &free);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(slow);
        self.evaluate(chain.site, &Self::seen(&start), out);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.finish(start);
        Val::Any(out)
    }

    fn standard_method(
        &mut self,
        function: numeric::Standard,
        kind: Type,
        chain: &Chain,
        site: SiteId,
    ) -> Val {
        let operands: Vec<Val> = chain.operands.iter().map(|operand| self.node(operand)).collect();
        let root = match &chain.root {
            Root::Variable(variable) => self.read(*variable),
            Root::Value(value) => self.node(value),
        };
        let values: Vec<Val> = [root].into_iter().chain(operands).collect();
        self.standard(function, kind, &values, site)
    }

    /// A variable that the engine may take by reference.
    pub fn in_memory(&mut self, variable: usize) -> Val {
        match self.storage[variable] {
            Storage::Slot(slot) => Val::Any(Place::Slot(slot)),
            _ => {
                let value = self.read(variable);
                Val::Any(self.boxed(value))
            }
        }
    }
}
