//! The table of error kinds and their parents.

/// Every kind that has a constructor in scripts, with its parent.
pub const KINDS: &[(&str, Option<&str>)] = &[
    ("ProcessError", None),
    ("TimeoutError", Some("ProcessError")),
    ("AuthenticationError", Some("ProcessError")),
    ("BufferTooShort", Some("ProcessError")),
    ("WorkerLost", Some("ProcessError")),
    ("Deadlock", Some("ProcessError")),
    ("CancelledError", Some("ProcessError")),
    ("Empty", None),
    ("Full", None),
    ("ShutDown", None),
    ("EOFError", None),
    ("OSError", None),
    ("BrokenPipeError", Some("OSError")),
    ("ConnectionRefusedError", Some("OSError")),
    ("ConnectionResetError", Some("OSError")),
    ("FileNotFoundError", Some("OSError")),
    ("FileExistsError", Some("OSError")),
    ("RuntimeError", None),
    ("NotImplementedError", Some("RuntimeError")),
    ("BrokenBarrierError", Some("RuntimeError")),
    ("RemoteError", None),
    ("MaybeEncodingError", None),
    ("ValueError", None),
    ("OverflowError", None),
    ("TypeError", None),
    ("IndexError", None),
    ("StopIteration", None),
    ("KeyError", None),
    ("AttributeError", None),
    ("AssertionError", None),
    ("MemoryError", None),
    ("KeyboardInterrupt", None),
];

/// The parents of `kind`, nearest first; none for a kind that is not in the table.
pub(super) fn parents(kind: &str) -> impl Iterator<Item = &'static str> {
    std::iter::successors(parent(kind), |kind| parent(kind))
}

fn parent(kind: &str) -> Option<&'static str> {
    KINDS.iter().find(|(name, _)| *name == kind)?.1
}

#[cfg(test)]
mod tests {
    use super::{KINDS, parents};

    #[test]
    fn every_parent_is_a_kind_and_stands_before_its_children() {
        for (at, (kind, parent)) in KINDS.iter().enumerate() {
            assert!(KINDS[..at].iter().all(|(earlier, _)| earlier != kind), "{kind} stands twice");
            if let Some(parent) = parent {
                assert!(
                    KINDS[..at].iter().any(|(earlier, _)| earlier == parent),
                    "{kind} stands before its parent"
                );
            }
        }
    }

    #[test]
    fn parents_of_known_and_own_kinds() {
        assert!(parents("WorkerLost").eq(["ProcessError"]));
        assert!(parents("FileExistsError").eq(["OSError"]));
        assert!(parents("BrokenBarrierError").eq(["RuntimeError"]));
        assert_eq!(parents("ValueError").count(), 0);
        assert_eq!(parents("MyOwn").count(), 0);
    }
}
