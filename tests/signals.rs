//! A session that is started with signals held back or ignored: what its processes rely on works all the same.

mod support;

use std::ffi::CString;
use std::path::Path;
use std::time::Duration;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::SigSet;
use nix::sys::wait::{WaitStatus, waitpid};
use support::run::{End, Place};
use support::trial::program;

/// After this time a run is taken to hang.
const HANG: Duration = Duration::from_secs(30);

/// By each method, a child that comes to its end and one that is told to end.
const CHILDREN: &str = r#"
    if __name__ == "__main__" {
        for method in get_all_start_methods() {
            let context = get_context(method);
            let p = context.Process(exit, [7]);
            p.start();
            p.join();
            let q = context.Process(sleep, [1000]);
            q.start();
            q.terminate();
            q.join(20);
            if [p.exitcode, q.exitcode] != [7, -15] { throw `${method}: ${p}, ${q}`; }
        }
    }
"#;

/// Runs `script` in a shell that ignores `signal`: what it printed.
fn ignoring(signal: &str, script: &str) -> String {
    let place = Place::new().expect("a folder");
    let line = format!("trap '' {signal}; exec \"$0\" -e \"$1\"");
    let args = ["-c", line.as_str(), program().to_str().expect("a path"), script];
    let run = place.run(Path::new("/bin/sh"), &args, "", HANG).expect("a shell");
    assert_eq!((run.end, run.stderr.as_str()), (End::Code(0), ""), "{run:#?}");
    assert!(run.left.is_empty(), "{run:#?}");
    run.stdout
}

#[test]
fn children_end_as_they_should_where_signals_are_ignored() {
    for signal in ["TERM", "CHLD", "INT", "PWR"] {
        assert_eq!(ignoring(signal, CHILDREN), "");
    }
}

#[test]
fn what_runs_in_the_background_of_a_shell_is_not_disturbed_by_ctrl_c() {
    let script = r#"kill(getpid(), 2); sleep(0.01); print("goes on");"#;
    assert_eq!(ignoring("INT", script), "goes on\n");
}

#[test]
fn children_end_as_they_should_where_all_signals_are_held_back() {
    let mut attributes = PosixSpawnAttr::init().expect("attributes");
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK).expect("flags");
    attributes.set_sigmask(&SigSet::all()).expect("a mask");
    let actions = PosixSpawnFileActions::init().expect("actions");
    let path = CString::new(program().to_str().expect("a path")).expect("a path");
    let arguments = [c"stook".to_owned(), c"-e".to_owned(), CString::new(CHILDREN).expect("a script")];
    let environment: [CString; 0] = [];
    let pid =
        posix_spawn(path.as_c_str(), &actions, &attributes, &arguments, &environment).expect("a process");
    assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 0)));
}
