//! The error type of scripts: what `throw ValueError("text")` throws and what stook raises.

use std::fmt;

use rhai::{Dynamic, EvalAltResult, ImmutableString, Map, Position};

use super::kinds;

/// An error as scripts see it: a kind, a message, and what else is worth knowing.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ImmutableString,
    message: ImmutableString,
    kinds: Vec<ImmutableString>,
    traceback: ImmutableString,
    data: Map,
}

impl Error {
    /// An error raised here: no traceback, no data. The parents come from [`super::KINDS`]; a
    /// kind that is not in that table has none.
    pub fn new(kind: impl Into<ImmutableString>, message: impl Into<ImmutableString>) -> Self {
        let kind = kind.into();
        let mut kinds = vec![kind.clone()];
        kinds.extend(kinds::parents(&kind).map(ImmutableString::from));
        Self { kind, message: message.into(), kinds, traceback: ImmutableString::new(), data: Map::new() }
    }

    /// An error as another process described it, whose table of kinds may differ.
    pub(super) fn received(
        kind: ImmutableString,
        message: ImmutableString,
        traceback: ImmutableString,
        kinds: Vec<ImmutableString>,
        data: Map,
    ) -> Self {
        Self { kind, message, kinds, traceback, data }
    }

    /// Adds the field `key` to the data, or replaces it.
    #[must_use]
    pub fn with_data(mut self, key: &str, value: impl Into<Dynamic>) -> Self {
        self.data.insert(key.into(), value.into());
        self
    }

    /// Says where the error was raised in another process.
    #[must_use]
    pub fn with_traceback(mut self, text: impl Into<ImmutableString>) -> Self {
        self.traceback = text.into();
        self
    }

    /// The error's own kind, such as `TimeoutError`.
    #[must_use]
    pub fn kind(&self) -> &ImmutableString {
        &self.kind
    }

    /// The text for people, without the kind; may be empty.
    #[must_use]
    pub fn message(&self) -> &ImmutableString {
        &self.message
    }

    /// The own kind, then its parents, nearest first.
    #[must_use]
    pub fn kinds(&self) -> &[ImmutableString] {
        &self.kinds
    }

    /// The chain of calls in the process that raised the error; empty when raised here.
    #[must_use]
    pub fn traceback(&self) -> &ImmutableString {
        &self.traceback
    }

    /// Extra fields, by name.
    #[must_use]
    pub fn data(&self) -> &Map {
        &self.data
    }

    /// Is the error of this kind, or of one whose parent it is?
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind || self.kinds.iter().any(|own| own == kind)
    }

    /// The error as Rhai throws it; Rhai fills in the position of the call that fails with it.
    #[must_use]
    pub fn raise(self) -> Box<EvalAltResult> {
        EvalAltResult::ErrorRuntime(Dynamic::from(self), Position::NONE).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<Error> for Box<EvalAltResult> {
    fn from(error: Error) -> Self {
        error.raise()
    }
}

#[cfg(test)]
mod tests {
    use rhai::{EvalAltResult, ImmutableString};

    use super::Error;

    #[test]
    fn display_leaves_out_an_empty_message() {
        assert_eq!(Error::new("ValueError", "bad size").to_string(), "ValueError: bad size");
        assert_eq!(Error::new("Empty", "").to_string(), "Empty");
    }

    #[test]
    fn an_error_is_of_its_own_kind_and_its_parents() {
        let lost = Error::new("WorkerLost", "signal 9").with_data("pid", 7_i64);
        assert!(lost.is("WorkerLost") && lost.is("ProcessError"));
        assert!(!lost.is("TimeoutError"));
        assert_eq!(lost.data().get("pid").and_then(|pid| pid.as_int().ok()), Some(7));

        let own = Error::new("Mine", "x");
        assert_eq!(own.kinds(), [ImmutableString::from("Mine")]);
    }

    #[test]
    fn raise_throws_the_error_itself() {
        let raised = Error::new("KeyError", "k").with_traceback("  a.rhai:1:1").raise();
        let EvalAltResult::ErrorRuntime(value, position) = *raised else {
            panic!("not a thrown value: {raised}");
        };
        assert!(position.is_none());
        let error = value.try_cast::<Error>().expect("the error itself");
        assert_eq!(error.kind(), "KeyError");
        assert_eq!(error.traceback(), "  a.rhai:1:1");
    }
}
