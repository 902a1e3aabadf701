//! The chain of calls that led to an error.
//!
//! Rhai wraps an error once for every script function it leaves: the wrapper has the position of
//! the call in the caller's file, the name of the function, and the file the function is in. So
//! the file of the outermost position is not in the error; whoever asks knows it.

use std::fmt;

use rhai::{EvalAltResult, Position};

/// Of longer chains, which endless recursion leaves, only the ends are shown.
const SHOWN_AT_EACH_END: usize = 20;

/// A place in a script: a call, or where the error was raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The script's name as its source says; may be empty.
    pub file: String,
    /// Counted from 1; 0 if unknown.
    pub line: usize,
    /// Counted from 1; 0 if unknown.
    pub column: usize,
    /// The function that the place is in, `<closure>`, or empty at the top level of a script.
    pub function: String,
}

impl fmt::Display for Frame {
    /// `FILE:LINE:COL in NAME`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(or(&self.file, "<script>"))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, " in {}", or(&self.function, "<top level>"))
    }
}

/// The calls that led to `err`, outermost first; the last frame is where it was raised. `source`
/// is the script that the outermost position is in. Calls without a position, made by native
/// code, are left out.
#[must_use]
pub fn call_chain(err: &EvalAltResult, source: &str) -> Vec<Frame> {
    let mut frames = Vec::new();
    let (mut err, mut file, mut function) = (err, source, "");
    loop {
        let inner = unwrapped(err);
        if inner.is_none() || !err.position().is_none() {
            frames.push(frame(file, function, err.position()));
        }
        match err {
            EvalAltResult::ErrorInFunctionCall(name, source, ..) => {
                file = or(source, file);
                function = match name.as_str() {
                    name if name.starts_with("anon$") => "<closure>",
                    name => name,
                };
            }
            EvalAltResult::ErrorInModule(path, ..) => {
                file = or(path, file);
                function = "";
            }
            _ => {}
        }
        match inner {
            Some(inner) => err = inner,
            None => return frames,
        }
    }
}

/// What was raised, without the calls and modules that Rhai wrapped it in.
pub fn innermost(err: &EvalAltResult) -> &EvalAltResult {
    let mut err = err;
    while let Some(inner) = unwrapped(err) {
        err = inner;
    }
    err
}

/// One line a frame, each indented by two spaces.
pub(super) fn render(frames: &[Frame]) -> String {
    let mut lines: Vec<String> = frames.iter().map(|frame| format!("  {frame}")).collect();
    let hidden = lines.len().saturating_sub(2 * SHOWN_AT_EACH_END);
    if hidden > 1 {
        let middle = SHOWN_AT_EACH_END..SHOWN_AT_EACH_END + hidden;
        lines.splice(middle, [format!("  ({hidden} calls more)")]);
    }
    lines.join("\n")
}

fn unwrapped(err: &EvalAltResult) -> Option<&EvalAltResult> {
    match err {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            Some(inner)
        }
        _ => None,
    }
}

fn frame(file: &str, function: &str, position: Position) -> Frame {
    let line = position.line().unwrap_or(0);
    Frame {
        file: file.into(),
        line,
        // Rhai has no column for the beginning of a line.
        column: position.position().unwrap_or(usize::from(line > 0)),
        function: function.into(),
    }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

#[cfg(test)]
mod tests {
    use rhai::{EvalAltResult, Position};

    use super::{call_chain, innermost, render};

    fn thrown(line: u16) -> EvalAltResult {
        EvalAltResult::ErrorRuntime("no".into(), Position::new(line, 9))
    }

    fn called(function: &str, file: &str, inner: EvalAltResult, line: u16) -> EvalAltResult {
        let position = match line {
            0 => Position::NONE,
            line => Position::new(line, 3),
        };
        EvalAltResult::ErrorInFunctionCall(function.into(), file.into(), inner.into(), position)
    }

    fn rendered(err: &EvalAltResult) -> String {
        render(&call_chain(err, "main.rhai"))
    }

    #[test]
    fn files_change_from_call_to_call() {
        let err = called("f", "lib.rhai", called("anon$12", "", thrown(7), 5), 2);
        assert_eq!(
            rendered(&err),
            "  main.rhai:2:3 in <top level>\n  lib.rhai:5:3 in f\n  lib.rhai:7:9 in <closure>"
        );
        assert!(matches!(innermost(&err), EvalAltResult::ErrorRuntime(..)));
    }

    #[test]
    fn modules_are_files() {
        let inner = called("f", "", thrown(4), 9);
        let err = EvalAltResult::ErrorInModule("tools".into(), inner.into(), Position::new(1, 1));
        assert_eq!(
            rendered(&err),
            "  main.rhai:1:1 in <top level>\n  tools:9:3 in <top level>\n  tools:4:9 in f"
        );
    }

    #[test]
    fn calls_by_native_code_are_left_out_but_not_the_place_of_the_error() {
        assert_eq!(rendered(&called("f", "", thrown(4), 0)), "  main.rhai:4:9 in f");
        let nowhere = EvalAltResult::ErrorFor(Position::NONE);
        assert_eq!(rendered(&called("f", "", nowhere, 0)), "  main.rhai in f");
        // The beginning of a line has no column of its own.
        let at_start = EvalAltResult::ErrorFor(Position::new(3, 0));
        assert_eq!(rendered(&at_start), "  main.rhai:3:1 in <top level>");
    }

    #[test]
    fn of_endless_recursion_both_ends_are_shown() {
        let recursion = |levels| (0..levels).fold(thrown(2), |err, _| called("f", "", err, 1));
        for levels in [39, 40] {
            assert_eq!(rendered(&recursion(levels)).lines().count(), levels + 1);
        }
        let text = rendered(&recursion(1000));
        assert_eq!(text.lines().count(), 41, "{text}");
        assert_eq!(text.lines().nth(20), Some("  (961 calls more)"));
        assert!(text.ends_with("\n  main.rhai:2:9 in f"), "{text}");
    }
}
