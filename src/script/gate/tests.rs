//! Every program runs without gates and with gates that have no machine code, in the virtual machine and in the
//! tree walker: results, errors, positions and call chains are the same.

use std::rc::Rc;

use rhai::grain::{Compiler, Vm};
use rhai::{AST, Dynamic, Engine, EvalAltResult, NativeCallContext, Scope};

use super::{Function, Functions, Repeated, gated, install, is_body, lower, register};
use crate::script::raise::RhaiResult;

/// Leaves every call to the interpreter.
struct Nothing;

impl Function for Nothing {
    fn call(&self, _: &NativeCallContext, _: &mut [Dynamic]) -> Option<RhaiResult> {
        None
    }
}

/// Answers every call itself, with what it sees.
struct Witness;

impl Function for Witness {
    fn call(&self, context: &NativeCallContext, arguments: &mut [Dynamic]) -> Option<RhaiResult> {
        if arguments.first().is_some_and(Dynamic::is_unit) {
            return Some(Err(EvalAltResult::ErrorRuntime("no".into(), context.call_position()).into()));
        }
        let seen = format!("{} {arguments:?} at {}", context.fn_name(), context.call_level());
        Some(Ok(seen.into()))
    }
}

/// The functions that get a gate, all of one kind.
struct Every(fn(&str) -> Option<Rc<dyn Function>>);

impl Functions for Every {
    fn gated(&self, name: &str, _: usize) -> Option<Rc<dyn Function>> {
        (self.0)(name)
    }

    fn repeated(&self, _: &str, _: usize) -> Option<Box<dyn Repeated>> {
        None
    }
}

fn every_function(_: &Engine, _: &AST) -> Option<Rc<dyn Functions>> {
    Some(Rc::new(Every(|_| Some(Rc::new(Nothing)))))
}

fn witnessed(_: &Engine, _: &AST) -> Option<Rc<dyn Functions>> {
    Some(Rc::new(Every(|name| (name == "seen").then(|| Rc::new(Witness) as Rc<dyn Function>))))
}

fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_max_call_levels(40);
    engine.set_max_expr_depths(0, 0);
    register(&mut engine);
    engine.register_fn("level", |context: NativeCallContext| context.call_level() as i64);
    engine
}

fn compiled(engine: &Engine, script: &str) -> AST {
    let mut ast = engine.compile(script).unwrap_or_else(|error| panic!("{error} in {script}"));
    ast.set_source("main.rhai");
    ast
}

fn shown(result: &RhaiResult) -> String {
    format!("{result:?}")
}

const PROGRAMS: &[&str] = &[
    "fn f(x) { x + 1 } f(1)",
    "fn f(x) { x.nope() } f(1)",
    "fn f(x) { throw `${x}` }\nfn g(x) {\n  f(x) }\ng(1)",
    "fn f(x) { throw #{a: x} }\ntry { f(1) } catch (e) { e.a }",
    "fn f(x) { 1 / x }\ntry { f(0) } catch (e) { [e.error, e.message, e.line, e.position] }",
    "fn f(x) { for i in 0..10 { if i == x { return i * 10; } } -1 } [f(3), f(20)]",
    "fn f(x) { while true { if x > 5 { break; } x += 1; } x } f(1)",
    "fn f() { level() } fn g() { [level(), f()] } [level(), g()]",
    "fn deep(n) { if n == 0 { level() } else { deep(n - 1) } } deep(5)",
    "fn a(x) { a(x, 1) } fn a(x, y) { x + y } a(1)",
    "private fn f(x) { x * 2 } f(4)",
    "fn f(x) { x + 1 } let p = Fn(\"f\"); [p.call(1), f.call(2), is_def_fn(\"f\", 1), is_def_fn(\"f\", 2)]",
    "fn f(x, y) { x - y } let p = f.curry(10); p.call(3)",
    "fn f(x) { x.push(1); x.len() } let a = []; [f(a), a.len(), f(a)]",
    "fn f(x) { x + 1 } [1, 2, 3].map(f)",
    "fn f(x) { x + 1 } [1, 2, 3].map(|x| f(x) * 2)",
    "let n = 1; let f = |x| { n += x; n }; f.call(2); f.call(3); n",
    "fn f(x) { x + 1 } 5.f()",
    "fn f() { this += 1; this } let x = 5; x.f(); x",
    "fn int.f() { 1 } fn f() { 2 } let x = 5; x.f()",
    "const C = [1]; fn f(x) { x.push(2); x.len() } [f(C), C.len()]",
    "const C = 7; fn f() { global::C } f()",
    "fn f() { exit(3) } f(); 4",
    "fn f(x) { } f(1)",
    "fn f(x) { let y = x; { let y = 2; } y } f(3)",
    "fn f(a, b, c, d, e, g, h) { a + b + c + d + e + g + h } f(1, 2, 3, 4, 5, 6, 7)",
    "fn f(x) { is_def_var(\"x\") } f(1)",
    "fn f(x) { let g = |y| x + y; g.call(2) } f(1)",
    "fn f(x) { let g = |y| y.missing(); g.call(2) } f(1)",
    "fn f(x) { [1, 2].map(|y| y / x) } f(0)",
    "fn even(n) { if n == 0 { true } else { odd(n - 1) } } fn odd(n) { if n == 0 { false } else { even(n - 1) } } even(20)",
    "fn f(x) { switch x { 1 => \"one\", _ => throw \"other\" } } [f(1), f(2)]",
    "fn f(x) { try { throw x } catch (e) { throw e + 1 } } f(1)",
    "fn f(x) { let s = \"\"; for c in x { s += `<${c}>`; } s } f(\"ab\")",
    "fn f(x) { eval(\"x + 1\") } f(1)",
    "fn f(x) { g(x) } f(1)",
    "fn f(x, y) { x } f(1)",
    "let n = 1; fn f(x) { n + x } f!(2)",
];

/// The program in the virtual machine and in the tree walker, and whether calls went through gates.
fn both_ways(script: &str, gates: bool) -> [String; 2] {
    let engine = engine();
    let ast = compiled(&engine, script);
    let walked = ast.clone();
    if gates {
        install(every_function);
        let lowered = lower(&engine, ast);
        let machine = Vm::new(&engine).eval_with_callbacks(&mut Scope::new(), &lowered.program);
        let (walked, _gated) = gated(&engine, walked);
        // Nothing gets a gate that shares its name with a method for one type.
        let has_gates = walked.iter_fn_def().any(|function| is_body(&function.name));
        assert_eq!(
            has_gates,
            script.contains("fn ") && !script.contains("fn int.") || script.contains('|'),
            "{script}"
        );
        [shown(&machine), shown(&engine.eval_ast::<Dynamic>(&walked))]
    } else {
        let program = Compiler::new().compile(&ast).into_shared();
        let machine = Vm::new(&engine).eval_with_callbacks(&mut Scope::new(), &program);
        [shown(&machine), shown(&engine.eval_ast::<Dynamic>(&walked))]
    }
}

#[test]
fn nothing_shows_that_there_are_gates() {
    for script in PROGRAMS {
        assert_eq!(both_ways(script, true), both_ways(script, false), "{script}");
    }
}

#[test]
fn calls_nest_as_deep_as_without_gates() {
    for levels in 0..45 {
        let script = format!("fn deep(n) {{ if n == 0 {{ 0 }} else {{ 1 + deep(n - 1) }} }} deep({levels})");
        assert_eq!(both_ways(&script, true), both_ways(&script, false), "{levels} levels");
    }
}

#[test]
fn machine_code_runs_in_the_frame_that_the_interpreter_made() {
    install(witnessed);
    let engine = engine();
    let run = |script: &str| {
        let lowered = lower(&engine, compiled(&engine, script));
        let program = lowered.program.clone();
        let result = Vm::new(&engine).eval_with_callbacks(&mut Scope::new(), &program);
        drop(lowered);
        let without = Vm::new(&engine).eval_with_callbacks(&mut Scope::new(), &program);
        (shown(&result), shown(&without))
    };
    let (with, without) = run("fn seen(x, y) { x } fn outer(x) { seen(x, \"b\") } outer(1)");
    assert_eq!(with, "Ok(\"seen [1, \\\"b\\\"] at 2\")");
    assert_eq!(without, "Ok(1)", "without machine code it is interpreted");
    let (with, _) = run("fn seen(x) { x }\n   seen(())");
    assert_eq!(with, "Err(ErrorInFunctionCall(\"seen\", \"main.rhai\", ErrorRuntime(\"no\", none), 2:4))");
}

#[test]
fn no_script_can_write_the_expression() {
    assert!(engine().compile("__native__").is_err());
    assert!(engine().compile("let x = __native__;").is_err());
}
