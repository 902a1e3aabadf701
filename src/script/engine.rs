//! An engine with everything registered, for this process's runtime.

use std::collections::HashMap;

use rhai::{Array, Dynamic, Engine, EvalAltResult, EvalContext, FnPtr, INT, Module};

use super::process::context;
use super::{
    atexit, command, connection, errors, files, gate, hash, iterate, locks, logger, manager, modules, pool,
    process, queue, random, runtime, share, socket, text, time, wait, with,
};
use crate::arena::sweep;
use crate::sys::{resources, signal};

/// What closures are named after must be the same in every process.
const HASHING_SEED: [u64; 4] =
    [0x7374_6f6f_6b5f_7279, 0x655f_7368_6561_7665, 0x735f_696e_5f61_5f66, 0x6965_6c64_5f2e_2e2e];

/// The stack asked for. The kernel keeps at least 128 MiB below it free.
const STACK: u64 = 120 << 20;
/// The stack that one call of a script function may take in the tree walker, with its natives.
const FRAME: u64 = 20 << 10;
/// How deeply expressions may nest.
const EXPRESSION_DEPTH: usize = 1000;

/// To be called once, before the first engine is made.
pub fn prepare() {
    // It can only fail if it was called before.
    let _ = rhai::config::hashing::set_hashing_seed(Some(HASHING_SEED));
}

/// Makes the engine. The runtime is installed.
pub fn build() -> Engine {
    let mut engine = Engine::new();
    let stack = resources::raise_stack_limit(STACK);
    engine.set_max_call_levels(usize::try_from(stack / FRAME).unwrap_or(64));
    engine.set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH);
    // It is called that anyway. But the engine names index and value at each assignment to an element of a type of
    // ours, for an error that it raises to itself, and finds what is registered much faster than what is not.
    engine.register_type_with_name::<INT>("i64");
    engine.on_print(time::print);
    engine.on_debug(|text, source, position| {
        time::eprint(&format!("{}:{position:?}: {text}", source.unwrap_or("<script>")));
    });
    engine.on_progress(|_| {
        // Others may wait for what a process had that this one has just reaped.
        sweep::after_reaping();
        signal::interrupted().then(|| Dynamic::from("KeyboardInterrupt"))
    });
    let program = runtime::program();
    engine.set_module_resolver(modules::Resolver::new(&program.directory, program.modules.clone()));
    with::register(&mut engine);
    gate::register(&mut engine);
    errors::register(&mut engine);
    time::register(&mut engine);
    process::register(&mut engine);
    queue::register(&mut engine);
    connection::register(&mut engine);
    wait::register(&mut engine);
    socket::register(&mut engine);
    locks::register(&mut engine);
    iterate::register_iter(&mut engine);
    command::register(&mut engine);
    pool::register(&mut engine);
    share::register(&mut engine);
    manager::register(&mut engine, &program);
    files::register(&mut engine);
    text::register(&mut engine);
    hash::register(&mut engine);
    atexit::register(&mut engine);
    logger::register(&mut engine);
    random::register(&mut engine);
    name(&mut engine);
    globals(&mut engine);
    engine
}

/// `__name__` is an expression and not a variable: a closure would capture a variable's value and take
/// the parent's name to the child.
fn name(engine: &mut Engine) {
    let module = runtime::with(|runtime| runtime.module);
    let registered = engine.register_custom_syntax(["__name__"], false, move |_, _| Ok(module.into()));
    debug_assert!(registered.is_ok());
}

/// Variables that are visible everywhere, also in functions: the arguments, and our functions by their bare
/// names. What a script defines itself comes first.
///
/// Not a module's variables: a closure that stands where the tree is walked could not capture those.
fn globals(engine: &mut Engine) {
    let arguments: Array =
        runtime::with(|runtime| runtime.arguments.iter().cloned().map(Dynamic::from).collect());
    let names = [
        time::NAMES,
        process::NAMES,
        context::NAMES,
        queue::NAMES,
        connection::NAMES,
        wait::NAMES,
        socket::NAMES,
        locks::NAMES,
        iterate::NAMES,
        command::NAMES,
        pool::NAMES,
        share::NAMES,
        manager::NAMES,
        files::NAMES,
        text::NAMES,
        hash::NAMES,
        atexit::NAMES,
        logger::NAMES,
        random::NAMES,
    ];
    let functions = names.into_iter().flatten();
    let functions = functions.filter_map(|name| Some((*name, Dynamic::from(FnPtr::new(*name).ok()?))));
    let globals: HashMap<&str, Dynamic> = functions.chain([("args", arguments.into())]).collect();
    #[allow(deprecated, reason = "Rhai marks it so as its form may change, and its version is pinned")]
    engine.on_var(move |name, index, context| {
        // A variable with an index is known to be in the scope.
        if index != 0 || context.scope().contains(name) {
            return Ok(None);
        }
        let known = with::bound(name, context.call_level()).or_else(|| globals.get(name).cloned());
        Ok(known.or_else(|| defined(&context, name)))
    });
}

/// A function of the script by its bare name, in places where the engine itself does not look for one.
fn defined(context: &EvalContext, name: &str) -> Option<Dynamic> {
    let mut functions = context.iter_namespaces().flat_map(Module::iter_script_fn_info);
    let (.., function, _, _) = functions.find(|(.., function, _, _)| *function == name)?;
    FnPtr::new(function).ok().map(Dynamic::from)
}

/// Whether an error ended the script because of Ctrl-C.
pub fn is_interrupt(error: &EvalAltResult) -> bool {
    match crate::wire::innermost(error) {
        EvalAltResult::ErrorTerminated(..) => true,
        EvalAltResult::ErrorRuntime(value, _) => {
            value.read_lock::<crate::wire::Error>().is_some_and(|error| error.is("KeyboardInterrupt"))
        }
        _ => false,
    }
}
