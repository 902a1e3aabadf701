//! The session's fork server: a process that has loaded everything a child needs and is copied ahead of need.
//!
//! It has an engine, the program compiled, and the files of `set_forkserver_preload` imported. The program's top
//! level runs in each child, as with `spawn`: nothing that it makes is shared by accident.

use rhai::Position;

use super::stage::Stage;
use super::{enter, heritage, runtime};
use crate::process::forkserver;
use crate::sys::signal;

/// The life of the fork server, and, on its stage, of every process that it makes. It returns to neither.
pub fn live(files: &[String]) -> ! {
    // Ctrl-C is not for it, whoever sends it.
    signal::ignore_interrupts();
    // Before anything is imported, as that belongs to the program.
    let program = runtime::packed().ok();
    let stage = Stage::build();
    stage.prepare();
    preload(&stage, files);
    heritage::settle();
    forkserver::serve(stage.rehearsal());
    enter::served(&stage, program.as_ref())
}

/// Imports files ahead. One that can't be imported is left to the process that wants it, and says so there.
fn preload(stage: &Stage, files: &[String]) {
    let engine = stage.engine();
    for file in files {
        let _ = engine.module_resolver().resolve(engine, None, file, Position::NONE);
    }
}
