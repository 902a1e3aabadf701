//! What became of each function, for people: `stook native FILE`.
//!
//! Every process says what changes in its own compilers, as one text a function; the first process puts together
//! what it heard when all is over. It keeps its own compilers until then, for the functions that nobody called.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::route::Watched;
use super::{Outcome, State};
use crate::arena::blocks::OutOfMemory;
use crate::script::gate::{Mode, mode, report};

/// Between the fields of what is said; no script has it in its names.
const BETWEEN: char = '\u{1f}';

thread_local! {
    /// The programs and modules of the process that wants to know.
    static KEPT: RefCell<Vec<Rc<Watched>>> = const { RefCell::new(Vec::new()) };
}

/// A function: its file, line, column, and its name with its parameters.
type Place = (String, usize, usize, String);

/// What is known of a function.
#[derive(Default)]
struct Known {
    compiled: Vec<String>,
    refused: Option<String>,
    /// It has a gate, or none, as calls of it are not worth that.
    gate: bool,
}

/// This process, the first, wants to know about all processes.
///
/// # Errors
/// If there is no memory for that.
pub fn begin() -> Result<(), OutOfMemory> {
    report::begin()
}

/// Keeps what this process compiles to the end, if it is the one that wants to know.
pub fn keep(watched: &Rc<Watched>) {
    if report::is_wanted() {
        KEPT.with_borrow_mut(|kept| kept.push(Rc::clone(watched)));
    }
}

/// What is said of a function: its place, and what became of it.
pub fn said(file: &str, state: &State) -> Option<String> {
    let (sign, texts) = match &state.outcome {
        Outcome::NotYet => return None,
        Outcome::Compiled(types) => ("+", types.clone()),
        Outcome::Refused(..) => ("-", vec![reason(state)]),
    };
    let (file, line, column, signature) = place(file, state);
    let fields = [file, line.to_string(), column.to_string(), signature, sign.to_owned()];
    Some(fields.into_iter().chain(texts).collect::<Vec<_>>().join(&BETWEEN.to_string()))
}

fn heard(text: &str) -> Option<(Place, Known)> {
    let mut fields = text.split(BETWEEN);
    let mut next = || fields.next();
    let (file, line, column) = (next()?.to_owned(), next()?.parse().ok()?, next()?.parse().ok()?);
    let (signature, sign) = (next()?.to_owned(), next()?);
    let texts: Vec<String> = fields.map(str::to_owned).collect();
    let known = match sign {
        "+" => Known { compiled: texts, ..Known::default() },
        _ => Known { refused: texts.into_iter().next(), ..Known::default() },
    };
    Some(((file, line, column, signature), known))
}

fn place(file: &str, state: &State) -> Place {
    let signature = format!("{}({})", state.name, state.parameters.join(", "));
    let position = state.position;
    (file.to_owned(), position.line().unwrap_or(0), position.position().unwrap_or(0), signature)
}

fn reason(state: &State) -> String {
    match &state.outcome {
        Outcome::Refused(reason, position) => match position.line() {
            Some(line) => format!("{reason} (line {line})"),
            None => reason.clone(),
        },
        _ => String::new(),
    }
}

/// The list, a line for each function, when all processes but this one have ended.
pub fn lines() -> Vec<String> {
    if mode() == Mode::Off {
        return vec!["machine code is off".to_owned()];
    }
    let mut all: BTreeMap<Place, Known> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for watched in KEPT.take() {
        order.push(watched.file.clone());
        for state in watched.states() {
            let known = all.entry(place(&watched.file, &state)).or_default();
            known.gate = watched.wants(&state.name, state.parameters.len());
            if let Some((_, news)) = said(&watched.file, &state).as_deref().and_then(heard) {
                known.add(news);
            }
        }
    }
    while let Some(text) = report::next() {
        if let Some((place, news)) = heard(&text) {
            all.entry(place).or_default().add(news);
        }
    }
    let files = all.keys().map(|(file, ..)| file.clone());
    for file in files {
        if !order.contains(&file) {
            order.push(file);
        }
    }
    order.iter().flat_map(|file| of_file(file, &all)).collect()
}

fn of_file(file: &str, all: &BTreeMap<Place, Known>) -> Vec<String> {
    let functions: Vec<_> = all.iter().filter(|((of, ..), _)| of == file).collect();
    if functions.is_empty() {
        return Vec::new();
    }
    let shown = |signature: &str| match signature.split_once('(') {
        Some((name, parameters)) if name.starts_with("anon$") => format!("<closure>({parameters}"),
        _ => signature.to_owned(),
    };
    let width = functions.iter().map(|((_, _, _, signature), _)| shown(signature).chars().count()).max();
    let line = |((_, line, _, signature), known): &(&Place, &Known)| {
        format!("{line:5}  {:width$}  {}", shown(signature), known.words(), width = width.unwrap_or(0))
    };
    std::iter::once(file.to_owned()).chain(functions.iter().map(line)).collect()
}

impl Known {
    fn add(&mut self, news: Self) {
        for types in news.compiled {
            if !self.compiled.contains(&types) {
                self.compiled.push(types);
            }
        }
        self.refused = self.refused.take().or(news.refused);
    }

    fn words(&self) -> String {
        match (self.compiled.as_slice(), &self.refused) {
            ([], Some(reason)) => format!("interpreted: {reason}"),
            ([], None) if self.gate => "not called".to_owned(),
            ([], None) => "interpreted: no loop and no recursion, and no machine code calls it".to_owned(),
            (types, None) => format!("machine code for {}", types.join(", ")),
            (types, Some(reason)) => {
                format!("machine code for {}; else interpreted: {reason}", types.join(", "))
            }
        }
    }
}
