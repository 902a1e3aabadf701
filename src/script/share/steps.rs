//! Elements of values and arrays for assignments that are done without the interpreter.
//!
//! What is no element, and what does not fit one, is left to the interpreter, which says so.

use std::rc::Rc;

use rhai::Dynamic;

use super::access::{load, store};
use super::convert::{place, scalar};
use crate::script::raise::{Raise, RhaiResult};
use crate::script::with::step::{self, Access, Key};
use crate::share::block::Block;
use crate::share::code::Code;
use crate::share::view::{Array, Value};

/// Says how elements are accessed.
pub fn register() {
    step::register::<Value>(Access {
        read: |value, key| of_value(value, key).map(|element| element.read()),
        write: |value, key, new| of_value(value, key)?.write(new),
    });
    step::register::<Array>(Access {
        read: |array, key| of_array(array, key).map(|element| element.read()),
        write: |array, key, new| of_array(array, key)?.write(new),
    });
}

/// One element. It has its block apart from the variable: using it may have to wait, and nobody is to find the
/// variable in use meanwhile.
struct Element {
    block: Rc<Block>,
    code: Code,
    at: usize,
}

fn of_value(value: &Dynamic, key: &Key) -> Option<Element> {
    let Key::Property(name) = key else { return None };
    let block = Rc::clone(&*value.read_lock::<Value>()?);
    let (code, at) = match block.shape().code() {
        Some(code) => (*name == "value").then_some((code, 0))?,
        None => block.shape().field(name).map(|field| (field.code, field.at))?,
    };
    Some(Element { block, code, at })
}

fn of_array(array: &Dynamic, key: &Key) -> Option<Element> {
    let Key::Index(index) = key else { return None };
    let block = Rc::clone(&*array.read_lock::<Array>()?);
    let code = block.shape().code()?;
    let at = place(*index, block.len())? * code.size();
    Some(Element { block, code, at })
}

impl Element {
    fn read(&self) -> RhaiResult {
        load(&self.block, self.code, self.at)
    }

    fn write(&self, new: &Dynamic) -> Option<Result<(), Raise>> {
        let bits = self.code.pack(scalar(new)?).ok()?;
        Some(store(&self.block, self.code, self.at, bits))
    }
}
