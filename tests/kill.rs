//! Processes that are killed at random moments: nothing hangs, nothing is delivered twice, nothing is left behind.

mod session;
mod support;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use session::{METHODS, Session, below, runs};

fn kill_process(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the process is there");
}

/// Starts processes, their children, a pool and queues, over and over.
const BUSY: &str = r#"
    fn leaf(queue) { for i in 0..100 { queue.put(blob(1000)); } }

    fn branch(queue, results) {
        let leaves = [Process(leaf, [queue]), Process(leaf, [queue], #{ daemon: true })];
        for p in leaves { p.start(); }
        for i in 0..200 { results.put(queue.get().len()); }
        for p in leaves { p.join(); }
    }

    fn work(x) { if x % 20 == 19 { kill(getpid(), 9); } x * x }

    if __name__ == "__main__" {
        loop {
            let queue = Queue(5);
            let results = Queue();
            let branches = [Process(branch, [queue, results]), Process(branch, [queue, results])];
            for p in branches { p.start(); }
            with Pool(2) as pool {
                pool.map(|x| x + 1, 0..50, 1);
                try { pool.map(work, 0..50, 1); } catch (e) { }
            }
            for i in 0..400 { results.get(); }
            for p in branches { p.join(); }
        }
    }
"#;

#[test]
fn the_tree_ends_with_its_first_process() {
    let mut most = 0;
    for round in 0..200 {
        let session = Session::start(BUSY, &[]);
        // Every fourth falls into the start.
        thread::sleep(below(Duration::from_millis(if round % 4 == 0 { 20 } else { 250 })));
        most = most.max(session.processes().len());
        session.signal(Signal::SIGKILL);
        assert_eq!(session.end().code, -9);
    }
    assert!(most >= 6, "there were never more than {most} processes to end");
}

/// Names the worker that is to be killed, and then how it was lost.
const BUSY_WORKER: &str = r#"
    fn work(x) {
        if x == 2 { print(`busy ${getpid()}`); sleep(1000); }
        x
    }

    if __name__ == "__main__" {
        with Pool(2) as pool {
            for round in 0..30 {
                try { pool.map(work, 0..5, 1); } catch (e) {
                    print(`lost ${e.data.pid} ${e.data.signal} ${e.data.task}`);
                    if e.kind != "WorkerLost" { throw; }
                }
                if pool.map(|x| x + 1, 0..5, 1) != [1, 2, 3, 4, 5] { throw "wrong results"; }
            }
            print("done");
        }
    }
"#;

#[test]
fn a_worker_killed_from_outside_is_reported_and_replaced() {
    for method in METHODS {
        let mut session = Session::under(method, BUSY_WORKER);
        for _ in 0..30 {
            let pid = session.numbers("busy")[0];
            thread::sleep(below(Duration::from_millis(5)));
            kill_process(pid);
            assert_eq!(session.numbers("lost"), [pid, 9, 2]);
        }
        assert_eq!(session.line(), "done");
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    }
}

/// One of seven tasks kills its worker.
const FATAL_TASKS: &str = r#"
    fn work(job) {
        if job.fatal { kill(getpid(), 9); }
        getpid()
    }

    if __name__ == "__main__" {
        with Pool(3) as pool {
            for round in 0..30 {
                let before = pool.pids;
                let fatal = round % 7;
                let jobs = [];
                for i in 0..7 { jobs.push(#{ fatal: i == fatal }); }
                try { pool.map(work, jobs, 1); print("no error"); } catch (e) {
                    print(`${e.kind} ${e.data.signal} ${e.data.task == fatal} ${e.data.pid in before} ${e.data.pid in pool.pids}`);
                }
                let pids = pool.map(|x| getpid(), 0..10, 1);
                if pids.len() != 10 || pool.pids.len() != 3 { throw "the pool shrank"; }
            }
        }
    }
"#;

#[test]
fn a_worker_that_kills_itself_is_reported_and_replaced() {
    for method in METHODS {
        let mut session = Session::under(method, FATAL_TASKS);
        for _ in 0..30 {
            assert_eq!(session.line(), "WorkerLost 9 true true false");
        }
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    }
}

/// Two producers and two consumers, one of each of which is killed; at the end a line for each item that came
/// through: its producer and number.
const TRADE: &str = r#"
    fn produce(queue, who) { for i in 0..400 { queue.put([who, i]); } }

    fn consume(queue, results) {
        loop {
            let item = queue.get();
            if item == () { break; }
            results.put(item);
        }
    }

    if __name__ == "__main__" {
        let queue = Queue(10);
        let results = Queue();
        let producers = [Process(produce, [queue, 0]), Process(produce, [queue, 1])];
        let consumers = [Process(consume, [queue, results]), Process(consume, [queue, results])];
        for p in producers + consumers { p.start(); }
        print(`started ${producers[0].pid} ${consumers[0].pid}`);
        for p in producers { p.join(); }
        consumers[0].join();
        queue.put(());
        consumers[1].join();
        print(`exit codes ${producers.map(|p| p.exitcode)} ${consumers.map(|p| p.exitcode)}`);
        while !results.empty() { let item = results.get(); print(`item ${item[0]} ${item[1]}`); }
        print("done");
    }
"#;

#[test]
fn killed_producers_and_consumers_cost_no_more_than_they_held() {
    let mut cut_short = 0;
    for round in 0..12 {
        let mut session = Session::under(METHODS[round % 3], TRADE);
        let pids = session.numbers("started");
        for pid in pids {
            thread::sleep(below(Duration::from_millis(25)));
            // A producer may have come to its end before.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let codes = session.line();
        let finished = match codes.as_str() {
            "exit codes [-9, 0] [-9, 0]" => false,
            "exit codes [0, 0] [-9, 0]" => true,
            _ => panic!("{codes}"),
        };
        let mut items: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        loop {
            let line = session.line();
            if line == "done" {
                break;
            }
            let numbers: Vec<i32> =
                line.split(' ').skip(1).map(|number| number.parse().expect("a number")).collect();
            items.entry(numbers[0]).or_default().push(numbers[1]);
        }
        assert_eq!(session.end().code, 0);
        let mut missing = 0;
        for (who, mut numbers) in items {
            numbers.sort_unstable();
            let count = numbers.len();
            numbers.dedup();
            assert_eq!(numbers.len(), count, "a message of producer {who} came twice");
            let put = if who == 1 || finished { 400 } else { numbers.last().map_or(0, |last| last + 1) };
            missing += put - numbers.len() as i32;
            cut_short += i32::from(put < 400);
        }
        assert!(missing <= 1, "{missing} messages are lost, but the killed consumer held at most one");
    }
    assert!(cut_short > 0, "no producer was killed before its end");
}

/// Names each child, and how it ended.
const JOINED: &str = r#"
    if __name__ == "__main__" {
        for round in 0..10 {
            let p = Process(|| { print(`child ${getpid()}`); sleep(1000); });
            p.start();
            p.join();
            print(`ended ${p.exitcode}`);
        }
    }
"#;

#[test]
fn a_killed_child_is_joined() {
    for method in METHODS {
        let mut session = Session::under(method, JOINED);
        for _ in 0..10 {
            let pid = session.numbers("child")[0];
            kill_process(pid);
            assert_eq!(session.line(), "ended -9");
        }
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    }
}

#[test]
fn a_killed_middle_process_takes_its_daemons_only() {
    let mut session = Session::start(
        r#"
        fn child(told, gate, results) {
            told.put(getpid());
            gate.get();
            results.put(`still here, under ${getppid()}`);
        }

        fn middle(told, gate, results) {
            Process(child, [told, gate, results]).start();
            let pid = told.get();
            Process(child, [told, gate, results], #{ daemon: true }).start();
            print(`tree ${getpid()} ${pid} ${told.get()}`);
            sleep(1000);
        }

        if __name__ == "__main__" {
            let told = Queue();
            let gate = Queue();
            let results = Queue();
            for round in 0..5 {
                let p = Process(middle, [told, gate, results]);
                p.start();
                p.join();
                print(`middle ended ${p.exitcode}`);
                while !exists("open") { sleep(0.002); }
                remove("open");
                gate.put(1);
                print(results.get() == `still here, under ${getpid()}`);
            }
        }
        "#,
        &[],
    );
    for _ in 0..5 {
        let tree = session.numbers("tree");
        let (middle, child, daemon) = (tree[0], tree[1], tree[2]);
        kill_process(middle);
        assert_eq!(session.line(), "middle ended -9");
        session.until("the daemon's end", || !runs(daemon));
        assert!(runs(child), "the other child goes on");
        session.write("open", "");
        assert_eq!(session.line(), "true");
    }
    let ended = session.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn sigterm_ends_the_tree() {
    for _ in 0..5 {
        let mut session = Session::start(
            r#"
            fn child(ready) {
                Process(|ready| { ready.put(1); sleep(1000); }, [ready]).start();
                sleep(1000);
            }

            if __name__ == "__main__" {
                let ready = Queue();
                for i in 0..2 { Process(child, [ready]).start(); }
                for i in 0..2 { ready.get(); }
                with Pool(2) as pool { pool.map(|x| { if x == 1 { print("all there"); } sleep(1000); }, 0..2, 1); }
            }
            "#,
            &[],
        );
        assert_eq!(session.line(), "all there");
        assert!(session.processes().len() >= 6);
        session.signal(Signal::SIGTERM);
        assert_eq!(session.end().code, -15);
    }
}

/// Scripts in the middle of something, which print `ready` first.
const INTERRUPTED: &[(&str, &str)] = &[
    ("sleep", r#"print("ready"); sleep(1000);"#),
    ("computing", r#"print("ready"); let x = 0; loop { x += 1; }"#),
    ("get", r#"let queue = Queue(); print("ready"); queue.get();"#),
    ("put", r#"let queue = Queue(1); queue.put(1); print("ready"); queue.put(2);"#),
    (
        "join",
        r#"if __name__ == "__main__" {
            let p = Process(|| { print("ready"); sleep(1000); });
            p.start();
            p.join();
        }"#,
    ),
    (
        "map",
        r#"if __name__ == "__main__" {
            with Pool(2) as pool { pool.map(|x| { if x == 1 { print("ready"); } sleep(1000); }, 0..2, 1); }
        }"#,
    ),
    (
        "nested with",
        r#"fn run() {
            with Pool(1) as outer {
                with Pool(1) as inner { inner.apply(|| { print("ready"); loop { } }); }
            }
        }
        if __name__ == "__main__" { run(); }"#,
    ),
    (
        "closed pool",
        r#"if __name__ == "__main__" {
            let gate = Queue();
            let pool = Pool(1, |gate| { print("ready"); gate.get(); }, [gate]);
            pool.close();
            pool.join();
        }"#,
    ),
];

#[test]
fn ctrl_c_ends_a_script_with_one_message() {
    for ((what, script), method) in INTERRUPTED.iter().flat_map(|one| METHODS.map(|method| (one, method))) {
        let mut session = Session::under(method, script);
        assert_eq!(session.line(), "ready", "{what} {method}");
        thread::sleep(below(Duration::from_millis(20)));
        session.signal_group(Signal::SIGINT);
        let ended = session.end();
        assert_eq!(ended.code, 130, "{what} {method}: {ended:?}");
        assert_eq!(ended.rest, Vec::<String>::new(), "{what} {method}");
        assert_eq!(ended.stderr.matches("KeyboardInterrupt").count(), 1, "{what} {method}: {}", ended.stderr);
        assert_eq!(ended.stderr.matches("in process").count(), 1, "{what} {method}: {}", ended.stderr);
    }
}

#[test]
fn ctrl_c_while_children_are_waited_for_at_the_end() {
    let mut session = Session::start(
        r#"if __name__ == "__main__" {
            Process(|| { print("ready"); sleep(1000); }).start();
        }"#,
        &[],
    );
    assert_eq!(session.line(), "ready");
    session.signal_group(Signal::SIGINT);
    let ended = session.end();
    assert_eq!((ended.code, ended.stderr.matches("KeyboardInterrupt").count()), (130, 1), "{ended:?}");
}

#[test]
fn a_caught_ctrl_c_is_an_error_like_others_and_a_second_one_ends_the_tree() {
    let mut session = Session::start(
        r#"if __name__ == "__main__" {
            let p = Process(|| { print("child"); sleep(1000); });
            p.start();
            try { p.join(); } catch (e) { print(e.kind); }
            print(p.is_alive());
            try { sleep(1000); } catch (e) { print("again"); }
            loop { }
        }"#,
        &[],
    );
    assert_eq!(session.line(), "child");
    // Where a script computes, Ctrl-C can't be caught.
    session.settles();
    session.signal_group(Signal::SIGINT);
    assert_eq!(session.line(), "KeyboardInterrupt");
    assert_eq!(session.line(), "true");
    session.signal_group(Signal::SIGINT);
    let ended = session.end();
    assert_eq!(ended.code, 130, "{ended:?}");
}
