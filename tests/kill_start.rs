//! Processes killed while they are started, by every start method, and the fork server with them.

mod session;
mod support;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use session::{METHODS, Session, all_pids, below, parent, proc_file, runs};

/// How often something is killed: `usual` times, or as often as the environment says.
fn rounds(usual: usize) -> usize {
    let wanted = std::env::var("STOOK_KILL_ROUNDS").ok();
    wanted.and_then(|wanted| wanted.parse().ok()).unwrap_or(usual)
}

/// Kills a process that may have ended meanwhile.
fn kill_if_there(pid: i32) {
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// One of these.
fn any_of(pids: &[i32]) -> Option<i32> {
    let index = below(Duration::from_secs(1)).mul_f64(pids.len() as f64).as_secs() as usize;
    pids.get(index).copied()
}

/// The pids of fork servers that were not seen before. What a server forks has its command line: the server is
/// the one that has none of those for its parent, and no other server the same slot.
fn new_servers(session: &Session, seen: &mut BTreeSet<String>) -> Vec<i32> {
    let ours = session.pid().to_string();
    let mut found = Vec::new();
    for pid in all_pids() {
        let line = proc_file(pid, "cmdline");
        let words: Vec<&str> = line.split('\0').collect();
        let [_, slot, "forkserver", ..] = words.as_slice() else { continue };
        let stat = proc_file(pid, "stat");
        let group = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(2));
        if group != Some(ours.as_str()) || seen.contains(*slot) {
            continue;
        }
        let above = proc_file(parent(pid), "cmdline");
        if above != line {
            seen.insert((*slot).to_owned());
            found.push(pid);
        }
    }
    found
}

/// Starts processes one after the other, each of which is killed at some moment of its life: by the one that
/// started it, or by another one.
const BRIEF: &str = r#"
    fn brief() { for i in 0..100 { } }

    fn pass(time) { let end = monotonic() + time; while monotonic() < end { } }

    fn killer(victims, limit) {
        loop {
            let victim = victims.get();
            if victim == () { break; }
            pass(uniform(0.0, limit));
            kill(victim, 9);
        }
    }

    if __name__ == "__main__" {
        let start = monotonic();
        for i in 0..20 { let p = Process(brief); p.start(); p.join(); }
        let limit = (monotonic() - start) / 20.0 * 1.5;
        let victims = Queue();
        let helper = Process(killer, [victims, limit]);
        helper.start();
        let ends = #{};
        for round in 0..1000 {
            if round % 100 == 0 { print(`round ${round}`); }
            let p = Process(brief);
            p.start();
            if round % 2 == 0 {
                pass(uniform(0.0, limit));
                p.kill();
            } else {
                victims.put(p.pid);
            }
            p.join();
            let code = p.exitcode.to_string();
            ends[code] = (ends[code] ?? 0) + 1;
        }
        victims.put(());
        helper.join();
        print(`ended ${ends["0"]} ${ends["-9"]}`);
        while !exists("go on") { sleep(0.002); }
    }
"#;

#[test]
fn a_thousand_children_killed_at_any_moment_by_each_method() {
    for method in METHODS {
        let mut session = Session::under(method, BRIEF);
        for hundred in 0..10 {
            assert_eq!(session.numbers("round"), [hundred * 100], "{method}");
        }
        let ends = session.numbers("ended");
        assert_eq!(ends.iter().sum::<i32>(), 1000, "{method}: there are no other exit codes");
        assert!(ends.iter().all(|count| *count > 0), "{method}: {ends:?}");
        assert_eq!(session.zombies(), Vec::<i32>::new(), "{method}");
        session.write("go on", "");
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{method}");
    }
}

/// Three processes that start others through the fork server until they are told to stop. `count` numbers how
/// many of these said that they ran, `ended` how many ended with 0, `killed` how many were killed.
const SERVED: &str = r#"
    fn brief(ran) { ran.put(1); }

    fn starter(ran, counts) {
        let fork_server = get_context("forkserver");
        let counted = #{ "0": 0, "-9": 0 };
        while !exists("stop") {
            let p = fork_server.Process(brief, [ran]);
            p.start();
            p.join();
            counted[p.exitcode.to_string()] += 1;
        }
        counts.put(counted);
    }

    if __name__ == "__main__" {
        let ran = Queue();
        let counts = Queue();
        let starters = [];
        for i in 0..3 {
            let p = get_context("spawn").Process(starter, [ran, counts]);
            p.start();
            starters.push(p);
        }
        for p in starters { p.join(); }
        print(`exit codes ${starters.map(|p| p.exitcode)}`);
        let ended = 0;
        let killed = 0;
        for i in 0..3 {
            let counted = counts.get();
            ended += counted["0"];
            killed += counted["-9"];
        }
        print(`count ${ran.qsize()} ${ended} ${killed}`);
    }
"#;

#[test]
fn the_fork_server_is_killed_at_any_moment_and_nobody_notices() {
    let mut session = Session::start(SERVED, &[]);
    let mut seen = BTreeSet::new();
    for round in 0..rounds(300) {
        let mut servers = Vec::new();
        session.until("a fork server", || {
            servers = new_servers(&session, &mut seen);
            !servers.is_empty()
        });
        // Every third hardly comes up.
        thread::sleep(below(Duration::from_millis(if round % 3 == 0 { 3 } else { 15 })));
        servers.into_iter().for_each(kill_if_there);
    }
    session.write("stop", "");
    assert_eq!(session.line(), "exit codes [0, 0, 0]");
    let counts = session.numbers("count");
    assert_eq!(counts[0], counts[1], "each ran once");
    assert_eq!(counts[2], 0);
    let ended = session.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn what_the_fork_server_made_is_killed_at_any_moment() {
    let mut session = Session::start(SERVED, &[]);
    let mut servers = Vec::new();
    session.until("a fork server", || {
        servers = new_servers(&session, &mut BTreeSet::new());
        !servers.is_empty()
    });
    let mut killed = 0;
    while killed < rounds(300) {
        thread::sleep(below(Duration::from_millis(2)));
        let made: Vec<i32> = all_pids().into_iter().filter(|pid| servers.contains(&parent(*pid))).collect();
        // Spare ones and such that somebody has.
        if let Some(pid) = any_of(&made) {
            kill_if_there(pid);
            killed += 1;
        }
    }
    session.write("stop", "");
    assert_eq!(session.line(), "exit codes [0, 0, 0]");
    let counts = session.numbers("count");
    assert!(counts[0] >= counts[1] && counts[0] <= counts[1] + counts[2], "none runs twice: {counts:?}");
    assert!(counts[2] > 0, "not only spare ones were killed");
    let ended = session.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

/// Middle processes that start children by every method until they are killed.
const MIDDLE: &str = r#"
    fn child(gate) {
        print("there");
        gate.get();
        print("done");
    }

    fn middle(gate) {
        loop {
            for method in get_all_start_methods() {
                let context = get_context(method);
                context.Process(child, [gate]).start();
                context.Process(sleep, [1000], #{ daemon: true }).start();
            }
        }
    }

    if __name__ == "__main__" {
        for round in 0..90 {
            let gate = Queue();
            let p = get_context(get_all_start_methods()[round % 3]).Process(middle, [gate]);
            p.start();
            let end = monotonic() + uniform(0.0, 0.03);
            while monotonic() < end { }
            p.kill();
            p.join();
            if p.exitcode != -9 { throw `the middle process ended with ${p.exitcode}`; }
            for i in 0..200 { gate.put(1); }
        }
    }
"#;

#[test]
fn what_a_killed_middle_process_started_goes_on_or_ends() {
    for _ in 0..rounds(90).div_ceil(90) {
        let session = Session::start(MIDDLE, &[]);
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        let count = |word| ended.rest.iter().filter(|line| *line == word).count();
        assert_eq!(count("there"), count("done"));
        assert!(count("there") > 90, "{} children", count("there"));
    }
}

/// Trees by all methods, over and over, and a first process that does not mind what becomes of them.
const FRAGILE: &str = r#"
    fn any() { get_context(get_all_start_methods()[randint(0, 2)]) }

    fn leaf() { for i in 0..randint(0, 200) { } }

    fn branch(depth) {
        for i in 0..randint(0, 3) {
            let p = if depth > 0 { any().Process(branch, [depth - 1]) } else { any().Process(leaf, [], #{ daemon: i == 0 }) };
            p.start();
            if i == 1 { p.join(); }
        }
    }

    fn work(x) {
        if x % 5 == 0 { let p = any().Process(leaf); p.start(); p.join(); }
        x
    }

    if __name__ == "__main__" {
        while !exists("stop") {
            let all = [];
            for i in 0..3 { let p = any().Process(branch, [1]); p.start(); all.push(p); }
            try { with any().Pool(2) as pool { pool.map(work, 0..6, 1); } } catch (e) { if e.kind != "WorkerLost" { throw; } }
            for p in all {
                p.join();
                if p.exitcode != 0 && p.exitcode != -9 { throw `a branch ended with ${p.exitcode}`; }
            }
        }
    }
"#;

#[test]
fn anything_but_the_first_process_is_killed_at_any_moment() {
    let session = Session::start(FRAGILE, &[]);
    let mut killed = 0;
    // Should the first process end, it has said why.
    while killed < rounds(500) && runs(session.pid().as_raw()) {
        thread::sleep(below(Duration::from_millis(3)));
        if let Some(pid) = any_of(&session.others()) {
            kill_if_there(pid);
            killed += 1;
        }
    }
    session.write("stop", "");
    let ended = session.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

/// A tree by all methods, over and over.
const MIXED: &str = r#"
    fn any() { get_context(get_all_start_methods()[randint(0, 2)]) }

    fn leaf(queue) { for i in 0..20 { queue.put(blob(1000)); } }

    fn branch(queue, results) {
        let leaves = [any().Process(leaf, [queue]), any().Process(leaf, [queue], #{ daemon: true })];
        for p in leaves { p.start(); }
        for i in 0..40 { results.put(queue.get().len()); }
        for p in leaves { p.join(); }
    }

    if __name__ == "__main__" {
        loop {
            let queue = Queue(5);
            let results = Queue();
            let branches = [any().Process(branch, [queue, results]), any().Process(branch, [queue, results])];
            for p in branches { p.start(); }
            with any().Pool(2) as pool {
                pool.map(|x| { let p = any().Process(leaf, [Queue()]); p.start(); p.join(); x }, 0..4, 1);
            }
            for i in 0..80 { results.get(); }
            for p in branches { p.join(); }
        }
    }
"#;

#[test]
fn a_tree_by_all_methods_ends_with_its_first_process() {
    let mut most = 0;
    for round in 0..rounds(200) {
        let session = Session::start(MIXED, &[]);
        // Every fourth falls into the start.
        thread::sleep(below(Duration::from_millis(if round % 4 == 0 { 20 } else { 120 })));
        most = most.max(session.processes().len());
        session.signal(Signal::SIGKILL);
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (-9, ""));
    }
    assert!(most >= 7, "there were never more than {most} processes to end");
}

#[test]
fn ctrl_c_ends_the_wait_for_a_fork_server_that_stands_still() {
    let mut session = Session::under(
        "forkserver",
        r#"
        if __name__ == "__main__" {
            let told = Queue();
            let p = Process(|| told.put(getppid()));
            p.start();
            p.join();
            kill(told.get(), 19);
            print("stopped");
            // The server has forked a few ahead.
            for i in 0..10 {
                try { Process(sleep, [0]).start(); } catch (e) { print(e.kind); throw; }
            }
        }
        "#,
    );
    assert_eq!(session.line(), "stopped");
    session.settles();
    session.signal_group(Signal::SIGINT);
    assert_eq!(session.line(), "KeyboardInterrupt");
    let ended = session.end();
    assert_eq!(ended.code, 130, "{ended:?}");
    assert_eq!(ended.stderr.matches("KeyboardInterrupt").count(), 1, "{}", ended.stderr);
}

/// Children by all methods, and their children; it prints `ready` and waits.
const FAMILY: &str = r#"
    fn child(ready, method) {
        get_context(method).Process(|ready| { ready.put(1); loop { } }, [ready]).start();
        ready.put(1);
        loop { sleep(1000); }
    }

    if __name__ == "__main__" {
        let ready = Queue();
        for method in get_all_start_methods() {
            for under in get_all_start_methods() { get_context(method).Process(child, [ready, under]).start(); }
        }
        for i in 0..18 { ready.get(); }
        print("ready");
        try { sleep(1000); } catch (e) {
            if args.len() == 0 { throw; }
            print(e.kind);
        }
        // A second one comes while this waits for its children.
    }
"#;

#[test]
fn sigterm_ends_a_tree_by_all_methods() {
    for _ in 0..5 {
        let mut session = Session::start(FAMILY, &[]);
        assert_eq!(session.line(), "ready");
        // The first, 9 and 9, the server.
        assert!(session.processes().len() >= 20);
        session.signal(Signal::SIGTERM);
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (-15, ""));
    }
}

#[test]
fn ctrl_c_ends_a_tree_by_all_methods_with_one_message() {
    for _ in 0..5 {
        let mut session = Session::start(FAMILY, &[]);
        assert_eq!(session.line(), "ready");
        session.signal_group(Signal::SIGINT);
        let ended = session.end();
        assert_eq!(ended.code, 130, "{ended:?}");
        assert_eq!(ended.stderr.matches("KeyboardInterrupt").count(), 1, "{}", ended.stderr);
        assert_eq!(ended.stderr.matches("in process").count(), 1, "{}", ended.stderr);
    }
}

#[test]
fn a_second_ctrl_c_kills_a_tree_by_all_methods() {
    for _ in 0..5 {
        let mut session = Session::start(FAMILY, &["catch"]);
        assert_eq!(session.line(), "ready");
        // Where a script computes, Ctrl-C can't be caught.
        session.settles();
        session.signal_group(Signal::SIGINT);
        assert_eq!(session.line(), "KeyboardInterrupt");
        session.signal_group(Signal::SIGINT);
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (130, ""));
    }
}

/// Bodies of a function that print `ready` and stay somewhere deep.
const DEEP: [&str; 3] = [
    r#"fn down(n) { if n == 0 { print("ready"); sleep(1000); } down(n - 1); } down(30);"#,
    r#"with Pool(1) as outer { with Pool(1) as inner { inner.apply(|| { print("ready"); loop { } }); } }"#,
    r#"with Pool(1) as pool {
        let p = Process(|| { try { print("ready"); sleep(1000); } catch (e) { print("not for me"); } });
        p.start();
        p.join();
    }"#,
];

#[test]
fn ctrl_c_while_a_child_is_deep_in_its_work() {
    for method in METHODS {
        for body in DEEP {
            let (functions, body) = match body.split_once("down(30);") {
                Some((function, _)) => (function, "down(30);"),
                None => ("", body),
            };
            let script = format!(
                "{functions} fn work() {{ {body} }}
                 if __name__ == \"__main__\" {{
                     with Pool(1) as pool {{ let p = Process(work); p.start(); p.join(); }}
                 }}"
            );
            let mut session = Session::under(method, &script);
            assert_eq!(session.line(), "ready", "{method}");
            thread::sleep(below(Duration::from_millis(10)));
            session.signal_group(Signal::SIGINT);
            let ended = session.end();
            assert_eq!((ended.code, ended.rest.len()), (130, 0), "{method}: {ended:?}");
            assert_eq!(ended.stderr.matches("KeyboardInterrupt").count(), 1, "{method}: {}", ended.stderr);
            assert_eq!(ended.stderr.matches("in process").count(), 1, "{method}: {}", ended.stderr);
        }
    }
}
