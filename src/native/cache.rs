//! The compiled forms of one program's functions: looked up by name and argument types, made on demand, bounded.

use rhai::{AST, Dynamic, Engine, EvalAltResult, NativeCallContext, Position};

/// What compiled code may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of machine code in one process; when they are used up, nothing more is compiled.
    pub code: usize,
    /// Forms of one function, one for each combination of argument types.
    pub forms: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { code: 4 << 20, forms: 8 }
    }
}

/// The functions of one program, compiled on demand, specialised on argument types.
pub struct Compiler {
    limits: Limits,
}

/// What became of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody has called it yet.
    NotYet,
    /// The argument types it is compiled for.
    Compiled(Vec<String>),
    /// Why it stays with the interpreter, and where.
    Refused(String, Position),
}

/// A line of `stook native FILE`.
#[derive(Clone, Debug)]
pub struct State {
    pub name: String,
    pub parameters: Vec<String>,
    pub position: Position,
    pub outcome: Outcome,
}

impl Compiler {
    /// Looks at the functions of `ast` and compiles nothing yet.
    pub fn new(_engine: &Engine, _ast: &AST, limits: Limits) -> Self {
        Self { limits }
    }

    /// Whether there is a function of this name and arity that isn't refused.
    pub fn knows(&self, _name: &str, _arity: usize) -> bool {
        self.limits.code == 0
    }

    /// Whether the function holds a loop, so that its first call is worth compiling it.
    pub fn has_loop(&self, _name: &str, _arity: usize) -> bool {
        false
    }

    /// Runs it natively, and compiles it for these argument types if need be. `None`: not for these types; the
    /// arguments are untouched and the caller interprets. The result or error is the interpreter's.
    pub fn call(
        &self,
        _context: &NativeCallContext,
        _name: &str,
        _arguments: &mut [Dynamic],
    ) -> Option<Result<Dynamic, Box<EvalAltResult>>> {
        None
    }

    /// What became of each function, in the order of their lines.
    pub fn states(&self) -> Vec<State> {
        Vec::new()
    }
}
