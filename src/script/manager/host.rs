//! The engine, for the server of a manager.

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, NativeCallContext};

use super::trial;
use crate::manager::blocking::Answer;
use crate::manager::host::{Host, Trial};
use crate::script::raise::{Raise, RhaiResult};
use crate::script::signature::{collected, described};
use crate::script::{pool, runtime};
use crate::sys::identity;
use crate::wire::{Error, Raised};

/// See the head of this file.
pub struct Engineer<'a>(pub &'a NativeCallContext<'a>);

/// An error of the script's, as it travels.
pub fn captured(mut error: Raise) -> Raised {
    error.set_position(rhai::Position::NONE);
    let source = runtime::program().name().to_owned();
    let raised = Raised::capture(error, &source);
    // What was raised here, and not by a function of the script, has no calls to show.
    if !raised.traceback.contains('\n') && !raised.traceback.contains(':') {
        return Raised { traceback: String::new(), ..raised };
    }
    let process = format!("in process {} (pid {}):", runtime::name(), identity::pid());
    Raised { traceback: format!("{process}\n{}", raised.traceback), ..raised }
}

impl Engineer<'_> {
    /// Calls a method, with the script's errors as they are.
    pub fn call(&self, value: &mut Dynamic, method: &str, arguments: Array) -> RhaiResult {
        let mut arguments = arguments;
        let mut all: Vec<&mut Dynamic> = vec![value];
        all.extend(arguments.iter_mut());
        let is_name = rhai::is_valid_function_name(method);
        self.0.call_fn_raw(method, true, is_name, &mut all)
    }
}

impl Host for Engineer<'_> {
    fn method(&self, value: &mut Dynamic, method: &str, arguments: Array) -> Result<Dynamic, Raised> {
        let kind = described(value);
        let count = arguments.len();
        self.call(value, method, arguments).map_err(|error| match &*error {
            EvalAltResult::ErrorFunctionNotFound(signature, _)
                if signature.split(' ').next() == Some(method) =>
            {
                let what = format!("{kind} has no method '{method}' that takes {count} such arguments");
                Raised::of(Error::new("RemoteError", what))
            }
            EvalAltResult::ErrorDotExpr(..) if method.contains('$') => {
                let name = method.split_once('$').map_or(method, |(_, name)| name);
                Raised::of(Error::new("AttributeError", format!("{kind} has no property '{name}'")))
            }
            EvalAltResult::ErrorIndexingType(..) if method.contains('$') => {
                Raised::of(Error::new("TypeError", format!("{kind} has no elements")))
            }
            _ => captured(error),
        })
    }

    fn function(
        &self,
        function: &FnPtr,
        this: Option<&mut Dynamic>,
        arguments: Array,
    ) -> Result<Dynamic, Raised> {
        let result = function.call_raw(self.0, this, arguments);
        if runtime::with_exit(Option::is_some) {
            // The server ends; whoever called is not told more.
            return Ok(Dynamic::UNIT);
        }
        result.map_err(captured)
    }

    fn items(&self, value: Dynamic) -> Result<Array, Raised> {
        let value = match value.try_cast_result::<Array>() {
            Ok(array) => return Ok(array),
            Err(value) => value,
        };
        if let Ok(map) = value.as_map_ref() {
            return Ok(map.keys().map(|key| key.as_str().into()).collect());
        }
        let kind = described(&value);
        collected(self.0, value).map_err(|error| match *error {
            EvalAltResult::ErrorFor(..) => {
                Raised::of(Error::new("TypeError", format!("no loop goes through {kind}")))
            }
            error => captured(error.into()),
        })
    }

    fn construct(&self, name: &str, mut arguments: Array) -> Result<Dynamic, Raised> {
        let mut all: Vec<&mut Dynamic> = arguments.iter_mut().collect();
        self.0.call_native_fn_raw(name, false, &mut all).map_err(captured)
    }

    fn trial(&self, value: &Dynamic, method: &str, arguments: &Array) -> Option<Result<Trial, Raised>> {
        trial::of(self, value, method, arguments)
    }

    fn attempt(&self, trial: &Trial) -> Option<Answer> {
        trial::attempt(self, trial)
    }

    fn too_late(&self, trial: &Trial) -> Answer {
        trial::too_late(trial)
    }

    fn bound(&self, value: &Dynamic) -> Option<&'static str> {
        value.is::<pool::AsyncResult>().then_some("AsyncResult")
    }

    fn is_over(&self) -> bool {
        runtime::with_exit(Option::is_some)
    }
}
