//! Errors: raised, wrapped on their way through calls, caught.

use rhai::{Dynamic, EvalAltResult, Map, Position};

use super::Run;
use super::evaluate::evaluate;
use crate::native::site::{Site, What};

/// The error that an operator on these numbers is.
pub fn trap(run: &mut Run, level: i64, site: &Site, left: i64, right: i64) -> Box<EvalAltResult> {
    let (What::Operator(_, evaluated) | What::Update(_, evaluated) | What::Engine(evaluated)) = &site.what
    else {
        return "no operator stands here".into();
    };
    let mut values = [Dynamic::from_int(left), Dynamic::from_int(right)];
    match evaluate(run, level, evaluated, &mut values, None).result() {
        Err(error) => error,
        Ok(value) => format!("the engine finds {value} where compiled code finds an error").into(),
    }
}

/// The error as the caller of a function gets it.
pub fn in_call(run: &Run, site: &Site, mut error: Box<EvalAltResult>) -> Box<EvalAltResult> {
    if error.is_system_exception() || matches!(*error, EvalAltResult::Exit(..)) {
        error.set_position(site.position);
        return error;
    }
    let What::Call(name, _) = &site.what else { return error };
    let source = run.source.as_deref().unwrap_or_default().to_owned();
    Box::new(EvalAltResult::ErrorInFunctionCall(name.clone(), source, error, site.position))
}

/// What `catch` gives its variable. The error keeps no position, as the engine has it.
pub fn value_of(run: &Run, error: &mut EvalAltResult) -> Dynamic {
    if let EvalAltResult::ErrorRuntime(value, _) = error.unwrap_inner() {
        return value.clone();
    }
    let position = error.take_position();
    let mut map = Map::new();
    map.insert("message".into(), error.to_string().into());
    if let Some(source) = &run.source {
        map.insert("source".into(), source.clone().into());
    }
    if !position.is_none() {
        let number = |place: Option<usize>| i64::try_from(place.unwrap_or(0)).unwrap_or(0);
        map.insert("line".into(), number(position.line()).into());
        map.insert("position".into(), number(position.position()).into());
    }
    fields(error, &mut map);
    Dynamic::from_map(map)
}

/// What the engine adds to the map, by the kind of error.
fn fields(error: &EvalAltResult, map: &mut Map) {
    use EvalAltResult as E;
    let debug = format!("{error:?}");
    let kind = debug.split('(').next().unwrap_or_default().to_owned();
    map.insert("error".into(), kind.into());
    let mut add = |name: &str, value: Dynamic| {
        map.insert(name.into(), value);
    };
    match error {
        E::ErrorFunctionNotFound(name, _) | E::ErrorNonPureMethodCallOnConstant(name, _) => {
            add("function", name.into());
        }
        E::ErrorInFunctionCall(name, source, ..) => {
            add("function", name.into());
            add("source", source.into());
        }
        E::ErrorMismatchDataType(requested, actual, _) | E::ErrorMismatchOutputType(requested, actual, _) => {
            add("requested", requested.into());
            add("actual", actual.into());
        }
        E::ErrorArrayBounds(length, index, _)
        | E::ErrorStringBounds(length, index, _)
        | E::ErrorBitFieldBounds(length, index, _) => {
            add("length", i64::try_from(*length).unwrap_or(i64::MAX).into());
            add("index", (*index).into());
        }
        E::ErrorVariableExists(name, _)
        | E::ErrorForbiddenVariable(name, _)
        | E::ErrorVariableNotFound(name, _)
        | E::ErrorPropertyNotFound(name, _)
        | E::ErrorDataRace(name, _)
        | E::ErrorAssignmentToConstant(name, _) => add("variable", name.into()),
        E::ErrorIndexNotFound(index, _) => add("index", index.clone()),
        E::ErrorInModule(name, ..) | E::ErrorModuleNotFound(name, _) => add("module", name.into()),
        E::ErrorDotExpr(property, _) => add("property", property.into()),
        E::ErrorIndexingType(kind, _) | E::ErrorDataTooLarge(kind, _) => add("type", kind.into()),
        E::ErrorTerminated(value, _) => add("token", value.clone()),
        _ => {}
    }
}

/// Takes the error that came for a handler: the value for its variable, or nothing if it can't be caught.
pub fn caught(run: &mut Run, wanted: bool) -> Option<Dynamic> {
    let mut error = run.error.take()?;
    if error.is_pseudo_error() || !error.is_catchable() {
        run.error = Some(error);
        return None;
    }
    let value = if wanted { value_of(run, &mut error) } else { Dynamic::UNIT };
    run.caught.push(error);
    Some(value)
}

/// An error leaves a handler: an empty `throw` raises again what was caught.
pub fn failed_handler(run: &mut Run) {
    let Some(mut original) = run.caught.pop() else { return };
    let again =
        matches!(run.error.as_deref(), Some(EvalAltResult::ErrorRuntime(value, _)) if value.is_unit());
    if again {
        let position = run.error.as_ref().map_or(Position::NONE, |error| error.position());
        original.set_position(position);
        run.error = Some(original);
    }
}
