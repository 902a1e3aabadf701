//! The places of a program where compiled code needs the engine or may fail.
//!
//! Invariants
//! 1. A site never moves and lives as long as its program: its address stands in the machine code.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use rhai::{Dynamic, Expr, ImmutableString, Position, RhaiFunc};

use super::enter::Prepared;
use super::ir::Op;
use super::runtime::Known;

pub type SiteId = usize;

/// A value that the engine sees under a name.
#[derive(Clone, Debug)]
pub struct Seen {
    pub name: ImmutableString,
    pub constant: bool,
    /// It only takes a place in the scope, and no value belongs to it.
    pub placeholder: bool,
}

impl Seen {
    pub fn new(name: &str, constant: bool) -> Self {
        Self { name: name.into(), constant, placeholder: false }
    }

    pub fn placeholder() -> Self {
        Self { name: ImmutableString::new(), constant: false, placeholder: true }
    }
}

/// An expression for the engine, and the names of the values it needs.
#[derive(Debug)]
pub struct Evaluated {
    pub expression: Expr,
    pub seen: Vec<Seen>,
}

/// How a native function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Function,
    Method,
    /// As a property's getter or setter.
    Property,
    /// As an indexer's.
    Index,
}

/// What stands at a site.
#[derive(Debug)]
pub enum What {
    /// An operator. The expression is `$0 op $1`.
    Operator(Op, Evaluated),
    /// `$0 op= $1`.
    Update(Op, Evaluated),
    /// `-$0`, `!$0` or anything else the engine evaluates as it stands.
    Engine(Evaluated),
    /// A native function: its name, and how it is called.
    Native(ImmutableString, Style, Evaluated),
    /// A call of a function of the program, and that call for the engine.
    Call(String, Evaluated),
    /// A condition that must be a bool.
    Condition,
    /// A loop, for interrupts; a `throw`; a `try`.
    Plain,
}

/// How many kinds of arguments are remembered at a site.
const KINDS: usize = 4;

/// A native function found at a site for these types of arguments.
pub struct Resolved {
    pub types: Vec<std::any::TypeId>,
    pub function: RhaiFunc,
    pub source: Option<ImmutableString>,
    /// What was found after it.
    next: Found,
}

/// A list that only grows: what stands in it stays.
type Found = OnceCell<Box<Resolved>>;

impl Resolved {
    pub fn new(types: Vec<std::any::TypeId>, function: RhaiFunc, source: Option<ImmutableString>) -> Self {
        Self { types, function, source, next: Found::new() }
    }
}

/// See the head of this file.
pub struct Site {
    pub position: Position,
    pub what: What,
    found: Found,
    /// A function of the program that was found here as a method, by its name.
    pub method: RefCell<Option<(ImmutableString, Rc<Prepared>)>>,
    /// A method of the standard library that the runtime has itself.
    pub known: Option<Known>,
    /// The program defines a function of this name.
    pub defined: bool,
    /// How often resolving was in vain; it isn't tried for ever.
    pub misses: Cell<u8>,
}

impl Site {
    /// What was found for such arguments.
    pub fn resolved(&self, fits: impl Fn(&Resolved) -> bool) -> Option<&Resolved> {
        std::iter::successors(self.found.get(), |one| one.next.get()).map(|one| &**one).find(|one| fits(one))
    }

    /// Remembers what was found, while there is room.
    pub fn remember(&self, resolved: Resolved) {
        let mut place = &self.found;
        for _ in 0..KINDS {
            match place.get() {
                Some(known) => place = &known.next,
                None => {
                    place.get_or_init(|| Box::new(resolved));
                    return;
                }
            }
        }
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Site").field("position", &self.position).finish_non_exhaustive()
    }
}

/// The sites and constants of a program.
#[derive(Default)]
pub struct Pool {
    // Boxed by invariant 1.
    #[allow(clippy::vec_box, reason = "their addresses stand in the code")]
    sites: Vec<Box<Site>>,
    #[allow(clippy::vec_box, reason = "their addresses stand in the code")]
    constants: Vec<Box<Dynamic>>,
}

impl Pool {
    pub fn site(&mut self, position: Position, what: What) -> SiteId {
        let (found, method, misses) = (Found::new(), RefCell::default(), Cell::new(0));
        let site = Site { position, what, found, method, known: None, defined: false, misses };
        self.sites.push(Box::new(site));
        self.sites.len() - 1
    }

    /// The site of a call of a standard function that nobody has replaced.
    pub fn known(&mut self, site: SiteId, known: Option<Known>) {
        self.sites[site].known = known;
    }

    /// The site of a method call whose name the program defines a function of.
    pub fn defined(&mut self, site: SiteId) {
        self.sites[site].defined = true;
    }

    pub fn constant(&mut self, value: Dynamic) -> usize {
        self.constants.push(Box::new(value));
        self.constants.len() - 1
    }

    pub fn get(&self, site: SiteId) -> &Site {
        &self.sites[site]
    }

    pub fn value(&self, constant: usize) -> &Dynamic {
        &self.constants[constant]
    }
}
