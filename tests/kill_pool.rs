//! Workers that are killed at random moments while a pool works: with retries every result is right, comes once and
//! in its place; without, exactly the items that the killed were at are lost. `STOOK_KILL_TASKS=100000 cargo test
//! --test kill_pool` works through more.

mod session;
mod support;

use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use session::{METHODS, Session, below};

/// Tasks of each test and start method.
fn tasks() -> usize {
    let wanted = std::env::var("STOOK_KILL_TASKS").ok();
    wanted.and_then(|wanted| wanted.parse().ok()).unwrap_or(6_000)
}

/// Kills each worker that is named, a moment later, until the script says how it went.
fn kill_those_named(session: &mut Session) -> (usize, String) {
    let mut kills = 0;
    loop {
        let line = session.line();
        let Some(pid) = line.strip_prefix("worker ") else { return (kills, line) };
        thread::sleep(below(Duration::from_millis(2)));
        // It may have ended by itself meanwhile, killed for an earlier name.
        let _ = kill(Pid::from_raw(pid.parse().expect("a pid")), Signal::SIGKILL);
        kills += 1;
    }
}

/// What all workers do: some of them name themselves first.
const WORK: &str = r#"
    fn work(x) {
        if x % 251 == 17 { print(`worker ${getpid()}`); }
        let sum = 0;
        for i in 0..30 { sum += i * x; }
        sum
    }
"#;

const WITH_RETRIES: &str = r#"
    fn check(items, count, ordered) {
        let seen = [];
        for item in items { seen.push(item); }
        if !ordered { seen.sort(); }
        for (item, x) in seen { if item != 435 * x { throw `${item} in place ${x}`; } }
        if seen.len() != count { throw `${seen.len()} of ${count} results`; }
    }

    if __name__ == "__main__" {
        let count = COUNT / 3;
        let options = |size| #{ chunksize: size, retries: 1000000 };
        with Pool(3) as pool {
            check(pool.map(work, 0..count, options.call(7)), count, true);
            check(pool.imap(work, 0..count, options.call(1)), count, true);
            check(pool.imap_unordered(work, 0..count, options.call(3)), count, false);
            let stats = pool.stats();
            print(`right ${stats.failed} ${stats.done == 3 * count} ${stats.lost > 0}`);
        }
    }
"#;

#[test]
fn with_retries_every_result_is_right() {
    for method in METHODS {
        let script = format!("{WORK}{WITH_RETRIES}").replace("COUNT", &tasks().to_string());
        let mut session = Session::under(method, &script);
        let (kills, line) = kill_those_named(&mut session);
        assert!(kills > 10, "{method}: only {kills} kills");
        assert_eq!(line, "right 0 true true", "{method}");
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{method}");
    }
}

const WITHOUT: &str = r#"
    fn check(items, count) {
        let lost = 0;
        let x = 0;
        for item in items {
            if type_of(item) == "i64" {
                if item != 435 * x { throw `${item} in place ${x}`; }
            } else {
                if item.kind != "WorkerLost" || item.data.task != x || item.data.signal != 9 { throw item; }
                lost += 1;
            }
            x += 1;
        }
        if x != count { throw `${x} of ${count} results`; }
        lost
    }

    if __name__ == "__main__" {
        let count = COUNT / 2;
        let lost = 0;
        with Pool(3) as pool {
            lost += check(pool.map(work, 0..count, #{ chunksize: 5, on_error: "collect" }), count);
            lost += check(pool.imap(work, 0..count, #{ chunksize: 2, on_error: "collect" }), count);
            let stats = pool.stats();
            print(`right ${stats.lost == lost} ${stats.failed == lost} ${stats.done + lost == 2 * count}`);
        }
    }
"#;

#[test]
fn without_retries_exactly_the_killed_are_lost() {
    for method in METHODS {
        let script = format!("{WORK}{WITHOUT}").replace("COUNT", &tasks().to_string());
        let mut session = Session::under(method, &script);
        let (kills, line) = kill_those_named(&mut session);
        assert!(kills > 10, "{method}: only {kills} kills");
        assert_eq!(line, "right true true true", "{method}");
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{method}");
    }
}

/// Takes its time, so that it can be interrupted in the middle.
const JOURNALED: &str = r#"
    fn work(x) { sleep(0.002); x * x }

    if __name__ == "__main__" {
        with Pool(2) as pool {
            let n = 0;
            for item in pool.imap(work, 0..400, #{ journal: args[0] }) {
                if item != n * n { throw `${item} in place ${n}`; }
                n += 1;
                if n == 50 { print("half way"); }
            }
            let skipped = pool.stats().skipped;
            print(`done ${n} ${skipped >= 50} ${skipped < 400}`);
        }
    }
"#;

#[test]
fn a_killed_program_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let path = path.to_str().expect("a name in UTF-8");
    let mut session = Session::start(JOURNALED, &[path]);
    assert_eq!(session.line(), "half way");
    thread::sleep(below(Duration::from_millis(50)));
    session.signal(Signal::SIGKILL);
    assert_eq!(session.end().code, -9);
    let mut again = Session::start(JOURNALED, &[path]);
    let lines = [again.line(), again.line()];
    assert_eq!(lines, ["half way", "done 400 true true"]);
    let ended = again.end();
    assert_eq!(ended.code, 0);
    assert!(ended.stderr.contains(" of 400 items were done before"), "{}", ended.stderr);
}
