//! The functions of one program, lowered when they are first needed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rhai::{AST, ImmutableString};

use super::collect::{self, Head};
use super::elements;
use super::ir::{ConstantId, Function};
use super::lower::{self, Names, Refusal};
use super::site::Pool;
use super::types::{Functions, Key, Type};

type Lowered = Option<Result<Rc<Function>, Refusal>>;

/// See the head of this file.
pub struct Program {
    pub heads: Vec<Head>,
    /// For each name, the functions by arity.
    by_name: HashMap<String, Vec<(usize, usize)>>,
    names: Names,
    functions: RefCell<Vec<Lowered>>,
    pub pool: RefCell<Pool>,
    pub source: Option<ImmutableString>,
    /// The results of forms that are compiled.
    pub results: RefCell<HashMap<Key, Type>>,
}

impl Program {
    pub fn new(ast: &AST) -> Self {
        let heads = collect::heads(ast);
        let mut by_name: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
        let mut names = Names::new();
        for (at, head) in heads.iter().enumerate() {
            let arity = head.parameters.len();
            by_name.entry(head.name.clone()).or_default().push((arity, at));
            names.insert((head.name.clone(), arity), at);
        }
        Self {
            functions: RefCell::new(heads.iter().map(|_| None).collect()),
            heads,
            by_name,
            names,
            pool: RefCell::default(),
            source: ast.source().map(Into::into),
            results: RefCell::default(),
        }
    }

    /// The function of this name and arity.
    pub fn find(&self, name: &str, arity: usize) -> Option<usize> {
        let known = self.by_name.get(name)?;
        known.iter().find(|(parameters, _)| *parameters == arity).map(|(_, at)| *at)
    }

    /// Lowers a function, if that hasn't been done.
    pub fn lower(&self, function: usize) -> Result<Rc<Function>, Refusal> {
        if let Some(known) = &self.functions.borrow()[function] {
            return known.clone();
        }
        let head = &self.heads[function];
        let lowered =
            lower::function(head, &head.body(), &self.names, &mut self.pool.borrow_mut()).map(Rc::new);
        self.functions.borrow_mut()[function] = Some(lowered.clone());
        lowered
    }

    /// Why a function is refused, as far as anybody has asked.
    pub fn refusal(&self, function: usize) -> Option<Refusal> {
        match &self.functions.borrow()[function] {
            Some(Err(refusal)) => Some(refusal.clone()),
            _ => None,
        }
    }

    pub fn refuse(&self, function: usize, refusal: Refusal) {
        self.functions.borrow_mut()[function] = Some(Err(refusal));
    }
}

impl Functions for Program {
    fn lowered(&self, function: usize) -> Option<Rc<Function>> {
        self.lower(function).ok()
    }

    fn defines(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    fn constant_type(&self, constant: ConstantId) -> Type {
        match elements::of(self.pool.borrow().value(constant)) {
            array @ Type::Array(..) => array,
            _ => Type::Any,
        }
    }

    fn result(&self, key: &Key) -> Option<Type> {
        self.results.borrow().get(key).copied()
    }
}
