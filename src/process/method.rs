//! The start methods, and which one this process uses where a script does not say.
//!
//! ```text
//! nothing chosen --set_start_method, or the first start--> chosen --set_start_method with force--> chosen anew
//! ```
//!
//! A child begins with the method that it was itself started by.

use std::cell::Cell;

/// How a process is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Run the program anew; the child loads the script.
    Spawn,
    /// Copy the running process.
    Fork,
    /// Ask the session's fork server, which holds the script, to copy itself; the child loads the script.
    ForkServer,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Spawn, Self::Fork, Self::ForkServer];

    /// The name that scripts use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::Fork => "fork",
            Self::ForkServer => "forkserver",
        }
    }

    /// The method of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

thread_local! {
    static DEFAULT: Cell<Method> = const { Cell::new(Method::Spawn) };
    static CHOSEN: Cell<Option<Method>> = const { Cell::new(None) };
}

/// The method used where nobody chooses.
pub fn default() -> Method {
    DEFAULT.get()
}

/// Sets the method used where nobody chooses.
pub fn set_default(method: Method) {
    DEFAULT.set(method);
}

/// The method that was chosen.
pub fn chosen() -> Option<Method> {
    CHOSEN.get()
}

/// Chooses, or forgets the choice.
pub fn choose(method: Option<Method>) {
    CHOSEN.set(method);
}

/// The method that was chosen; if none was, that is the default from now on.
pub fn current() -> Method {
    let method = chosen().unwrap_or_else(default);
    choose(Some(method));
    method
}

/// All methods, the default first.
pub fn all() -> impl Iterator<Item = Method> {
    let first = default();
    std::iter::once(first).chain(Method::ALL.into_iter().filter(move |method| *method != first))
}
