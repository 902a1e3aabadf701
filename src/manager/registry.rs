//! The objects of a server, and the types that clients can have made.
//!
//! An object lives while somebody refers to it: a client, a message on its way, another object. Counts change
//! in memory that the server does not watch, so it looks: at a few objects after each round of its loop, at all
//! of them when somebody asks how many there are.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use rhai::{FnPtr, ImmutableString};

use super::object::{Body, Exposed, Object};
use crate::sys::identity;

/// A type that the script has registered.
#[derive(Clone, Debug)]
pub struct Registered {
    pub constructor: FnPtr,
    /// The only methods that may be called, if they are named.
    pub exposed: Option<Vec<ImmutableString>>,
}

/// See the head of this file.
///
/// Numbers begin anywhere: a proxy of a server that was at the same address before is not one of this server's.
#[derive(Debug, Default)]
pub struct Registry {
    objects: RefCell<HashMap<u64, Rc<Object>>>,
    last: Cell<u64>,
    /// The objects that are still to be looked at in this round.
    round: RefCell<Vec<u64>>,
    types: RefCell<BTreeMap<ImmutableString, Registered>>,
}

impl Registry {
    /// One without objects.
    pub fn new() -> Self {
        let mut bytes = [0; 4];
        // Without randomness they begin at 1.
        let _ = identity::random(&mut bytes);
        let registry = Self::default();
        registry.last.set(u64::from(u32::from_le_bytes(bytes)) << 16);
        registry
    }

    /// Makes an object.
    pub fn add(&self, typeid: ImmutableString, exposed: Exposed, body: Body) -> Rc<Object> {
        let id = self.last.get() + 1;
        self.last.set(id);
        let (body, ticket, held) = (RefCell::new(body), OnceCell::new(), Cell::new(0));
        let object = Rc::new(Object { id, typeid, exposed, body, ticket, held });
        self.objects.borrow_mut().insert(id, Rc::clone(&object));
        object
    }

    /// The object of that number.
    pub fn get(&self, id: u64) -> Option<Rc<Object>> {
        self.objects.borrow().get(&id).cloned()
    }

    /// Whether there are objects.
    pub fn is_empty(&self) -> bool {
        self.objects.borrow().is_empty()
    }

    /// Looks at `most` objects, and frees those that nobody refers to; how many those were.
    pub fn look(&self, most: usize) -> usize {
        let ids = {
            let mut round = self.round.borrow_mut();
            if round.is_empty() {
                round.extend(self.objects.borrow().keys());
            }
            let rest = round.len().saturating_sub(most);
            round.split_off(rest)
        };
        let free = |id: &u64| {
            let mut objects = self.objects.borrow_mut();
            if objects.get(id).is_some_and(Object::is_forgotten) { objects.remove(id) } else { None }
        };
        // What is in them may refer to others: they go when nothing is borrowed.
        ids.iter().filter_map(free).count()
    }

    /// How many objects there are that somebody refers to.
    pub fn count(&self) -> usize {
        self.round.borrow_mut().clear();
        while self.look(usize::MAX) > 0 {}
        self.objects.borrow().len()
    }

    /// All objects that somebody refers to, by number.
    pub fn all(&self) -> BTreeMap<u64, Rc<Object>> {
        self.count();
        self.objects.borrow().iter().map(|(id, object)| (*id, Rc::clone(object))).collect()
    }

    /// Registers a type.
    pub fn register(&self, name: ImmutableString, registered: Registered) {
        self.types.borrow_mut().insert(name, registered);
    }

    /// The registered type of that name.
    pub fn registered(&self, name: &str) -> Option<Registered> {
        self.types.borrow().get(name).cloned()
    }

    /// The names of the registered types.
    pub fn names(&self) -> Vec<ImmutableString> {
        self.types.borrow().keys().cloned().collect()
    }
}
