//! The types of variables and results, found by running over functions until nothing changes.
//!
//! Invariants
//! 1. A type only rises: nothing, then one type, then any; an array with what it holds. So the search ends.
//! 2. A variable of a static type holds values of that type alone, whatever path was taken; all else is `Any`.

use std::collections::HashMap;

use super::pass::Pass;
use super::types::{Form, Found, Functions, Key, Type};

/// Finds the types of a form and of all forms it calls that don't exist yet.
pub fn infer(functions: &dyn Functions, first: Key) -> Found {
    let mut found: Vec<(Key, Form)> = Vec::new();
    let mut places: HashMap<Key, usize> = HashMap::new();
    add(&mut found, &mut places, functions, first);
    loop {
        let mut changed = false;
        let mut at = 0;
        while at < found.len() {
            let (key, form) = found[at].clone();
            if let Some(function) = functions.lowered(key.function) {
                let pass = Pass::looking(functions, &found, &places, form).finding();
                let (form, called, risen) = pass.over(&function.body);
                changed |= risen;
                found[at].1 = form;
                for key in called {
                    changed |= add(&mut found, &mut places, functions, key);
                }
            }
            at += 1;
        }
        if !changed {
            return needed(functions, Found { forms: found, places });
        }
    }
}

/// The first form and those that are called in the end: on the way, types were called that have risen since.
fn needed(functions: &dyn Functions, found: Found) -> Found {
    let mut kept = Found { forms: Vec::new(), places: HashMap::new() };
    let mut open: Vec<usize> = vec![0];
    while let Some(at) = open.pop() {
        let (key, form) = &found.forms[at];
        if kept.places.contains_key(key) {
            continue;
        }
        kept.places.insert(key.clone(), kept.forms.len());
        kept.forms.push((key.clone(), form.clone()));
        if let Some(function) = functions.lowered(key.function) {
            let pass = Pass::looking(functions, &found.forms, &found.places, form.clone());
            let (_, called, _) = pass.over(&function.body);
            open.extend(called.iter().filter_map(|key| found.places.get(key)));
        }
    }
    kept
}

fn add(
    found: &mut Vec<(Key, Form)>,
    places: &mut HashMap<Key, usize>,
    functions: &dyn Functions,
    key: Key,
) -> bool {
    if places.contains_key(&key) || functions.result(&key).is_some() {
        return false;
    }
    let Some(function) = functions.lowered(key.function) else { return false };
    let mut variables = vec![Type::Never; function.variables.len()];
    variables[..key.parameters.len()].copy_from_slice(&key.parameters);
    for (kind, variable) in variables.iter_mut().zip(&function.variables) {
        if variable.exposed {
            *kind = Type::Any;
        }
    }
    places.insert(key.clone(), found.len());
    found.push((key, Form { variables, result: Type::Never }));
    true
}
