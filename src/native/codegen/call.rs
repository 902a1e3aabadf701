//! Calls: forms of the program's functions, native functions, and the engine's evaluation of a tree.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, StackSlotData, StackSlotKind, Value, types};
use cranelift_module::Module;

use super::value::{Place, Val, flags};
use super::{Generator, Storage};
use crate::native::ir::{Fragment, Node, Root};
use crate::native::lend;
use crate::native::numeric;
use crate::native::runtime::{self, Helper};
use crate::native::site::SiteId;
use crate::native::types::{Key, Type};

/// Whether evaluating a node changes no variable of the function.
fn changes_nothing(node: &Node) -> bool {
    let mut nothing = true;
    lend::visit(node, &mut |node| {
        nothing &= match node {
            Node::Assign(..)
            | Node::Update(..)
            | Node::Set(..)
            | Node::Fragment(_)
            | Node::Each(_)
            | Node::With(_)
            | Node::Native(..) => false,
            Node::Method(chain, ..) => matches!(chain.root, Root::Value(_)),
            _ => true,
        };
    });
    nothing
}

impl Generator<'_, '_> {
    /// The value as it will still be after the next node was evaluated.
    pub fn kept(&mut self, value: Val, next: &Node) -> Val {
        self.kept_before(value, std::iter::once(next))
    }

    pub fn kept_before<'n>(&mut self, value: Val, mut next: impl Iterator<Item = &'n Node>) -> Val {
        match value {
            Val::Any(Place::Slot(_) | Place::Reference(_)) if !next.all(changes_nothing) => {
                Val::Any(Place::Own(self.owned(value)))
            }
            value => value,
        }
    }

    /// The arguments of a call. A first argument that is a variable is read after the others.
    fn arguments(&mut self, nodes: &[Node]) -> Option<Vec<Val>> {
        let by_name = matches!(nodes.first(), Some(Node::Read(_)));
        let mut values = Vec::with_capacity(nodes.len());
        for (at, node) in nodes.iter().enumerate().skip(usize::from(by_name)) {
            let value = self.node(node);
            let value = self.kept_before(value, nodes[at + 1..].iter());
            if matches!(value, Val::Never) {
                return None;
            }
            values.push(value);
        }
        if by_name && let Some(first) = nodes.first() {
            let first = self.node(first);
            values.insert(0, first);
        }
        Some(values)
    }

    /// An array of pointers to the values, in the frame. What isn't in memory gets a temporary, which the caller
    /// gives back with what it saved.
    fn pointers(&mut self, values: &[Val]) -> Value {
        let size = u32::try_from(values.len().max(1) * 8).unwrap_or(8);
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3));
        let list = self.b.ins().stack_addr(types::I64, slot, 0);
        for (at, value) in values.iter().enumerate() {
            let place = self.boxed(*value);
            let pointer = self.pointer(place);
            self.b.ins().store(flags(), pointer, list, at as i32 * 8);
        }
        list
    }

    /// The engine evaluates what stands at the site; the result goes to `out`, which is plain.
    pub fn evaluate(&mut self, site: SiteId, values: &[Val], out: Place) {
        let status = self.evaluated(site, values, out);
        self.check(status);
    }

    fn evaluated(&mut self, site: SiteId, values: &[Val], out: Place) -> Value {
        // The first goes by reference, the others are values.
        let lent = values.iter().enumerate().filter(|(at, value)| match value {
            Val::Any(Place::Lent(_)) => true,
            Val::Any(Place::Slot(_) | Place::Reference(_)) => *at > 0,
            _ => false,
        });
        let lent = lent.fold(0, |mask, (at, _)| mask | 1_u64 << at.min(63));
        self.evaluated_with(site, values, lent, out)
    }

    /// The values whose bits are set in `lent` are cloned; the others are moved to the engine and back.
    fn evaluated_with(&mut self, site: SiteId, values: &[Val], lent: u64, out: Place) -> Value {
        let (live, free) = (self.live.clone(), self.free.clone());
        let list = self.pointers(values);
        let count = self.b.ins().iconst(types::I64, values.len() as i64);
        let lent = self.b.ins().iconst(types::I64, lent as i64);
        let (run, level) = (self.run, self.level);
        let site = self.site(site);
        let out = self.pointer(out);
        let status = self.asked(Helper::Evaluate, &[run, site, level, list, count, lent, out]);
        self.back_to(&live, &free);
        status
    }

    /// An evaluation that raises an error, or else is one.
    pub fn evaluate_always_fails(&mut self, site: SiteId, values: &[Val]) {
        let slot = self.temporary();
        self.evaluate(site, values, Place::Own(slot));
        self.never_so(site, Place::Own(slot));
        self.forget(slot);
    }

    /// An evaluation gave what it can't give.
    pub fn never_so(&mut self, site: SiteId, found: Place) {
        let (run, pointer) = (self.run, self.pointer(found));
        let site = self.site(site);
        self.helper(Helper::NoInt, &[run, site, pointer]);
        let fails = self.fails;
        self.b.ins().jump(fails, &[]);
    }

    pub fn fragment(&mut self, fragment: &Fragment) -> Val {
        let slot = self.temporary();
        let mut values = Vec::with_capacity(fragment.variables.len());
        let mut boxed = Vec::new();
        for variable in &fragment.variables {
            let value = self.in_memory(*variable);
            if !matches!(self.storage[*variable], Storage::Slot(_)) {
                boxed.push(value);
            }
            values.push(value);
        }
        let out = Place::Own(slot);
        let lent = values.iter().enumerate().filter(|(_, value)| matches!(value, Val::Any(Place::Lent(_))));
        let lent = lent.fold(0, |mask, (at, _)| mask | 1_u64 << at.min(63));
        let status = self.evaluated_with(fragment.site, &values, lent, out);
        if fragment.returns {
            let (returned, next) = (self.b.create_block(), self.b.create_block());
            let is_return = self.b.ins().icmp_imm_u(IntCC::Equal, status, 2);
            self.b.ins().brif(is_return, returned, &[], next, &[]);
            self.b.switch_to_block(returned);
            let (live, free) = (self.live.clone(), self.free.clone());
            self.get_out(0);
            self.give(Val::Any(out));
            self.back_to(&live, &free);
            self.b.switch_to_block(next);
        }
        self.check(status);
        for value in boxed {
            self.release(value);
        }
        Val::Any(out)
    }

    pub fn native(&mut self, name: &str, arguments: &[Node], site: SiteId) -> Val {
        let Some(values) = self.arguments(arguments) else { return Val::Never };
        if !self.around.defines(name) {
            let kinds: Vec<Type> = values.iter().map(|value| value.kind()).collect();
            if let Some((function, kind)) = numeric::standard(name, &kinds) {
                return self.standard(function, kind, &values, site);
            }
        }
        let mut values = values;
        if let Some(first @ Val::Any(Place::Lent(_))) = values.first().copied()
            && !lend::READERS.contains(&name)
        {
            values[0] = Val::Any(Place::Own(self.owned(first)));
        }
        let values = self.given(values);
        let lent = matches!(values.first(), Some(Val::Any(Place::Lent(_))));
        let slot = self.temporary();
        self.call_native(site, &values, lent, Place::Own(slot));
        for value in values.into_iter().rev() {
            self.release(value);
        }
        Val::Any(Place::Own(slot))
    }

    /// Calls the native function of a site. The first argument goes by reference, unless it is `lent`; the others are
    /// used up.
    pub fn call_native(&mut self, site: SiteId, values: &[Val], lent: bool, out: Place) {
        let status = self.ask_native(site, values, lent, out);
        self.check(status);
    }

    /// The same, and whether it failed.
    pub fn ask_native(&mut self, site: SiteId, values: &[Val], lent: bool, out: Place) -> Value {
        let (live, free) = (self.live.clone(), self.free.clone());
        let list = self.pointers(values);
        let lent = self.b.ins().iconst(types::I64, i64::from(lent));
        let count = self.b.ins().iconst(types::I64, values.len() as i64);
        let (run, level) = (self.run, self.level);
        let site = self.site(site);
        let out = self.pointer(out);
        let status = self.asked(Helper::Native, &[run, site, level, list, count, lent, out]);
        self.back_to(&live, &free);
        status
    }

    /// The values, all but the first in temporaries of ours.
    pub fn given(&mut self, values: Vec<Val>) -> Vec<Val> {
        let own = |(at, value): (usize, Val)| match at {
            0 => value,
            _ => Val::Any(Place::Own(self.owned(value))),
        };
        values.into_iter().enumerate().map(own).collect()
    }

    pub fn call(&mut self, function: usize, arguments: &[Node], site: SiteId) -> Val {
        let Some(values) = self.arguments(arguments) else { return Val::Never };
        let parameters: Vec<Type> = arguments.iter().map(|argument| self.kind(argument)).collect();
        let key = Key { function, parameters };
        let callee = self.around.lowered(function).filter(|callee| !callee.uses_this);
        let (Some((id, result)), Some(callee)) = (self.around.form(&key), callee) else {
            return self.call_by_engine(site, values);
        };
        let level = self.level;
        let level = self.b.ins().iadd_imm_s(level, 1);
        let run = self.run;
        let deepest = self.b.ins().load(types::I64, flags(), run, runtime::DEEPEST);
        let too_deep = self.b.ins().icmp(IntCC::SignedGreaterThan, level, deepest);
        self.fails_if(too_deep, |this| {
            let address = this.site(site);
            this.helper(Helper::TooDeep, &[run, address]);
        });

        let mut passed = vec![run, level];
        let mut held = Vec::new();
        for (at, value) in values.into_iter().enumerate() {
            match value {
                Val::Unit | Val::Never => {}
                Val::Bool(value) | Val::Char(value) | Val::Int(value) | Val::Float(value) => {
                    passed.push(value);
                }
                Val::Any(place) if callee.lends[at] => {
                    // A shared cell is no value to lend.
                    let place = match place {
                        Place::Slot(slot) if self.is_exposed(slot) => Place::Own(self.owned(value)),
                        place => place,
                    };
                    passed.push(self.pointer(place));
                    held.push(Val::Any(place));
                }
                value => {
                    let slot = self.owned(value);
                    passed.push(self.pointer(Place::Own(slot)));
                    held.push(Val::Any(Place::Own(slot)));
                }
            }
        }
        let out = result.is_boxed().then(|| self.temporary());
        if let Some(slot) = out {
            passed.push(self.pointer(Place::Own(slot)));
        }
        let reference = match self.callees.get(&id) {
            Some(known) => *known,
            None => {
                let reference = self.machine.module().declare_func_in_func(id, self.b.func);
                self.callees.insert(id, reference);
                reference
            }
        };
        let called = self.b.ins().call(reference, &passed);
        let (value, status) = (self.b.inst_results(called)[0], self.b.inst_results(called)[1]);
        self.fails_if(status, |this| {
            let address = this.site(site);
            this.helper(Helper::Frame, &[run, address]);
        });
        for value in held.into_iter().rev() {
            self.release(value);
        }
        match out {
            Some(slot) => Val::Any(Place::Own(slot)),
            None => self.typed(result, value),
        }
    }

    fn is_exposed(&self, slot: usize) -> bool {
        let known = self.storage.iter().zip(&self.function.variables);
        known.into_iter().any(|(storage, variable)| {
            matches!(storage, Storage::Slot(at) if *at == slot) && variable.exposed
        })
    }

    /// The interpreter calls a function that is refused.
    fn call_by_engine(&mut self, site: SiteId, values: Vec<Val>) -> Val {
        let slot = self.temporary();
        let values: Vec<Val> =
            values.into_iter().map(|value| Val::Any(Place::Own(self.owned(value)))).collect();
        self.evaluate(site, &values, Place::Own(slot));
        for value in values.into_iter().rev() {
            self.release(value);
        }
        Val::Any(Place::Own(slot))
    }
}
