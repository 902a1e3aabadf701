//! Loops over ranges and over values.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};

use super::value::{Place, Val, flags};
use super::{Generator, Storage};
use crate::native::ir::{Each, Node, Root};
use crate::native::lend;
use crate::native::runtime::Helper;
use crate::native::site::SiteId;
use crate::native::types::Type;

impl Generator<'_, '_> {
    /// A bound of a range as a number; anything else is an error.
    fn bound(&mut self, value: Val) -> (Value, Option<Value>) {
        match value {
            Val::Int(value) => (value, None),
            Val::Any(place) => {
                let fits = self.has_tag(place, Type::Int);
                (self.load(Type::Int, place), Some(fits))
            }
            _ => {
                let never = self.b.ins().iconst(types::I8, 0);
                (self.zero(Type::Int), Some(never))
            }
        }
    }

    pub fn range(
        &mut self,
        whole: &Node,
        (variable, counter): (usize, Option<usize>),
        bounds: &(Node, Node),
        closed: bool,
        body: &Node,
        site: SiteId,
    ) -> Val {
        let from = self.node(&bounds.0);
        let from = self.kept(from, &bounds.1);
        let to = self.node(&bounds.1);
        if matches!(from, Val::Never) || matches!(to, Val::Never) {
            return Val::Never;
        }
        let ((first, one), (last, two)) = (self.bound(from), self.bound(to));
        for fits in [one, two].into_iter().flatten() {
            let (wrong, next) = (self.b.create_block(), self.b.create_block());
            self.b.set_cold_block(wrong);
            self.b.ins().brif(fits, next, &[], wrong, &[]);
            self.b.switch_to_block(wrong);
            let (live, free) = (self.live.clone(), self.free.clone());
            self.evaluate_always_fails(site, &[from, to]);
            self.back_to(&live, &free);
            self.b.switch_to_block(next);
        }
        self.release(to);
        self.release(from);
        let kind = self.kind(whole);
        let (outcome, goes_on, ends) = self.enter(kind);
        let (head, turn, over) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let at = self.b.declare_var(types::I64);
        let turns = self.b.declare_var(types::I64);
        self.b.def_var(at, first);
        let zero = self.zero(Type::Int);
        self.b.def_var(turns, zero);
        if let Some(counter) = counter {
            self.begin(counter);
        }
        self.begin(variable);
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        self.poll();
        let current = self.b.use_var(at);
        let compare = if closed { IntCC::SignedLessThanOrEqual } else { IntCC::SignedLessThan };
        let more = self.b.ins().icmp(compare, current, last);
        self.b.ins().brif(more, turn, &[], over, &[]);
        self.b.switch_to_block(turn);
        if let Some(counter) = counter {
            let count = self.b.use_var(turns);
            self.set_variable(counter, Val::Int(count));
        }
        self.set_variable(variable, Val::Int(current));
        let value = self.node(body);
        self.release(value);
        self.b.ins().jump(goes_on, &[]);
        self.loops.pop();
        self.b.switch_to_block(goes_on);
        let (current, count) = (self.b.use_var(at), self.b.use_var(turns));
        let count = self.b.ins().iadd_imm_s(count, 1);
        self.b.def_var(turns, count);
        let next = self.b.ins().iadd_imm_s(current, 1);
        self.b.def_var(at, next);
        if closed {
            // The last number may be the largest there is.
            let was_last = self.b.ins().icmp(IntCC::Equal, current, last);
            self.b.ins().brif(was_last, over, &[], head, &[]);
        } else {
            self.b.ins().jump(head, &[]);
        }
        self.b.switch_to_block(over);
        self.ended(outcome);
        self.b.ins().jump(ends, &[]);
        self.b.switch_to_block(ends);
        self.end_variables(variable, counter);
        self.delivered(outcome, kind)
    }

    /// A loop's variable begins.
    fn begin(&mut self, variable: usize) {
        if let Storage::Slot(slot) = self.storage[variable] {
            self.clear(Place::Slot(slot));
            self.write(Place::Slot(slot), Val::Unit);
        }
    }

    fn end_variables(&mut self, variable: usize, counter: Option<usize>) {
        for variable in [Some(variable), counter].into_iter().flatten() {
            if let Storage::Slot(slot) = self.storage[variable] {
                self.clear(Place::Slot(slot));
            }
        }
    }

    /// The pointer to a value that may be iterated where it stands, as the loop changes it nowhere; `slow` if it
    /// isn't found.
    fn in_place(&mut self, each: &Each, slow: Block) -> Option<Value> {
        let variable = match &each.iterable {
            Node::Read(variable) => *variable,
            Node::Get(chain) if chain.operands.is_empty() => match chain.root {
                Root::Variable(variable) => variable,
                Root::Value(_) => return None,
            },
            _ => return None,
        };
        let known = &self.function.variables[variable];
        if known.exposed || known.constant || lend::writes(&each.body, variable) {
            return None;
        }
        let place = match (self.storage[variable], self.read(variable)) {
            (Storage::Slot(_), Val::Any(place)) => place,
            (Storage::Lent(_), Val::Any(place @ Place::Lent(_))) => place,
            _ => return None,
        };
        Some(match &each.iterable {
            Node::Get(chain) => self.walk(place, &chain.steps, &[], slow, Helper::ItemThere),
            _ => self.pointer(place),
        })
    }

    pub fn each(&mut self, whole: &Node, each: &Each) -> Val {
        let subject = self.temporary();
        let source = self.b.declare_var(types::I64);
        let (ours, copies) = (self.b.create_block(), self.b.create_block());
        if let Some(pointer) = self.in_place(each, copies) {
            let tag = self.tag(Place::Lent(pointer));
            let array = i64::from(self.layout.array_tag);
            let is_array = self.b.ins().icmp_imm_u(IntCC::Equal, tag, array);
            let lends = self.b.create_block();
            self.b.ins().brif(is_array, lends, &[], copies, &[]);
            self.b.switch_to_block(lends);
            self.b.def_var(source, pointer);
            self.b.ins().jump(ours, &[]);
        } else {
            self.b.ins().jump(copies, &[]);
        }
        self.b.switch_to_block(copies);
        let iterable = self.node(&each.iterable);
        if matches!(iterable, Val::Never) {
            return iterable;
        }
        self.put(Place::Own(subject), iterable);
        let kind = self.kind(whole);
        let (outcome, goes_on, ends) = self.enter(kind);
        let pointer = self.pointer(Place::Own(subject));
        self.b.def_var(source, pointer);
        let known = self.asked(Helper::Iterable, &[pointer]);
        let other = self.b.create_block();
        self.b.ins().brif(known, ours, &[], other, &[]);

        self.b.switch_to_block(other);
        let (live, free) = (self.live.clone(), self.free.clone());
        let value = self.evaluate_fragment(&each.whole, &[Val::Any(Place::Own(subject))]);
        self.deliver(outcome, value);
        self.b.ins().jump(ends, &[]);
        self.back_to(&live, &free);

        self.b.switch_to_block(ours);
        let (head, turn, over) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let turns = self.b.declare_var(types::I64);
        let zero = self.zero(Type::Int);
        self.b.def_var(turns, zero);
        if let Some(counter) = each.counter {
            self.begin(counter);
        }
        self.begin(each.variable);
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        self.poll();
        let count = self.b.use_var(turns);
        let array = self.b.use_var(source);
        let vector = self.load(Type::Int, Place::Lent(array));
        let layout = self.layout;
        let length = self.b.ins().load(types::I64, flags(), vector, layout.vec_len_at);
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, count, length);
        self.b.ins().brif(more, turn, &[], over, &[]);
        self.b.switch_to_block(turn);
        if let Some(counter) = each.counter {
            self.set_variable(counter, Val::Int(count));
        }
        let items = self.b.ins().load(types::I64, flags(), vector, layout.vec_pointer_at);
        let offset = self.b.ins().ishl_imm_u(count, 4);
        let item = self.b.ins().iadd(items, offset);
        match self.storage[each.variable] {
            Storage::Lent(register) => self.b.def_var(register, item),
            _ => self.set_variable(each.variable, Val::Any(Place::Lent(item))),
        }
        let value = self.node(&each.body);
        self.release(value);
        self.b.ins().jump(goes_on, &[]);
        self.loops.pop();
        self.b.switch_to_block(goes_on);
        let count = self.b.use_var(turns);
        let count = self.b.ins().iadd_imm_s(count, 1);
        self.b.def_var(turns, count);
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(over);
        self.ended(outcome);
        self.b.ins().jump(ends, &[]);
        self.b.switch_to_block(ends);
        self.end_variables(each.variable, each.counter);
        self.release(Val::Any(Place::Own(subject)));
        self.delivered(outcome, kind)
    }
}
