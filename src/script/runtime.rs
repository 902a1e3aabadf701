//! What this process runs: one program, under one name, with one list of arguments.
//!
//! There is one runtime in a process, set up before the engine is made. Functions registered in the
//! engine reach it here.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, NativeCallContext, Position};

use super::gate::Lowered;
use super::program::{Program, Size};
use super::raise::RhaiResult;
use crate::arena::parcel::Parcel;
use crate::arena::segment;
use crate::arena::table::{self, ProcessId};
use crate::process::session;
use crate::process::start::PackError;

/// `__name__` in the process that a person started.
pub const MAIN: &str = "__main__";
/// `__name__` in a process that loads its parent's script.
pub const CHILD: &str = "__mp_main__";

/// Who started this process.
#[derive(Clone, Debug)]
pub struct Parent {
    /// Its name, as the script gave it.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Its place in the table.
    pub id: ProcessId,
}

/// Who this process is to the script: what a fork changes.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The process's name, as the script gave it: counted per creator.
    pub name: String,
    /// The key that it proves itself with, and its children by default.
    pub authkey: Vec<u8>,
    /// `None` in the first process.
    pub parent: Option<Parent>,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Runtime {
    /// `__name__`.
    pub module: &'static str,
    /// The script's arguments.
    pub arguments: Vec<String>,
    identity: RefCell<Identity>,
    program: RefCell<Program>,
    packed: RefCell<Option<(Size, Parcel)>>,
    compiled: RefCell<Option<Rc<Lowered>>>,
    loading: Cell<bool>,
    exit: RefCell<Option<Dynamic>>,
    traceback: RefCell<Option<String>>,
    locals: RefCell<std::collections::BTreeMap<String, Dynamic>>,
}

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

impl Runtime {
    /// A runtime for `program`, in a process that is `identity`.
    pub fn new(module: &'static str, identity: Identity, arguments: Vec<String>, program: Program) -> Self {
        Self {
            module,
            arguments,
            identity: RefCell::new(identity),
            program: RefCell::new(program),
            packed: RefCell::new(None),
            compiled: RefCell::new(None),
            loading: Cell::new(false),
            exit: RefCell::new(None),
            traceback: RefCell::new(None),
            locals: RefCell::default(),
        }
    }

    /// A runtime for the session's first process.
    pub fn first(arguments: Vec<String>, program: Program) -> Self {
        let identity =
            Identity { name: session::MAIN.to_owned(), authkey: segment::key().to_vec(), parent: None };
        Self::new(MAIN, identity, arguments, program)
    }

    /// Makes this the process's runtime. The first one stays.
    pub fn install(self) {
        RUNTIME.with(|cell| {
            let _ = cell.set(self);
        });
    }
}

/// Calls `look` with the process's runtime.
///
/// # Panics
/// If there is none: every entry installs one before it makes an engine.
pub fn with<T>(look: impl FnOnce(&Runtime) -> T) -> T {
    RUNTIME.with(|cell| look(cell.get().expect("a runtime is installed before any script runs")))
}

/// Calls `look` with who this process is.
pub fn identity<T>(look: impl FnOnce(&Identity) -> T) -> T {
    with(|runtime| look(&runtime.identity.borrow()))
}

/// Changes who this process is.
pub fn change_identity(change: impl FnOnce(&mut Identity)) {
    with(|runtime| change(&mut runtime.identity.borrow_mut()));
}

/// This process's name.
pub fn name() -> String {
    identity(|identity| identity.name.clone())
}

/// A copy of what this process runs.
pub fn program() -> Program {
    with(|runtime| runtime.program.borrow().clone())
}

/// Changes the program: something was entered at the prompt.
pub fn change_program(change: impl FnOnce(&mut Program)) {
    with(|runtime| change(&mut runtime.program.borrow_mut()));
}

/// The program as children get it; packed again only when something was entered or imported.
///
/// # Errors
/// If there is no memory for it.
pub fn packed() -> Result<Parcel, PackError> {
    with(|runtime| {
        let program = runtime.program.borrow();
        let size = program.size();
        if let Some((packed, parcel)) = &*runtime.packed.borrow()
            && *packed == size
        {
            return Ok(parcel.clone());
        }
        let parcel = program.pack()?;
        *runtime.packed.borrow_mut() = Some((size, parcel.clone()));
        Ok(parcel)
    })
}

/// The program as children get it, if it is one that grows: workers that run already may have to load it.
///
/// # Errors
/// If there is no memory for it.
pub fn packed_if_growing() -> Result<Option<Parcel>, PackError> {
    let grows = with(|runtime| runtime.program.borrow().grows());
    if grows { packed().map(Some) } else { Ok(None) }
}

/// This process runs `program`, which came as `parcel`: its own children get the same.
pub fn set_program(program: Program, parcel: Parcel) {
    with(|runtime| {
        *runtime.packed.borrow_mut() = Some((program.size(), parcel));
        *runtime.program.borrow_mut() = program;
    });
}

/// What runs at this moment, as it was compiled.
pub fn compiled() -> Option<Rc<Lowered>> {
    with(|runtime| runtime.compiled.borrow().clone())
}

/// Says what runs from now on; gives what ran before.
pub fn set_compiled(compiled: Option<Rc<Lowered>>) -> Option<Rc<Lowered>> {
    with(|runtime| runtime.compiled.replace(compiled))
}

/// This process was forked off in the middle of its parent's script: what that was about to say is not for it.
pub fn forked() {
    set_loading(false);
    take_exit();
    take_traceback();
}

/// Whether this process loads its parent's script at this moment: no process may be started then.
pub fn is_loading() -> bool {
    with(|runtime| runtime.loading.get())
}

/// Says whether the script is being loaded.
pub fn set_loading(loading: bool) {
    with(|runtime| runtime.loading.set(loading));
}

/// The script asked to exit with `value`.
pub fn ask_exit(value: Dynamic) -> RhaiResult {
    with(|runtime| *runtime.exit.borrow_mut() = Some(value.clone()));
    Err(EvalAltResult::Exit(value, rhai::Position::NONE).into())
}

/// What the script asked to exit with, if it did.
pub fn take_exit() -> Option<Dynamic> {
    with(|runtime| runtime.exit.borrow_mut().take())
}

/// Whether the script has asked to exit, looked at and left.
pub fn with_exit<T>(look: impl FnOnce(&Option<Dynamic>) -> T) -> T {
    with(|runtime| look(&runtime.exit.borrow()))
}

/// Keeps where another process raised the error that is raised here now, for the report.
pub fn note_traceback(traceback: String) {
    with(|runtime| *runtime.traceback.borrow_mut() = Some(traceback));
}

/// Where another process raised the error that was raised here last.
pub fn take_traceback() -> Option<String> {
    with(|runtime| runtime.traceback.borrow_mut().take())
}

/// The value that this process keeps under `name`.
pub fn local(name: &str) -> Dynamic {
    with(|runtime| runtime.locals.borrow().get(name).cloned().unwrap_or(Dynamic::UNIT))
}

/// Looks at every value that this process keeps.
pub fn each_local(look: impl FnMut(&Dynamic)) {
    with(|runtime| runtime.locals.borrow().values().for_each(look));
}

/// Keeps `value` under `name` in this process.
pub fn set_local(name: &str, value: Dynamic) {
    with(|runtime| runtime.locals.borrow_mut().insert(name.to_owned(), value));
}

/// Notes the script's line in the process table, for whoever asks what this process does.
#[inline]
pub fn at(context: &NativeCallContext) {
    if let (Some(slot), Some(line)) = (table::me(), context.call_position().line()) {
        slot.at_line(u32::try_from(line).unwrap_or(u32::MAX));
    }
}

/// The same for something that is no call. Compiled code does not know the place of everything: better no line
/// than that of the call before.
#[inline]
pub fn at_position(position: Position) {
    if let Some(slot) = table::me() {
        let line = position.line().unwrap_or(0);
        slot.at_line(u32::try_from(line).unwrap_or(u32::MAX));
    }
}

/// Calls `function` with `arguments`, in the program that runs.
///
/// # Errors
/// What the function raises.
pub fn call(context: &NativeCallContext, function: &FnPtr, arguments: Array) -> RhaiResult {
    function.call_raw(context, None, arguments)
}
