//! An error that nobody caught, for people: which process, by which calls, which line, what.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use rhai::{Dynamic, EvalAltResult};

use super::program::Unreadable;
use super::runtime;
use super::signature::described;
use crate::sys::identity;
use crate::wire::{Error, Frame, call_chain, innermost};

/// A text that does not compile: what is wrong, with the line and a caret under the place.
pub fn unreadable(unreadable: &Unreadable) -> String {
    let position = unreadable.error.position();
    let title = format!("syntax error: {}", unreadable.error.err_type());
    shown(&title, &unreadable.unit.name, &unreadable.unit.text, position.line(), position.position())
}

/// A runtime error with the calls that led to it.
pub fn uncaught(error: &EvalAltResult) -> String {
    let program = runtime::program();
    let frames = call_chain(error, program.name());
    let mut lines = Vec::new();
    let (name, traceback) = (runtime::name(), runtime::take_traceback());
    let cause = innermost(error);
    if let Some(traceback) = traceback.filter(|_| matches!(cause, EvalAltResult::ErrorRuntime(..))) {
        lines.push(traceback);
        lines.push("and from there:".to_owned());
    }
    lines.push(format!("in process {name} (pid {}):", identity::pid()));
    lines.extend(shortened(&frames));
    let what = what(cause);
    match frames.last().and_then(|frame| Some((frame, program.text(&frame.file)?))) {
        Some((frame, text)) if frame.line > 0 => {
            lines.push(shown(&what, &frame.file, &text, Some(frame.line), Some(frame.column)));
        }
        _ => lines.push(format!("error: {what}")),
    }
    lines.join("\n")
}

/// Calls that are shown at each end of a long chain.
const SHOWN: usize = 8;

/// The frames, a line each; of a long chain, both ends.
fn shortened(frames: &[Frame]) -> Vec<String> {
    let line = |frame: &Frame| format!("  {frame}");
    let left_out = frames.len().saturating_sub(2 * SHOWN);
    if left_out <= 1 {
        return frames.iter().map(line).collect();
    }
    let first = frames.iter().take(SHOWN).map(line);
    let last = frames.iter().skip(SHOWN + left_out).map(line);
    first.chain([format!("  ... {left_out} more calls ...")]).chain(last).collect()
}

/// The error itself: `Kind: message` for ours, a thrown value as it is, Rhai's own text for Rhai's own.
fn what(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => match value.read_lock::<Error>() {
            Some(error) => error.to_string(),
            None if value.is_string() => value.to_string(),
            None if rhais_own(value).is_some() => rhais_own(value).unwrap_or_default(),
            None if value.is_map()
                || value.is_array()
                || value.is_int()
                || value.is_float()
                || value.is_bool() =>
            {
                format!("thrown: {value}")
            }
            None => format!("thrown: a value of type {}", described(value)),
        },
        EvalAltResult::ErrorTerminated(..) => "KeyboardInterrupt".to_owned(),
        EvalAltResult::ErrorDataRace(what, _) => {
            let trouble = if what.starts_with("argument ") {
                "uses the variable whose method is called"
            } else {
                "is in use: one of its methods is being called at this moment"
            };
            format!("{what} {trouble}; use a copy there, made before by `let copy = ..;`")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            "Stack overflow: a function calls itself, perhaps through others, without end".to_owned()
        }
        other => {
            // Its text ends with the position, which the frames have already.
            let text = other.to_string();
            let position = other.position();
            let tail = format!(" ({position})");
            text.strip_suffix(&tail).unwrap_or(&text).to_owned()
        }
    }
}

/// The text of an error of Rhai's own that another process raised: it comes as the map that `catch` binds.
fn rhais_own(value: &Dynamic) -> Option<String> {
    let map = value.as_map_ref().ok()?;
    map.get("error")?;
    let message = map.get("message")?.as_immutable_string_ref().ok()?;
    // Where and by which calls is in the traceback.
    let line = message.lines().next().unwrap_or_default();
    Some(line.split(" @ '").next().unwrap_or(line).to_owned())
}

/// `title`, the line of `text`, and a caret.
fn shown(title: &str, name: &str, text: &str, line: Option<usize>, column: Option<usize>) -> String {
    let Some((start, length)) = line.and_then(|line| {
        let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let row = text.get(before..)?.lines().next().unwrap_or_default();
        let column = column.unwrap_or(1).max(1) - 1;
        let offset = row.char_indices().nth(column).map_or(row.len(), |(offset, _)| offset);
        let length = row.get(offset..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        Some((before + offset, length))
    }) else {
        return format!("error: {title}");
    };
    let snippet =
        Snippet::source(text).path(name).annotation(AnnotationKind::Primary.span(start..start + length));
    let report = &[Level::ERROR.primary_title(title).element(snippet)];
    Renderer::plain().render(report)
}
