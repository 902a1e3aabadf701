//! A call that comes to a gate.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};

use rhai::grain::{Program, Vm};
use rhai::{
    AST, ASTNode, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, FnArgsVec, ImmutableString,
    LexError, Module, NativeCallContext, ParseError, ParseErrorType, Position, ScriptFuncDef, Shared,
    StmtBlock,
};

use super::Function;
use crate::script::raise::{RhaiResult, raise};
use crate::script::run::Compiled;

/// The expression that goes through a gate. No script can write it: it is understood only while gates are built.
pub const KEY: &str = "__native__";

/// See the head of the folder.
pub struct Gate {
    name: ImmutableString,
    parameters: FnArgsVec<ImmutableString>,
    /// The machine code, as long as there is any.
    function: Weak<dyn Function>,
    /// The name under which the own body stands in the program.
    body: String,
    /// The program, if it is for the virtual machine.
    program: RefCell<Weak<Program<'static>>>,
    /// Whether the body is in there, if anybody has asked.
    has_body: OnceCell<bool>,
    /// The functions as they were without gates, for walking the body's tree.
    plain: Shared<Module>,
    tree: OnceCell<Expr>,
}

thread_local! {
    /// Every gate of this process, by its number. They are never removed: old functions may still be called.
    static GATES: RefCell<Vec<Rc<Gate>>> = const { RefCell::new(Vec::new()) };
    /// The number that the next gate gets, while gates are built.
    static NEXT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// How many gates there are.
pub fn count() -> usize {
    GATES.with_borrow(Vec::len)
}

/// Adds a gate, which gets the next number.
pub fn add(gate: Rc<Gate>) {
    GATES.with_borrow_mut(|gates| gates.push(gate));
}

/// Numbers the gates that `build` compiles, from `first` on.
pub fn numbering<T>(first: usize, build: impl FnOnce() -> T) -> T {
    NEXT.set(Some(first));
    let built = build();
    NEXT.set(None);
    built
}

/// Registers the expression.
pub fn register(engine: &mut Engine) {
    // `false`: it leaves the scope as long as it was.
    engine
        .register_custom_syntax_with_state_raw(KEY, number, false, |context, _, state| pass(context, state));
}

fn number(
    _: &[ImmutableString],
    ahead: &str,
    state: &mut Dynamic,
) -> Result<Option<ImmutableString>, ParseError> {
    let Some(next) = NEXT.get() else {
        let found = LexError::UnexpectedInput(format!("{KEY} {ahead}"));
        return Err(ParseError(ParseErrorType::BadInput(found).into(), Position::NONE));
    };
    NEXT.set(Some(next + 1));
    *state = Dynamic::from(next as i64);
    Ok(None)
}

fn pass(context: &mut EvalContext, state: &Dynamic) -> RhaiResult {
    let number = state.as_int().ok().and_then(|number| usize::try_from(number).ok());
    let gate = number.and_then(|number| GATES.with_borrow(|gates| gates.get(number).cloned()));
    let gate = gate.ok_or_else(|| raise("RuntimeError", format!("{KEY} is none of the script's words")))?;
    // `f!(x)` lends the caller's variables, which stand in front of the arguments.
    if context.scope().len() > gate.parameters.len() {
        return gate.walk(context);
    }
    let mut arguments = gate.take(context);
    if let Some(function) = gate.function.upgrade() {
        let state = context.global_runtime_state();
        let call = NativeCallContext::new_with_all_fields(
            context.engine(),
            &gate.name,
            state.source.as_deref(),
            state,
            Position::NONE,
        );
        if let Some(result) = function.call(&call, &mut arguments) {
            return result;
        }
    }
    gate.interpret(context, arguments)
}

impl Gate {
    /// A gate for a function that is machine code in `function`, and stands as `body` in a program whose functions
    /// were `plain`.
    pub fn new(
        definition: &ScriptFuncDef,
        body: String,
        function: &Rc<dyn Function>,
        plain: Shared<Module>,
    ) -> Self {
        Self {
            name: definition.name.clone(),
            parameters: definition.params.clone(),
            function: Rc::downgrade(function),
            body,
            program: RefCell::new(Weak::new()),
            has_body: OnceCell::new(),
            plain,
            tree: OnceCell::new(),
        }
    }

    /// The program is for the virtual machine now.
    pub fn lowered(&self, program: &Compiled) {
        *self.program.borrow_mut() = Rc::downgrade(program);
    }

    /// The program, if the virtual machine runs the body.
    fn program(&self, engine: &Engine) -> Option<Compiled> {
        let program = self.program.borrow().upgrade()?;
        let has_body = self.has_body.get_or_init(|| {
            // At this level no call begins; but it is said first if there is nothing to call.
            let full = engine.max_call_levels();
            let nothing = self.parameters.iter().map(|_| Dynamic::UNIT).collect();
            let refused = Vm::new(engine).call_function(&program, &self.body, nothing, full, Position::NONE);
            refused.is_err_and(|error| matches!(*error, EvalAltResult::ErrorStackOverflow(_)))
        });
        has_body.then_some(program)
    }

    /// The arguments, out of the frame.
    fn take(&self, context: &mut EvalContext) -> FnArgsVec<Dynamic> {
        let scope = context.scope_mut();
        let argument = |name: &ImmutableString| match scope.get_mut(name) {
            Some(variable) => std::mem::take(variable),
            None => scope.get(name).cloned().unwrap_or_default(),
        };
        self.parameters.iter().map(argument).collect()
    }

    /// Runs the own body.
    fn interpret(&self, context: &mut EvalContext, arguments: FnArgsVec<Dynamic>) -> RhaiResult {
        // The machine has no way in for a call that something is `this` for.
        let program = self.program(context.engine()).filter(|_| context.this_ptr().is_none());
        let Some(program) = program else {
            self.put_back(context, arguments);
            return self.walk(context);
        };
        let mut machine = Vm::with_global_state(context.engine(), context.global_runtime_state().clone());
        // The machine counts the call, which is none: the frame is there.
        let level = context.call_level().saturating_sub(1);
        let result = machine.call_function(&program, &self.body, arguments, level, Position::NONE);
        result.map_err(|error| match *error {
            EvalAltResult::ErrorInFunctionCall(name, _, inner, _) if name == self.body => inner,
            other => other.into(),
        })
    }

    fn put_back(&self, context: &mut EvalContext, arguments: FnArgsVec<Dynamic>) {
        for (name, argument) in self.parameters.iter().zip(arguments) {
            if let Some(variable) = context.scope_mut().get_mut(name) {
                *variable = argument;
            }
        }
    }

    /// Walks the tree of the own body, where the virtual machine is not used or does not take it.
    fn walk(&self, context: &mut EvalContext) -> RhaiResult {
        let tree = self.tree.get_or_init(|| self.statements());
        context.eval_expression_tree(&Expression::from(tree))
    }

    /// The statements of the own body: those right below it, in a program that is nothing else.
    fn statements(&self) -> Expr {
        let mut alone = AST::new([], Shared::clone(&self.plain));
        alone.retain_functions(|_, _, name, arity| name == self.name && arity == self.parameters.len());
        let mut statements = Vec::new();
        alone.walk(&mut |path: &[ASTNode]| {
            if let [ASTNode::Stmt(statement)] = path {
                statements.push((*statement).clone());
            }
            true
        });
        Expr::Stmt(StmtBlock::new(statements, Position::NONE, Position::NONE).into())
    }
}
