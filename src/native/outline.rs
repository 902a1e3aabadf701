//! What can be seen of a program's functions without compiling them: which have loops, which call themselves.

use std::collections::HashMap;

use rhai::{AST, ASTNode, Expr, FnCallExpr, Module, ScriptFuncDef, Shared, Stmt, Token};

/// Methods that call a function for each element.
const EACH: &[&str] = &[
    "all",
    "drain",
    "filter",
    "find",
    "find_map",
    "for_each",
    "index_of",
    "map",
    "none",
    "order_by",
    "reduce",
    "reduce_rev",
    "retain",
    "some",
    "sort",
];

/// A function by name and number of parameters.
type Called = (String, usize);

/// One function.
#[derive(Debug, Default)]
struct Outline {
    has_loop: bool,
    /// An operator or an index stands in a loop.
    computes: bool,
    /// The compiler refuses it, or a gate can't be passed with what it works on.
    refused: bool,
    calls: Vec<Called>,
    calls_in_loops: Vec<Called>,
}

/// All functions of a program.
#[derive(Debug)]
pub struct Outlines(HashMap<Called, Outline>);

/// What is known of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It has a loop that computes something, or calls a function of the script.
    Loop,
    /// Its loops only call what is none of the script's, and that may take its time.
    IdleLoop,
    /// It calls itself, perhaps through others.
    Recursive,
    /// It runs from its beginning to its end.
    Straight,
}

impl Outlines {
    /// Looks at the functions of a program.
    pub fn new(ast: &AST) -> Self {
        let outline = |function: &Shared<ScriptFuncDef>| {
            ((function.name.to_string(), function.params.len()), Outline::new(function))
        };
        Self(ast.iter_fn_def().map(outline).collect())
    }

    /// The shape of a function; nothing of one that is refused for what stands in it.
    pub fn shape(&self, name: &str, arity: usize) -> Option<Shape> {
        let function = (name.to_owned(), arity);
        let outline = self.0.get(&function).filter(|outline| !outline.refused)?;
        Some(match outline {
            outline if outline.computes => Shape::Loop,
            outline if outline.calls_in_loops.iter().any(|called| self.0.contains_key(called)) => Shape::Loop,
            outline if outline.has_loop => Shape::IdleLoop,
            _ if self.reaches_itself(&function) => Shape::Recursive,
            _ => Shape::Straight,
        })
    }

    fn reaches_itself(&self, function: &Called) -> bool {
        let calls = |function: &Called| self.0.get(function).map_or(&[][..], |outline| &outline.calls);
        let mut open: Vec<&Called> = calls(function).iter().collect();
        let mut seen: Vec<&Called> = Vec::new();
        while let Some(next) = open.pop() {
            if next == function {
                return true;
            }
            if !seen.contains(&next) {
                seen.push(next);
                open.extend(calls(next));
            }
        }
        false
    }
}

impl Outline {
    fn new(function: &Shared<ScriptFuncDef>) -> Self {
        let mut module = Module::new();
        module.set_script_fn(Shared::clone(function));
        let mut outline = Self::default();
        AST::new([], module).walk(&mut |path: &[ASTNode]| {
            if let Some((node, around)) = path.split_last() {
                outline.see(node, around.iter().any(is_loop));
            }
            true
        });
        outline
    }

    fn see(&mut self, node: &ASTNode, in_loop: bool) {
        match node {
            node if is_loop(node) => self.has_loop = true,
            ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _)) => {
                self.call(call, in_loop);
            }
            ASTNode::Stmt(Stmt::Assignment(assignment)) => {
                self.computes |= in_loop && assignment.0.is_op_assignment();
            }
            ASTNode::Expr(Expr::Index(..)) => self.computes |= in_loop,
            ASTNode::Expr(Expr::MethodCall(call, _)) => {
                self.has_loop |= !call.args.is_empty() && EACH.contains(&call.name.as_str());
            }
            ASTNode::Expr(Expr::Custom(custom, _)) => self.refused |= custom.scope_may_be_changed,
            ASTNode::Expr(Expr::ThisPtr(_)) => self.refused = true,
            _ => {}
        }
    }

    fn call(&mut self, call: &FnCallExpr, in_loop: bool) {
        self.refused |= call.capture_parent_scope || matches!(call.name.as_str(), "eval" | "is_def_var");
        match &call.op_token {
            // A loop over a range, or until something is not so.
            Some(Token::ExclusiveRange | Token::InclusiveRange | Token::Bang) => {}
            Some(_) => self.computes |= in_loop,
            None if call.is_qualified() => {}
            None => {
                let called = (call.name.to_string(), call.args.len());
                if in_loop {
                    self.calls_in_loops.push(called.clone());
                }
                self.calls.push(called);
            }
        }
    }
}

fn is_loop(node: &ASTNode) -> bool {
    matches!(node, ASTNode::Stmt(Stmt::While(..) | Stmt::Do(..) | Stmt::For(..)))
}

#[cfg(test)]
mod tests {
    use rhai::Engine;

    use super::{Outlines, Shape};

    fn shape(script: &str, name: &str, arity: usize) -> Option<Shape> {
        Outlines::new(&Engine::new().compile(script).expect("a script")).shape(name, arity)
    }

    #[test]
    fn loops_are_seen_however_deep_they_stand() {
        for body in [
            "for i in 0..x { x += i }",
            "if x > 1 { while x > 2 { x -= 1; } }",
            "let y = { loop { x -= 1; if x < 3 { break x; } } }; y",
            "do { x.len(); } while x > 0;",
            "for i in x { print(x[0]); }",
            "for i in x { g(i); }",
        ] {
            let script = format!("fn f(x) {{ {body} }} fn g(x) {{ x }}");
            assert_eq!(shape(&script, "f", 1), Some(Shape::Loop), "{body}");
        }
    }

    #[test]
    fn loops_that_only_call_others_are_told_from_those_that_compute() {
        for body in [
            "for i in 0..2 { x.put(i); }",
            "while !x.empty() { print(x.get()); }",
            "for p in x { p.start(); p.join(); }",
            "[1].map(|y| y + 1)",
        ] {
            assert_eq!(shape(&format!("fn f(x) {{ {body} }}"), "f", 1), Some(Shape::IdleLoop), "{body}");
        }
    }

    #[test]
    fn recursion_is_seen_through_others() {
        let script = "fn even(n) { if n == 0 { true } else { odd(n - 1) } }
            fn odd(n) { if n == 0 { false } else { even(n - 1) } }
            fn asks(n) { even(n) }";
        assert_eq!(shape(script, "even", 1), Some(Shape::Recursive));
        assert_eq!(shape(script, "odd", 1), Some(Shape::Recursive));
        assert_eq!(shape(script, "asks", 1), Some(Shape::Straight));
        assert_eq!(shape("fn f(x) { f(x, 1) } fn f(x, y) { x + y }", "f", 1), Some(Shape::Straight));
    }

    #[test]
    fn what_is_refused_has_no_shape() {
        for body in ["this += x;", "eval(\"x\");", "g!();", "is_def_var(\"x\");"] {
            let script = format!("fn f(x) {{ while x > 0 {{ x -= 1; {body} }} }}");
            assert_eq!(shape(&script, "f", 1), None, "{body}");
        }
        assert_eq!(shape("fn f() { 1 }", "g", 0), None);
    }
}
