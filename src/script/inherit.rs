//! What a forked child keeps of the connections in its parent's memory: those that its work can lead to.
//!
//! The child has its parent's variables in memory and never returns to them. If it held the pipes' ends in there,
//! nobody would ever read the end of a pipe whose other end the parent has closed. The values that it can come
//! to are what its work consists of, what the process keeps for itself, and the constants of the program.

use std::collections::HashSet;

use rhai::{Dynamic, FnPtr, Module, NativeCallContext};

use super::carry::Carry;
use super::job::Job;
use super::process::Process;
use super::{runtime, socket};
use crate::socket::open;
use crate::sync::end;
use crate::wire::{Handles, MAX_DEPTH};

/// Lets go of what the child that does `job` can't come to.
pub fn sort_out(context: &NativeCallContext, job: &Job) {
    let mut found = Found::default();
    if end::any() || open::any() {
        job.parts().iter().for_each(|(_, value)| found.look_at(value, 0));
        runtime::each_local(|value| found.look_at(value, 0));
        for module in context.iter_namespaces() {
            found.look_into(module);
        }
    }
    end::keep_only(&found.0);
    open::forked(&found.0);
}

/// The shared objects that were found, by their offsets.
#[derive(Default)]
struct Found(HashSet<u64>);

impl Found {
    fn look_into(&mut self, module: &Module) {
        module.iter_var().for_each(|(_, value)| self.look_at(value, 0));
        module.iter_sub_modules().for_each(|(_, inner)| self.look_into(inner));
    }

    fn look_at(&mut self, value: &Dynamic, depth: usize) {
        // A value that contains itself, or what could not be sent either.
        if depth > MAX_DEPTH {
            return;
        }
        if let Some(inner) = value.is_shared().then(|| value.read_lock::<Dynamic>()).flatten() {
            self.look_at(&inner, depth + 1);
        } else if let Ok(array) = value.as_array_ref() {
            array.iter().for_each(|item| self.look_at(item, depth + 1));
        } else if let Ok(map) = value.as_map_ref() {
            map.values().for_each(|item| self.look_at(item, depth + 1));
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            function.curry().iter().for_each(|item| self.look_at(item, depth + 1));
        } else if let Some(process) = value.read_lock::<Process>() {
            process.work().iter().for_each(|item| self.look_at(item, depth + 1));
        } else {
            self.0.extend(Carry.detach(value).or_else(|| socket::listener(value)));
        }
    }
}
