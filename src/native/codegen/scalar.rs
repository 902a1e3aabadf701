//! Operators on static types, with the engine's checks: whatever would be an error is handed to the engine, which
//! evaluates that very operation and raises it.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::Generator;
use super::value::Val;
use crate::native::ir::Op;
use crate::native::runtime::Helper;
use crate::native::site::SiteId;

/// The condition of a comparison of numbers.
const fn condition(op: Op) -> IntCC {
    match op {
        Op::Equal => IntCC::Equal,
        Op::NotEqual => IntCC::NotEqual,
        Op::Less => IntCC::SignedLessThan,
        Op::LessOrEqual => IntCC::SignedLessThanOrEqual,
        Op::Greater => IntCC::SignedGreaterThan,
        _ => IntCC::SignedGreaterThanOrEqual,
    }
}

fn unsigned(op: Op) -> IntCC {
    condition(op).unsigned()
}

impl Generator<'_, '_> {
    /// Where the engine raises the error that `left op right` is, if `wrong`.
    pub fn guard(&mut self, wrong: Value, site: SiteId, operands: [Value; 2]) {
        self.fails_if(wrong, |this| {
            let site = this.site(site);
            let (run, level) = (this.run, this.level);
            this.helper(Helper::Trap, &[run, site, level, operands[0], operands[1]]);
        });
    }

    /// The operator on these static types, if there is such a built-in one.
    pub fn on_scalars(&mut self, op: Op, left: Val, right: Val, site: SiteId) -> Option<Val> {
        let bits = matches!(op, Op::And | Op::Or | Op::Xor);
        Some(match (left, right) {
            (Val::Int(left), Val::Int(right)) => self.on_ints(op, left, right, site),
            (Val::Float(left), Val::Float(right)) => self.on_floats(op, left, right)?,
            (Val::Float(left), Val::Int(right)) => {
                let right = self.b.ins().fcvt_from_sint(types::F64, right);
                self.on_floats(op, left, right)?
            }
            (Val::Int(left), Val::Float(right)) => {
                let left = self.b.ins().fcvt_from_sint(types::F64, left);
                self.on_floats(op, left, right)?
            }
            (Val::Bool(left), Val::Bool(right)) if op.compares() => {
                Val::Bool(self.b.ins().icmp(unsigned(op), left, right))
            }
            (Val::Char(left), Val::Char(right)) if op.compares() => {
                Val::Bool(self.b.ins().icmp(unsigned(op), left, right))
            }
            (Val::Bool(left), Val::Bool(right)) if bits => Val::Bool(match op {
                Op::And => self.b.ins().band(left, right),
                Op::Or => self.b.ins().bor(left, right),
                _ => self.b.ins().bxor(left, right),
            }),
            _ => return None,
        })
    }

    pub fn on_ints(&mut self, op: Op, left: Value, right: Value, site: SiteId) -> Val {
        if op.compares() {
            return Val::Bool(self.b.ins().icmp(condition(op), left, right));
        }
        let checked = match op {
            Op::Add => Some(self.b.ins().sadd_overflow(left, right)),
            Op::Subtract => Some(self.b.ins().ssub_overflow(left, right)),
            Op::Multiply => Some(self.b.ins().smul_overflow(left, right)),
            _ => None,
        };
        if let Some((value, wrong)) = checked {
            self.guard(wrong, site, [left, right]);
            return Val::Int(value);
        }
        Val::Int(match op {
            Op::Divide | Op::Modulo => {
                if !matches!(self.number(right), Some(divisor) if divisor != 0 && divisor != -1) {
                    let zero = self.b.ins().icmp_imm_s(IntCC::Equal, right, 0);
                    self.guard(zero, site, [left, right]);
                    let one = self.b.ins().icmp_imm_s(IntCC::Equal, right, -1);
                    let smallest = self.b.ins().icmp_imm_s(IntCC::Equal, left, i64::MIN);
                    let wrong = self.b.ins().band(one, smallest);
                    self.guard(wrong, site, [left, right]);
                }
                if op == Op::Divide { self.b.ins().sdiv(left, right) } else { self.b.ins().srem(left, right) }
            }
            Op::And => self.b.ins().band(left, right),
            Op::Or => self.b.ins().bor(left, right),
            Op::Xor => self.b.ins().bxor(left, right),
            Op::ShiftLeft | Op::ShiftRight => match self.number(right) {
                Some(count @ 0..=63) if op == Op::ShiftLeft => self.b.ins().ishl_imm_u(left, count),
                Some(count @ 0..=63) => self.b.ins().sshr_imm_u(left, count),
                _ if op == Op::ShiftLeft => self.asked(Helper::ShiftLeft, &[left, right]),
                _ => self.asked(Helper::ShiftRight, &[left, right]),
            },
            _ => {
                let wrong = self.asked(Helper::PowerFails, &[left, right]);
                self.guard(wrong, site, [left, right]);
                self.asked(Helper::Power, &[left, right])
            }
        })
    }

    pub fn on_floats(&mut self, op: Op, left: Value, right: Value) -> Option<Val> {
        Some(Val::Float(match op {
            Op::Add => self.b.ins().fadd(left, right),
            Op::Subtract => self.b.ins().fsub(left, right),
            Op::Multiply => self.b.ins().fmul(left, right),
            Op::Divide => self.b.ins().fdiv(left, right),
            Op::Modulo => self.helper(Helper::FloatModulo, &[left, right])?,
            Op::Power => self.helper(Helper::FloatPower, &[left, right])?,
            Op::And | Op::Or | Op::Xor | Op::ShiftLeft | Op::ShiftRight => return None,
            _ => return Some(Val::Bool(self.compare_floats(op, left, right))),
        }))
    }

    /// The number that a value is, if it is known.
    fn number(&self, value: Value) -> Option<i64> {
        use cranelift_codegen::ir::{InstructionData, Opcode, ValueDef};
        let ValueDef::Result(instruction, _) = self.b.func.dfg.value_def(value) else { return None };
        match self.b.func.dfg.insts[instruction] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits()),
            _ => None,
        }
    }

    /// Whether a value is a known number other than 0 and NaN.
    fn is_ordinary(&self, value: Value) -> bool {
        use cranelift_codegen::ir::{InstructionData, ValueDef};
        let ValueDef::Result(instruction, _) = self.b.func.dfg.value_def(value) else { return false };
        match self.b.func.dfg.insts[instruction] {
            InstructionData::UnaryIeee64 { imm, .. } => {
                let known = f64::from_bits(imm.bits());
                known != 0.0 && !known.is_nan()
            }
            _ => false,
        }
    }

    /// Rhai compares floats with a relative epsilon: `difference / max > EPSILON`, with `max` the larger magnitude,
    /// or 1 if the product is 0. That is rewritten to `difference > max * EPSILON`, which is exact, as EPSILON is a
    /// power of two and `max` is never so small that the product is denormal; an infinite `max` is ruled out. And a
    /// NaN beside a zero counts as equal, since Rust's `max` leaves the NaN out and a `max` of 0 means equal.
    fn compare_floats(&mut self, op: Op, left: Value, right: Value) -> Value {
        let quirk = matches!(op, Op::Equal | Op::LessOrEqual | Op::GreaterOrEqual)
            && !self.is_ordinary(left)
            && !self.is_ordinary(right);
        let b = &mut self.b;
        let (zero, one) = (b.ins().f64const(0.0), b.ins().f64const(1.0));
        let product = b.ins().fmul(left, right);
        let no_scale = b.ins().fcmp(FloatCC::Equal, product, zero);
        let (size, other) = (b.ins().fabs(left), b.ins().fabs(right));
        let larger = b.ins().fcmp(FloatCC::GreaterThan, size, other);
        let max = b.ins().select(larger, size, other);
        let max = b.ins().select(no_scale, one, max);
        let epsilon = b.ins().f64const(f64::EPSILON);
        let margin = b.ins().fmul(max, epsilon);
        let difference = match op {
            Op::Less | Op::LessOrEqual => b.ins().fsub(right, left),
            _ => b.ins().fsub(left, right),
        };
        let found = match op {
            Op::Less | Op::Greater => b.ins().fcmp(FloatCC::GreaterThan, difference, margin),
            Op::NotEqual => {
                let size = b.ins().fabs(difference);
                b.ins().fcmp(FloatCC::GreaterThan, size, margin)
            }
            _ => {
                let infinity = b.ins().f64const(f64::INFINITY);
                let finite = b.ins().fcmp(FloatCC::LessThan, max, infinity);
                let close = if op == Op::Equal {
                    let size = b.ins().fabs(difference);
                    b.ins().fcmp(FloatCC::LessThanOrEqual, size, margin)
                } else {
                    let margin = b.ins().fneg(margin);
                    b.ins().fcmp(FloatCC::GreaterThan, difference, margin)
                };
                b.ins().band(close, finite)
            }
        };
        if !quirk {
            return found;
        }
        let unordered = b.ins().fcmp(FloatCC::Unordered, left, right);
        let (first, second) =
            (b.ins().fcmp(FloatCC::Equal, left, zero), b.ins().fcmp(FloatCC::Equal, right, zero));
        let beside_zero = b.ins().bor(first, second);
        let equal = b.ins().band(unordered, beside_zero);
        b.ins().bor(found, equal)
    }
}
