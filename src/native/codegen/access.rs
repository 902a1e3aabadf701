//! The last step of a chain where it leads into a value of a native type: its getters, setters and indexers.
//!
//! Invariants
//! 1. What stands before the last step has changed nothing, and its place is read or written by the native function
//!    alone. So the step is what the engine would do with that value as a variable.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value};

use super::Generator;
use super::value::{Place, Val};
use crate::native::ir::{Chain, Op, Step};
use crate::native::runtime::Helper;
use crate::native::site::SiteId;

impl Generator<'_, '_> {
    /// Goes on where the value is of a native type, else to `otherwise`.
    fn when_native(&mut self, value: Value, otherwise: Block) {
        let here = self.b.create_block();
        let tag = self.tag(Place::Lent(value));
        let is_native = self.b.ins().icmp_imm_u(IntCC::Equal, tag, i64::from(self.layout.native_tag));
        self.b.ins().brif(is_native, here, &[], otherwise, &[]);
        self.b.switch_to_block(here);
    }

    /// The value, and the index if the last step is one.
    fn subject(chain: &Chain, operands: &[Val], value: Value) -> Vec<Val> {
        let mut values = vec![Val::Any(Place::Lent(value))];
        if let Some(Step::Item(at)) = chain.steps.last() {
            values.push(operands[*at]);
        }
        values
    }

    /// Reads from what `value` points to into `out`, which is plain. Where that is of no native type: `otherwise`.
    pub fn get_native(
        &mut self,
        (chain, get): (&Chain, SiteId),
        operands: &[Val],
        value: Value,
        lent: bool,
        out: Place,
        otherwise: Block,
    ) {
        self.when_native(value, otherwise);
        let (live, free) = (self.live.clone(), self.free.clone());
        let values = self.given(Self::subject(chain, operands, value));
        self.call_native(get, &values, lent, out);
        self.release_all(&values, operands);
        self.back_to(&live, &free);
    }

    /// Writes `new`, or what `op` makes of it. Where the value is of no native type: `otherwise`.
    pub fn set_native(
        &mut self,
        (chain, get, set): (&Chain, Option<SiteId>, SiteId),
        operands: &[Val],
        value: Value,
        (op, new): (Option<(Op, SiteId)>, Val),
        otherwise: Block,
    ) {
        self.when_native(value, otherwise);
        let (live, free) = (self.live.clone(), self.free.clone());
        let mut values = Self::subject(chain, operands, value);
        values.push(match get.zip(op) {
            None => new,
            Some((get, op)) => {
                let changed = self.changed(get, &values, op, new);
                self.release(new);
                changed
            }
        });
        let values = self.given(values);
        let slot = self.temporary();
        self.call_native(set, &values, false, Place::Own(slot));
        self.release(Val::Any(Place::Own(slot)));
        self.release_all(&values, &[]);
        self.back_to(&live, &free);
    }

    /// What an operator makes of what the getter gives.
    fn changed(&mut self, get: SiteId, subject: &[Val], (op, site): (Op, SiteId), new: Val) -> Val {
        let now = Place::Own(self.temporary());
        let copies: Vec<Val> =
            subject.iter().enumerate().map(|(at, value)| self.copied(at, *value)).collect();
        let status = self.ask_native(get, &copies, false, now);
        self.release_all(&copies, &[]);
        let indexes = subject.len() > 1;
        if !indexes {
            self.check(status);
            self.update(now, op, new, site);
            return Val::Any(now);
        }
        // The engine takes no notice of an index that can't be read, and assigns the operand.
        let blocks = [self.b.create_block(), self.b.create_block(), self.b.create_block()];
        let [failed, read, done] = blocks;
        self.b.ins().brif(status, failed, &[], read, &[]);
        self.b.switch_to_block(failed);
        let (live, free) = (self.live.clone(), self.free.clone());
        let run = self.run;
        self.helper(Helper::Forget, &[run]);
        let copy = self.copied(1, new);
        self.put(now, copy);
        self.back_to(&live, &free);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(read);
        self.update(now, op, new, site);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        Val::Any(now)
    }

    /// All but the first as a temporary of its own.
    fn copied(&mut self, at: usize, value: Val) -> Val {
        if at == 0 {
            return value;
        }
        let slot = self.temporary();
        let from = match value {
            Val::Any(place) => Val::Any(Place::Lent(self.pointer(place))),
            scalar => scalar,
        };
        self.put(Place::Own(slot), from);
        Val::Any(Place::Own(slot))
    }

    /// Ends the values that are none of `others`.
    fn release_all(&mut self, values: &[Val], others: &[Val]) {
        let slot = |value: &Val| match value {
            Val::Any(Place::Own(slot)) => Some(*slot),
            _ => None,
        };
        for value in values.iter().rev() {
            if let Some(own) = slot(value)
                && !others.iter().any(|other| slot(other) == Some(own))
            {
                self.release(*value);
            }
        }
    }
}
