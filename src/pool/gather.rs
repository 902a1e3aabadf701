//! The results of a call: how they are kept until somebody takes them.

use std::collections::VecDeque;

use rhai::{Array, Dynamic};

use super::call::Failure;

/// What became of an item.
pub type Settled = Result<Dynamic, Failure>;

/// See the head of this file.
pub enum Gather {
    /// All of them, in the order of the items, when all are there.
    Whole {
        /// By index; `()` where one is still missing.
        results: Array,
        /// The first to arrive.
        failure: Option<Failure>,
    },
    /// One after the other, in the order of the items.
    Ordered {
        /// From the next one to be given on; `None` is still missing.
        waiting: VecDeque<Option<Settled>>,
        /// How many were given.
        given: usize,
    },
    /// One after the other, as they come.
    Unordered {
        /// Not given yet.
        waiting: VecDeque<Settled>,
        /// How many were given.
        given: usize,
    },
}

impl Gather {
    /// For results that are wanted all at once.
    pub fn whole() -> Self {
        Self::Whole { results: Array::new(), failure: None }
    }

    /// For results that are taken one by one.
    pub fn stream(ordered: bool) -> Self {
        if ordered {
            Self::Ordered { waiting: VecDeque::new(), given: 0 }
        } else {
            Self::Unordered { waiting: VecDeque::new(), given: 0 }
        }
    }

    /// Whether results are taken one by one.
    pub fn is_stream(&self) -> bool {
        !matches!(self, Self::Whole { .. })
    }

    /// Keeps what became of item `index`.
    pub fn put(&mut self, index: usize, settled: Settled) {
        match self {
            Self::Whole { failure, .. } => match settled {
                Ok(value) => self.put_row(index, vec![value]),
                Err(error) => {
                    failure.get_or_insert(error);
                }
            },
            Self::Ordered { waiting, given } => {
                let place = index.saturating_sub(*given);
                if waiting.len() <= place {
                    waiting.resize_with(place + 1, || None);
                }
                if let Some(place) = waiting.get_mut(place) {
                    *place = Some(settled);
                }
            }
            Self::Unordered { waiting, .. } => waiting.push_back(settled),
        }
    }

    /// Keeps the results of a row of items, from `first` on.
    pub fn put_row(&mut self, first: usize, row: Array) {
        let Self::Whole { results, .. } = self else {
            return (first..).zip(row).for_each(|(index, value)| self.put(index, Ok(value)));
        };
        if results.len() < first {
            results.resize(first, Dynamic::UNIT);
        }
        let mut row = row.into_iter();
        let known = results.get_mut(first..).unwrap_or_default();
        known.iter_mut().zip(row.by_ref()).for_each(|(place, value)| *place = value);
        results.extend(row);
    }

    /// The next of a stream that can be given.
    pub fn give(&mut self) -> Option<Settled> {
        match self {
            Self::Whole { .. } => None,
            Self::Ordered { waiting, given } => {
                let next = waiting.front_mut()?.take()?;
                waiting.pop_front();
                *given += 1;
                Some(next)
            }
            Self::Unordered { waiting, given } => {
                let next = waiting.pop_front()?;
                *given += 1;
                Some(next)
            }
        }
    }

    /// Whether [`Gather::give`] would give one.
    pub fn can_give(&self) -> bool {
        match self {
            Self::Whole { .. } => false,
            Self::Ordered { waiting, .. } => waiting.front().is_some_and(Option::is_some),
            Self::Unordered { waiting, .. } => !waiting.is_empty(),
        }
    }

    /// How many of `settled` items nobody has to keep any more.
    pub fn given(&self, settled: usize) -> usize {
        match self {
            Self::Whole { .. } => settled,
            Self::Ordered { given, .. } | Self::Unordered { given, .. } => *given,
        }
    }

    /// All results, or the failure. They are gone then.
    pub fn take(&mut self) -> Result<Array, Failure> {
        match self {
            Self::Whole { results, failure } => match failure.take() {
                Some(failure) => Err(failure),
                None => Ok(std::mem::take(results)),
            },
            Self::Ordered { .. } | Self::Unordered { .. } => Ok(Array::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Error;

    fn value(number: i64) -> Settled {
        Ok(number.into())
    }

    fn numbers(gather: &mut Gather) -> Vec<i64> {
        std::iter::from_fn(|| gather.give()).map(|settled| settled.map_or(-1, |value| value.cast())).collect()
    }

    #[test]
    fn ordered_results_wait_for_those_before_them() {
        let mut gather = Gather::stream(true);
        gather.put(2, value(2));
        assert!(!gather.can_give());
        gather.put(0, value(0));
        assert_eq!(numbers(&mut gather), [0]);
        gather.put(1, Err(Failure::Lost(Error::new("ValueError", ""))));
        gather.put(3, value(3));
        assert_eq!(numbers(&mut gather), [-1, 2, 3]);
        assert_eq!(gather.given(4), 4);
    }

    #[test]
    fn unordered_results_come_as_they_come() {
        let mut gather = Gather::stream(false);
        gather.put(2, value(2));
        gather.put(0, value(0));
        assert_eq!(numbers(&mut gather), [2, 0]);
        assert_eq!(gather.given(3), 2);
    }

    #[test]
    fn rows_come_in_any_order() {
        let mut gather = Gather::whole();
        let row = |from: i64, to: i64| (from..to).map(Dynamic::from).collect::<Array>();
        gather.put_row(3, row(3, 5));
        gather.put_row(0, row(0, 2));
        gather.put(2, value(2));
        gather.put_row(5, row(5, 6));
        let all: Vec<i64> = gather.take().expect("no failure").into_iter().map(Dynamic::cast).collect();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);

        let mut stream = Gather::stream(true);
        stream.put_row(1, row(1, 3));
        stream.put_row(0, row(0, 1));
        assert_eq!(numbers(&mut stream), [0, 1, 2]);
    }

    #[test]
    fn of_several_failures_the_first_counts() {
        let mut gather = Gather::whole();
        gather.put(1, value(1));
        gather.put(3, Err(Failure::Lost(Error::new("ValueError", "first"))));
        gather.put(0, Err(Failure::Lost(Error::new("ValueError", "second"))));
        assert!(matches!(gather.take(), Err(Failure::Lost(error)) if error.message() == "first"));
        assert_eq!(gather.take().map(|all| all.len()).ok(), Some(2));
    }
}
