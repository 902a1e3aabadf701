//! Numbers out of shared memory or out of a script's array, and what is made of two lists of them or sorts them into
//! bins. Nothing here waits, and nobody holds anything: the numbers are copies.
//!
//! Products of floats are added in eight lanes that are added at the end, as sums of shared arrays are: the same each
//! time, but not to the last bit what a loop gives.

use super::code::Scalar;
use super::fold::Sum;

/// Lanes that additions are spread over.
const LANES: usize = 8;

/// Numbers of one type: floats as soon as one of them is a float.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    Ints(Vec<i64>),
    Floats(Vec<f64>),
}

/// Bins of equal width between two floats, to the end of the last of which its upper end belongs.
#[derive(Clone, Copy, Debug)]
pub struct Bins {
    count: usize,
    low: f64,
    high: f64,
}

impl Numbers {
    /// No numbers yet, with room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self::Ints(Vec::with_capacity(count))
    }

    /// Adds a number; bools count as 0 and 1. Whether it is one.
    #[inline]
    pub fn push(&mut self, value: Scalar) -> bool {
        match (value, &mut *self) {
            (Scalar::Int(int), Self::Ints(ints)) => ints.push(int),
            (Scalar::Bool(bool), Self::Ints(ints)) => ints.push(bool.into()),
            (Scalar::Float(float), Self::Floats(floats)) => floats.push(float),
            (Scalar::Int(int), Self::Floats(floats)) => floats.push(int as f64),
            (Scalar::Bool(bool), Self::Floats(floats)) => floats.push(u8::from(bool).into()),
            (Scalar::Float(float), Self::Ints(ints)) => {
                let mut floats = Vec::with_capacity(ints.capacity());
                floats.extend(ints.iter().map(|int| *int as f64));
                floats.push(float);
                *self = Self::Floats(floats);
            }
            (Scalar::Char(_), _) => return false,
        }
        true
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::Floats(floats) => floats.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sum of the products of numbers at the same places; `None` if it does not fit 128 bits.
    pub fn dot(&self, other: &Self) -> Option<Sum> {
        match (self, other) {
            (Self::Ints(left), Self::Ints(right)) => {
                let mut products = left.iter().zip(right).map(|(a, b)| i128::from(*a) * i128::from(*b));
                products.try_fold(0_i128, i128::checked_add).map(Sum::Int)
            }
            (Self::Floats(left), Self::Floats(right)) => Some(Sum::Float(dot(left, right))),
            (Self::Ints(ints), Self::Floats(floats)) | (Self::Floats(floats), Self::Ints(ints)) => {
                let ints: Vec<f64> = ints.iter().map(|int| *int as f64).collect();
                Some(Sum::Float(dot(&ints, floats)))
            }
        }
    }

    /// How many of the numbers lie in each bin; those outside, and what is not a number, in none.
    pub fn histogram(&self, bins: Bins) -> Vec<i64> {
        let mut counts = vec![0; bins.count];
        let mut count = |number: f64| {
            if let Some(count) = bins.place(number).and_then(|place| counts.get_mut(place)) {
                *count += 1;
            }
        };
        match self {
            Self::Ints(ints) => ints.iter().for_each(|int| count(*int as f64)),
            Self::Floats(floats) => floats.iter().for_each(|float| count(*float)),
        }
        counts
    }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    let ((rows, rest), (other_rows, other_rest)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (row, other) in rows.iter().zip(other_rows) {
        lanes.iter_mut().zip(row.iter().zip(other)).for_each(|(lane, (a, b))| *lane += a * b);
    }
    lanes.iter_mut().zip(rest.iter().zip(other_rest)).for_each(|(lane, (a, b))| *lane += a * b);
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

impl Bins {
    /// So many bins; `None` if `low` is not below `high`, or their distance is no finite number, or there is none.
    pub fn new(count: usize, low: f64, high: f64) -> Option<Self> {
        (count > 0 && low < high && (high - low).is_finite()).then_some(Self { count, low, high })
    }

    /// Where a bin begins. It is these numbers that decide, as in NumPy's `histogram`.
    fn edge(&self, index: usize) -> f64 {
        self.low + index as f64 * ((self.high - self.low) / self.count as f64)
    }

    #[inline]
    fn place(&self, number: f64) -> Option<usize> {
        if !(self.low..=self.high).contains(&number) {
            return None;
        }
        let share = (number - self.low) / (self.high - self.low);
        // Rounding may put it beside its bin.
        let guess = ((share * self.count as f64) as usize).min(self.count - 1);
        Some(if number < self.edge(guess) {
            guess.saturating_sub(1)
        } else if guess + 1 < self.count && number >= self.edge(guess + 1) {
            guess + 1
        } else {
            guess
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(values: impl IntoIterator<Item = Scalar>) -> Numbers {
        let mut numbers = Numbers::with_capacity(0);
        values.into_iter().for_each(|value| assert!(numbers.push(value)));
        numbers
    }

    #[test]
    fn one_float_makes_all_of_them_floats() {
        let mixed = numbers([Scalar::Int(1), Scalar::Bool(true), Scalar::Float(0.5), Scalar::Int(-2)]);
        assert_eq!(mixed, Numbers::Floats(vec![1.0, 1.0, 0.5, -2.0]));
        assert_eq!(numbers([Scalar::Bool(false), Scalar::Int(3)]), Numbers::Ints(vec![0, 3]));
        assert!(!Numbers::with_capacity(0).push(Scalar::Char('x')));
    }

    #[test]
    fn products_of_ints_are_exact_or_refused() {
        let least = Numbers::Ints(vec![i64::MIN, 1]);
        assert_eq!(least.dot(&Numbers::Ints(vec![1, -1])), Some(Sum::Int(i128::from(i64::MIN) - 1)));
        assert_eq!(Numbers::Ints(vec![i64::MIN; 4]).dot(&Numbers::Ints(vec![i64::MIN; 4])), None);
    }

    #[test]
    fn bins_need_a_width() {
        for (count, low, high) in
            [(0, 0.0, 1.0), (1, 1.0, 1.0), (1, 2.0, 1.0), (1, f64::NAN, 1.0), (1, -1e308, 1e308)]
        {
            assert!(Bins::new(count, low, high).is_none(), "{count} {low} {high}");
        }
    }

    proptest! {
        #[test]
        fn dot_is_what_a_loop_gives(values in proptest::collection::vec((-1000..1000_i64, -1000..1000_i64), 0..100)) {
            let (left, right): (Vec<i64>, Vec<i64>) = values.into_iter().unzip();
            let expected: i64 = left.iter().zip(&right).map(|(a, b)| a * b).sum();
            let floats = |ints: &[i64]| Numbers::Floats(ints.iter().map(|int| *int as f64).collect());
            let (float_left, float_right) = (floats(&left), floats(&right));
            let (left, right) = (Numbers::Ints(left), Numbers::Ints(right));
            prop_assert_eq!(left.dot(&right), Some(Sum::Int(expected.into())));
            // Products and sums of small whole numbers are exact in floats too.
            for (left, right) in [(&float_left, &float_right), (&left, &float_right), (&float_left, &right)] {
                prop_assert_eq!(left.dot(right), Some(Sum::Float(expected as f64)));
            }
        }

        #[test]
        fn every_number_inside_is_in_the_bin_of_its_edges(
            values in proptest::collection::vec(-2.0..2.0_f64, 0..100), count in 1..50_usize,
        ) {
            let bins = Bins::new(count, -1.1, 1.3).expect("bins");
            let edges: Vec<f64> = (0..count).map(|index| bins.edge(index)).collect();
            // The edges themselves, too.
            let values: Vec<f64> = values.into_iter().chain(edges.clone()).chain([1.3, f64::NAN]).collect();
            let counts = Numbers::Floats(values.clone()).histogram(bins);
            let mut expected = vec![0_i64; count];
            for value in values.iter().filter(|value| (-1.1..=1.3).contains(*value)) {
                let place = edges.iter().rposition(|edge| edge <= value).expect("the first edge is the least");
                expected[place] += 1;
            }
            prop_assert_eq!(counts, expected);
        }
    }
}
