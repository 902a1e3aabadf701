//! Tasks and outcomes as messages.
//!
//! ```text
//! task:     number:u64 | call:u64 | parcel:u64 | program:u64 | an array of items as `wire` writes it
//! outcome:  number:u64 | 0:u8 | an array of results
//!           number:u64 | 1:u8 | an array: index of the item, value thrown, traceback
//! ```
//!
//! `parcel` is where the call's function is, `program` the program it belongs to, or 0 if that is the one
//! that every worker has. They are not counted by each task: the owner keeps the call's parcel, which
//! counts the program, until the outcome of every task of the call has come, or its worker has died.

use rhai::{Array, Dynamic};

use crate::wire::{self, DecodeError, EncodeError, Handles, Raised};

/// The head of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Numbers the task in its pool, from 1.
    pub number: u64,
    /// Numbers the call in its pool.
    pub call: u64,
    /// Where the call's function is.
    pub parcel: u64,
    /// The program that it belongs to; 0 if every worker has it.
    pub program: u64,
}

/// What became of a task.
#[derive(Debug)]
pub enum Outcome {
    /// A result for each item.
    Values(Array),
    /// Item `.0` raised.
    Raised(usize, Raised),
}

const VALUES: u8 = 0;
const RAISED: u8 = 1;
const TASK_HEAD: usize = 32;

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
    for number in [task.number, task.call, task.parcel, task.program] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    wire::encode_all(items, "items", handles, out, references)
}

/// Reads a task's head, and gives the rest; `None` if even the head is missing.
pub fn read_head(bytes: &[u8]) -> Option<(Task, &[u8])> {
    let (head, body) = bytes.split_at_checked(TASK_HEAD)?;
    let mut numbers =
        head.chunks_exact(8).filter_map(|chunk| Some(u64::from_le_bytes(chunk.try_into().ok()?)));
    Some((
        Task {
            number: numbers.next()?,
            call: numbers.next()?,
            parcel: numbers.next()?,
            program: numbers.next()?,
        },
        body,
    ))
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

/// Writes an outcome into `out` and `references`, which are emptied first.
///
/// # Errors
/// If a result or a thrown value can't travel.
pub fn write_outcome(
    number: u64,
    outcome: &Outcome,
    handles: &dyn Handles,
    out: &mut Vec<u8>,
    references: &mut Vec<u64>,
) -> Result<(), EncodeError> {
    out.clear();
    references.clear();
    out.extend_from_slice(&number.to_le_bytes());
    match outcome {
        Outcome::Values(values) => {
            out.push(VALUES);
            wire::encode_all(values, "results", handles, out, references)
        }
        Outcome::Raised(index, raised) => {
            out.push(RAISED);
            let index = i64::try_from(*index).unwrap_or(i64::MAX);
            let parts = [index.into(), raised.value.clone(), raised.traceback.clone().into()];
            wire::encode_all(&parts, "error", handles, out, references)
        }
    }
}

/// Reads an outcome: the task's number and what became of it.
///
/// # Errors
/// If it can't be read; `None` if even the head is missing.
pub fn read_outcome(
    bytes: &[u8],
    references: &[u64],
    handles: &dyn Handles,
) -> Option<(u64, Result<Outcome, DecodeError>)> {
    let (number, rest) = bytes.split_first_chunk()?;
    let (kind, body) = rest.split_first()?;
    let outcome = wire::decode(body, references, handles).map(|value| {
        let values = array(value);
        if *kind == VALUES {
            return Outcome::Values(values);
        }
        let mut parts = values.into_iter();
        let index = parts.next().and_then(|index| index.as_int().ok()).unwrap_or(0);
        let value = parts.next().unwrap_or_default();
        let traceback = parts.next().and_then(|text| text.into_string().ok()).unwrap_or_default();
        Outcome::Raised(usize::try_from(index).unwrap_or(0), Raised { value, traceback })
    });
    Some((u64::from_le_bytes(*number), outcome))
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
        let task = Task { number: 7, call: 2, parcel: 4096, program: 0 };
        write_task(task, &[1_i64.into(), "two".into()], &NoHandles, &mut bytes, &mut references)
            .expect("travels");
        let (read, items) = read_task(&bytes, &references, &NoHandles).expect("a head");
        assert_eq!((read, items.expect("items").len()), (task, 2));

        let raised = Raised { value: 5_i64.into(), traceback: "there".into() };
        write_outcome(7, &Outcome::Raised(1, raised), &NoHandles, &mut bytes, &mut references)
            .expect("travels");
        let (number, outcome) = read_outcome(&bytes, &references, &NoHandles).expect("a head");
        let Ok(Outcome::Raised(index, raised)) = outcome else { panic!("not what was written") };
        assert_eq!((number, index, raised.traceback.as_str()), (7, 1, "there"));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        assert!(read_task(&[1; 31], &[], &NoHandles).is_none());
        assert!(read_outcome(&[1; 8], &[], &NoHandles).is_none());
        assert!(read_outcome(&[9; 20], &[], &NoHandles).is_some_and(|(_, outcome)| outcome.is_err()));
    }
}
