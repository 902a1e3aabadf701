//! What is said of an item whose worker ended.

use rhai::Dynamic;

use super::crew::Fallen;
use super::worker::short;
use crate::sys::process::{End, signal_name};
use crate::wire::Error;

/// Which item it is: its index in the call, and itself.
pub struct Item<'a> {
    /// Its index, from 0.
    pub index: usize,
    /// What the function was called with.
    pub value: &'a Dynamic,
    /// The call was an `apply`, whose item is the list of arguments.
    pub apply: bool,
    /// Attempts before this one.
    pub attempts: u32,
}

impl Item<'_> {
    /// The item in words: `task 3 (argument "x")`.
    fn text(&self) -> String {
        let what = if self.apply { "arguments" } else { "argument" };
        let tries = match self.attempts {
            0 => String::new(),
            before => format!(", attempt {}", before + 1),
        };
        format!("task {} ({what} {}){tries}", self.index, short(self.value))
    }

    fn noted(&self, error: Error) -> Error {
        let error = error.with_data("task", i64::try_from(self.index).unwrap_or(i64::MAX));
        match self.attempts {
            0 => error,
            before => error.with_data("attempts", i64::from(before) + 1),
        }
    }
}

/// The error for an item whose worker died.
pub fn lost(fallen: &Fallen, item: &Item) -> Error {
    let pid = fallen.pid;
    let (how, key, number) = match fallen.end {
        End::Signalled(signal) if fallen.out_of_memory => {
            let name = signal_name(signal);
            (format!("was killed by the kernel: out of memory ({name})"), "signal", signal)
        }
        End::Signalled(signal) => (format!("was killed by {}", signal_name(signal)), "signal", signal),
        End::Exited(code) => (format!("ended with exit code {code}"), "exitcode", code),
    };
    let message = format!("worker process {pid} {how} while it worked at {}", item.text());
    let error =
        Error::new("WorkerLost", message).with_data("pid", i64::from(pid)).with_data(key, i64::from(number));
    let error = if fallen.out_of_memory { error.with_data("out_of_memory", true) } else { error };
    item.noted(error)
}

/// The error for an item whose time was over.
pub fn overdue(fallen: &Fallen, item: &Item, seconds: f64) -> Error {
    let message = format!(
        "{} took longer than {seconds} s; its worker, process {}, was stopped",
        item.text(),
        fallen.pid
    );
    item.noted(Error::new("TimeoutError", message).with_data("pid", i64::from(fallen.pid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_how_and_at_what() {
        let value = Dynamic::from("x".repeat(100));
        let item = Item { index: 3, value: &value, apply: false, attempts: 1 };
        let mut fallen =
            Fallen { pid: 7, end: End::Signalled(9), item: 5, condemned: 0, out_of_memory: false };
        let error = lost(&fallen, &item);
        let argument = format!("{}...", "x".repeat(60));
        assert_eq!(
            error.message(),
            &format!(
                "worker process 7 was killed by SIGKILL while it worked at task 3 (argument {argument}), attempt 2"
            )
        );
        assert_eq!(error.data().get("attempts").and_then(|count| count.as_int().ok()), Some(2));
        fallen.out_of_memory = true;
        assert!(lost(&fallen, &item).message().contains("killed by the kernel: out of memory"));
        assert!(overdue(&fallen, &item, 0.5).message().contains("took longer than 0.5 s"));
    }
}
