//! Conditions, `&&`, `||`, `!`, `??`.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::Generator;
use super::value::{Place, Val};
use crate::native::ir::Node;
use crate::native::runtime::Helper;
use crate::native::site::SiteId;
use crate::native::types::Type;

impl Generator<'_, '_> {
    /// The value as a condition, which is used up; what is no bool is an error.
    pub fn truth(&mut self, value: Val, site: SiteId) -> Value {
        match value {
            Val::Bool(value) => value,
            Val::Never => self.zero(Type::Bool),
            value => {
                let result = self.b.declare_var(types::I8);
                let done = self.b.create_block();
                if let Val::Any(place) = value {
                    let next = self.when(place, Type::Bool);
                    let known = self.load(Type::Bool, place);
                    self.b.def_var(result, known);
                    self.b.ins().jump(done, &[]);
                    self.b.switch_to_block(next);
                }
                let (live, free) = (self.live.clone(), self.free.clone());
                let place = self.boxed(value);
                let pointer = self.pointer(place);
                let run = self.run;
                let site = self.site(site);
                let found = self.asked(Helper::Truth, &[run, site, pointer]);
                let failed = self.b.ins().icmp_imm_u(IntCC::Equal, found, 2);
                self.check(failed);
                let found = self.b.ins().ireduce(types::I8, found);
                self.b.def_var(result, found);
                self.back_to(&live, &free);
                self.b.ins().jump(done, &[]);
                self.b.switch_to_block(done);
                self.release(value);
                self.b.use_var(result)
            }
        }
    }

    pub fn not(&mut self, value: &Node, site: SiteId) -> Val {
        match self.node(value) {
            value @ Val::Bool(_) => self.opposite(value),
            Val::Never => Val::Never,
            value => self.by_type(value, &[Type::Bool], site, Self::opposite),
        }
    }

    fn opposite(&mut self, value: Val) -> Val {
        match value {
            Val::Bool(value) => Val::Bool(self.b.ins().bxor_imm_u(value, 1)),
            other => other,
        }
    }

    pub fn logic(&mut self, all: bool, operands: &[(Node, SiteId)]) -> Val {
        let result = self.b.declare_var(types::I8);
        let done = self.b.create_block();
        for (at, (operand, site)) in operands.iter().enumerate() {
            let value = self.node(operand);
            if at == 0 && matches!(value, Val::Never) {
                return value;
            }
            let value = self.truth(value, *site);
            self.b.def_var(result, value);
            if at + 1 == operands.len() {
                self.b.ins().jump(done, &[]);
            } else {
                let next = self.b.create_block();
                let (yes, no) = if all { (next, done) } else { (done, next) };
                self.b.ins().brif(value, yes, &[], no, &[]);
                self.b.switch_to_block(next);
            }
        }
        self.b.switch_to_block(done);
        Val::Bool(self.b.use_var(result))
    }

    pub fn coalesce(&mut self, nodes: &[Node]) -> Val {
        let kinds: Vec<Type> = nodes.iter().map(|node| self.kind(node)).collect();
        let kind = kinds.into_iter().fold(Type::Never, Type::join);
        let outcome = self.outcome(kind);
        let done = self.b.create_block();
        for (at, node) in nodes.iter().enumerate() {
            let value = self.node(node);
            let last = at + 1 == nodes.len();
            match value {
                Val::Any(place) if !last => {
                    // A shared cell holds the value that counts.
                    let place = Place::Own(self.owned(Val::Any(place)));
                    let unit = self.has_tag(place, Type::Unit);
                    let (takes, next) = (self.b.create_block(), self.b.create_block());
                    self.b.ins().brif(unit, next, &[], takes, &[]);
                    self.b.switch_to_block(takes);
                    let (live, free) = (self.live.clone(), self.free.clone());
                    self.deliver(outcome, Val::Any(place));
                    self.b.ins().jump(done, &[]);
                    self.back_to(&live, &free);
                    self.b.switch_to_block(next);
                    if let Place::Own(slot) = place {
                        self.forget(slot);
                    }
                }
                Val::Unit if !last => {}
                value => {
                    self.deliver(outcome, value);
                    self.b.ins().jump(done, &[]);
                    let rest = self.b.create_block();
                    self.b.switch_to_block(rest);
                }
            }
        }
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.delivered(outcome, kind)
    }
}
