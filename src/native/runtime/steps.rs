//! Loops over what is no array: strings, and all that the engine has an iterator for.
//!
//! Pointers follow invariants 1 and 2 of the folder.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, ImmutableString};

use super::Run;
use crate::native::site::Site;
use crate::script::iterate::{self, Steps};

/// A loop on its way; it stands in the frame in place of what it goes through.
#[derive(Clone)]
struct Walk(Rc<RefCell<Way>>);

enum Way {
    /// The characters from this byte on.
    Characters(ImmutableString, usize),
    Steps(Steps),
}

impl Iterator for Way {
    type Item = Result<Dynamic, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Characters(text, at) => {
                let next = text[*at..].chars().next()?;
                *at += next.len_utf8();
                Some(Ok(Dynamic::from_char(next)))
            }
            Self::Steps(steps) => steps.next(),
        }
    }
}

/// Begins to go through a value: 1 if it is an array, 0 if a walk stands in its place now, -1 if nothing goes through
/// it.
pub extern "C" fn walk(run: &mut Run, site: &Site, of: &mut Dynamic) -> i64 {
    let value = std::mem::take(of).flatten();
    if value.is_array() {
        *of = value;
        return 1;
    }
    let way = if value.is_string() {
        let text = value.as_immutable_string_ref().map(|text| ImmutableString::clone(&text));
        Way::Characters(text.unwrap_or_default(), 0)
    } else {
        match iterate::loops(run.engine, value) {
            Ok(steps) => Way::Steps(steps),
            Err(_) => return -run.fail(EvalAltResult::ErrorFor(site.position).into()),
        }
    };
    *of = Dynamic::from(Walk(Rc::new(RefCell::new(way))));
    0
}

/// The next item in place of the last: 1, or 0 if there is none, or -1 if the step fails. A loop with an empty body
/// passes over errors, as in the engine: it is `heedless`.
pub extern "C" fn next(run: &mut Run, site: &Site, walk: &Dynamic, heedless: i64, out: &mut Dynamic) -> i64 {
    let way = walk.read_lock::<Walk>().map(|walk| Rc::clone(&walk.0));
    let Some(mut way) = way.as_ref().and_then(|way| way.try_borrow_mut().ok()) else { return 0 };
    loop {
        match way.next() {
            None => return 0,
            Some(Ok(item)) => {
                *out = item.flatten();
                return 1;
            }
            Some(Err(_)) if heedless != 0 => {}
            Some(Err(mut error)) => {
                if error.position().is_none() {
                    error.set_position(site.position);
                }
                return -run.fail(error);
            }
        }
    }
}
