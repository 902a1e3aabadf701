//! What a pool has done so far.

/// Counts of items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Done with a result.
    pub done: u64,
    /// Ended by an error.
    pub failed: u64,
    /// Attempts after the first.
    pub retried: u64,
    /// Found in a journal.
    pub skipped: u64,
    /// Workers that were lost while they worked at something.
    pub lost: u64,
}

impl Stats {
    /// One more has ended.
    pub fn ended<T, E>(&mut self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.done += 1,
            Err(_) => self.failed += 1,
        }
    }
}
