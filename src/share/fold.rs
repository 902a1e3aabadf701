//! What is made of many elements without the interpreter: sum, least, greatest.
//!
//! Elements are copied piece by piece into the processor's cache and looked at there, so this goes about as fast
//! as the memory. Floats are added in eight lanes that are added at the end: a little more exact than one after
//! the other, and the same each time, but not to the last bit what a loop gives.

use super::cells::Cells;
use super::code::{Code, Scalar};

/// Lanes that additions and comparisons are spread over.
const LANES: usize = 8;

/// A sum; that of ints is wider than they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sum {
    Int(i128),
    Float(f64),
}

/// Which end of the elements is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Least,
    Greatest,
}

/// Bytes `from` and `to` of cells that hold elements of one typecode.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    pub cells: &'a Cells,
    pub code: Code,
    pub from: usize,
    pub to: usize,
}

impl Span<'_> {
    /// The sum of the elements; `None` for what can't be added. Bools count as 0 and 1.
    pub fn sum(&self) -> Option<Sum> {
        Some(match self.code {
            Code::Signed8 => self.small_sum(|element| i8::from_ne_bytes(element).into()),
            Code::Unsigned8 | Code::Bool => self.small_sum(|element| u8::from_ne_bytes(element).into()),
            Code::Signed16 => self.small_sum(|element| i16::from_ne_bytes(element).into()),
            Code::Unsigned16 => self.small_sum(|element| u16::from_ne_bytes(element).into()),
            Code::Signed32 => self.small_sum(|element| i32::from_ne_bytes(element).into()),
            Code::Unsigned32 => self.small_sum(|element| u32::from_ne_bytes(element).into()),
            Code::SignedLong | Code::UnsignedLong | Code::Signed64 | Code::Unsigned64 => self.wide_sum(),
            Code::Float32 => self.float_sum(|element| f32::from_ne_bytes(element).into()),
            Code::Float64 => self.float_sum(f64::from_ne_bytes),
            Code::Byte | Code::Char => return None,
        })
    }

    /// Those of a chunk fit 64 bits.
    fn small_sum<const N: usize>(&self, read: impl Fn([u8; N]) -> i64) -> Sum {
        let mut total = 0;
        self.cells.chunks(self.from, self.to, |chunk| {
            let (elements, _) = chunk.as_chunks::<N>();
            total += i128::from(elements.iter().map(|element| read(*element)).sum::<i64>());
        });
        Sum::Int(total)
    }

    fn wide_sum(&self) -> Sum {
        let mut total = 0;
        self.cells.chunks(self.from, self.to, |chunk| {
            let (elements, _) = chunk.as_chunks();
            total += elements.iter().map(|element| i128::from(i64::from_ne_bytes(*element))).sum::<i128>();
        });
        Sum::Int(total)
    }

    fn float_sum<const N: usize>(&self, read: impl Fn([u8; N]) -> f64) -> Sum {
        let mut lanes = [0.0; LANES];
        self.cells.chunks(self.from, self.to, |chunk| {
            let (rows, rest) = chunk.as_chunks::<N>().0.as_chunks::<LANES>();
            for row in rows {
                lanes.iter_mut().zip(row).for_each(|(lane, element)| *lane += read(*element));
            }
            lanes.iter_mut().zip(rest).for_each(|(lane, element)| *lane += read(*element));
        });
        let [a, b, c, d, e, f, g, h] = lanes;
        Sum::Float(((a + b) + (c + d)) + ((e + f) + (g + h)))
    }

    /// The least or greatest element; `None` if there is none, or for what is no number. If one of them is not a
    /// number (NaN), neither is the answer.
    pub fn end(&self, end: End) -> Option<Scalar> {
        let float = |float: Option<f64>| float.map(Scalar::Float);
        let int = |int: Option<i64>| int.map(Scalar::Int);
        match self.code {
            Code::Signed8 => int(self.extreme(end, i8::from_ne_bytes).map(i64::from)),
            Code::Unsigned8 => int(self.extreme(end, u8::from_ne_bytes).map(i64::from)),
            Code::Signed16 => int(self.extreme(end, i16::from_ne_bytes).map(i64::from)),
            Code::Unsigned16 => int(self.extreme(end, u16::from_ne_bytes).map(i64::from)),
            Code::Signed32 => int(self.extreme(end, i32::from_ne_bytes).map(i64::from)),
            Code::Unsigned32 => int(self.extreme(end, u32::from_ne_bytes).map(i64::from)),
            Code::SignedLong | Code::UnsignedLong | Code::Signed64 | Code::Unsigned64 => {
                int(self.extreme(end, i64::from_ne_bytes))
            }
            Code::Float32 => float(self.extreme(end, f32::from_ne_bytes).map(f64::from)),
            Code::Float64 => float(self.extreme(end, f64::from_ne_bytes)),
            Code::Byte | Code::Char | Code::Bool => None,
        }
    }

    fn extreme<const N: usize, T: Copy + PartialOrd>(
        &self,
        end: End,
        read: impl Fn([u8; N]) -> T,
    ) -> Option<T> {
        match end {
            End::Least => self.first_by(read, |value, other| value < other),
            End::Greatest => self.first_by(read, |value, other| value > other),
        }
    }

    fn first_by<const N: usize, T: Copy + PartialOrd>(
        &self,
        read: impl Fn([u8; N]) -> T,
        before: impl Fn(T, T) -> bool,
    ) -> Option<T> {
        // What is not equal to itself goes before everything, and nothing before it.
        let choose = |best: T, value: T| {
            if before(value, best) || value.partial_cmp(&value).is_none() { value } else { best }
        };
        let mut lanes: Option<[T; LANES]> = None;
        self.cells.chunks(self.from, self.to, |chunk| {
            let (elements, _) = chunk.as_chunks::<N>();
            let Some(first) = elements.first() else { return };
            let lanes = lanes.get_or_insert([read(*first); LANES]);
            let (rows, rest) = elements.as_chunks::<LANES>();
            for row in rows {
                lanes.iter_mut().zip(row).for_each(|(lane, element)| *lane = choose(*lane, read(*element)));
            }
            lanes.iter_mut().zip(rest).for_each(|(lane, element)| *lane = choose(*lane, read(*element)));
        });
        lanes?.into_iter().reduce(choose)
    }
}

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;

    use proptest::prelude::*;

    use super::*;
    use crate::share::cells::put_bits;

    /// Calls `look` with a span over those values, after one element that does not belong to it.
    fn over<T>(code: Code, values: &[Scalar], look: impl FnOnce(Span) -> T) -> T {
        let size = code.size();
        let to = size * (values.len() + 1);
        let mut words = vec![u64::MAX; to.div_ceil(8) + 1];
        let base = NonNull::new(words.as_mut_ptr().cast()).expect("an address");
        // SAFETY: the words belong to the test, which uses them through the cells only.
        let cells = unsafe { Cells::new(base, words.len() * 8) };
        for (index, value) in values.iter().enumerate() {
            let mut element = vec![0; size];
            put_bits(code.pack(*value).expect("it fits"), &mut element);
            cells.write((index + 1) * size, size, &element);
        }
        look(Span { cells: &cells, code, from: size, to })
    }

    #[test]
    fn what_is_not_a_number_is_the_answer() {
        for place in [0, 1, 7, 8, 600, 999] {
            let values: Vec<Scalar> = (0..1000)
                .map(|at| Scalar::Float(if at == place { f64::NAN } else { f64::from(at) }))
                .collect();
            for end in [End::Least, End::Greatest] {
                let found = over(Code::Float64, &values, |span| span.end(end));
                assert!(matches!(found, Some(Scalar::Float(float)) if float.is_nan()), "{place} {end:?}");
            }
        }
    }

    #[test]
    fn nothing_has_no_ends_and_sums_to_zero() {
        assert_eq!(
            over(Code::Float32, &[], |span| (span.sum(), span.end(End::Least))),
            (Some(Sum::Float(0.0)), None)
        );
        assert_eq!(
            over(Code::Signed16, &[], |span| (span.sum(), span.end(End::Least))),
            (Some(Sum::Int(0)), None)
        );
        assert_eq!(over(Code::Char, &[Scalar::Char('a')], |span| span.sum()), None);
        let bools = [true, false, true].map(Scalar::Bool);
        assert_eq!(over(Code::Bool, &bools, |span| span.sum()), Some(Sum::Int(2)));
    }

    proptest! {
        #[test]
        fn sums_and_ends_are_those_of_a_loop(ints in proptest::collection::vec(any::<i64>(), 0..1500)) {
            for letter in *b"bBhHiIlLqQfd" {
                let code = Code::of(letter).expect("a code");
                let (least, greatest) = code.range().unwrap_or((-1_000_000, 1_000_000));
                let fit = |int: &i64| if (least..=greatest).contains(int) { *int } else { *int & greatest & 0x7f };
                let ints: Vec<i64> = ints.iter().map(fit).collect();
                let values: Vec<Scalar> = ints.iter().map(|int| Scalar::Int(*int)).collect();
                let total: i128 = ints.iter().map(|int| i128::from(*int)).sum();
                let found = over(code, &values, |span| (span.sum(), span.end(End::Least), span.end(End::Greatest)));
                let as_scalar = |int: Option<&i64>| {
                    int.map(|int| code.unpack(code.pack(Scalar::Int(*int)).expect("it fits")))
                };
                let (sum, ends) = (found.0, (found.1, found.2));
                match sum {
                    Some(Sum::Int(sum)) => prop_assert_eq!(sum, total),
                    Some(Sum::Float(sum)) => prop_assert_eq!(sum, total as f64),
                    None => prop_assert!(false, "no sum"),
                }
                prop_assert_eq!(ends, (as_scalar(ints.iter().min()), as_scalar(ints.iter().max())));
            }
        }
    }
}
