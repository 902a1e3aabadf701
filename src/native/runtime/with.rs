//! Entering and leaving the resources of `with`.

use rhai::{Dynamic, EvalContext, Scope};

use super::Run;
use crate::native::site::Site;
use crate::script::with::{Entered, exit};

/// What became of entering.
pub enum Entering {
    Done = 0,
    Failed = 1,
    /// The value's type has no door to its lock.
    Unknown = 2,
}

/// Enters a copy of the value, or its lock.
pub extern "C" fn enter(run: &mut Run, site: &Site, level: i64, resource: &Dynamic, lock_of: i64) -> i64 {
    let by_door = Entered::by_door(resource, lock_of != 0, site.position);
    let entered = match by_door {
        Some(entered) => entered,
        None if lock_of != 0 => return Entering::Unknown as i64,
        None => {
            let copy = resource.flatten_clone();
            in_context(run, level, |context| Entered::of(context, copy, site.position))
        }
    };
    match entered {
        Ok(entered) => {
            run.entered.push(entered);
            Entering::Done as i64
        }
        Err(error) => {
            run.fail(error);
            Entering::Failed as i64
        }
    }
}

/// Leaves what was entered last; 1 if that failed, or the block did. What went wrong in the block is the news: that
/// stays.
pub extern "C" fn leave(run: &mut Run, level: i64) -> i64 {
    let Some(entered) = run.entered.pop() else { return 0 };
    let left = entered.leave(|resource| in_context(run, level, |context| exit(context, resource)));
    match left {
        Err(error) if run.error.is_none() => run.fail(error),
        _ => i64::from(run.error.is_some()),
    }
}

fn in_context<T>(run: &mut Run, level: i64, what: impl FnOnce(&mut EvalContext) -> T) -> T {
    let engine = run.engine;
    let mut caches = std::mem::take(&mut run.caches);
    let mut scope = Scope::new();
    let global = run.global(level);
    let result = what(&mut EvalContext::new(engine, global, &mut caches, &mut scope, None));
    run.caches = caches;
    result
}
