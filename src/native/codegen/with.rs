//! `with`: a resource is entered, and left on every way out of the block.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::value::{Place, Val};
use super::{Generator, Inside};
use crate::native::ir::{Node, With};
use crate::native::runtime::{Entering, Helper};
use crate::native::site::SiteId;

impl Generator<'_, '_> {
    pub fn with(&mut self, whole: &Node, with: &With) -> Val {
        let kind = self.kind(whole);
        let outcome = self.outcome(kind);
        let entered = self.b.create_block();
        if let Some(variable) = with.lock_of {
            let (live, free) = (self.live.clone(), self.free.clone());
            let value = self.in_memory(variable);
            let place = self.boxed(value);
            let status = self.enter_it(place, true, with.site);
            let (other, unknown) = (self.b.create_block(), self.b.create_block());
            self.b.ins().brif(status, other, &[], entered, &[]);
            self.b.switch_to_block(other);
            let is_unknown = self.b.ins().icmp_imm_u(IntCC::Equal, status, Entering::Unknown as i64);
            let fails = self.fails;
            self.b.ins().brif(is_unknown, unknown, &[], fails, &[]);
            self.b.switch_to_block(unknown);
            self.back_to(&live, &free);
        }
        let resource = self.node(&with.resource);
        if !matches!(resource, Val::Never) {
            let place = self.boxed(resource);
            let status = self.enter_it(place, false, with.site);
            self.check(status);
            self.release(Val::Any(place));
        }
        self.b.ins().jump(entered, &[]);

        self.b.switch_to_block(entered);
        let broken = self.b.create_block();
        let outer = std::mem::replace(&mut self.fails, broken);
        self.inside.push(Inside::With(outer));
        let value = self.node(&with.body);
        self.deliver(outcome, value);
        self.inside.pop();
        self.fails = outer;
        let failed = self.leave_it();
        self.check(failed);
        let done = self.b.create_block();
        self.b.ins().jump(done, &[]);

        self.b.switch_to_block(broken);
        self.leave_it();
        self.b.ins().jump(outer, &[]);
        self.b.switch_to_block(done);
        self.delivered(outcome, kind)
    }

    fn enter_it(&mut self, resource: Place, lock_of: bool, site: SiteId) -> Value {
        let (run, level, pointer) = (self.run, self.level, self.pointer(resource));
        let lock_of = self.b.ins().iconst(types::I64, i64::from(lock_of));
        let site = self.site(site);
        self.asked(Helper::Enter, &[run, site, level, pointer, lock_of])
    }

    /// Whether it failed, or the block has.
    pub fn leave_it(&mut self) -> Value {
        let (run, level) = (self.run, self.level);
        self.asked(Helper::Leave, &[run, level])
    }
}
