//! A list of fixed length in shared memory by name, laid out as `ShareableList` of Python 3.11 does it.
//!
//! ```text
//! 0              number of items, N
//! 8              N + 1 places: where each item begins in the data, and where the data ends
//! (N + 2) * 8    data: 8 bytes an item, more for texts and bytes
//! formats        N times 8 bytes: how Python's `struct` reads the item, such as `q` or `16s`
//! codes          N bytes: 1 a text, 2 bytes, 3 nothing, 0 what the format says
//! marks          only in lists made here: a word that says so, then N words
//! ```
//!
//! What an item's bytes, format, code and mark are is in `item`.
//!
//! Invariants
//! 1. Number and places are looked at once, when a process gets the list, and must fit the memory. Everything else
//!    may hold anything at any time: it is read as what it is, or refused.
//! 2. An item is format, code and data. Whoever replaces one by another of the same kind of 8 bytes changes one word.
//!    All else is in several steps: those who do it at the same time agree among themselves, as in Python.

use std::num::NonZeroUsize;
use std::rc::Rc;

use super::cells::{Cells, bits_of};
use super::item::{Item, LONGEST, mark, stripped};
use super::named::{Named, NamedError, Unusable};

const WORD: usize = 8;
/// What stands before the marks.
const MARKED: [u8; WORD] = *b"stookNUL";

/// Why there is no such list, or no such item.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The memory below.
    #[error(transparent)]
    Named(#[from] NamedError),
    /// Its bytes can't be had.
    #[error("the list '{name}': {error}")]
    Unusable { name: String, error: Unusable },
    /// What lies there is none.
    #[error("the shared memory '{0}' holds no list")]
    NoList(String),
    /// What lies there is no item.
    #[error("item {0} can't be read: another program is writing it, or wrote what is no item")]
    NoItem(usize),
    /// It does not fit its place.
    #[error("{length} bytes exceed the available storage of item {index}, {room} bytes")]
    TooLong { index: usize, length: usize, room: usize },
    /// There is no format for it.
    #[error("a text or blob of {0} bytes is too long for a list: it may have {LONGEST}")]
    Unstorable(usize),
}

/// See the head of this file.
#[derive(Debug)]
pub struct List {
    named: Rc<Named>,
    /// Where each item begins in the data, and where the last one ends.
    places: Vec<usize>,
    marks: Option<usize>,
}

impl List {
    /// Makes a list of these items under `name`, or under one that is free.
    ///
    /// # Errors
    /// [`ListError`]; nothing is left of the attempt.
    pub fn create(items: &[Item], name: Option<&str>) -> Result<Self, ListError> {
        let mut places = vec![0];
        let mut end = 0;
        for item in items {
            if let Some(text) = item.text().filter(|text| text.len() > LONGEST) {
                return Err(ListError::Unstorable(text.len()));
            }
            end += item.room();
            places.push(end);
        }
        let formats = (items.len() + 2) * WORD + end;
        let marks = (formats + items.len() * (WORD + 1)).next_multiple_of(WORD);
        let size = NonZeroUsize::MIN.saturating_add(marks + WORD * (items.len() + 1) - 1);
        let named = Named::create(name, size, true)?;
        let list = Self { named: Rc::new(named), places, marks: Some(marks + WORD) };
        let written = list.access(|cells| {
            cells.store(0, WORD, items.len() as u64);
            for (index, place) in list.places.iter().enumerate() {
                cells.store((index + 1) * WORD, WORD, *place as u64);
            }
            cells.write(marks, WORD, &MARKED);
            items.iter().enumerate().for_each(|(index, item)| list.write(cells, index, item));
        });
        written.inspect_err(|_| drop(list.named.unlink()))?;
        Ok(list)
    }

    /// The list in this memory.
    ///
    /// # Errors
    /// [`ListError`].
    pub fn of(named: Named) -> Result<Self, ListError> {
        let read = named.access(layout);
        let read = read.map_err(|error| ListError::Unusable { name: named.name().to_owned(), error })?;
        let Some((places, marks)) = read else { return Err(ListError::NoList(named.name().to_owned())) };
        Ok(Self { named: Rc::new(named), places, marks })
    }

    /// The memory that it is in.
    pub fn named(&self) -> &Rc<Named> {
        &self.named
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.places.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn access<T>(&self, what: impl FnOnce(&Cells) -> T) -> Result<T, ListError> {
        let unusable = |error| ListError::Unusable { name: self.named.name().to_owned(), error };
        self.named.access(what).map_err(unusable)
    }

    /// Where the data of item `index` begins, and its bytes.
    fn place(&self, index: usize) -> (usize, usize) {
        let (from, to) = (self.places[index], self.places[index + 1]);
        ((self.len() + 2) * WORD + from, to - from)
    }

    fn formats(&self) -> usize {
        (self.len() + 2) * WORD + self.places[self.len()]
    }

    /// Where the code of item `index` is.
    fn code(&self, index: usize) -> usize {
        self.formats() + self.len() * WORD + index
    }

    /// How the items are stored, one format after the other.
    ///
    /// # Errors
    /// [`ListError`].
    pub fn format(&self) -> Result<String, ListError> {
        self.access(|cells| {
            let bytes = cells.bytes(self.formats(), self.formats() + self.len() * WORD);
            bytes
                .as_chunks::<WORD>()
                .0
                .iter()
                .map(|one| String::from_utf8_lossy(stripped(one)).into_owned())
                .collect()
        })
    }

    /// Item `index`, which is one of the list.
    ///
    /// # Errors
    /// [`ListError`].
    pub fn get(&self, index: usize) -> Result<Item, ListError> {
        self.access(|cells| self.read(cells, index))?.ok_or(ListError::NoItem(index))
    }

    fn read(&self, cells: &Cells, index: usize) -> Option<Item> {
        let (at, room) = self.place(index);
        let format = cells.load(self.formats() + index * WORD, WORD).to_ne_bytes();
        let code = cells.load(self.code(index), 1);
        let word = || cells.load(at, WORD);
        match (stripped(&format), code) {
            (_, 3) => Some(Item::Nothing),
            (b"q", _) => Some(Item::Int(word() as i64)),
            (b"d", _) => Some(Item::Float(f64::from_bits(word()))),
            (b"xxxxxxx?", _) => Some(Item::Bool(word().to_ne_bytes()[7] != 0)),
            ([digits @ .., b's'], _) => {
                let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
                if length > room {
                    return None;
                }
                let mut bytes = stripped(&cells.bytes(at, at + length)).to_vec();
                let mark = self.marks.map_or(0, |marks| cells.load(marks + index * WORD, WORD));
                let length = (mark >> 32) as usize;
                if bytes.len() < length && length <= room {
                    let mut whole = bytes.clone();
                    whole.resize(length, 0);
                    if super::item::mark(&whole) == mark {
                        bytes = whole;
                    }
                }
                if code == 1 {
                    String::from_utf8(bytes).ok().map(Item::Text)
                } else {
                    Some(Item::Bytes(bytes))
                }
            }
            _ => None,
        }
    }

    /// Puts `item` into the place of item `index`, which is one of the list.
    ///
    /// # Errors
    /// [`ListError`]; the list is then as it was.
    pub fn set(&self, index: usize, item: &Item) -> Result<(), ListError> {
        let (_, room) = self.place(index);
        if let Some(text) = item.text().filter(|text| text.len() > room) {
            return Err(ListError::TooLong { index, length: text.len(), room });
        }
        self.access(|cells| self.write(cells, index, item))
    }

    fn write(&self, cells: &Cells, index: usize, item: &Item) {
        let (at, room) = self.place(index);
        let mut format = item.format(room).into_bytes();
        format.resize(WORD, 0);
        cells.write(self.formats() + index * WORD, WORD, &format);
        cells.store(self.code(index), 1, item.code());
        if let Some(marks) = self.marks {
            cells.store(marks + index * WORD, WORD, item.text().map_or(0, mark));
        }
        match item.text() {
            None => cells.store(at, WORD, item.word()),
            Some(text) => {
                let mut bytes = text.to_vec();
                bytes.resize(room, 0);
                cells.write(at, 1, &bytes);
            }
        }
    }
}

/// The places of the items and where the marks are, if `cells` hold a list.
fn layout(cells: &Cells) -> Option<(Vec<usize>, Option<usize>)> {
    let word = |at: usize| {
        let there = at.checked_add(WORD).is_some_and(|end| end <= cells.size());
        there.then(|| cells.load(at, WORD) as usize)
    };
    let count = word(0)?;
    // The places alone must fit, before there is room made for them.
    let data = count.checked_add(2)?.checked_mul(WORD).filter(|data| *data <= cells.size())?;
    let places: Vec<usize> = (1..=count + 1).map_while(|index| word(index * WORD)).collect();
    let grows = places.windows(2).all(|pair| pair[0] < pair[1]);
    let whole = places.iter().all(|place| place.is_multiple_of(WORD) && *place <= cells.size());
    if places.first() != Some(&0) || !grows || !whole {
        return None;
    }
    let codes = data + places.last()? + count * WORD;
    let end = codes + count;
    if end > cells.size() {
        return None;
    }
    let marks = end.next_multiple_of(WORD) + WORD;
    let marked =
        word(marks - WORD) == Some(bits_of(&MARKED) as usize) && marks + count * WORD <= cells.size();
    Some((places, marked.then_some(marks)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arena::testing::session;

    fn item() -> impl Strategy<Value = Item> {
        prop_oneof![
            Just(Item::Nothing),
            any::<bool>().prop_map(Item::Bool),
            any::<i64>().prop_map(Item::Int),
            any::<f64>().prop_map(Item::Float),
            ".{0,30}".prop_map(Item::Text),
            "[a\0]{0,20}".prop_map(Item::Text),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Item::Bytes),
            proptest::collection::vec(0..2_u8, 0..20).prop_map(Item::Bytes),
        ]
    }

    fn same(one: &Item, other: &Item) -> bool {
        match (one, other) {
            (Item::Float(one), Item::Float(other)) => one.to_bits() == other.to_bits(),
            _ => one == other,
        }
    }

    #[test]
    fn the_bytes_are_those_of_python() {
        let _session = session();
        let items = [Item::Text("howdy".into()), Item::Bytes(b"HoWdY".to_vec()), Item::Float(-273.154)];
        let more = [Item::Int(100), Item::Nothing, Item::Bool(true), Item::Int(42)];
        let list = List::create(&[&items[..], &more[..]].concat(), None).expect("a list");
        assert_eq!(list.format().expect("its formats"), "8s8sdqxxxxxx?xxxxxxxx?q");
        let bytes = list.access(|cells| cells.bytes(0, 9 * 8 + 7 * 8 + 7 * 8 + 7)).expect("its bytes");
        let mut expected = Vec::new();
        for word in [7_u64, 0, 8, 16, 24, 32, 40, 48, 56] {
            expected.extend(word.to_ne_bytes());
        }
        expected.extend(b"howdy\0\0\0HoWdY\0\0\0");
        expected.extend((-273.154_f64).to_ne_bytes());
        expected.extend(100_i64.to_ne_bytes());
        expected.extend([0; 8]);
        expected.extend([0, 0, 0, 0, 0, 0, 0, 1]);
        expected.extend(42_i64.to_ne_bytes());
        for format in ["8s", "8s", "d", "q", "xxxxxx?x", "xxxxxxx?", "q"] {
            let mut format = format.as_bytes().to_vec();
            format.resize(8, 0);
            expected.extend(format);
        }
        expected.extend([1, 2, 0, 0, 3, 0, 0]);
        assert_eq!(bytes, expected);
        list.named().unlink().expect("its name is there");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn items_come_back_and_are_replaced_alone(
            items in proptest::collection::vec(item(), 0..12),
            others in proptest::collection::vec(item(), 12),
        ) {
            let _session = session();
            let made = List::create(&items, None).expect("a list");
            let list = List::of(Named::attach(made.named().name(), true).expect("it is there")).expect("a list");
            made.named().unlink().expect("its name is there");
            let mut expected = items.clone();
            for (index, other) in others.iter().enumerate().take(items.len()) {
                let fits = other.text().is_none_or(|text| text.len() <= items[index].room());
                prop_assert_eq!(list.set(index, other).is_ok(), fits);
                if fits {
                    expected[index] = other.clone();
                }
                for (index, item) in expected.iter().enumerate() {
                    prop_assert!(same(&made.get(index).expect("an item"), item), "{} {:?}", index, item);
                }
            }
        }

        #[test]
        fn whatever_lies_there_is_read_or_refused(
            mut words in proptest::collection::vec(prop_oneof![0..64_u64, any::<u64>()], 1..64),
            count in 0..6_u64,
        ) {
            let _session = session();
            if let Some(first) = words.first_mut() {
                *first = count;
            }
            (1..words.len().min(7)).for_each(|index| words[index] = (index as u64 - 1) * 8);
            let size = NonZeroUsize::new(words.len() * 8).expect("a size");
            let named = Named::create(None, size, true).expect("memory");
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            named.access(|cells| cells.write(0, 8, &bytes)).expect("its bytes");
            named.unlink().expect("its name is there");
            if let Ok(list) = List::of(named) {
                for index in 0..list.len() {
                    let _ = list.get(index);
                    list.set(index, &Item::Int(7)).expect("ints always fit");
                    prop_assert_eq!(list.get(index).expect("an item"), Item::Int(7));
                }
                let _ = list.format();
            }
        }
    }
}
