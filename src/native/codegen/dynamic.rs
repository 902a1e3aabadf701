//! Operators on values of any type: the numbers in line, all else by the engine's rules in a helper.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};
use cranelift_frontend::Variable;

use super::value::{Place, Val};
use super::{Generator, Storage};
use crate::native::ir::{Node, Op};
use crate::native::runtime::Helper;
use crate::native::site::SiteId;
use crate::native::types::Type;

/// Where an operator's result goes.
#[derive(Clone, Copy)]
enum Target {
    /// A comparison's.
    Bool(Variable),
    /// Something plain stands there.
    Place(Place),
}

impl Generator<'_, '_> {
    pub fn binary(&mut self, op: Op, left: &Node, right: &Node, site: SiteId) -> Val {
        let one = self.node(left);
        let one = self.kept(one, right);
        let two = self.node(right);
        if matches!(one, Val::Never) || matches!(two, Val::Never) {
            return Val::Never;
        }
        if let Some(value) = self.on_scalars(op, one, two, site) {
            return value;
        }
        let (value, target) = if op.compares() {
            let result = self.b.declare_var(types::I8);
            (None, Target::Bool(result))
        } else {
            let slot = self.temporary();
            (Some(slot), Target::Place(Place::Own(slot)))
        };
        self.on_any(op, one, two, site, target);
        self.release(two);
        self.release(one);
        match (value, target) {
            (Some(slot), _) => Val::Any(Place::Own(slot)),
            (None, Target::Bool(result)) => Val::Bool(self.b.use_var(result)),
            (None, Target::Place(place)) => Val::Any(place),
        }
    }

    /// Whether both are of this type, if that can be: none means both are, statically.
    fn both(&mut self, left: Val, right: Val, kind: Type) -> Option<Option<Value>> {
        let mut test = None;
        for value in [left, right] {
            let holds = match value {
                Val::Any(place) => self.has_tag(place, kind),
                other if other.kind() == kind => continue,
                _ => return None,
            };
            test = Some(match test {
                None => holds,
                Some(other) => self.b.ins().band(other, holds),
            });
        }
        Some(test)
    }

    fn as_kind(&mut self, value: Val, kind: Type) -> Value {
        match value {
            Val::Any(place) => self.load(kind, place),
            other => self.scalar(other, kind),
        }
    }

    fn on_any(&mut self, op: Op, left: Val, right: Val, site: SiteId, target: Target) {
        let done = self.b.create_block();
        for kind in [Type::Int, Type::Float] {
            if kind == Type::Float
                && matches!(op, Op::And | Op::Or | Op::Xor | Op::ShiftLeft | Op::ShiftRight)
            {
                continue;
            }
            let Some(test) = self.both(left, right, kind) else { continue };
            let (here, next) = (self.b.create_block(), self.b.create_block());
            match test {
                Some(test) => self.b.ins().brif(test, here, &[], next, &[]),
                None => self.b.ins().jump(here, &[]),
            };
            self.b.switch_to_block(here);
            let (one, two) = (self.as_kind(left, kind), self.as_kind(right, kind));
            let value = match kind {
                Type::Int => self.on_ints(op, one, two, site),
                _ => self.on_floats(op, one, two).unwrap_or(Val::Unit),
            };
            self.aim(target, value);
            self.b.ins().jump(done, &[]);
            self.b.switch_to_block(next);
        }
        self.slowly(left, right, site, target);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
    }

    fn aim(&mut self, target: Target, value: Val) {
        match target {
            Target::Bool(result) => {
                let value = self.scalar(value, Type::Bool);
                self.b.def_var(result, value);
            }
            Target::Place(place) => self.write(place, value),
        }
    }

    fn slowly(&mut self, left: Val, right: Val, site: SiteId, target: Target) {
        let (live, free) = (self.live.clone(), self.free.clone());
        let (one, two) = (self.boxed(left), self.boxed(right));
        let (one, two) = (self.pointer(one), self.pointer(two));
        let (run, level) = (self.run, self.level);
        let site = self.site(site);
        match target {
            Target::Bool(result) => {
                let found = self.asked(Helper::Compare, &[run, site, level, one, two]);
                let failed = self.b.ins().icmp_imm_u(IntCC::Equal, found, 2);
                self.check(failed);
                let found = self.b.ins().ireduce(types::I8, found);
                self.b.def_var(result, found);
            }
            Target::Place(place) => {
                let out = self.pointer(place);
                let status = self.asked(Helper::Binary, &[run, site, level, one, two, out]);
                self.check(status);
            }
        }
        self.back_to(&live, &free);
    }

    /// `variable op= value`.
    pub fn update_variable(&mut self, variable: usize, op: Op, value: &Node, site: SiteId) -> Val {
        let value = self.node(value);
        if matches!(value, Val::Never) {
            return value;
        }
        match self.storage[variable] {
            Storage::Register(register, kind) => {
                let known = self.read(variable);
                if let Some(found) = self.on_scalars(op, known, value, site) {
                    let found = self.scalar(found, kind);
                    self.b.def_var(register, found);
                } else {
                    // The types say that this is an error.
                    let slot = self.temporary();
                    self.on_any(op, known, value, site, Target::Place(Place::Own(slot)));
                    self.release(Val::Any(Place::Own(slot)));
                }
            }
            Storage::Slot(slot) => self.update(Place::Slot(slot), op, value, site),
            Storage::Lent(register) => {
                let place = Place::Lent(self.b.use_var(register));
                self.update(place, op, value, site);
            }
            Storage::Unit => {
                let slot = self.temporary();
                self.write(Place::Own(slot), Val::Unit);
                self.update(Place::Own(slot), op, value, site);
                self.release(Val::Any(Place::Own(slot)));
                return Val::Unit;
            }
        }
        self.release(value);
        Val::Unit
    }

    /// `place op= value`.
    pub fn update(&mut self, place: Place, op: Op, value: Val, site: SiteId) {
        let done = self.b.create_block();
        let target = Val::Any(place);
        for kind in [Type::Int, Type::Float] {
            if kind == Type::Float
                && matches!(op, Op::And | Op::Or | Op::Xor | Op::ShiftLeft | Op::ShiftRight)
            {
                continue;
            }
            let Some(Some(test)) = self.both(target, value, kind) else { continue };
            let (here, next) = (self.b.create_block(), self.b.create_block());
            self.b.ins().brif(test, here, &[], next, &[]);
            self.b.switch_to_block(here);
            let (one, two) = (self.as_kind(target, kind), self.as_kind(value, kind));
            let found = match kind {
                Type::Int => self.on_ints(op, one, two, site),
                _ => self.on_floats(op, one, two).unwrap_or(Val::Unit),
            };
            let found = self.scalar(found, kind);
            let (base, offset) = self.address(place);
            let at = offset + self.layout.payload_at;
            self.b.ins().store(super::value::flags(), found, base, at);
            self.b.ins().jump(done, &[]);
            self.b.switch_to_block(next);
        }
        let (live, free) = (self.live.clone(), self.free.clone());
        let value = self.boxed(value);
        let (to, from) = (self.pointer(place), self.pointer(value));
        let (run, level) = (self.run, self.level);
        let site = self.site(site);
        let status = self.asked(Helper::Update, &[run, site, level, to, from]);
        self.check(status);
        self.back_to(&live, &free);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
    }

    pub fn negate(&mut self, value: &Node, site: SiteId) -> Val {
        match self.node(value) {
            value @ (Val::Int(_) | Val::Float(_)) => self.negated(value, site),
            Val::Never => Val::Never,
            value => {
                self.by_type(value, &[Type::Int, Type::Float], site, |this, known| this.negated(known, site))
            }
        }
    }

    fn negated(&mut self, value: Val, site: SiteId) -> Val {
        match value {
            Val::Int(value) => {
                let wrong = self.b.ins().icmp_imm_s(IntCC::Equal, value, i64::MIN);
                self.guard(wrong, site, [value, value]);
                Val::Int(self.b.ins().ineg(value))
            }
            Val::Float(value) => Val::Float(self.b.ins().fneg(value)),
            other => other,
        }
    }

    /// What `of` makes of the value, which is used up, if it is of one of these types; else what the engine makes of
    /// it at `site`.
    pub fn by_type(
        &mut self,
        value: Val,
        kinds: &[Type],
        site: SiteId,
        of: impl Fn(&mut Self, Val) -> Val,
    ) -> Val {
        let out = Place::Own(self.temporary());
        let done = self.b.create_block();
        if let Val::Any(place) = value {
            for kind in kinds {
                let next = self.when(place, *kind);
                let known = self.load(*kind, place);
                let known = self.typed(*kind, known);
                let found = of(self, known);
                self.write(out, found);
                self.b.ins().jump(done, &[]);
                self.b.switch_to_block(next);
            }
        }
        self.evaluate(site, &[value], out);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.release(value);
        Val::Any(out)
    }

    /// Goes on if the value is of this type; the block given is for the others.
    pub fn when(&mut self, place: Place, kind: Type) -> Block {
        let test = self.has_tag(place, kind);
        let (here, next) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(test, here, &[], next, &[]);
        self.b.switch_to_block(here);
        next
    }
}
