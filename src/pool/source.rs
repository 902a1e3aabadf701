//! Where the items of a call come from, one at a time.

use rhai::{Array, Dynamic};

use crate::wire::Raised;

/// What a source gives when it is asked.
#[derive(Debug)]
pub enum Next {
    /// An item.
    Item(Dynamic),
    /// Nothing now; more may come.
    Pending,
    /// There are no more.
    End,
    /// It failed, and gives no more.
    Failed(Raised),
}

/// Gives items until it ends. It may call functions of the script, so it is asked while nothing is borrowed.
pub trait Source {
    /// The next item.
    fn next(&mut self) -> Next;

    /// Adds the next items to `items` until it has `wanted` of them: an item is given then, which is no item.
    fn fill(&mut self, items: &mut Array, wanted: usize) -> Next {
        while items.len() < wanted {
            match self.next() {
                Next::Item(item) => items.push(item),
                other => return other,
            }
        }
        Next::Item(Dynamic::UNIT)
    }

    /// How many are left, if that is known.
    fn left(&self) -> Option<usize> {
        None
    }

    /// Whether items are there already, so that many may be taken at one time.
    fn is_at_hand(&self) -> bool {
        false
    }
}

/// The items of an array.
pub struct Items(std::vec::IntoIter<Dynamic>);

impl From<Array> for Items {
    fn from(items: Array) -> Self {
        Self(items.into_iter())
    }
}

impl Source for Items {
    fn next(&mut self) -> Next {
        self.0.next().map_or(Next::End, Next::Item)
    }

    fn fill(&mut self, items: &mut Array, wanted: usize) -> Next {
        items.extend(self.0.by_ref().take(wanted.saturating_sub(items.len())));
        if items.len() < wanted { Next::End } else { Next::Item(Dynamic::UNIT) }
    }

    fn left(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn is_at_hand(&self) -> bool {
        true
    }
}

/// The numbers of a range, which are made as they are wanted.
pub struct Numbers(std::ops::Range<i64>);

impl From<std::ops::Range<i64>> for Numbers {
    fn from(numbers: std::ops::Range<i64>) -> Self {
        Self(numbers)
    }
}

impl Source for Numbers {
    fn next(&mut self) -> Next {
        self.0.next().map_or(Next::End, |number| Next::Item(number.into()))
    }

    fn fill(&mut self, items: &mut Array, wanted: usize) -> Next {
        items.extend(self.0.by_ref().take(wanted.saturating_sub(items.len())).map(Dynamic::from));
        if items.len() < wanted { Next::End } else { Next::Item(Dynamic::UNIT) }
    }

    fn left(&self) -> Option<usize> {
        usize::try_from(self.0.end.saturating_sub(self.0.start)).ok().or(Some(0))
    }

    fn is_at_hand(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_one_by_one_and_in_rows() {
        let mut numbers = Numbers::from(3..8);
        let mut row = Array::new();
        assert!(matches!(numbers.next(), Next::Item(number) if number.as_int() == Ok(3)));
        assert!(matches!(numbers.fill(&mut row, 2), Next::Item(_)));
        assert_eq!(numbers.left(), Some(2));
        assert!(matches!(numbers.fill(&mut row, 5), Next::End));
        let row: Vec<i64> = row.into_iter().map(Dynamic::cast).collect();
        assert_eq!(row, [4, 5, 6, 7]);
        assert!(matches!(numbers.next(), Next::End));
        assert_eq!(Numbers::from(std::ops::Range { start: 8, end: 3 }).left(), Some(0));
        assert_eq!(Numbers::from(i64::MIN..i64::MAX).left(), usize::try_from(i64::MAX).ok());
    }
}
