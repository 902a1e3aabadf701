//! What a function pointer is in another process: a name and the values it captured.
//!
//! The other process has compiled the same text, so that a name means the same function there,
//! also a closure's (`anon$` and 16 hexadecimal digits, a hash of the closure's text and place).
//! A pointer that embeds native code has no such name and stays at home.

use std::{cell::RefCell, fmt};

use rhai::{FnPtr, ImmutableString, ScriptFuncDef, Shared, is_valid_function_name};

use super::raised;

/// Does `name` mean a function in other processes too?
pub(super) fn is_portable_name(name: &str) -> bool {
    is_valid_function_name(name) || is_closure_name(name)
}

/// A pointer to the function of this name, or `None` if the name is not portable.
pub(super) fn named(name: &str) -> Option<FnPtr> {
    if is_closure_name(name) {
        closure(name)
    } else {
        // Checks the name.
        FnPtr::new(name).ok()
    }
}

/// Does the pointer embed native code instead of naming a function?
pub(super) fn embeds_native_code(function: &FnPtr) -> bool {
    let mut first = FirstWord::default();
    // Fails by design, after the first word.
    let _ = fmt::write(&mut first, format_args!("{function:?}"));
    first.embeds_native_code
}

fn is_closure_name(name: &str) -> bool {
    name.strip_prefix("anon$")
        .is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// `FnPtr::new` refuses the names of closures, `FnPtr::from` takes the name of any function
/// definition. The pointer holds the name and a hash for calls without arguments; calls find the
/// function by name, so the definition it came from is not kept.
fn closure(name: &str) -> Option<FnPtr> {
    thread_local! {
        static DEFINITION: RefCell<Option<Shared<ScriptFuncDef>>> =
            RefCell::new(raised::empty_function());
    }
    DEFINITION.with(|definition| {
        let mut definition = definition.borrow_mut();
        let definition = definition.as_mut()?;
        Shared::make_mut(definition).name = ImmutableString::from(name);
        Some(FnPtr::from(definition.clone()))
    })
}

/// Reads the first word of a pointer's debug text, the only place where Rhai shows its type:
/// `Fn`, `Fn*` (linked to a script function) or `Fn#` (embeds native code). Everything after it
/// is cut off by an error, captured values are not looked at.
#[derive(Default)]
struct FirstWord {
    embeds_native_code: bool,
}

impl fmt::Write for FirstWord {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.embeds_native_code = text.starts_with("Fn#");
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use rhai::{Dynamic, FnPtr};

    use super::{embeds_native_code, is_portable_name, named};

    #[test]
    fn portable_names() {
        for name in ["f", "_x1", "anon$0123456789abcdef"] {
            assert!(is_portable_name(name), "{name}");
            let pointer = named(name).expect(name);
            assert_eq!(pointer.fn_name(), name);
            assert!(!embeds_native_code(&pointer), "{name}");
        }
    }

    #[test]
    fn refused_names() {
        for name in [
            "",
            "1a",
            "a b",
            "a::b",
            "print",
            "fn",
            "anon$",
            "anon$0123456789abcde",
            "anon$0123456789abcdef0",
            "anon$0123456789ABCDEF",
            "anon$0123456789abcdeg",
        ] {
            assert!(!is_portable_name(name), "{name}");
            assert!(named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn closures_made_one_after_the_other_keep_their_names() {
        let first = named("anon$0000000000000001").expect("a closure");
        let second = named("anon$0000000000000002").expect("a closure");
        assert_eq!(first.fn_name(), "anon$0000000000000001");
        assert_eq!(second.fn_name(), "anon$0000000000000002");
    }

    #[test]
    fn native_code_is_told_from_names() {
        #[allow(deprecated, reason = "Rhai marks this constructor volatile, not deprecated")]
        let native = FnPtr::from_fn("f", |_, _| Ok(Dynamic::UNIT)).expect("a valid name");
        assert!(embeds_native_code(&native));
        assert!(!embeds_native_code(&FnPtr::new("f").expect("a valid name")));
    }
}
