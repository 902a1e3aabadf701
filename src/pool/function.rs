//! The function of a call, as workers find it: packed once for all tasks, and kept for the next call if it has
//! captured nothing. What one has captured is sent with each call: tasks may change it, where they run.

use std::rc::Rc;

use rhai::{Dynamic, FnPtr};

use crate::arena::parcel::Parcel;
use crate::process::start::{self, PackError};
use crate::sync::draft::Body;
use crate::wire::Handles;

/// See the head of this file. It is kept until no worker can have a task of the call.
#[derive(Debug)]
pub struct Function {
    parcel: Parcel,
    /// The program it belongs to, if that may be newer than the workers'.
    program: Option<Parcel>,
}

impl Function {
    /// Where it is.
    pub fn parcel(&self) -> u64 {
        self.parcel.offset()
    }

    /// Where its program is; 0 if every worker has it.
    pub fn program(&self) -> u64 {
        self.program.as_ref().map_or(0, Parcel::offset)
    }

    /// What it is made of: its name, and what it captured.
    pub fn bytes(&self) -> &[u8] {
        self.parcel.bytes()
    }
}

/// The function of the last call.
#[derive(Default)]
pub struct Last(Option<Rc<Function>>);

impl Last {
    /// `function` packed, or the last one if that is the same.
    ///
    /// # Errors
    /// If it can't travel, or there is no memory for it.
    pub fn pack(
        &mut self,
        function: &Dynamic,
        program: Option<Parcel>,
        handles: &dyn Handles,
    ) -> Result<Rc<Function>, PackError> {
        let references: Vec<u64> = program.iter().map(Parcel::offset).collect();
        let plain = function.read_lock::<FnPtr>().is_some_and(|function| function.curry().is_empty());
        let program_at = program.as_ref().map_or(0, Parcel::offset);
        let last = self.0.take().filter(|last| plain && last.program() == program_at);
        let packed = start::written(&references, &[("function", function)], handles, |body, references| {
            if let (Some(last), Body::Inline(bytes)) = (last, &body)
                && last.bytes() == *bytes
            {
                return Ok(last);
            }
            let parcel = start::parcel(body, references)?;
            Ok(Rc::new(Function { parcel, program }))
        })?;
        self.0 = plain.then(|| Rc::clone(&packed));
        Ok(packed)
    }
}
