//! An error raised by a script, as another process receives it: the value that a local `catch`
//! would bind, and the chain of calls as text.
//!
//! What `catch` binds for Rhai's own errors is a map that only Rhai can make. So a private engine
//! runs a script that catches the error and gives back what it caught. It has no packages, no
//! limits and no callbacks: an interrupt that is pending in the caller's engine can't get in.

use std::{cell::RefCell, rc::Rc};

use rhai::{AST, Dynamic, Engine, EvalAltResult, ScriptFuncDef, Shared};

use super::{error::Error, traceback};

/// The function is there for [`empty_function`].
const SCRIPT: &str = "fn empty() {} try { raise() } catch (caught) { return caught; }";

const INTERRUPT: &str = "KeyboardInterrupt";

/// An error that leaves its process.
#[derive(Clone, Debug)]
pub struct Raised {
    /// The thrown value itself; for Rhai's own errors the map that a `catch` binds; an [`Error`]
    /// for those that no `catch` sees.
    pub value: Dynamic,
    /// The calls that led to it, outermost first, one `  FILE:LINE:COL in NAME` a line
    /// (a very long chain is shown by its ends).
    pub traceback: String,
}

impl From<Error> for Raised {
    fn from(error: Error) -> Self {
        Self::of(error)
    }
}

impl Raised {
    /// An error that no script raised.
    #[must_use]
    pub fn of(error: Error) -> Self {
        Self { value: Dynamic::from(error), traceback: String::new() }
    }

    /// Takes apart an error that came out of a script. `source` is the script that the
    /// outermost position is in; it may be empty if native code made the outermost call.
    #[must_use]
    pub fn capture(err: Box<EvalAltResult>, source: &str) -> Self {
        let traceback = traceback::render(&traceback::call_chain(&err, source));
        let value = match traceback::innermost(&err) {
            EvalAltResult::ErrorRuntime(value, _) => value.clone(),
            EvalAltResult::ErrorTerminated(token, _) => terminated(token, &err),
            inner if inner.is_catchable() => caught(err, source),
            inner => uncatchable(inner),
        };
        Self { value, traceback }
    }
}

fn uncatchable(err: &EvalAltResult) -> Dynamic {
    Dynamic::from(Error::new("RuntimeError", err.to_string()))
}

/// The token of a terminated script is the interrupt's name or the interrupt as an [`Error`].
fn terminated(token: &Dynamic, err: &EvalAltResult) -> Dynamic {
    if let Some(error) = token.read_lock::<Error>()
        && error.is(INTERRUPT)
    {
        return Dynamic::from(error.clone());
    }
    match token.as_immutable_string_ref() {
        Ok(name) if *name == INTERRUPT => Dynamic::from(Error::new(INTERRUPT, "")),
        _ => uncatchable(err),
    }
}

/// The map that a `catch` in the script `source` binds for `err`, which must be catchable.
fn caught(err: Box<EvalAltResult>, source: &str) -> Dynamic {
    let placed = !err.position().is_none();
    CATCHER.with(|catcher| {
        let mut catcher = catcher.borrow_mut();
        let Catcher { engine, script: Some(script), pending } = &mut *catcher else {
            return uncatchable(&err);
        };
        script.set_source(source);
        pending.replace(Some(err));
        let mut value = engine.eval_ast::<Dynamic>(script).unwrap_or_else(|failure| uncatchable(&failure));
        // An error without a position gets that of the call that raises it: here, of `raise()`.
        if !placed && let Ok(mut map) = value.as_map_mut() {
            map.remove("line");
            map.remove("position");
        }
        value
    })
}

/// Some script function without parameters and statements, for [`super::function`] to take the
/// form of a definition from: Rhai lets nobody else make one.
pub(super) fn empty_function() -> Option<Shared<ScriptFuncDef>> {
    CATCHER.with(|catcher| {
        let catcher = catcher.borrow();
        let script = catcher.script.as_ref()?;
        script.shared_lib().get_script_fn("empty", 0).cloned()
    })
}

struct Catcher {
    engine: Engine,
    /// There unless Rhai's syntax has changed under this file, which the tests would show.
    script: Option<AST>,
    /// What `raise` raises next.
    pending: Rc<RefCell<Option<Box<EvalAltResult>>>>,
}

thread_local! {
    static CATCHER: RefCell<Catcher> = RefCell::new(Catcher::new());
}

impl Catcher {
    fn new() -> Self {
        let pending = Rc::new(RefCell::new(None));
        let mut engine = Engine::new_raw();
        let raised = Rc::clone(&pending);
        engine.register_fn("raise", move || -> Result<(), Box<EvalAltResult>> {
            raised.take().map_or(Ok(()), Err)
        });
        let script = engine.compile(SCRIPT).ok();
        Self { engine, script, pending }
    }
}

#[cfg(test)]
mod tests {
    use rhai::{Dynamic, Engine, EvalAltResult, Position};

    use super::{Error, Raised};

    const FILE: &str = "jobs/main.rhai";

    fn engine() -> Engine {
        let mut engine = Engine::new();
        engine.register_fn("fail", |kind: &str| -> Result<(), Box<EvalAltResult>> {
            Err(Error::new(kind, "from native code").raise())
        });
        engine.register_fn("interrupt", |token: Dynamic| -> Result<(), Box<EvalAltResult>> {
            Err(EvalAltResult::ErrorTerminated(token, Position::NONE).into())
        });
        engine
    }

    fn run(engine: &Engine, script: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut ast = engine.compile(script)?;
        ast.set_source(FILE);
        engine.eval_ast(&ast)
    }

    fn raised(script: &str) -> Raised {
        let err = run(&engine(), script).expect_err(script);
        Raised::capture(err, FILE)
    }

    fn error(script: &str) -> Error {
        let value = raised(script).value;
        value.try_cast_result().unwrap_or_else(|value| panic!("{script}: {value:?}"))
    }

    #[test]
    fn thrown_values_are_unchanged() {
        assert_eq!(format!("{:?}", raised("throw #{a: [1, 'x']}").value), r#"#{"a": [1, 'x']}"#);
        assert_eq!(raised("fn f() { throw 42 } f()").value.as_int(), Ok(42));
        assert!(raised("throw").value.is_unit());
        let error = error(r#"fn f() { fail("Full") } f()"#);
        assert_eq!(error.to_string(), "Full: from native code");
    }

    #[test]
    fn rhais_own_errors_are_what_a_local_catch_binds() {
        let functions = "fn f(x) { x / 0 } fn g() { f(1) } fn h() { [1][7] } fn unbound() { this.x = 1 }\n";
        for raises in [
            "1 / 0",
            "f(1)",
            "g()",
            "h()",
            "unknown(1, true)",
            "print(unknown)",
            "\"abc\"[9]",
            "let n = 5; for i in n {}",
            "let a = 1; a.b.c",
            "const C = [1]; C.push(2)",
            "import \"nowhere\" as m; m::f()",
            "range(0, 10, 0)",
            "[1, 2].map(|x| x / 0)",
            "let a = [1]; a.push(2); a[a]",
            "unbound()",
            "let n = 1; if n { print(n) }",
        ] {
            // The same column in both.
            let here = format!("{functions}try {{ {raises} }} catch (caught) {{ return caught; }}");
            let there = format!("{functions}      {raises}");
            let bound = run(&engine(), &here).unwrap_or_else(|err| panic!("{here}: {err}"));
            assert!(bound.is_map(), "{raises}: {bound:?}");
            let arrived = raised(&there).value;
            assert_eq!(format!("{arrived:?}"), format!("{bound:?}"), "{raises}");
        }
    }

    #[test]
    fn an_error_without_a_position_or_source_stays_without() {
        let err = EvalAltResult::ErrorArithmetic("too much".into(), Position::NONE);
        let raised = Raised::capture(err.into(), "");
        assert_eq!(format!("{:?}", raised.value), r#"#{"error": "ErrorArithmetic", "message": "too much"}"#);
        assert_eq!(raised.traceback, "  <script> in <top level>");
    }

    #[test]
    fn what_no_catch_sees_becomes_a_runtime_error() {
        let overflow = error("fn f(x) { f(x + 1) + 1 }\nf(0)");
        assert_eq!(overflow.kind(), "RuntimeError");
        assert!(overflow.message().starts_with("Stack overflow"), "{overflow}");

        let syntax = error("eval(\"1 +\")");
        assert_eq!(syntax.kind(), "RuntimeError");
        assert!(syntax.message().starts_with("Syntax error"), "{syntax}");

        let ended = error("interrupt(())");
        assert_eq!(ended.kind(), "RuntimeError");
        assert!(ended.message().starts_with("Script terminated"), "{ended}");
    }

    #[test]
    fn an_interrupt_says_so_by_its_token() {
        assert_eq!(error("interrupt(\"KeyboardInterrupt\")").kind(), "KeyboardInterrupt");
        let mut engine = engine();
        engine.register_fn("token", || Error::new("KeyboardInterrupt", "Ctrl-C"));
        let err = run(&engine, "interrupt(token())").expect_err("an interrupt");
        let error = Raised::capture(err, FILE).value.cast::<Error>();
        assert_eq!(error.to_string(), "KeyboardInterrupt: Ctrl-C");
    }

    #[test]
    fn the_traceback_leads_from_the_outermost_call_to_the_throw() {
        let script = "fn inner(x) {\n    throw \"no\" + x;\n}\nfn outer(x) { inner(x) }\n\
                      let f = |x| outer(x);\nf.call(1);";
        assert_eq!(
            raised(script).traceback,
            "  jobs/main.rhai:6:3 in <top level>\n\
             \x20 jobs/main.rhai:5:13 in <closure>\n\
             \x20 jobs/main.rhai:4:15 in outer\n\
             \x20 jobs/main.rhai:2:5 in inner"
        );
    }
}
