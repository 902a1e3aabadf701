//! What a process's attributes say, and how those that can be set are set.

use rhai::{Blob, Dynamic, ImmutableString};

use super::value::{Kin, Process, lives};
use crate::arena::table;
use crate::script::raise::{Raise, RhaiResult, raise};
use crate::script::runtime;
use crate::script::signature::{bytes, described};
use crate::sys::identity;
use crate::sys::process::{End, signal_name};

impl Process {
    /// Its process id; `()` before it was started.
    pub fn pid(&self) -> RhaiResult {
        let state = self.0.borrow();
        state.open()?;
        Ok(state.pid().map_or(Dynamic::UNIT, |pid| i64::from(pid).into()))
    }

    /// How it ended: `()` while it runs, an exit code, or `-N` for signal N.
    pub fn exit_code(&self) -> RhaiResult {
        let state = self.0.borrow();
        state.open()?;
        Ok(state.end().map_or(Dynamic::UNIT, |end| match end {
            End::Exited(code) => i64::from(code).into(),
            End::Signalled(number) => (-i64::from(number)).into(),
        }))
    }

    /// A number that `wait` takes, ready once the process has ended.
    pub fn sentinel(&self) -> Result<i64, Raise> {
        let state = self.0.borrow();
        state.open()?;
        let id = match state.kin {
            Kin::Parent(id, _) => Some(id),
            Kin::Myself => None,
            Kin::Made(..) => state.child.as_ref().map(|child| child.borrow().id()),
        };
        id.map(|id| id.pack() as i64).ok_or_else(|| raise("ValueError", "process not started"))
    }

    /// Its name.
    pub fn name(&self) -> ImmutableString {
        let state = self.0.borrow();
        if matches!(state.kin, Kin::Myself) { runtime::name().into() } else { state.name.clone() }
    }

    /// Names it; what runs elsewhere keeps the name it knows.
    pub fn set_name(&self, name: &Dynamic) -> Result<(), Raise> {
        let Ok(text) = name.as_immutable_string_ref() else {
            return Err(raise(
                "AssertionError",
                format!("a process's name must be a string, not {}", described(name)),
            ));
        };
        let mut state = self.0.borrow_mut();
        if matches!(state.kin, Kin::Myself) {
            runtime::change_identity(|identity| identity.name = text.to_string());
            if let Some(me) = table::me() {
                me.set_name(&text);
            }
        }
        state.name = text.clone();
        Ok(())
    }

    /// Whether it is ended when its maker ends.
    pub fn daemon(&self) -> bool {
        self.0.borrow().daemon
    }

    /// Says whether it is to be ended when its maker ends.
    pub fn set_daemon(&self, daemon: &Dynamic) -> Result<(), Raise> {
        let mut state = self.0.borrow_mut();
        if state.child.is_some() || !matches!(state.kin, Kin::Made(..)) {
            return Err(raise("AssertionError", "daemon can be set before the process is started only"));
        }
        state.daemon = daemon
            .as_bool()
            .map_err(|_| raise("TypeError", format!("daemon is true or false, not {}", described(daemon))))?;
        Ok(())
    }

    /// The key with which it proves itself.
    pub fn authkey(&self) -> Blob {
        let state = self.0.borrow();
        if matches!(state.kin, Kin::Made(..)) {
            state.authkey.clone()
        } else {
            runtime::identity(|identity| identity.authkey.clone())
        }
    }

    /// Sets the key: of this process, whose later children have it too, or of one that is not started yet.
    pub fn set_authkey(&self, key: &Dynamic) -> Result<(), Raise> {
        let wrong = || raise("TypeError", format!("authkey is a blob or a string, not {}", described(key)));
        let key = bytes(key).ok_or_else(wrong)?;
        let mut state = self.0.borrow_mut();
        match state.kin {
            Kin::Myself => runtime::change_identity(|identity| identity.authkey = key),
            Kin::Made(..) if state.child.is_none() => state.authkey = key,
            _ => {
                return Err(raise("AssertionError", "authkey can be set before the process is started only"));
            }
        }
        Ok(())
    }

    /// As `print` shows it.
    pub fn text(&self) -> String {
        let state = self.0.borrow();
        let end = state.end();
        let mut text = format!("<Process name='{}'", self.name());
        if let Some(pid) = state.pid().filter(|_| !state.closed) {
            text += &format!(" pid={pid}");
        }
        match state.kin {
            Kin::Made(_, parent) => text += &format!(" parent={parent}"),
            Kin::Myself => text += &format!(" parent={}", identity::parent_pid()),
            Kin::Parent(..) => {}
        }
        text += &match end {
            _ if state.closed => " closed".to_owned(),
            Some(End::Exited(code)) => format!(" stopped exitcode={code}"),
            Some(End::Signalled(number)) => format!(" stopped exitcode=-{}", signal_name(number)),
            None => match state.kin {
                Kin::Made(..) if state.child.is_none() => " initial".to_owned(),
                Kin::Parent(id, _) if !lives(id) => " stopped".to_owned(),
                _ => " started".to_owned(),
            },
        };
        if state.daemon {
            text += " daemon";
        }
        text + ">"
    }
}
