//! Whether script functions become machine code: said once for the session, and inherited by every process.

use std::cell::Cell;

/// See the head of this file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// When that is worth it.
    #[default]
    Auto,
    /// Never.
    Off,
    /// At the first call, whether that is worth it or not: for tests.
    Always,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Off, Self::Always];

    /// What it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::Always => "always",
        }
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Auto) };
}

/// This process's mode.
pub fn mode() -> Mode {
    MODE.get()
}

/// Sets it, before any program is loaded.
pub fn set_mode(mode: Mode) {
    MODE.set(mode);
}
