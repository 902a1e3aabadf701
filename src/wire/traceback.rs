//! The chain of calls that led to an error.
//!
//! Rhai wraps an error once for every script function it leaves: the wrapper has the position of
//! the call in the caller's file, the name of the function, and the file the function is in. So
//! the file of the outermost position is not in the error; whoever asks knows it.

use std::fmt;

use rhai::{EvalAltResult, Position};

/// Equal lines in a row that are all shown; of more, the rest is counted. Endless recursion ends
/// with thousands.
const SHOWN_REPEATS: usize = 3;

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

/// One line a frame, each indented by two spaces and ended by a newline, except the last one.
pub(super) fn render(frames: &[Frame]) -> String {
    let mut lines = Vec::new();
    for repeats in frames.chunk_by(|a, b| a == b) {
        let shown = repeats.len().min(SHOWN_REPEATS);
        lines.extend(repeats[..shown].iter().map(|frame| format!("  {frame}")));
        match repeats.len() - shown {
            0 => {}
            1 => lines.push("  (the same once more)".into()),
            more => lines.push(format!("  (the same {more} times more)")),
        }
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
