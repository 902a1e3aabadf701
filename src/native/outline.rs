//! What can be seen of a program's functions without compiling them: which have loops, which call themselves.

use std::collections::HashMap;

use rhai::{AST, ASTNode, Expr, FnCallExpr, Module, ScriptFuncDef, Shared, Stmt};

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
    uses_this: bool,
    calls: Vec<Called>,
}

/// All functions of a program.
#[derive(Debug)]
pub struct Outlines(HashMap<Called, Outline>);

/// What is known of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It has a loop, or calls a method that is one.
    Loop,
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

    /// The shape of a function; nothing of one that works on `this`.
    pub fn shape(&self, name: &str, arity: usize) -> Option<Shape> {
        let function = (name.to_owned(), arity);
        let outline = self.0.get(&function).filter(|outline| !outline.uses_this)?;
        Some(match outline {
            outline if outline.has_loop => Shape::Loop,
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
            match path.last() {
                Some(ASTNode::Stmt(Stmt::While(..) | Stmt::Do(..) | Stmt::For(..))) => {
                    outline.has_loop = true
                }
                Some(ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _))) => {
                    outline.call(call);
                }
                Some(ASTNode::Expr(Expr::MethodCall(call, _))) => {
                    outline.has_loop |= !call.args.is_empty() && EACH.contains(&call.name.as_str());
                }
                Some(ASTNode::Expr(Expr::ThisPtr(_))) => outline.uses_this = true,
                _ => {}
            }
            true
        });
        outline
    }

    fn call(&mut self, call: &FnCallExpr) {
        if call.op_token.is_none() && !call.is_qualified() {
            self.calls.push((call.name.to_string(), call.args.len()));
        }
    }
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
            "for i in 0..x { }",
            "if x > 1 { while x > 2 { x -= 1; } }",
            "let y = { loop { break 1; } }; y",
            "do { x -= 1; } while x > 0;",
            "[1].map(|y| y + 1)",
        ] {
            assert_eq!(shape(&format!("fn f(x) {{ {body} }}"), "f", 1), Some(Shape::Loop), "{body}");
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
    fn a_function_on_this_has_no_shape() {
        assert_eq!(shape("fn f() { for i in 0..9 { this += i; } }", "f", 0), None);
        assert_eq!(shape("fn f() { 1 }", "g", 0), None);
    }
}
