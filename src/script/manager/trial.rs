//! Calls in the server that would have to wait: of the session's queues, events and locks, and of pools.
//!
//! The server must not wait, so it tries them from time to time. A pool's calls are begun as asynchronous ones, whose
//! results are then waited for.

use rhai::{Array, Dynamic};

use super::host::{Engineer, captured};
use crate::call::Signature;
use crate::manager::blocking::Answer;
use crate::manager::host::Trial;
use crate::queue::view::{JoinableQueue, Queue, SimpleQueue};
use crate::script::pool::{AsyncResult, is_pool};
use crate::sync::event::Event;
use crate::sync::lock::Lock;
use crate::sync::rlock::RLock;
use crate::sync::semaphore::Semaphore;
use crate::sys::clock::Deadline;
use crate::wire::{Error, Raised};

/// A pool's calls that wait, and how they are begun.
const BEGUN: &[(&str, &str)] =
    &[("apply", "apply_async"), ("map", "map_async"), ("starmap", "starmap_async")];

/// The trial that a call is; `None` if it does not wait.
pub fn of(
    host: &Engineer<'_>,
    value: &Dynamic,
    method: &str,
    arguments: &Array,
) -> Option<Result<Trial, Raised>> {
    // What the language has itself does not wait.
    if !value.is_variant() {
        return None;
    }
    if is_pool(value) {
        let (_, begun) = BEGUN.iter().find(|(name, _)| *name == method)?;
        let result = host.call(&mut value.clone(), begun, arguments.clone());
        return Some(result.map_err(captured).map(|value| trial(value, "get", Array::new(), None)));
    }
    let is_queue = value.is::<Queue>() || value.is::<JoinableQueue>() || value.is::<SimpleQueue>();
    let lockable = value.is::<Lock>() || value.is::<RLock>() || value.is::<Semaphore>();
    let known = match method {
        "get" => is_queue || value.is::<AsyncResult>(),
        "put" => is_queue,
        "join" => value.is::<JoinableQueue>(),
        "wait" => value.is::<Event>() || value.is::<AsyncResult>(),
        "acquire" | "__enter__" => lockable,
        _ => false,
    };
    known.then(|| parsed(value, method, arguments.clone()))
}

fn parsed(value: &Dynamic, method: &str, arguments: Array) -> Result<Trial, Raised> {
    let signature = match method {
        "put" => Signature::new("put", &["value", "block", "timeout"], 1),
        "join" => Signature::new("join", &["timeout"], 0),
        "wait" => Signature::new("wait", &["timeout"], 0),
        "get" if value.is::<AsyncResult>() => Signature::new("get", &["timeout"], 0),
        "get" => Signature::new("get", &["block", "timeout"], 0),
        _ => Signature::new("acquire", &["block", "timeout"], 0),
    };
    let mut given = signature.bind(arguments)?;
    let item = if method == "put" { vec![given.any(0)] } else { Array::new() };
    let patience =
        if signature.parameters == ["timeout"] { given.seconds(0)? } else { given.patience(item.len())? };
    let method = if method == "__enter__" { "acquire" } else { method };
    Ok(trial(value.clone(), method, item, patience))
}

fn trial(value: Dynamic, method: &str, arguments: Array, patience: Option<f64>) -> Trial {
    Trial { value, method: method.to_owned(), arguments, deadline: Deadline::after(patience) }
}

/// Tries it once.
pub fn attempt(host: &Engineer<'_>, trial: &Trial) -> Option<Answer> {
    let mut value = trial.value.clone();
    let now = || Dynamic::from(0_i64);
    let (method, arguments) = match trial.method.as_str() {
        "get" | "wait" if value.is::<AsyncResult>() => {
            let ready = host.call(&mut value, "ready", Array::new());
            match ready.map(|ready| ready.as_bool().unwrap_or(true)) {
                Ok(false) => return None,
                Err(error) => return Some(Err(captured(error))),
                Ok(true) => (trial.method.as_str(), Array::new()),
            }
        }
        "put" => {
            let item = trial.arguments.first().cloned().unwrap_or_default();
            ("put", vec![item, true.into(), now()])
        }
        method => (method, vec![now()]),
    };
    match host.call(&mut value, method, arguments) {
        Ok(result) if result.as_bool() == Ok(false) && matches!(method, "join" | "wait" | "acquire") => None,
        Ok(result) => Some(Ok(result)),
        Err(error) => {
            let raised = captured(error);
            let kind = raised.value.read_lock::<Error>().map(|error| error.kind().to_string());
            if matches!(kind.as_deref(), Some("Empty" | "Full")) && matches!(method, "get" | "put") {
                return None;
            }
            Some(Err(raised))
        }
    }
}

/// What comes of one whose time is over.
pub fn too_late(trial: &Trial) -> Answer {
    let error = |kind: &str, what: &str| Err(Raised::of(Error::new(kind, what)));
    match trial.method.as_str() {
        "get" if trial.value.is::<AsyncResult>() => error("TimeoutError", "the result is not there yet"),
        "get" => error("Empty", ""),
        "put" => error("Full", ""),
        "wait" if trial.value.is::<AsyncResult>() => Ok(Dynamic::UNIT),
        _ => Ok(false.into()),
    }
}
