//! Values in generated code, and the slots of a frame.
//!
//! Invariants
//! 1. Every slot of a frame holds a valid `Dynamic` at all times, from the first instruction to the last. So a frame
//!    can be dropped whole on any way out.
//! 2. A slot that is handed out as a temporary is plain: writing over it loses nothing.
//! 3. Moving out of a slot leaves a plain value behind.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};

use super::Generator;
use crate::native::runtime::Helper;
use crate::native::types::Type;

/// A value of a static type, or the place of one of any type.
#[derive(Clone, Copy, Debug)]
pub enum Val {
    Never,
    Unit,
    Bool(Value),
    Char(Value),
    Int(Value),
    Float(Value),
    Any(Place),
}

/// Where a value of any type stands.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// A temporary of the frame, which is ours.
    Own(usize),
    /// A variable's slot: whoever wants to keep the value clones it.
    Slot(usize),
    /// Memory of somebody else, only read.
    Lent(Value),
    /// What `this` refers to.
    Reference(Value),
}

impl Val {
    pub const fn kind(self) -> Type {
        match self {
            Self::Never => Type::Never,
            Self::Unit => Type::Unit,
            Self::Bool(_) => Type::Bool,
            Self::Char(_) => Type::Char,
            Self::Int(_) => Type::Int,
            Self::Float(_) => Type::Float,
            Self::Any(_) => Type::Any,
        }
    }
}

/// The machine type of a static type.
pub const fn machine(kind: Type) -> cranelift_codegen::ir::Type {
    match kind {
        Type::Bool => types::I8,
        Type::Char => types::I32,
        Type::Float => types::F64,
        _ => types::I64,
    }
}

pub const fn flags() -> MemFlagsData {
    MemFlagsData::trusted()
}

impl Generator<'_, '_> {
    /// The place's base and offset.
    pub fn address(&self, place: Place) -> (Value, i32) {
        match place {
            Place::Own(slot) | Place::Slot(slot) => (self.frame, slot as i32 * 16),
            Place::Lent(pointer) | Place::Reference(pointer) => (pointer, 0),
        }
    }

    pub fn pointer(&mut self, place: Place) -> Value {
        match self.address(place) {
            (base, 0) => base,
            (base, offset) => self.b.ins().iadd_imm_s(base, i64::from(offset)),
        }
    }

    /// A temporary, by invariant 2.
    pub fn temporary(&mut self) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        self.live.push(slot);
        slot
    }

    /// Gives a temporary back that is known to be plain.
    pub fn forget(&mut self, slot: usize) {
        if let Some(at) = self.live.iter().rposition(|live| *live == slot) {
            self.live.remove(at);
            self.free.push(slot);
        }
    }

    /// The temporaries are in use as they were, for another way to the same place. Those that were made meanwhile and
    /// ended are free.
    pub fn back_to(&mut self, live: &[usize], free: &[usize]) {
        let known = |slot: &usize| live.contains(slot) || free.contains(slot);
        let made = self.live.iter().chain(&self.free).copied().filter(|slot| !known(slot));
        let made: Vec<usize> = made.collect();
        self.live = live.to_vec();
        self.free = free.iter().copied().chain(made).collect();
    }

    /// Ends a value.
    pub fn release(&mut self, value: Val) {
        if let Val::Any(Place::Own(slot)) = value {
            self.clear(Place::Own(slot));
            self.forget(slot);
        }
    }

    /// Writes a scalar; what stood there was plain.
    pub fn write(&mut self, to: Place, value: Val) {
        let (base, offset) = self.address(to);
        let layout = self.layout;
        let payload = offset + layout.payload_at;
        let (word, rest) = match value {
            Val::Int(value) => (layout.int, Some((value, payload))),
            Val::Float(value) => (layout.float, Some((value, payload))),
            Val::Char(value) => (layout.char, Some((value, offset + layout.char_at))),
            Val::Bool(value) => (layout.bool, Some((value, offset + layout.bool_at))),
            _ => (layout.unit, None),
        };
        let word = self.b.ins().iconst(types::I64, word as i64);
        self.b.ins().store(flags(), word, base, offset);
        if let Some((value, at)) = rest {
            self.b.ins().store(flags(), value, base, at);
        }
    }

    /// The kind byte of the value at a place.
    pub fn tag(&mut self, place: Place) -> Value {
        let (base, offset) = self.address(place);
        self.b.ins().load(types::I8, flags(), base, offset)
    }

    pub fn load(&mut self, kind: Type, place: Place) -> Value {
        let (base, offset) = self.address(place);
        let at = self.part_of(kind);
        self.b.ins().load(machine(kind), flags(), base, offset + at)
    }

    /// Where a scalar has the part that differs.
    pub const fn part_of(&self, kind: Type) -> i32 {
        match kind {
            Type::Bool => self.layout.bool_at,
            Type::Char => self.layout.char_at,
            _ => self.layout.payload_at,
        }
    }

    /// The kind byte that says `kind`.
    pub fn tag_of(&self, kind: Type) -> i64 {
        let word = match kind {
            Type::Bool => self.layout.bool,
            Type::Char => self.layout.char,
            Type::Int => self.layout.int,
            Type::Float => self.layout.float,
            _ => self.layout.unit,
        };
        i64::from(crate::native::layout::Layout::tag(word))
    }

    pub fn has_tag(&mut self, place: Place, kind: Type) -> Value {
        let tag = self.tag(place);
        let wanted = self.tag_of(kind);
        self.b.ins().icmp_imm_u(IntCC::Equal, tag, wanted)
    }

    /// Whether the value at a place is plain.
    pub fn is_plain(&mut self, place: Place) -> Value {
        let tag = self.tag(place);
        let mask = self.b.ins().iconst(types::I64, self.layout.plain as i64);
        let tag = self.b.ins().uextend(types::I64, tag);
        let bit = self.b.ins().ushr(mask, tag);
        self.b.ins().band_imm_u(bit, 1)
    }

    /// Drops what stands at a place and leaves a plain value.
    pub fn clear(&mut self, place: Place) {
        let plain = self.is_plain(place);
        let (heap, next) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(plain, next, &[], heap, &[]);
        self.b.switch_to_block(heap);
        let pointer = self.pointer(place);
        self.helper(Helper::Drop, &[pointer]);
        self.b.ins().jump(next, &[]);
        self.b.switch_to_block(next);
    }

    /// Copies 16 bytes.
    pub fn copy(&mut self, from: Place, to: Place) {
        let (source, at) = self.address(from);
        let (target, there) = self.address(to);
        let first = self.b.ins().load(types::I64, flags(), source, at);
        let second = self.b.ins().load(types::I64, flags(), source, at + 8);
        self.b.ins().store(flags(), first, target, there);
        self.b.ins().store(flags(), second, target, there + 8);
    }

    /// Puts a value where something plain stands; the value is used up.
    pub fn put(&mut self, to: Place, value: Val) {
        match value {
            Val::Any(Place::Own(slot)) => {
                self.copy(Place::Own(slot), to);
                self.write(Place::Own(slot), Val::Unit);
                self.forget(slot);
            }
            Val::Any(from) => {
                let plain = self.is_plain(from);
                let blocks = [self.b.create_block(), self.b.create_block(), self.b.create_block()];
                let [copied, heap, next] = blocks;
                self.b.ins().brif(plain, copied, &[], heap, &[]);
                self.b.switch_to_block(copied);
                self.copy(from, to);
                self.b.ins().jump(next, &[]);
                self.b.switch_to_block(heap);
                let (from, to) = (self.pointer(from), self.pointer(to));
                self.helper(Helper::Clone, &[from, to]);
                self.b.ins().jump(next, &[]);
                self.b.switch_to_block(next);
            }
            value => self.write(to, value),
        }
    }

    /// The value as one of any type that stays where it is.
    pub fn boxed(&mut self, value: Val) -> Place {
        match value {
            Val::Any(place) => place,
            value => {
                let slot = self.temporary();
                self.write(Place::Own(slot), value);
                Place::Own(slot)
            }
        }
    }

    /// The value in a temporary of ours.
    pub fn owned(&mut self, value: Val) -> usize {
        match value {
            Val::Any(Place::Own(slot)) => slot,
            value => {
                let slot = self.temporary();
                self.put(Place::Own(slot), value);
                slot
            }
        }
    }

    /// Assigns to a variable's place, through a shared cell if one stands there.
    pub fn assign(&mut self, to: Place, value: Val) {
        let plain = self.is_plain(to);
        let blocks = [self.b.create_block(), self.b.create_block(), self.b.create_block()];
        let [quick, slow, next] = blocks;
        let value = match value {
            Val::Any(place @ (Place::Slot(_) | Place::Lent(_) | Place::Reference(_))) => {
                Val::Any(Place::Own(self.owned(Val::Any(place))))
            }
            value => value,
        };
        self.b.ins().brif(plain, quick, &[], slow, &[]);
        let (live, free) = (self.live.clone(), self.free.clone());
        self.b.switch_to_block(quick);
        self.put(to, value);
        self.b.ins().jump(next, &[]);
        self.back_to(&live, &free);
        self.b.switch_to_block(slow);
        let from = self.boxed(value);
        let (to, pointer) = (self.pointer(to), self.pointer(from));
        self.helper(Helper::Assign, &[to, pointer]);
        if let Place::Own(slot) = from {
            self.forget(slot);
        }
        self.b.ins().jump(next, &[]);
        self.b.switch_to_block(next);
    }

    /// A machine value of this static type; what isn't of the type is never reached.
    pub fn scalar(&mut self, value: Val, kind: Type) -> Value {
        match (value, kind) {
            (Val::Bool(value), Type::Bool)
            | (Val::Char(value), Type::Char)
            | (Val::Int(value), Type::Int)
            | (Val::Float(value), Type::Float) => value,
            _ => self.zero(kind),
        }
    }

    pub fn zero(&mut self, kind: Type) -> Value {
        match kind {
            Type::Float => self.b.ins().f64const(0.0),
            kind => self.b.ins().iconst(machine(kind), 0),
        }
    }

    /// The static value that a machine value is.
    pub fn typed(&self, kind: Type, value: Value) -> Val {
        match kind {
            Type::Bool => Val::Bool(value),
            Type::Char => Val::Char(value),
            Type::Int => Val::Int(value),
            Type::Float => Val::Float(value),
            Type::Never => Val::Never,
            _ => Val::Unit,
        }
    }
}
