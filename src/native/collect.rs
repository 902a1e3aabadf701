//! Functions out of an AST: the only file that enumerates the engine's internals.

use rhai::{AST, ASTNode, Module, Position, ScriptFuncDef, Shared, Stmt};

/// A function's head.
#[derive(Clone, Debug)]
pub struct Head {
    pub name: String,
    pub parameters: Vec<String>,
    pub position: Position,
    /// Its body depends on the type of `this`, or another function of the same name and arity exists.
    pub ambiguous: bool,
    definition: Shared<ScriptFuncDef>,
}

/// The functions of an AST, anonymous ones too.
pub fn heads(ast: &AST) -> Vec<Head> {
    let mut heads: Vec<Head> = Vec::new();
    for function in ast.iter_fn_def() {
        let name = function.name.to_string();
        let arity = function.params.len();
        let mut ambiguous = function.this_type.is_some();
        for other in heads.iter_mut().filter(|other| other.name == name && other.parameters.len() == arity) {
            other.ambiguous = true;
            ambiguous = true;
        }
        heads.push(Head {
            name,
            parameters: function.params.iter().map(ToString::to_string).collect(),
            position: function.body.start_position(),
            ambiguous,
            definition: Shared::clone(function),
        });
    }
    heads.sort_by_key(|head| (head.position.line(), head.position.position()));
    heads
}

impl Head {
    /// The statements of the function.
    ///
    /// The type of a function's body cannot be named outside of Rhai 1.27, so an AST of this one function is walked:
    /// nodes at the root of a path are the body's statements.
    pub fn body(&self) -> Vec<Stmt> {
        let mut module = Module::new();
        module.set_script_fn(Shared::clone(&self.definition));
        let mut body = Vec::new();
        AST::new([], module).walk(&mut |path: &[ASTNode]| {
            if let [ASTNode::Stmt(statement)] = path {
                body.push((*statement).clone());
            }
            true
        });
        body
    }
}
