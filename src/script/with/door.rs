//! Entering and leaving a type's values, without the engine: for a call from here it looks for the function anew
//! each time, which takes longer than what locks do.

use std::any::TypeId;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use rhai::{Dynamic, EvalContext, Position};

use crate::script::raise::{Raise, RhaiResult, placed};

/// Where the resource is.
pub enum Resource<'a> {
    /// A variable of the scope has it.
    Variable(&'a str),
    /// Here.
    Value(&'a Dynamic),
}

/// The block. It is given what makes the value that `as` names.
pub type Inside<'a> = dyn FnMut(&mut EvalContext, &dyn Fn() -> Dynamic) -> RhaiResult + 'a;

/// See the head of this file.
pub trait Door {
    /// Enters, runs the block, and leaves.
    fn within(
        &self,
        context: &mut EvalContext,
        resource: &Resource,
        position: Position,
        inside: &mut Inside,
    ) -> RhaiResult;

    /// Whether the value has a lock that entering acquires, and `get_lock()` gives.
    fn has_lock(&self, resource: &Dynamic) -> bool;
}

/// What `with` does with values of type `T`. None of it calls the script.
pub struct Ways<T, E, V, L> {
    enter: E,
    value: V,
    leave: L,
    has_lock: fn(&T) -> bool,
    resources: PhantomData<T>,
}

impl<T, E, V, L> Ways<T, E, V, L>
where
    T: Clone + 'static,
    E: Fn(&T) -> Result<(), Raise> + 'static,
    V: Fn(&T) -> Dynamic + 'static,
    L: Fn(&T) -> Result<(), Raise> + 'static,
{
    /// `value` makes what `as` names.
    pub fn new(enter: E, value: V, leave: L) -> Self {
        Self { enter, value, leave, has_lock: |_| false, resources: PhantomData }
    }

    /// Values for which `has_lock` is true give the lock that entering acquires by `get_lock()`.
    pub fn with_lock(self, has_lock: fn(&T) -> bool) -> Self {
        Self { has_lock, ..self }
    }

    /// Says it for every engine of this process.
    pub fn register(self) {
        let door: Rc<dyn Door> = Rc::new(self);
        DOORS.with_borrow_mut(|doors| {
            doors.retain(|(known, _)| *known != TypeId::of::<T>());
            doors.push((TypeId::of::<T>(), door));
        });
    }
}

impl<T, E, V, L> Door for Ways<T, E, V, L>
where
    T: Clone + 'static,
    E: Fn(&T) -> Result<(), Raise>,
    V: Fn(&T) -> Dynamic,
    L: Fn(&T) -> Result<(), Raise>,
{
    fn within(
        &self,
        context: &mut EvalContext,
        resource: &Resource,
        position: Position,
        inside: &mut Inside,
    ) -> RhaiResult {
        let value = match resource {
            Resource::Variable(name) => context.scope().get(name),
            Resource::Value(value) => Some(*value),
        };
        // A copy, as entering may wait: nobody is to find the variable in use meanwhile.
        let copy = value.and_then(|value| value.read_lock::<T>().map(|resource| resource.clone()));
        let Some(resource) = copy else { return Ok(Dynamic::UNIT) };
        (self.enter)(&resource).map_err(|error| placed(error, position))?;
        let result = inside(context, &|| (self.value)(&resource));
        let left = (self.leave)(&resource);
        // What went wrong in the block is the news; leaving comes second.
        let value = result?;
        left.map_err(|error| placed(error, position))?;
        Ok(value)
    }

    fn has_lock(&self, resource: &Dynamic) -> bool {
        resource.read_lock::<T>().is_some_and(|resource| (self.has_lock)(&resource))
    }
}

thread_local! {
    /// The types that have a door.
    static DOORS: RefCell<Vec<(TypeId, Rc<dyn Door>)>> = const { RefCell::new(Vec::new()) };
}

/// The door of a value's type.
pub fn of(resource: &Dynamic) -> Option<Rc<dyn Door>> {
    let wanted = resource.type_id();
    DOORS.with_borrow(|doors| {
        doors.iter().find(|(known, _)| *known == wanted).map(|(_, door)| Rc::clone(door))
    })
}
