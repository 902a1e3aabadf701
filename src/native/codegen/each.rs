//! Loops over ranges and over values.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value, types};

use super::value::{Place, Val};
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
            Node::Get(chain) => {
                let root = (place, self.root_kind(chain));
                self.walk(root, &chain.steps, &[], slow, Helper::ItemThere)
            }
            _ => self.pointer(place),
        })
    }

    pub fn each(&mut self, whole: &Node, each: &Each) -> Val {
        let known = self.kind(&each.iterable);
        if known.is_array() && known.element() == Type::Never {
            let empty = self.node(&each.iterable);
            self.release(empty);
            return Val::Unit;
        }
        let subject = self.temporary();
        // The array; 0 if it is something else that is gone through.
        let source = self.b.declare_var(types::I64);
        let (starts, copies) = (self.b.create_block(), self.b.create_block());
        match self.in_place(each, copies) {
            Some(pointer) => {
                if !known.is_array() {
                    let tag = self.tag(Place::Lent(pointer));
                    let array = i64::from(self.layout.array_tag);
                    let is_array = self.b.ins().icmp_imm_u(IntCC::Equal, tag, array);
                    let lends = self.b.create_block();
                    self.b.ins().brif(is_array, lends, &[], copies, &[]);
                    self.b.switch_to_block(lends);
                }
                self.b.def_var(source, pointer);
                self.b.ins().jump(starts, &[])
            }
            None => self.b.ins().jump(copies, &[]),
        };
        self.b.switch_to_block(copies);
        let iterable = self.node(&each.iterable);
        if matches!(iterable, Val::Never) {
            return iterable;
        }
        self.put(Place::Own(subject), iterable);
        let mut pointer = self.pointer(Place::Own(subject));
        if !known.is_array() {
            let (run, site) = (self.run, self.site(each.begins));
            let found = self.asked(Helper::Walk, &[run, site, pointer]);
            let failed = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, found, 0);
            self.check(failed);
            let nothing = self.zero(Type::Int);
            pointer = self.b.ins().select(found, pointer, nothing);
        }
        self.b.def_var(source, pointer);
        self.b.ins().jump(starts, &[]);

        self.b.switch_to_block(starts);
        let current = (!known.is_array()).then(|| self.temporary());
        let kind = self.kind(whole);
        let (outcome, goes_on, ends) = self.enter(kind);
        let (head, over) = (self.b.create_block(), self.b.create_block());
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
        let item = match current {
            None => self.next_element(array, count, over),
            Some(current) => self.next_item(each, (array, subject), count, current, over),
        };
        if let Some(counter) = each.counter {
            self.set_variable(counter, Val::Int(count));
        }
        match self.storage[each.variable] {
            Storage::Lent(register) => self.b.def_var(register, item),
            Storage::Register(register, kind) => {
                let item = self.load(kind, Place::Lent(item));
                self.b.def_var(register, item);
            }
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
        for slot in current.into_iter().chain([subject]) {
            self.release(Val::Any(Place::Own(slot)));
        }
        self.delivered(outcome, kind)
    }

    /// The pointer to element `count` of an array, or `over`.
    fn next_element(&mut self, array: Value, count: Value, over: Block) -> Value {
        let (vector, length) = (self.vector(array), self.length(array));
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, count, length);
        let turn = self.b.create_block();
        self.b.ins().brif(more, turn, &[], over, &[]);
        self.b.switch_to_block(turn);
        self.item(vector, count)
    }

    /// The pointer to the next item of an array, or of what is gone through otherwise.
    fn next_item(
        &mut self,
        each: &Each,
        (array, walk): (Value, usize),
        count: Value,
        current: usize,
        over: Block,
    ) -> Value {
        let (of_array, of_walk, turn) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.append_block_param(turn, types::I64);
        self.b.ins().brif(array, of_array, &[], of_walk, &[]);
        self.b.switch_to_block(of_array);
        let item = self.next_element(array, count, over);
        self.b.ins().jump(turn, &[BlockArg::Value(item)]);

        self.b.switch_to_block(of_walk);
        let (walk, item) = (self.pointer(Place::Own(walk)), self.pointer(Place::Own(current)));
        let heedless = matches!(&each.body, Node::Block(nodes, _) if nodes.is_empty());
        let heedless = self.b.ins().iconst(types::I64, i64::from(heedless));
        let (run, site) = (self.run, self.site(each.steps));
        let found = self.asked(Helper::Next, &[run, site, walk, heedless, item]);
        let failed = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, found, 0);
        self.check(failed);
        self.b.ins().brif(found, turn, &[BlockArg::Value(item)], over, &[]);
        self.b.switch_to_block(turn);
        self.b.block_params(turn)[0]
    }
}
