//! Numeric standard functions in line.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::Generator;
use super::value::{Place, Val};
use crate::native::numeric::Standard;
use crate::native::runtime::Helper;
use crate::native::site::SiteId;
use crate::native::types::Type;

impl Generator<'_, '_> {
    /// A standard function on static numbers. The site is for its errors.
    pub fn standard(&mut self, function: Standard, kind: Type, values: &[Val], site: SiteId) -> Val {
        let operand = |value: &Val| match *value {
            Val::Int(value) | Val::Float(value) => Some(value),
            _ => None,
        };
        if let Standard::Number(number) = function {
            return Val::Float(self.b.ins().f64const(number));
        }
        let operands: Vec<Value> = values.iter().filter_map(operand).collect();
        let Some(one) = operands.first().copied() else { return Val::Unit };
        let two = operands.get(1).copied().unwrap_or(one);
        let value = match function {
            Standard::Sqrt => self.b.ins().sqrt(one),
            Standard::Floor => self.b.ins().floor(one),
            Standard::Ceiling => self.b.ins().ceil(one),
            Standard::Truncate => self.b.ins().trunc(one),
            Standard::AbsFloat => self.b.ins().fabs(one),
            Standard::AbsInt => {
                let wrong = self.b.ins().icmp_imm_s(IntCC::Equal, one, i64::MIN);
                self.raises(wrong, site, values);
                self.b.ins().iabs(one)
            }
            Standard::ToFloat => self.b.ins().fcvt_from_sint(types::F64, one),
            Standard::ToInt => {
                let largest = self.b.ins().f64const(i64::MAX as f64);
                let smallest = self.b.ins().f64const(i64::MIN as f64);
                let above = self.b.ins().fcmp(FloatCC::GreaterThan, one, largest);
                let below = self.b.ins().fcmp(FloatCC::LessThan, one, smallest);
                let wrong = self.b.ins().bor(above, below);
                self.raises(wrong, site, values);
                self.b.ins().fcvt_to_sint_sat(types::I64, one)
            }
            Standard::MaxInt => self.b.ins().smax(one, two),
            Standard::MinInt => self.b.ins().smin(one, two),
            Standard::Call(function) => self.library(function as usize, &[one]),
            Standard::Call2(function) => self.library(function as usize, &[one, two]),
            Standard::IsNan => self.b.ins().fcmp(FloatCC::Unordered, one, one),
            Standard::Odd | Standard::Even => {
                let bit = self.b.ins().band_imm_u(one, 1);
                let wanted = i64::from(matches!(function, Standard::Odd));
                self.b.ins().icmp_imm_u(IntCC::Equal, bit, wanted)
            }
            Standard::Zero => self.b.ins().icmp_imm_s(IntCC::Equal, one, 0),
            Standard::Number(_) => return Val::Unit,
        };
        self.typed(kind, value)
    }

    /// If `wrong`, the engine makes the call and raises what it raises.
    fn raises(&mut self, wrong: Value, site: SiteId, values: &[Val]) {
        self.fails_if(wrong, |this| {
            let slot = this.temporary();
            this.evaluate(site, values, Place::Own(slot));
            this.release(Val::Any(Place::Own(slot)));
        });
    }

    /// A function of the mathematics library by its address, through a helper, as its convention is Rust's.
    fn library(&mut self, address: usize, operands: &[Value]) -> Value {
        let helper = if operands.len() == 1 { Helper::Float1 } else { Helper::Float2 };
        let function = self.b.ins().iconst(types::I64, address as i64);
        let arguments: Vec<Value> = [function].into_iter().chain(operands.iter().copied()).collect();
        self.asked(helper, &arguments)
    }
}
