//! Source texts: what this process runs, and what its children will run.
//!
//! A program is a list of units. A script is one unit; at the prompt, everything entered is one more.
//! Children get the texts, not the files: they run what their parent runs, even if the file has changed
//! since, and scripts from the command line or standard input work like any other. Closures are found
//! in other processes by the hash of their text and place, so every unit is compiled as it was.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{AST, Array, Dynamic, Engine, Map, ParseError};

use super::with;
use crate::arena::parcel::Parcel;
use crate::process::start::{self, PackError};
use crate::wire::{DecodeError, NoHandles};

/// How a unit is run in a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Whole: a script, whose guard keeps the child from doing the parent's work again.
    Script,
    /// Its functions only: something entered at the prompt.
    Entry,
}

/// One text.
#[derive(Clone, Debug)]
pub struct Unit {
    /// As errors name it: the file's path as it was given, `<stdin>`, `<command line>`, `<entry 3>`.
    pub name: String,
    /// The source.
    pub text: String,
    /// How it is run in a child.
    pub style: Style,
}

/// The texts of imported files, by absolute path.
pub type Modules = Rc<RefCell<BTreeMap<String, String>>>;

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The texts, in the order in which they are run.
    pub units: Vec<Unit>,
    /// Where imports are looked for; empty for the current directory.
    pub directory: String,
    /// The imported files' texts, as far as they have been imported.
    pub modules: Modules,
}

/// How many units and imported files a program has: it only ever grows.
pub type Size = (usize, usize);

impl Program {
    /// How much there is of it.
    pub fn size(&self) -> Size {
        (self.units.len(), self.modules.borrow().len())
    }

    /// Whether a person enters it bit by bit.
    pub fn grows(&self) -> bool {
        self.units.iter().any(|unit| unit.style == Style::Entry)
    }

    /// What errors call what runs now: the script, or what was entered last.
    pub fn name(&self) -> &str {
        self.units.last().map_or("<script>", |unit| unit.name.as_str())
    }

    /// The text that errors in `name` point into: a unit, or an imported file.
    pub fn text(&self, name: &str) -> Option<String> {
        let unit = self.units.iter().rev().find(|unit| unit.name == name);
        unit.map(|unit| unit.text.clone()).or_else(|| self.modules.borrow().get(name).cloned())
    }

    /// All its texts, for telling it from others.
    pub fn source(&self) -> Vec<u8> {
        let units = self.units.iter().map(|unit| unit.text.clone());
        let modules = self.modules.borrow();
        let texts = units.chain(modules.values().cloned());
        texts
            .flat_map(|text| [(text.len() as u64).to_le_bytes().to_vec(), text.into_bytes()])
            .flatten()
            .collect()
    }

    /// The program as it travels.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn pack(&self) -> Result<Parcel, PackError> {
        let units: Array = self
            .units
            .iter()
            .map(|unit| {
                let whole = unit.style == Style::Script;
                Dynamic::from(vec![unit.name.clone().into(), unit.text.clone().into(), whole.into()] as Array)
            })
            .collect();
        let modules: Map = self
            .modules
            .borrow()
            .iter()
            .map(|(path, text)| (path.as_str().into(), text.clone().into()))
            .collect();
        let parts = [
            ("program", &Dynamic::from(units)),
            ("directory", &Dynamic::from(self.directory.clone())),
            ("modules", &Dynamic::from(modules)),
        ];
        start::pack(&[], &parts, &NoHandles)
    }

    /// The program that a parent packed.
    ///
    /// # Errors
    /// If it is not one.
    pub fn unpack(parcel: &Parcel) -> Result<Self, DecodeError> {
        let mut values = start::unpack(parcel, &NoHandles)?.into_iter();
        let units = values.next().and_then(Dynamic::try_cast::<Array>).unwrap_or_default();
        let directory = values.next().and_then(|value| value.into_string().ok()).unwrap_or_default();
        let modules = values.next().and_then(Dynamic::try_cast::<Map>).unwrap_or_default();
        let modules =
            modules.into_iter().filter_map(|(path, text)| Some((path.into(), text.into_string().ok()?)));
        let modules: Modules = Rc::new(RefCell::new(modules.collect()));
        Ok(Self { units: units.into_iter().filter_map(unit).collect(), directory, modules })
    }

    /// Compiles the units into one tree, ending with `tail`. For a child, entries give their functions only.
    ///
    /// # Errors
    /// The first text's error.
    pub fn compile(&self, engine: &Engine, tail: Option<&str>) -> Result<AST, Unreadable> {
        let mut whole = AST::empty();
        for unit in &self.units {
            let mut ast = with::compile(engine, &unit.text)
                .map_err(|error| Unreadable { unit: unit.clone(), error })?;
            ast.set_source(unit.name.as_str());
            if unit.style == Style::Entry && tail.is_some() {
                ast = ast.clone_functions_only();
            }
            whole.combine(ast);
        }
        if let Some(tail) = tail {
            let unit = Unit { name: "<stook>".into(), text: tail.into(), style: Style::Script };
            let ast = engine.compile(tail).map_err(|error| Unreadable { unit, error })?;
            whole.combine(ast);
        }
        whole.set_source(self.name());
        Ok(whole)
    }
}

fn unit(value: Dynamic) -> Option<Unit> {
    let mut parts = value.try_cast::<Array>()?.into_iter();
    let name = parts.next()?.into_string().ok()?;
    let text = parts.next()?.into_string().ok()?;
    let style = if parts.next()?.as_bool().ok()? { Style::Script } else { Style::Entry };
    Some(Unit { name, text, style })
}

/// A text that does not compile.
#[derive(Debug)]
pub struct Unreadable {
    /// The text.
    pub unit: Unit,
    /// What is wrong with it, and where.
    pub error: ParseError,
}
