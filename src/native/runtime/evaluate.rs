//! The engine evaluates a tree, with values of the function in its scope.

use rhai::{Caches, Dynamic, EvalAltResult, EvalContext, Expression, Scope};

use super::Run;
use crate::native::site::Evaluated;

/// How an evaluation ended.
pub enum Ended {
    Value(Dynamic),
    /// The function returned.
    Return(Dynamic),
    Error(Box<EvalAltResult>),
}

impl Ended {
    /// Where nothing returns.
    pub fn result(self) -> Result<Dynamic, Box<EvalAltResult>> {
        match self {
            Self::Value(value) | Self::Return(value) => Ok(value),
            Self::Error(error) => Err(error),
        }
    }
}

/// Evaluates at a level. Afterwards `values` are what the engine left. `caches` is for a search of one's own.
pub fn evaluate(
    run: &mut Run,
    level: i64,
    evaluated: &Evaluated,
    values: &mut [Dynamic],
    caches: Option<&mut Caches>,
) -> Ended {
    let mut scope = Scope::with_capacity(evaluated.seen.len());
    let mut given = values.iter_mut();
    for seen in &evaluated.seen {
        let name = seen.name.as_str();
        let value = if seen.placeholder { None } else { given.next() };
        match value {
            None => scope.push_dynamic(name, Dynamic::UNIT),
            Some(value) if seen.constant => scope.push_constant_dynamic(name, value.clone()),
            Some(value) => scope.push_dynamic(name, std::mem::take(value)),
        };
    }
    let engine = run.engine;
    let mut own = std::mem::take(&mut run.caches);
    let result = {
        let global = run.global(level);
        let caches = caches.unwrap_or(&mut own);
        let mut context = EvalContext::new(engine, global, caches, &mut scope, None);
        context.eval_expression_tree(&Expression::from(&evaluated.expression))
    };
    run.caches = own;
    let seen = evaluated.seen.iter().filter(|seen| !seen.placeholder);
    for (value, seen) in values.iter_mut().zip(seen).filter(|(_, seen)| !seen.constant) {
        if let Some(changed) = scope.get_mut(&seen.name) {
            *value = std::mem::take(changed);
        }
    }
    match result {
        // A constant's value is nobody's constant any more.
        Ok(value) if value.is_read_only() => Ended::Value(value.flatten_clone()),
        Ok(value) => Ended::Value(value.flatten()),
        Err(error) => match *error {
            EvalAltResult::Return(value, _) => Ended::Return(value),
            _ => Ended::Error(error),
        },
    }
}
