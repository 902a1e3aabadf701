//! Shared memory by name and other programs: Python's `multiprocessing.shared_memory` in both directions, a second
//! stook, whoever cuts it short, and SIGKILL at random moments.

mod session;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use session::{Session, below, proc_file, runs};

fn file(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

/// Runs Python, and gives what it printed; `None`, and a word about it, if there is no Python.
fn python(text: &str, args: &[&str]) -> Option<String> {
    // Up to Python 3.12 whoever attaches takes the memory away at its end, unless it is told not to.
    let head = "import sys\n\
        from multiprocessing import resource_tracker\n\
        from multiprocessing.shared_memory import SharedMemory, ShareableList\n\
        def leave(memory): resource_tracker.unregister(memory._name, 'shared_memory')\n";
    let output = match Command::new("python3").arg("-c").arg(format!("{head}{text}")).args(args).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: what is tested with Python, as it can't be run: {error}");
            return None;
        }
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{}\n{stderr}", output.status);
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn python_reads_and_writes_what_stook_makes() {
    let mut session = Session::start(
        r#"
        let memory = SharedMemory(#{ create: true, size: 100 });
        memory.buf[0..5] = "hello";
        let list = ShareableList(["howdy", blob(5, 65), -273.154, 100, (), true, 42, "ÄÖÜ äöü ß"]);
        print(memory.name);
        print(list.shm.name);
        while memory.buf[99] == 0 { sleep(0.005); }
        print(memory.buf[5..8].as_string());
        print(list);
        memory.unlink();
        list.shm.unlink();
        "#,
        &[],
    );
    let (memory, list) = (session.line(), session.line());
    let seen = python(
        "memory = SharedMemory(sys.argv[1]); leave(memory)\n\
         l = ShareableList(name=sys.argv[2]); leave(l.shm)\n\
         print(memory.size, bytes(memory.buf[:5]), list(l), l.format)\n\
         l[0] = 'bye'; l[1] = b'xyz'; l[2] = 7; l[3] = None; l[4] = 2.5; l[5] = 'eightish'; l[7] = ''\n\
         memory.buf[5:8] = b'abc'; memory.buf[99] = 1\n",
        &[&memory, &list],
    );
    let Some(seen) = seen else { return session.signal(Signal::SIGKILL) };
    assert_eq!(
        seen,
        "100 b'hello' ['howdy', b'AAAAA', -273.154, 100, None, True, 42, 'ÄÖÜ äöü ß'] \
         8s8sdqxxxxxx?xxxxxxxx?q24s"
    );
    assert_eq!(session.line(), "abc");
    let items = r#"ShareableList(["bye", [78797a], 7, (), 2.5, "eightish", 42, ""], name: ""#;
    assert_eq!(session.line(), format!("{items}{list}\")"));
    let ended = session.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn stook_reads_and_writes_what_python_makes_and_leaves_it() {
    let name = format!("stook-test-{}-python", std::process::id());
    let script = r#"
        let memory = SharedMemory(args[0]);
        let list = ShareableList(#{ name: args[0] + "-list" });
        let text = memory.buf[0..6].as_string();
        print(`${memory.size} ${text}`);
        print([list.to_array(), list.format]);
        memory.buf[0..3] = "new";
        list[0] = "a longer text ok";
        list[1] = -1;
        list[2] = blob(3, 66);
        list[3] = ();
        try { list[0] = "this one has more than 24 bytes"; } catch (e) { print(e.kind); }
        memory.close();
    "#;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("script.rhai");
    fs::write(&path, script).expect("a script");
    let seen = python(
        "import subprocess\n\
         memory = SharedMemory(sys.argv[1], create=True, size=300); memory.buf[:6] = b'python'\n\
         l = ShareableList(['a text of 17 byte', 2**62, 'x', 0.5, True, None], name=sys.argv[1] + '-list')\n\
         print(subprocess.run(sys.argv[2:], capture_output=True, text=True))\n\
         print(bytes(memory.buf[:6]), list(l), l.format)\n\
         memory.unlink(); l.shm.unlink()\n",
        &[&name, &support::trial::program().to_string_lossy(), &path.to_string_lossy(), &name],
    );
    let Some(seen) = seen else { return };
    let printed = r#"stdout='300 python\n[["a text of 17 byte", 4611686018427387904, "x", 0.5, true, ()], "24sq8sdxxxxxxx?xxxxxx?x"]\nValueError\n', stderr='')"#;
    assert!(seen.contains(printed), "{seen}");
    let after = "b'newhon' ['a longer text ok', -1, b'BBB', None, True, None] 24sq8sxxxxxx?xxxxxxxx?xxxxxx?x";
    assert!(seen.ends_with(after), "{seen}");
}

/// Makes memory, says its name, and waits to be ended.
const MAKER: &str = r#"
    let memory = SharedMemory(#{ create: true, size: 10_000 });
    print(memory.name);
    sleep(1000);
"#;

#[test]
fn who_attaches_takes_nothing_away() {
    let mut maker = Session::start(MAKER, &[]);
    let name = maker.line();
    let mode = fs::metadata(file(&name)).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for end in ["", "kill(getpid(), 9);"] {
        let other = Session::start(
            &format!("let memory = SharedMemory(args[0]); memory.buf[0] = 1; {end}"),
            &[&name],
        );
        let ended = other.end();
        assert_eq!(ended.stderr, "");
        assert!(file(&name).exists());
    }
    maker.signal(Signal::SIGTERM);
    let ended = maker.end();
    assert_eq!(ended.code, -15);
    assert!(
        ended.stderr.contains(&format!("removed 1 leaked shared_memory object: '{name}'")),
        "{}",
        ended.stderr
    );
    assert!(!file(&name).exists());
}

#[test]
fn what_is_not_ours_any_more_stays() {
    let mut maker = Session::start(MAKER, &[]);
    let name = maker.line();
    fs::remove_file(file(&name)).expect("it is there");
    fs::write(file(&name), "another program's").expect("a file");
    maker.signal(Signal::SIGKILL);
    let pid = maker.pid();
    maker.until("its end", || !runs(pid.as_raw()));
    maker.until("its watcher's end", || maker.processes().is_empty());
    assert_eq!(fs::read_to_string(file(&name)).expect("it is there"), "another program's");
    fs::remove_file(file(&name)).expect("it is there");
    assert_eq!(maker.end().stderr, "");
}

/// The watcher of a session.
fn watcher(session: &Session) -> Option<i32> {
    session.processes().into_iter().find(|pid| proc_file(*pid, "cmdline").contains("--watch="))
}

#[test]
fn a_killed_watcher_is_replaced() {
    let mut session = Session::start(
        r#"
        loop {
            let memory = SharedMemory(#{ create: true, size: 64 });
            print(memory.name);
            sleep(0.02);
        }
        "#,
        &[],
    );
    for _ in 0..5 {
        session.until("a watcher", || watcher(&session).is_some_and(runs));
        let old = watcher(&session).expect("a watcher");
        kill(Pid::from_raw(old), Signal::SIGKILL).expect("it is there");
        session.until("its end", || !runs(old));
        while watcher(&session).is_none() {
            session.line();
        }
        session.line();
    }
    session.signal(Signal::SIGKILL);
    let ended = session.end(); // it looks whether something is left
    assert!(ended.stderr.contains("leaked shared_memory objects"), "{}", ended.stderr);
}

#[test]
fn the_second_interrupt_leaves_nothing_either() {
    let mut session = Session::start(
        r#"
        SharedMemory(#{ create: true, size: 64 });
        print("made");
        try { sleep(1000); } catch (e) { print(e.kind); }
        sleep(1000);
        "#,
        &[],
    );
    assert_eq!(session.line(), "made");
    session.settles();
    session.signal_group(Signal::SIGINT);
    assert_eq!(session.line(), "KeyboardInterrupt");
    session.signal_group(Signal::SIGINT);
    let ended = session.end();
    assert_eq!(ended.code, 130);
    assert!(ended.stderr.contains("removed 1 leaked"), "{}", ended.stderr);
}

#[test]
fn memory_that_another_program_cuts_short_is_an_error_and_no_crash() {
    let mut session = Session::start(
        r#"
        let memory = SharedMemory(#{ create: true, size: 10_000 });
        let list = ShareableList([1, 2, 3]);
        print(memory.name);
        print(list.shm.name);
        let lost = 0;
        while lost == 0 { try { memory.buf[9_000] = 1; } catch (e) { lost = 1; print(e.kind); } }
        for look in [|| memory.buf[0], || memory.buf[0..5], || { memory.buf[0..2] = "ab"; }] {
            try { look.call(); } catch (e) { print(e.kind); }
        }
        try { loop { list[0] = 5; } } catch (e) { print(e.kind); }
        try { list[1]; } catch (e) { print(e.kind); }
        memory.unlink();
        list.shm.unlink();
        "#,
        &[],
    );
    for name in [session.line(), session.line()] {
        fs::OpenOptions::new()
            .write(true)
            .open(file(&name))
            .and_then(|file| file.set_len(0))
            .expect("shorter");
    }
    for _ in 0..6 {
        assert_eq!(session.line(), "OSError");
    }
    let ended = session.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

/// Makes and unlinks memory in the first process and in children, over and over.
const BUSY: &str = r#"
    fn make(n) {
        for i in 0..n {
            let memory = SharedMemory(#{ create: true, size: 5000 });
            memory.buf[4999] = 1;
            let list = ShareableList([i, "text"]);
            if i % 3 > 0 { memory.unlink(); }
            if i % 2 > 0 { list.shm.unlink(); }
        }
    }

    if __name__ == "__main__" {
        loop {
            let makers = [Process(make, [20]), Process(make, [20])];
            for p in makers { p.start(); }
            make(10);
            for p in makers { p.join(); }
        }
    }
"#;

#[test]
fn nothing_is_left_of_a_killed_program() {
    let mut some = 0;
    for round in 0..40 {
        let session = Session::start(BUSY, &[]);
        // Every fourth falls into the start.
        thread::sleep(below(Duration::from_millis(if round % 4 == 0 { 10 } else { 150 })));
        session.signal(Signal::SIGKILL);
        let ended = session.end(); // it looks whether something is left
        assert_eq!(ended.code, -9);
        some += usize::from(ended.stderr.contains("stook: removed"));
    }
    assert!(some > 5, "there was hardly ever something to take away");
}
