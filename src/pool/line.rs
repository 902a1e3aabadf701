//! Tasks and outcomes as messages.
//!
//! ```text
//! task:     number:u64 | parcel:u64 | program:u64 | manner:u64 | an array of items as `wire` writes it
//! outcome:  task:u64 | offset:u32 | 0:u8 | an array of results, of the items from `offset` on
//!           task:u64 | offset:u32 | 1:u8 | an array: value thrown, traceback; of the item at `offset`
//!           task:u64 | offset:u32 | 2:u8 | the same, and the items after it are not done
//! ```
//!
//! A task is a row of items. Items are numbered in their pool, from 1, and a task has the number of its first.
//! `parcel` is where the call's function is, `program` the program it belongs to, or 0 if that is the one
//! that every worker has. They are not counted by each task: the owner keeps the call's function, which
//! counts the program, until the outcome of every item of the call has come, or its worker has died.

use rhai::{Array, Dynamic};

use crate::wire::{self, DecodeError, EncodeError, Handles, Raised};

/// The head of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The number of its first item.
    pub number: u64,
    /// Where the call's function is.
    pub parcel: u64,
    /// The program that it belongs to; 0 if every worker has it.
    pub program: u64,
    /// How it is to be done.
    pub manner: Manner,
}

/// How a task is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// An item is the list of the arguments, and not the only argument.
    pub spread: bool,
    /// Each item's outcome is put by itself, and an error ends only the item: otherwise one outcome is put for
    /// the whole task, which an error ends.
    pub each: bool,
    /// The owner measures how long an item takes.
    pub timed: bool,
    /// There is a progress bar on the terminal.
    pub bar: bool,
}

impl Manner {
    fn to_word(self) -> u64 {
        [self.spread, self.each, self.timed, self.bar]
            .iter()
            .enumerate()
            .map(|(bit, flag)| u64::from(*flag) << bit)
            .sum()
    }

    fn from_word(word: u64) -> Self {
        let [spread, each, timed, bar] = [0, 1, 2, 3].map(|bit| word >> bit & 1 != 0);
        Self { spread, each, timed, bar }
    }
}

/// What became of one or more items.
#[derive(Debug)]
pub enum Outcome {
    /// Their results.
    Values(Array),
    /// One raised.
    Raised(Raised),
    /// One raised, and that was the end of the task.
    Ended(Raised),
}

const VALUES: u8 = 0;
const RAISED: u8 = 1;
const ENDED: u8 = 2;

/// Writes a task with `items` into `out` and `references`, which are emptied first.
///
/// # Errors
/// If an item can't travel; the path begins with `items[INDEX]`, counted within this task.
pub fn write_task(
    task: Task,
    items: &[Dynamic],
    handles: &dyn Handles,
    out: &mut Vec<u8>,
    references: &mut Vec<u64>,
) -> Result<(), EncodeError> {
    out.clear();
    references.clear();
    for number in [task.number, task.parcel, task.program, task.manner.to_word()] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    wire::encode_all(items, "items", handles, out, references)
}

/// Reads a task's head, and gives the rest; `None` if even the head is missing.
pub fn read_head(bytes: &[u8]) -> Option<(Task, &[u8])> {
    let mut body = bytes;
    let mut number = || {
        let (number, rest) = body.split_first_chunk()?;
        body = rest;
        Some(u64::from_le_bytes(*number))
    };
    let (number, parcel, program, manner) = (number()?, number()?, number()?, number()?);
    Some((Task { number, parcel, program, manner: Manner::from_word(manner) }, body))
}

/// Reads a task's head and items; `None` if even the head is missing.
///
/// # Errors
/// Inside: if the items can't be read.
pub fn read_task(
    bytes: &[u8],
    references: &[u64],
    handles: &dyn Handles,
) -> Option<(Task, Result<Array, DecodeError>)> {
    let (task, body) = read_head(bytes)?;
    Some((task, wire::decode(body, references, handles).map(array)))
}

/// Writes the head of an outcome of `count` items of a task, from the item at `offset` on, into `out` and
/// `references`, which are emptied first. Their results follow, each as `wire` writes it.
pub fn begin_values(
    (task, offset): (u64, usize),
    count: usize,
    out: &mut Vec<u8>,
    references: &mut Vec<u64>,
) {
    begin_outcome((task, offset), VALUES, out, references);
    wire::begin_array(count, out);
}

/// Writes what the item at `offset` of a task raised, which was the end of the task if it `ends`, into `out` and
/// `references`, which are emptied first.
///
/// # Errors
/// If the thrown value can't travel.
pub fn write_raised(
    place: (u64, usize),
    raised: &Raised,
    ends: bool,
    handles: &dyn Handles,
    out: &mut Vec<u8>,
    references: &mut Vec<u64>,
) -> Result<(), EncodeError> {
    begin_outcome(place, if ends { ENDED } else { RAISED }, out, references);
    let parts = [raised.value.clone(), raised.traceback.clone().into()];
    wire::encode_all(&parts, "error", handles, out, references)
}

fn begin_outcome((task, offset): (u64, usize), kind: u8, out: &mut Vec<u8>, references: &mut Vec<u64>) {
    out.clear();
    references.clear();
    out.extend_from_slice(&task.to_le_bytes());
    out.extend_from_slice(&u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
    out.push(kind);
}

/// Reads an outcome: the task's number, the offset of its first item, and what became of it.
///
/// # Errors
/// If it can't be read; `None` if even the head is missing.
pub fn read_outcome(
    bytes: &[u8],
    references: &[u64],
    handles: &dyn Handles,
) -> Option<(u64, usize, Result<Outcome, DecodeError>)> {
    let (number, rest) = bytes.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk()?;
    let (kind, body) = rest.split_first()?;
    let outcome = wire::decode(body, references, handles).map(|value| {
        let values = array(value);
        if *kind == VALUES {
            return Outcome::Values(values);
        }
        let mut parts = values.into_iter();
        let value = parts.next().unwrap_or_default();
        let traceback = parts.next().and_then(|text| text.into_string().ok()).unwrap_or_default();
        let raised = Raised { value, traceback };
        if *kind == RAISED { Outcome::Raised(raised) } else { Outcome::Ended(raised) }
    });
    Some((u64::from_le_bytes(*number), u32::from_le_bytes(*offset) as usize, outcome))
}

fn array(value: Dynamic) -> Array {
    value.try_cast().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::NoHandles;

    #[test]
    fn tasks_and_outcomes_survive() {
        let (mut bytes, mut references) = (Vec::new(), Vec::new());
        let manner = Manner { each: true, bar: true, ..Manner::default() };
        let task = Task { number: 7, parcel: 4096, program: 0, manner };
        write_task(task, &[1_i64.into(), "two".into()], &NoHandles, &mut bytes, &mut references)
            .expect("travels");
        let (read, items) = read_task(&bytes, &references, &NoHandles).expect("a head");
        assert_eq!((read, items.expect("items").len()), (task, 2));

        let raised = Raised { value: 5_i64.into(), traceback: "there".into() };
        write_raised((7, 1), &raised, false, &NoHandles, &mut bytes, &mut references).expect("travels");
        let (number, offset, outcome) = read_outcome(&bytes, &references, &NoHandles).expect("a head");
        let Ok(Outcome::Raised(raised)) = outcome else { panic!("not what was written") };
        assert_eq!((number, offset, raised.traceback.as_str()), (7, 1, "there"));

        begin_values((7, 0), 2, &mut bytes, &mut references);
        for value in [1_i64.into(), "two".into()] {
            wire::encode(&value, "result", &NoHandles, &mut bytes, &mut references).expect("travels");
        }
        let (number, offset, outcome) = read_outcome(&bytes, &references, &NoHandles).expect("a head");
        assert!(matches!(outcome, Ok(Outcome::Values(values)) if values.len() == 2));
        assert_eq!((number, offset), (7, 0));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        assert!(read_task(&[1; 31], &[], &NoHandles).is_none());
        assert!(read_outcome(&[1; 12], &[], &NoHandles).is_none());
        assert!(read_outcome(&[9; 20], &[], &NoHandles).is_some_and(|(.., outcome)| outcome.is_err()));
    }
}
