//! Blocks, branches, loops, errors.

use cranelift_codegen::ir::{Block, InstBuilder, Value};

use super::value::{Place, Val};
use super::{Generator, Inside, Loop, Outcome, Storage};
use crate::native::ir::Node;
use crate::native::runtime::Helper;
use crate::native::site::SiteId;
use crate::native::types::Type;

impl Generator<'_, '_> {
    /// If `wrong`, the error is noted by what `note` makes, away from what usually runs, and the function left.
    pub fn fails_if(&mut self, wrong: Value, note: impl FnOnce(&mut Self)) {
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(cold);
        self.b.ins().brif(wrong, cold, &[], next, &[]);
        self.b.switch_to_block(cold);
        note(self);
        let fails = self.fails;
        self.b.ins().jump(fails, &[]);
        self.b.switch_to_block(next);
    }

    pub fn block(&mut self, nodes: &[Node], ended: &[usize]) -> Val {
        let mut value = Val::Unit;
        for node in nodes {
            self.release(value);
            value = self.node(node);
            if matches!(value, Val::Never) {
                return value;
            }
        }
        // A variable's own place ends with it.
        if let Val::Any(Place::Slot(_) | Place::Lent(_) | Place::Reference(_)) = value
            && !ended.is_empty()
        {
            value = Val::Any(Place::Own(self.owned(value)));
        }
        for variable in ended {
            if let Storage::Slot(slot) = self.storage[*variable] {
                self.clear(Place::Slot(slot));
            }
        }
        value
    }

    pub fn declare(&mut self, variable: usize, value: &Node) -> Val {
        let value = self.node(value);
        match self.storage[variable] {
            _ if matches!(value, Val::Never) => return Val::Never,
            Storage::Register(register, kind) => {
                let value = self.scalar(value, kind);
                self.b.def_var(register, value);
            }
            Storage::Slot(slot) => {
                // A variable that is declared anew in its block may be made of what it held.
                let value = match value {
                    Val::Any(place @ Place::Reference(_)) => {
                        Val::Any(Place::Own(self.owned(Val::Any(place))))
                    }
                    Val::Any(Place::Slot(own)) if own == slot => Val::Any(Place::Own(self.owned(value))),
                    value => value,
                };
                // What an earlier turn left behind, if it ended on the way.
                self.clear(Place::Slot(slot));
                self.put(Place::Slot(slot), value);
            }
            Storage::Lent(_) | Storage::Unit => self.release(value),
        }
        Val::Unit
    }

    pub fn set(&mut self, variable: usize, value: &Node) -> Val {
        let value = self.node(value);
        if !matches!(value, Val::Never) {
            self.set_variable(variable, value);
            return Val::Unit;
        }
        value
    }

    pub fn set_variable(&mut self, variable: usize, value: Val) {
        match self.storage[variable] {
            Storage::Register(register, kind) => {
                let value = self.scalar(value, kind);
                self.b.def_var(register, value);
            }
            Storage::Slot(slot) => self.assign(Place::Slot(slot), value),
            Storage::Lent(register) => {
                let place = Place::Reference(self.b.use_var(register));
                self.assign(place, value);
            }
            Storage::Unit => self.release(value),
        }
    }

    pub fn branch(
        &mut self,
        whole: &Node,
        condition: &Node,
        site: SiteId,
        body: &Node,
        branch: &Node,
    ) -> Val {
        let condition = self.node(condition);
        if matches!(condition, Val::Never) {
            return condition;
        }
        let condition = self.truth(condition, site);
        let kind = self.kind(whole);
        let outcome = self.outcome(kind);
        let blocks = [self.b.create_block(), self.b.create_block(), self.b.create_block()];
        let [yes, no, next] = blocks;
        self.b.ins().brif(condition, yes, &[], no, &[]);
        for (block, node) in [(yes, body), (no, branch)] {
            self.b.switch_to_block(block);
            let value = self.node(node);
            self.deliver(outcome, value);
            self.b.ins().jump(next, &[]);
        }
        self.b.switch_to_block(next);
        self.delivered(outcome, kind)
    }

    pub fn enter(&mut self, kind: Type) -> (Outcome, Block, Block) {
        let result = self.outcome(kind);
        let (goes_on, ends) = (self.b.create_block(), self.b.create_block());
        self.loops.push(Loop { goes_on, ends, result, live: self.live.len(), inside: self.inside.len() });
        (result, goes_on, ends)
    }

    /// The value of a loop that ended by itself is `()`.
    pub fn ended(&mut self, outcome: Outcome) {
        if let Outcome::Slot(slot) = outcome {
            self.write(Place::Own(slot), Val::Unit);
        }
    }

    pub fn while_loop(&mut self, whole: &Node, condition: Option<&(Box<Node>, SiteId)>, body: &Node) -> Val {
        let kind = self.kind(whole);
        let (outcome, head, ends) = self.enter(kind);
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        self.poll();
        if let Some((condition, site)) = condition {
            let condition = self.node(condition);
            let condition = self.truth(condition, *site);
            let (turn, over) = (self.b.create_block(), self.b.create_block());
            self.b.ins().brif(condition, turn, &[], over, &[]);
            self.b.switch_to_block(over);
            self.ended(outcome);
            self.b.ins().jump(ends, &[]);
            self.b.switch_to_block(turn);
        }
        let value = self.node(body);
        self.release(value);
        self.b.ins().jump(head, &[]);
        self.loops.pop();
        self.b.switch_to_block(ends);
        self.delivered(outcome, kind)
    }

    pub fn do_loop(
        &mut self,
        whole: &Node,
        body: &Node,
        condition: &Node,
        site: SiteId,
        goes_on: bool,
    ) -> Val {
        let kind = self.kind(whole);
        let (outcome, head, ends) = self.enter(kind);
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        self.poll();
        let value = self.node(body);
        self.release(value);
        self.loops.pop();
        let condition = self.node(condition);
        let condition = self.truth(condition, site);
        let over = self.b.create_block();
        let (yes, no) = if goes_on { (head, over) } else { (over, head) };
        self.b.ins().brif(condition, yes, &[], no, &[]);
        self.b.switch_to_block(over);
        self.ended(outcome);
        self.b.ins().jump(ends, &[]);
        self.b.switch_to_block(ends);
        self.delivered(outcome, kind)
    }

    /// Drops what was live on the way out of something.
    fn unwind(&mut self, live: usize, inside: usize) {
        let in_use: Vec<usize> = self.live.iter().skip(live).copied().collect();
        for slot in in_use {
            self.clear(Place::Own(slot));
        }
        self.get_out(inside);
    }

    /// Whether there is a resource to be left.
    fn is_within(&self) -> bool {
        self.inside.iter().any(|entered| matches!(entered, Inside::With(_)))
    }

    /// Leaves what was entered behind the first `inside`.
    pub fn get_out(&mut self, inside: usize) {
        for at in (inside..self.inside.len()).rev() {
            match self.inside[at] {
                Inside::Handler => {
                    let run = self.run;
                    self.helper(Helper::EndHandler, &[run]);
                }
                Inside::With(fails) => {
                    let failed = self.leave_it();
                    let next = self.b.create_block();
                    self.b.ins().brif(failed, fails, &[], next, &[]);
                    self.b.switch_to_block(next);
                }
            }
        }
    }

    pub fn leave(&mut self, value: Option<&Node>) -> Val {
        let value = value.map_or(Val::Unit, |value| self.node(value));
        if matches!(value, Val::Never) {
            return value;
        }
        let Some(around) = self.loops.last() else { return value };
        let (ends, outcome, live, inside) = (around.ends, around.result, around.live, around.inside);
        self.deliver(outcome, value);
        self.unwind(live, inside);
        self.b.ins().jump(ends, &[]);
        self.unreachable()
    }

    pub fn next_turn(&mut self) -> Val {
        let Some(around) = self.loops.last() else { return Val::Never };
        let (goes_on, live, inside) = (around.goes_on, around.live, around.inside);
        self.unwind(live, inside);
        self.b.ins().jump(goes_on, &[]);
        self.unreachable()
    }

    pub fn return_value(&mut self, value: Option<&Node>) -> Val {
        let value = match value {
            // It ends with the function, unless a resource on the way can't be left, and that is caught.
            Some(Node::Read(variable)) if !self.is_within() => self.take(*variable),
            Some(value) => self.node(value),
            None => Val::Unit,
        };
        if matches!(value, Val::Never) {
            return value;
        }
        self.get_out(0);
        self.give(value);
        self.unreachable()
    }
}
