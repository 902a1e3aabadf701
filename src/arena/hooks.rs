//! What the kinds of objects have to say when one of them goes, or a process that has one.
//!
//! Each process sets them once, before it has any object; the layers that define the kinds stand above this
//! one.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::handle::Kind;
use super::slot::Slot;

/// More than the number of any kind.
const KINDS: usize = 32;

type Hooks = [AtomicPtr<()>; KINDS];

static DESTRUCTORS: Hooks = [const { AtomicPtr::new(std::ptr::null_mut()) }; KINDS];
static MOURNERS: Hooks = [const { AtomicPtr::new(std::ptr::null_mut()) }; KINDS];

/// Empties the object at an offset before its block is freed.
pub type Destructor = fn(u64);

/// What a kind does about the end of a process that has an object of it: the object's offset, the process's
/// slot, and its holding.
pub type Mourner = fn(u64, &Slot, &AtomicU64);

/// Says how an object of `kind` is emptied before its block is freed. It may run twice, the second time
/// on an object that is partly empty, if the process is killed in between.
pub fn on_destroy(kind: Kind, destructor: Destructor) {
    DESTRUCTORS[kind as usize].store(destructor as *mut (), Ordering::Release);
}

/// Says what is done about an object of `kind` when a process that has it ends, before its reference is
/// taken off. It may run twice, if the sweeper is killed in between. A process that gives everything back at its
/// own end is alive when this is called.
pub fn on_death(kind: Kind, mourner: Mourner) {
    MOURNERS[kind as usize].store(mourner as *mut (), Ordering::Release);
}

pub(super) fn destructor(kind: u32) -> Option<Destructor> {
    let pointer = get(&DESTRUCTORS, kind)?;
    // SAFETY: only ever set from a `Destructor` by `on_destroy`.
    Some(unsafe { std::mem::transmute::<*mut (), Destructor>(pointer) })
}

pub(super) fn mourner(kind: u32) -> Option<Mourner> {
    let pointer = get(&MOURNERS, kind)?;
    // SAFETY: only ever set from a `Mourner` by `on_death`.
    Some(unsafe { std::mem::transmute::<*mut (), Mourner>(pointer) })
}

fn get(hooks: &Hooks, kind: u32) -> Option<*mut ()> {
    let pointer = hooks.get(kind as usize)?.load(Ordering::Acquire);
    (!pointer.is_null()).then_some(pointer)
}
