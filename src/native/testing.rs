//! Runs a function both ways and compares everything that a script could see.

use rhai::{AST, Dynamic, Engine, EvalAltResult, NativeCallContext, Scope};

use super::{Compiler, Limits, Outcome};
use crate::script::with;

/// An engine with what stook's has that matters here.
pub fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_max_expr_depths(0, 0);
    engine.set_max_call_levels(200);
    engine
}

/// A result with everything there is to compare: the value with its type, or the error with its chain.
pub fn shown(result: &Result<Dynamic, Box<EvalAltResult>>) -> String {
    match result {
        Ok(value) => format!("{}: {value:?}", value.type_name()),
        Err(error) => format!("{error:?} / {error}"),
    }
}

/// What a call gives, and what it leaves of its arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub result: String,
    /// Whether the compiler ran it.
    pub compiled: bool,
}

/// Calls `name` by the interpreter, as a native function of the script's would.
pub fn interpreted(engine: &Engine, ast: &AST, name: &str, arguments: &[Dynamic]) -> String {
    in_context(engine, ast, |context| {
        let mut values = arguments.to_vec();
        let mut references: Vec<&mut Dynamic> = values.iter_mut().collect();
        shown(&context.call_fn_raw(name, false, false, &mut references))
    })
}

/// Calls `name` natively; nothing if it is refused.
pub fn compiled(
    engine: &Engine,
    ast: &AST,
    compiler: &Compiler,
    name: &str,
    arguments: &[Dynamic],
) -> Option<String> {
    in_context(engine, ast, |context| {
        let mut values = arguments.to_vec();
        compiler.call(context, name, &mut values).map(|result| shown(&result))
    })
}

/// Runs `what` where a native function called from the script's top level would run.
pub fn in_context<T>(engine: &Engine, ast: &AST, what: impl FnOnce(&NativeCallContext) -> T) -> T {
    use rhai::{EvalContext, GlobalRuntimeState};
    let mut global: GlobalRuntimeState = engine.new_global_runtime_state();
    global.lib.push(ast.shared_lib().clone());
    global.source = ast.source().map(Into::into);
    let (mut caches, mut scope) = (rhai::Caches::new(), Scope::new());
    let context = EvalContext::new(engine, &mut global, &mut caches, &mut scope, None);
    let position = rhai::Position::new(7, 3);
    let native = NativeCallContext::new_with_all_fields(
        engine,
        "test",
        None,
        context.global_runtime_state(),
        position,
    );
    what(&native)
}

/// Calls a function both ways and fails if anything differs, or if it isn't compiled.
pub fn same(source: &str, name: &str, arguments: &[Dynamic]) -> String {
    same_by(&engine(), source, name, arguments)
}

/// The same by this engine.
pub fn same_by(engine: &Engine, source: &str, name: &str, arguments: &[Dynamic]) -> String {
    let ast = with::compile(engine, source).unwrap_or_else(|error| panic!("{error}\n{source}"));
    let compiler = Compiler::new(engine, &ast, Limits::default());
    let expected = interpreted(engine, &ast, name, arguments);
    let found = compiled(engine, &ast, &compiler, name, arguments);
    let refused = || {
        let state = compiler.states().into_iter().find(|state| state.name == name);
        match state.map(|state| state.outcome) {
            Some(Outcome::Refused(reason, position)) => format!("refused: {reason} at {position}"),
            other => format!("not compiled: {other:?}"),
        }
    };
    let found = found.unwrap_or_else(|| panic!("{}\n{source}", refused()));
    assert_eq!(found, expected, "compiled, then interpreted:\n{source}");
    found
}
