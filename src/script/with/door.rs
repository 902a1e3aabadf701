//! Entering and leaving a type's values, without the engine: for a call from here it looks for the function anew
//! each time, which takes longer than what locks do.

use std::any::TypeId;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use rhai::Dynamic;

use crate::script::raise::Raise;

/// What is done with values of one type. All but `has_lock` get a copy of the resource, which `enter` gives.
trait Door {
    /// Enters. It may wait: nobody is to find the variable in use meanwhile, so it is a copy that is entered.
    fn enter(&self, resource: &Dynamic) -> Option<Result<Dynamic, Raise>>;

    /// What `as` names.
    fn value(&self, entered: &Dynamic) -> Dynamic;

    fn leave(&self, entered: &Dynamic) -> Result<(), Raise>;

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
    fn enter(&self, resource: &Dynamic) -> Option<Result<Dynamic, Raise>> {
        let copy = resource.flatten_clone();
        let entered = (self.enter)(&*copy.read_lock::<T>()?);
        Some(entered.map(|()| copy))
    }

    fn value(&self, entered: &Dynamic) -> Dynamic {
        entered.read_lock::<T>().map_or(Dynamic::UNIT, |resource| (self.value)(&resource))
    }

    fn leave(&self, entered: &Dynamic) -> Result<(), Raise> {
        entered.read_lock::<T>().map_or(Ok(()), |resource| (self.leave)(&resource))
    }

    fn has_lock(&self, resource: &Dynamic) -> bool {
        resource.read_lock::<T>().is_some_and(|resource| (self.has_lock)(&resource))
    }
}

thread_local! {
    /// The types that have a door.
    static DOORS: RefCell<Vec<(TypeId, Rc<dyn Door>)>> = const { RefCell::new(Vec::new()) };
}

/// A resource that was entered through its type's door.
pub struct Opened {
    door: Rc<dyn Door>,
    resource: Dynamic,
}

impl Opened {
    /// What `as` names.
    pub fn value(&self) -> Dynamic {
        self.door.value(&self.resource)
    }

    /// Leaves it.
    ///
    /// # Errors
    /// What leaving raises.
    pub fn leave(&self) -> Result<(), Raise> {
        self.door.leave(&self.resource)
    }
}

/// Enters a value, or, with `lock_of`, what its `get_lock()` gives. `None` if its type has no door for that.
pub fn enter(resource: &Dynamic, lock_of: bool) -> Option<Result<Opened, Raise>> {
    let wanted = resource.type_id();
    let door = DOORS.with_borrow(|doors| {
        doors.iter().find(|(known, _)| *known == wanted).map(|(_, door)| Rc::clone(door))
    })?;
    if lock_of && !door.has_lock(resource) {
        return None;
    }
    let entered = door.enter(resource)?;
    Some(entered.map(|resource| Opened { door, resource }))
}
