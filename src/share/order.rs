//! Elements in order: sorted outside the shared memory, and written back in one go.
//!
//! Who dies in the middle of the writing leaves some elements twice and others not at all, as with any slice that
//! is assigned; the array's lock tells the next one.

use std::cmp::Ordering;

use super::cells::Cells;
use super::code::Code;

/// Sorts the elements. What is not a number (NaN) comes last, either way.
pub fn sort(cells: &Cells, code: Code, descending: bool) {
    let mut bytes = cells.bytes(0, cells.size());
    let bytes = &mut bytes[..];
    match code {
        Code::Signed8 => arrange(bytes, i8::from_ne_bytes, i8::to_ne_bytes, by(descending)),
        Code::Unsigned8 | Code::Bool | Code::Byte => {
            arrange(bytes, u8::from_ne_bytes, u8::to_ne_bytes, by(descending));
        }
        Code::Signed16 => arrange(bytes, i16::from_ne_bytes, i16::to_ne_bytes, by(descending)),
        Code::Unsigned16 => arrange(bytes, u16::from_ne_bytes, u16::to_ne_bytes, by(descending)),
        Code::Signed32 => arrange(bytes, i32::from_ne_bytes, i32::to_ne_bytes, by(descending)),
        Code::Unsigned32 | Code::Char => arrange(bytes, u32::from_ne_bytes, u32::to_ne_bytes, by(descending)),
        Code::SignedLong | Code::Signed64 | Code::UnsignedLong | Code::Unsigned64 => {
            arrange(bytes, i64::from_ne_bytes, i64::to_ne_bytes, by(descending));
        }
        Code::Float32 => arrange(bytes, f32::from_ne_bytes, f32::to_ne_bytes, by(descending)),
        Code::Float64 => arrange(bytes, f64::from_ne_bytes, f64::to_ne_bytes, by(descending)),
    }
    cells.write(0, code.size(), bytes);
}

/// The order wanted; what is not equal to itself comes last.
fn by<T: PartialOrd>(descending: bool) -> impl Fn(&T, &T) -> Ordering {
    move |a, b| match a.partial_cmp(b) {
        Some(order) if descending => order.reverse(),
        Some(order) => order,
        None => a.partial_cmp(a).is_none().cmp(&b.partial_cmp(b).is_none()),
    }
}

fn arrange<const N: usize, T>(
    bytes: &mut [u8],
    read: impl Fn([u8; N]) -> T,
    write: impl Fn(T) -> [u8; N],
    order: impl Fn(&T, &T) -> Ordering,
) {
    let (elements, _) = bytes.as_chunks_mut::<N>();
    let mut values: Vec<T> = elements.iter().map(|element| read(*element)).collect();
    values.sort_unstable_by(order);
    elements.iter_mut().zip(values).for_each(|(element, value)| *element = write(value));
}

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;

    use super::*;
    use crate::share::cells::put_bits;
    use crate::share::code::Scalar;

    /// The values of these elements after they were sorted.
    fn sorted(code: Code, values: &[Scalar], descending: bool) -> Vec<Scalar> {
        let size = code.size();
        let mut words = vec![0_u64; (size * values.len()).div_ceil(8)];
        let base = NonNull::new(words.as_mut_ptr().cast()).expect("an address");
        // SAFETY: the words belong to the test, which uses them through the cells only.
        let cells = unsafe { Cells::new(base, size * values.len()) };
        for (index, value) in values.iter().enumerate() {
            let mut element = vec![0; size];
            put_bits(code.pack(*value).expect("it fits"), &mut element);
            cells.write(index * size, size, &element);
        }
        sort(&cells, code, descending);
        (0..values.len()).map(|index| code.unpack(cells.load(index * size, size))).collect()
    }

    #[test]
    fn every_code_has_its_order() {
        for letter in *b"bhilqBHILQ" {
            let code = Code::of(letter).expect("a code");
            let least = code.range().map_or(0, |(least, _)| least.max(-5));
            let ints = |ints: [i64; 5]| ints.map(Scalar::Int);
            assert_eq!(
                sorted(code, &ints([3, least, 100, 7, 7]), false),
                ints([least, 3, 7, 7, 100]),
                "{letter}"
            );
            assert_eq!(
                sorted(code, &ints([3, least, 100, 7, 7]), true),
                ints([100, 7, 7, 3, least]),
                "{letter}"
            );
        }
        let chars = ['z', '\u{4e16}', 'a', '\u{fc}'].map(Scalar::Char);
        assert_eq!(sorted(Code::Char, &chars, false), ['a', 'z', '\u{fc}', '\u{4e16}'].map(Scalar::Char));
        let bools = [true, false, true].map(Scalar::Bool);
        assert_eq!(sorted(Code::Bool, &bools, false), [false, true, true].map(Scalar::Bool));
        assert_eq!(sorted(Code::Bool, &[], false), []);
    }

    #[test]
    fn what_is_not_a_number_comes_last() {
        for code in [Code::Float32, Code::Float64] {
            let floats = [2.5, f64::NAN, -1.0, f64::INFINITY, 0.0].map(Scalar::Float);
            for (descending, expected) in
                [(false, [-1.0, 0.0, 2.5, f64::INFINITY]), (true, [f64::INFINITY, 2.5, 0.0, -1.0])]
            {
                let found = sorted(code, &floats, descending);
                assert_eq!(found[..4], expected.map(Scalar::Float));
                assert!(matches!(found[4], Scalar::Float(last) if last.is_nan()));
            }
        }
    }
}
