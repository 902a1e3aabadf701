//! What a new process has from the one that started it, besides the work and the program: who it is, how it
//! starts processes itself, what it logs, whether functions become machine code, and (where the system does not
//! hand them on) the working directory and the environment.

use std::cell::RefCell;

use rhai::{Array, Blob, Dynamic};

use super::gate::{self, Mode, report};
use super::logger;
use super::runtime::{self, Identity, Parent};
use crate::arena::table::{self, ProcessId};
use crate::process::method::{self, Method};
use crate::sys::{environment, identity};

/// See the head of this file.
#[derive(Debug)]
pub struct Heritage {
    /// The script's arguments.
    pub arguments: Vec<String>,
    /// Who the process is.
    pub identity: Identity,
    method: Method,
    default: Method,
    logging: logger::Settings,
    native: Mode,
    /// Where it says what became machine code.
    report: u64,
    /// The working directory, and the environment as one piece.
    surroundings: Option<(String, Vec<u8>)>,
}

impl Heritage {
    /// What a process called `name` gets from this one when it is started by `method`.
    pub fn new(name: &str, authkey: &[u8], method: Method) -> Self {
        let parent = Parent {
            name: runtime::name(),
            pid: identity::pid(),
            id: table::my_id().unwrap_or(ProcessId { index: 0, generation: 0 }),
        };
        let identity = Identity { name: name.to_owned(), authkey: authkey.to_vec(), parent: Some(parent) };
        Self {
            // What the fork server made has them in its memory.
            arguments: match method {
                Method::Spawn => runtime::with(|runtime| runtime.arguments.clone()),
                Method::Fork | Method::ForkServer => Vec::new(),
            },
            identity,
            method,
            default: method::default(),
            logging: logger::settings(),
            native: gate::mode(),
            report: report::place(),
            surroundings: (method == Method::ForkServer).then(|| (directory(), environment::packed())),
        }
    }

    /// As it travels.
    pub fn to_value(&self) -> Dynamic {
        let arguments: Array = self.arguments.iter().cloned().map(Dynamic::from).collect();
        let Identity { name, authkey, parent } = &self.identity;
        let (parent, pid, id) = parent.as_ref().map_or(("", 0, 0), |parent| {
            (parent.name.as_str(), i64::from(parent.pid), parent.id.pack() as i64)
        });
        let (directory, variables) = match &self.surroundings {
            Some((directory, variables)) => {
                (Dynamic::from(directory.clone()), Dynamic::from_blob(variables.clone()))
            }
            None => (Dynamic::UNIT, Dynamic::UNIT),
        };
        let values: Array = vec![
            arguments.into(),
            name.clone().into(),
            Dynamic::from_blob(authkey.clone()),
            parent.into(),
            pid.into(),
            id.into(),
            self.method.name().into(),
            self.default.name().into(),
            self.logging.level.into(),
            self.logging.to_stderr.into(),
            self.native.name().into(),
            (self.report as i64).into(),
            directory,
            variables,
        ];
        values.into()
    }

    /// What [`Heritage::to_value`] made.
    pub fn from_value(value: Dynamic) -> Option<Self> {
        let mut values = value.try_cast::<Array>()?.into_iter();
        let mut next = || values.next();
        let arguments = next()?.try_cast::<Array>()?;
        let arguments = arguments.into_iter().filter_map(|argument| argument.into_string().ok()).collect();
        let name = next()?.into_string().ok()?;
        let authkey = next()?.try_cast::<Blob>()?;
        let parent = Parent {
            name: next()?.into_string().ok()?,
            pid: u32::try_from(next()?.as_int().ok()?).ok()?,
            id: ProcessId::unpack(next()?.as_int().ok()? as u64),
        };
        let method = Method::named(&next()?.into_string().ok()?)?;
        let default = Method::named(&next()?.into_string().ok()?)?;
        let logging = logger::Settings { level: next()?.as_int().ok()?, to_stderr: next()?.as_bool().ok()? };
        let native = Mode::named(&next()?.into_string().ok()?)?;
        let report = next()?.as_int().ok()? as u64;
        let directory = next()?.into_string().ok();
        let surroundings = directory.zip(next()?.try_cast::<Blob>());
        let identity = Identity { name, authkey, parent: Some(parent) };
        Some(Self { arguments, identity, method, default, logging, native, report, surroundings })
    }

    /// The process begins to be this one. Its runtime is installed.
    ///
    /// # Errors
    /// If the working directory can't be entered.
    pub fn take_up(self) -> std::io::Result<()> {
        runtime::change_identity(|identity| *identity = self.identity);
        method::set_default(self.default);
        method::choose(Some(self.method));
        logger::set(self.logging);
        gate::set_mode(self.native);
        report::join(self.report);
        if let Some((directory, variables)) = self.surroundings {
            environment::unpack(&variables);
            // Mostly it is there already, as the fork server was.
            if HERE.with_borrow(|here| *here != directory) {
                std::env::set_current_dir(directory)?;
            }
        }
        Ok(())
    }
}

thread_local! {
    /// The directory in which the fork server made this process.
    static HERE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// This process, the fork server, makes its children in the directory where it is now.
pub fn settle() {
    HERE.set(directory());
}

/// This process's working directory, in words that another process understands while this one lives.
fn directory() -> String {
    let named = std::env::current_dir().ok().and_then(|path| path.into_os_string().into_string().ok());
    // One that was removed, or whose name is no text, is still there for the system.
    named.unwrap_or_else(|| format!("/proc/{}/cwd", identity::pid()))
}
