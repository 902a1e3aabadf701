//! `import`: files beside the script, read once and shipped to children as text.
//!
//! Modules of our own come with the binary. A path is taken relative to the file that imports it; `.rhai` is added. The first process that imports
//! a file reads it; every process started afterwards gets the text with the program, so all run the same.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rhai::{Engine, EvalAltResult, FnNamespace, Module, ModuleResolver, Position, Scope, Shared};

use super::gate::{self, Lowered};
use super::program::Modules;
use super::raise::Raise;
use super::with;

/// The modules that every script can import by name; a file beside the script comes first.
const BUILT_IN: &[(&str, &str)] = &[("job", include_str!("../../stdlib/job.rhai"))];

/// What importing gives.
type Resolved = Result<Shared<Module>, Raise>;

/// A module, and what keeps its machine code.
type Loaded = (Shared<Module>, Rc<Lowered>);

/// See the head of this file.
#[derive(Debug)]
pub struct Resolver {
    /// Where the program's own imports are looked for.
    directory: PathBuf,
    texts: Modules,
    loaded: RefCell<HashMap<String, Loaded>>,
}

impl Resolver {
    /// A resolver for a program in `directory` whose imported texts are `texts`; it adds to them.
    pub fn new(directory: &str, texts: Modules) -> Self {
        Self { directory: directory.into(), texts, loaded: RefCell::default() }
    }

    /// The file that `path` means in `source`.
    fn file(&self, source: Option<&str>, path: &str) -> String {
        // Only an imported file has a place of its own; the script's is the program's directory.
        let importer = source.filter(|source| self.texts.borrow().contains_key(*source));
        let directory = importer.and_then(|file| Path::new(file).parent()).unwrap_or(&self.directory);
        let mut file = directory.join(path);
        if file.extension().is_none_or(|extension| extension != "rhai") {
            file.as_mut_os_string().push(".rhai");
        }
        file.to_string_lossy().into_owned()
    }

    fn text(&self, file: &str, path: &str, position: Position) -> Result<String, Raise> {
        if let Some(text) = self.texts.borrow().get(file) {
            return Ok(text.clone());
        }
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == path).filter(|_| !Path::new(file).exists());
        if let Some((_, text)) = built_in {
            self.texts.borrow_mut().insert(file.to_owned(), (*text).to_owned());
            return Ok((*text).to_owned());
        }
        let bytes = std::fs::read(file)
            .map_err(|_| EvalAltResult::ErrorModuleNotFound(format!("{path} ({file})"), position))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            EvalAltResult::ErrorRuntime(
                format!("the module {file} is not UTF-8 text: byte {offset} is wrong").into(),
                position,
            )
        })?;
        self.texts.borrow_mut().insert(file.to_owned(), text.clone());
        Ok(text)
    }

    fn load(&self, engine: &Engine, file: &str, text: &str) -> Result<(Module, Rc<Lowered>), Raise> {
        let mut ast = with::compile(engine, text)?;
        ast.set_source(file);
        let closures: Vec<_> =
            ast.iter_fn_def().filter(|function| function.name.starts_with("anon$")).cloned().collect();
        let lowered = gate::lower(engine, ast);
        let mut module = Module::eval_grain_as_new(Scope::new(), lowered.program.clone(), engine)?;
        // A closure that a module's function returns is called outside the module, by its name alone.
        for closure in closures {
            // Rhai keeps the hash of a function to itself, but says it when one is added somewhere.
            let hash = Module::new().set_script_fn(closure);
            #[allow(deprecated, reason = "what replaces it is for native functions")]
            module.update_fn_namespace(hash, FnNamespace::Global);
        }
        module.build_index();
        Ok((module, lowered))
    }
}

impl ModuleResolver for Resolver {
    fn resolve(&self, engine: &Engine, source: Option<&str>, path: &str, position: Position) -> Resolved {
        let file = self.file(source, path);
        if let Some((module, _)) = self.loaded.borrow().get(&file) {
            return Ok(Shared::clone(module));
        }
        let text = self.text(&file, path, position)?;
        let (module, lowered) = self
            .load(engine, &file, &text)
            .map_err(|error| EvalAltResult::ErrorInModule(file.clone(), error, position))?;
        let module = Shared::new(module);
        self.loaded.borrow_mut().insert(file, (Shared::clone(&module), lowered));
        Ok(module)
    }
}
