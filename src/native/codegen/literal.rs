//! Interpolated strings, arrays, maps; errors thrown and caught.

use cranelift_codegen::ir::{InstBuilder, StackSlotData, StackSlotKind, Value, types};

use super::value::{Place, Val, flags};
use super::{Generator, Inside, Storage};
use crate::native::ir::Node;
use crate::native::runtime::Helper;
use crate::native::site::SiteId;

impl Generator<'_, '_> {
    /// Evaluates the nodes into temporaries of ours.
    fn items(&mut self, nodes: &mut dyn Iterator<Item = &Node>) -> Option<Vec<usize>> {
        let mut slots = Vec::new();
        for node in nodes {
            let value = self.node(node);
            if matches!(value, Val::Never) {
                return None;
            }
            slots.push(self.owned(value));
        }
        Some(slots)
    }

    fn list(&mut self, pointers: &[Value]) -> Value {
        let size = u32::try_from(pointers.len().max(1) * 8).unwrap_or(8);
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3));
        let list = self.b.ins().stack_addr(types::I64, slot, 0);
        for (at, pointer) in pointers.iter().enumerate() {
            self.b.ins().store(flags(), *pointer, list, at as i32 * 8);
        }
        list
    }

    fn owned_list(&mut self, slots: &[usize]) -> (Value, Value) {
        let pointers: Vec<Value> = slots.iter().map(|slot| self.pointer(Place::Own(*slot))).collect();
        let list = self.list(&pointers);
        (list, self.b.ins().iconst(types::I64, slots.len() as i64))
    }

    pub fn text(&mut self, nodes: &[Node], site: SiteId) -> Val {
        let Some(slots) = self.items(&mut nodes.iter()) else { return Val::Never };
        let (list, count) = self.owned_list(&slots);
        let slot = self.temporary();
        let (run, level, out) = (self.run, self.level, self.pointer(Place::Own(slot)));
        let site = self.site(site);
        let status = self.asked(Helper::Text, &[run, site, level, list, count, out]);
        self.check(status);
        for slot in slots.into_iter().rev() {
            self.release(Val::Any(Place::Own(slot)));
        }
        Val::Any(Place::Own(slot))
    }

    pub fn array(&mut self, nodes: &[Node]) -> Val {
        let Some(slots) = self.items(&mut nodes.iter()) else { return Val::Never };
        let (list, count) = self.owned_list(&slots);
        let slot = self.temporary();
        let out = self.pointer(Place::Own(slot));
        self.helper(Helper::Array, &[list, count, out]);
        slots.into_iter().rev().for_each(|slot| self.forget(slot));
        Val::Any(Place::Own(slot))
    }

    pub fn map(&mut self, template: usize, values: &[Node], places: &[usize]) -> Val {
        let Some(slots) = self.items(&mut values.iter()) else { return Val::Never };
        let sorted: Vec<usize> = places.iter().map(|place| slots[*place]).collect();
        let (list, count) = self.owned_list(&sorted);
        let slot = self.temporary();
        let template = self.constant(template);
        let (template, out) = (self.pointer(template), self.pointer(Place::Own(slot)));
        self.helper(Helper::Map, &[template, list, count, out]);
        slots.into_iter().rev().for_each(|slot| self.forget(slot));
        Val::Any(Place::Own(slot))
    }

    pub fn throw(&mut self, value: Option<&Node>, site: SiteId) -> Val {
        let value = value.map_or(Val::Unit, |value| self.node(value));
        if matches!(value, Val::Never) {
            return value;
        }
        let slot = self.owned(value);
        let (run, pointer) = (self.run, self.pointer(Place::Own(slot)));
        let site = self.site(site);
        self.helper(Helper::Throw, &[run, site, pointer]);
        let fails = self.fails;
        self.b.ins().jump(fails, &[]);
        self.forget(slot);
        self.unreachable()
    }

    /// `try` and `catch`.
    pub fn attempt(&mut self, whole: &Node, body: &Node, caught: Option<usize>, handler: &Node) -> Val {
        let kind = self.kind(whole);
        let outcome = self.outcome(kind);
        let (catches, next, fails_again) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let outer = std::mem::replace(&mut self.fails, catches);
        let value = self.node(body);
        self.deliver(outcome, value);
        self.b.ins().jump(next, &[]);
        self.fails = outer;

        self.b.switch_to_block(catches);
        // What was in use when the error came.
        for slot in self.free.clone() {
            self.clear(Place::Own(slot));
        }
        let slot = self.temporary();
        let (run, out) = (self.run, self.pointer(Place::Own(slot)));
        let wanted = self.b.ins().iconst(types::I64, i64::from(caught.is_some()));
        let escapes = self.asked(Helper::Caught, &[run, wanted, out]);
        let handles = self.b.create_block();
        self.b.ins().brif(escapes, outer, &[], handles, &[]);
        self.b.switch_to_block(handles);
        self.inside.push(Inside::Handler);
        self.fails = fails_again;
        match caught.map(|variable| self.storage[variable]) {
            Some(Storage::Slot(place)) => {
                self.clear(Place::Slot(place));
                self.put(Place::Slot(place), Val::Any(Place::Own(slot)));
            }
            _ => self.release(Val::Any(Place::Own(slot))),
        }
        let value = self.node(handler);
        self.release(value);
        if let Some(Storage::Slot(place)) = caught.map(|variable| self.storage[variable]) {
            self.clear(Place::Slot(place));
        }
        self.inside.pop();
        self.fails = outer;
        self.helper(Helper::EndHandler, &[run]);
        self.ended(outcome);
        self.b.ins().jump(next, &[]);

        self.b.switch_to_block(fails_again);
        self.helper(Helper::FailedHandler, &[run]);
        self.b.ins().jump(outer, &[]);
        self.b.switch_to_block(next);
        self.delivered(outcome, kind)
    }
}
