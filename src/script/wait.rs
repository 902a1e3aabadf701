//! `wait`: the first of several things of any kind.

use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::connection::Connection;
use super::pool::AsyncResult;
use super::process::Process;
use super::queue;
use super::raise::{Raise, RhaiResult, interrupted, raise};
use super::signature::{Arguments, Signature, described};
use crate::arena::table::{ProcessId, SLOTS, Waiting};
use crate::manager::proxy::Proxy;
use crate::process::sentinel::Sentinel;
use crate::sync::wait::sleep_until;
use crate::sync::watch::{self, Watched};
use crate::sys::clock::Deadline;

static WAIT: Signature = Signature { name: "wait", parameters: &["objects", "timeout"], required: 1 };

/// The names registered here that are functions of a script's top level.
pub const NAMES: &[&str] = &["wait"];

/// Registers the function.
pub fn register(engine: &mut Engine) {
    WAIT.function(engine, wait);
}

/// Those of the objects that are ready, in the order in which they were given.
fn wait(context: &NativeCallContext, mut arguments: Arguments) -> RhaiResult {
    let objects = arguments.items(context, 0)?;
    let deadline = arguments.deadline(1)?;
    if objects.is_empty() {
        // Nothing will ever be ready: without a time-out there is nothing to wait for.
        if matches!(deadline, Deadline::At(_)) {
            sleep_until(deadline).map_err(|_| interrupted())?;
        }
        return Ok(Array::new().into());
    }
    let things: Result<Vec<Box<dyn Watched>>, Raise> = objects.iter().map(watched).collect();
    let things = things?;
    let things: Vec<&dyn Watched> = things.iter().map(AsRef::as_ref).collect();
    let ready = watch::wait(&things, deadline, Waiting::First).map_err(|_| interrupted())?;
    let ready = objects.into_iter().zip(ready).filter(|(_, ready)| *ready);
    Ok(ready.map(|(object, _)| object).collect::<Array>().into())
}

fn watched(object: &Dynamic) -> Result<Box<dyn Watched>, Raise> {
    if let Ok(sentinel) = object.as_int() {
        return ended(sentinel);
    }
    if let Some(process) = object.read_lock::<Process>() {
        return ended(process.sentinel()?);
    }
    if let Some(connection) = object.read_lock::<Connection>() {
        return connection.watched();
    }
    if let Some(channel) = queue::channel(object)? {
        return Ok(Box::new(channel));
    }
    if let Some(result) = object.read_lock::<AsyncResult>() {
        return Ok(Box::new(result.clone()));
    }
    let kinds = "connections, queues, processes and their sentinels, and results of pools";
    if object.is::<Proxy>() {
        let instead = "what blocks in it has a timeout of its own, and a Queue() can be waited for";
        return Err(raise("TypeError", format!("wait() takes {kinds}, no object of a manager: {instead}")));
    }
    Err(raise("TypeError", format!("wait() takes {kinds}, not {}", described(object))))
}

fn ended(sentinel: i64) -> Result<Box<dyn Watched>, Raise> {
    let id = ProcessId::unpack(sentinel as u64);
    if sentinel <= 0 || id.index as usize >= SLOTS || id.generation == 0 {
        return Err(raise("ValueError", format!("{sentinel} is no process's sentinel")));
    }
    Ok(Box::new(Sentinel(id)))
}
