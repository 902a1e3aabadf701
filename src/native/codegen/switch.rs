//! `switch`.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::Generator;
use super::value::{Place, Val};
use crate::native::ir::{Node, Switch};
use crate::native::runtime::Helper;
use crate::native::site::SiteId;

impl Generator<'_, '_> {
    pub fn switch(&mut self, whole: &Node, switch: &Switch) -> Val {
        let subject = self.node(&switch.subject);
        if matches!(subject, Val::Never) {
            return subject;
        }
        let kind = self.kind(whole);
        let outcome = self.outcome(kind);
        let subject = Val::Any(match subject {
            Val::Any(place @ Place::Own(_)) => place,
            other => Place::Own(self.owned(other)),
        });
        let Val::Any(place) = subject else { return Val::Never };
        let next = self.b.create_block();
        let arms: Vec<_> = switch.arms.iter().map(|_| self.b.create_block()).collect();
        let rest = self.b.create_block();
        for (constant, condition, arm) in &switch.cases {
            let constant = self.constant(*constant);
            let (value, constant) = (self.pointer(place), self.pointer(constant));
            let same = self.asked(Helper::Same, &[value, constant]);
            self.case(same, condition.as_ref(), arms[*arm]);
        }
        for (first, last, closed, condition, arm) in &switch.ranges {
            let value = self.pointer(place);
            let first = self.b.ins().iconst(types::I64, *first);
            let last = self.b.ins().iconst(types::I64, *last);
            let closed = self.b.ins().iconst(types::I64, i64::from(*closed));
            let within = self.asked(Helper::Within, &[value, first, last, closed]);
            self.case(within, condition.as_ref(), arms[*arm]);
        }
        self.b.ins().jump(switch.default.map_or(rest, |arm| arms[arm]), &[]);
        let (live, free) = (self.live.clone(), self.free.clone());
        for (block, arm) in arms.into_iter().zip(&switch.arms) {
            self.back_to(&live, &free);
            self.b.switch_to_block(block);
            self.release(subject);
            let value = self.node(arm);
            self.deliver(outcome, value);
            self.b.ins().jump(next, &[]);
        }
        self.back_to(&live, &free);
        self.b.switch_to_block(rest);
        self.release(subject);
        self.ended(outcome);
        self.b.ins().jump(next, &[]);
        self.b.switch_to_block(next);
        self.delivered(outcome, kind)
    }

    fn case(&mut self, holds: Value, condition: Option<&(Node, SiteId)>, arm: cranelift_codegen::ir::Block) {
        let (asks, next) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(holds, asks, &[], next, &[]);
        self.b.switch_to_block(asks);
        match condition {
            None => {
                self.b.ins().jump(arm, &[]);
            }
            Some((condition, site)) => {
                let value = self.node(condition);
                let holds = self.truth(value, *site);
                self.b.ins().brif(holds, arm, &[], next, &[]);
            }
        }
        self.b.switch_to_block(next);
    }
}
