//! Elements of arrays, read and written where they stand.
//!
//! Invariants
//! 1. An element of an array that holds one scalar type alone has that type's first word, and keeps it: only the
//!    part that differs is written.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};

use super::Generator;
use super::value::{Place, Val, flags, machine};
use crate::native::ir::{Chain, Op};
use crate::native::runtime::Helper;
use crate::native::site::SiteId;
use crate::native::types::{Type, binary};

impl Generator<'_, '_> {
    /// The vector of an array.
    pub fn vector(&mut self, array: Value) -> Value {
        self.b.ins().load(types::I64, flags(), array, self.layout.payload_at)
    }

    pub fn length(&mut self, array: Value) -> Value {
        let vector = self.vector(array);
        self.b.ins().load(types::I64, flags(), vector, self.layout.vec_len_at)
    }

    /// The place `index` of a vector, which has as many.
    pub fn item(&mut self, vector: Value, index: Value) -> Value {
        let items = self.b.ins().load(types::I64, flags(), vector, self.layout.vec_pointer_at);
        let offset = self.b.ins().ishl_imm_u(index, 4);
        self.b.ins().iadd(items, offset)
    }

    /// The pointer to an element of what is of type `kind`, or `slow`.
    pub fn element(&mut self, (array, kind): (Value, Type), index: Value, slow: Block) -> Value {
        if !kind.is_array() {
            let tag = self.b.ins().load(types::I8, flags(), array, 0);
            let is_array = self.b.ins().icmp_imm_u(IntCC::Equal, tag, i64::from(self.layout.array_tag));
            let fits = self.b.create_block();
            self.b.ins().brif(is_array, fits, &[], slow, &[]);
            self.b.switch_to_block(fits);
        }
        let vector = self.vector(array);
        let length = self.b.ins().load(types::I64, flags(), vector, self.layout.vec_len_at);
        let from_end = self.b.ins().iadd(index, length);
        let negative = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, index, 0);
        let index = self.b.ins().select(negative, from_end, index);
        let inside = self.b.ins().icmp(IntCC::UnsignedLessThan, index, length);
        let within = self.b.create_block();
        self.b.ins().brif(inside, within, &[], slow, &[]);
        self.b.switch_to_block(within);
        self.item(vector, index)
    }

    /// A chain's value that is known to be a scalar: the arrays on the way hold nothing else.
    pub fn get_scalar(&mut self, chain: &Chain, root_kind: Type, kind: Type) -> Val {
        let Some(start) = self.start(chain, false) else { return Val::Never };
        let (slow, done) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(slow);
        let found = self.b.declare_var(machine(kind));
        let root = (Self::place_of(start.root), root_kind);
        let pointer = self.walk(root, &chain.steps, &start.operands, slow, Helper::Item);
        let value = self.load(kind, Place::Lent(pointer));
        self.b.def_var(found, value);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(slow);
        let slot = self.temporary();
        let out = Place::Own(slot);
        self.evaluate(chain.site, &Self::seen(&start), out);
        let (fits, wrong) = (self.b.create_block(), self.b.create_block());
        let as_known = self.has_tag(out, kind);
        self.b.ins().brif(as_known, fits, &[], wrong, &[]);
        self.b.switch_to_block(wrong);
        self.never_so(chain.site, out);
        self.b.switch_to_block(fits);
        let value = self.load(kind, out);
        self.b.def_var(found, value);
        self.forget(slot);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.finish(start);
        if kind == Type::Never {
            let fails = self.fails;
            self.b.ins().jump(fails, &[]);
            return self.unreachable();
        }
        let value = self.b.use_var(found);
        self.typed(kind, value)
    }

    /// Writes to an element of a known scalar type; false, and nothing was done, if this isn't one.
    pub fn set_scalar(&mut self, pointer: Value, kind: Type, op: Option<(Op, SiteId)>, value: Val) -> bool {
        let place = Place::Lent(pointer);
        if !matches!(kind, Type::Int | Type::Float | Type::Bool | Type::Char) {
            return false;
        }
        let new = match op {
            None => Some(value),
            Some((op, _)) if binary(op, kind, value.kind()) != kind => None,
            Some((op, site)) => {
                let old = self.load(kind, place);
                let old = self.typed(kind, old);
                self.on_scalars(op, old, value, site)
            }
        };
        let Some(new) = new.filter(|new| new.kind() == kind) else { return false };
        let new = self.scalar(new, kind);
        let at = self.part_of(kind);
        self.b.ins().store(flags(), new, pointer, at);
        true
    }

    /// `chain.push(value)` where the chain is known to lead to an array.
    pub fn push(&mut self, chain: &Chain, root_kind: Type) -> Val {
        let Some(start) = self.start(chain, true) else { return Val::Never };
        let (slow, full, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(slow);
        self.b.set_cold_block(full);
        if self.is_constant(chain) {
            self.b.ins().jump(slow, &[]);
            self.unreachable();
        }
        let value = start.operands.last().copied().unwrap_or(Val::Unit);
        let root = (Self::place_of(start.root), root_kind);
        let array = self.walk(root, &chain.steps, &start.operands, slow, Helper::ItemThere);
        let vector = self.vector(array);
        let layout = self.layout;
        let length = self.b.ins().load(types::I64, flags(), vector, layout.vec_len_at);
        let room = self.b.ins().load(types::I64, flags(), vector, layout.vec_room_at);
        let fits = self.b.ins().icmp(IntCC::UnsignedLessThan, length, room);
        let here = self.b.create_block();
        self.b.ins().brif(fits, here, &[], full, &[]);
        let (live, free) = (self.live.clone(), self.free.clone());

        self.b.switch_to_block(here);
        let item = self.item(vector, length);
        self.put(Place::Lent(item), value);
        let length = self.b.ins().iadd_imm_s(length, 1);
        self.b.ins().store(flags(), length, vector, layout.vec_len_at);
        self.b.ins().jump(done, &[]);

        self.b.switch_to_block(full);
        self.back_to(&live, &free);
        let slot = self.owned(value);
        let item = self.pointer(Place::Own(slot));
        self.helper(Helper::Push, &[array, item]);
        if !matches!(value, Val::Any(Place::Own(_))) {
            self.write(Place::Own(slot), Val::Unit);
        }
        self.b.ins().jump(done, &[]);

        self.b.switch_to_block(slow);
        self.back_to(&live, &free);
        let slot = self.temporary();
        self.evaluate(chain.site, &Self::seen(&start), Place::Own(slot));
        self.release(Val::Any(Place::Own(slot)));
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.finish(start);
        Val::Unit
    }
}
