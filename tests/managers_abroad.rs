//! Managers used by programs that are sessions of their own, and Ctrl-C where a call waits.

mod session;
mod support;

use nix::sys::signal::Signal;
use session::{METHODS, Session};

/// Has a queue and whatever clients make, and tells when somebody has put "over".
const SERVES: &str = r#"
    if __name__ == "__main__" {
        let queue = Queue();
        let m = SyncManager("localhost:0", "k");
        m.register("queue", || queue);
        m.start();
        print("port " + m.address[1]);
        loop {
            let item = queue.get();
            print(item);
            if item == "over" { break; }
        }
        // What the others had goes with them.
        while m.number_of_objects() > 0 { sleep(0.01); }
        print("free");
        m.shutdown();
    }
"#;

/// Another program: its processes use the manager of the first, and hand its objects to each other.
const USES: &str = r#"
    fn add(l, q, text) {
        l.push(text);
        q.put(text);
    }

    fn late(box) {
        // Nobody but this message may have it by now.
        let l = box.get();
        l.push("late");
        l.len()
    }

    if __name__ == "__main__" {
        let m = SyncManager("localhost:" + args[0], "k");
        m.register("queue");
        m.connect();
        let q = m.queue();
        q.put("hello from " + args[1]);
        let l = m.list([m.dict()]);
        let p = Process(add, [l, q, "from a child"]);
        p.start();
        p.join();
        l[0]["x"] = 1;
        print(`${l[0]} ${l[1]}`);
        try { l.push(Queue()); } catch (e) { print(e.kind); }
        let box = Queue();
        box.put(m.list(["first"]));
        with Pool(1) as pool { print(pool.apply(late, [box])); }
        with m.Lock() { print("locked"); }
        q.put("over");
        print("done");
    }
"#;

#[test]
fn programs_of_their_own_share_objects() {
    for method in METHODS {
        let mut serves = Session::under(method, SERVES);
        let port = serves.numbers("port")[0].to_string();
        let mut uses = Session::start(
            &USES.replace("if __name__", &format!("set_start_method(\"{method}\", true);\n    if __name__")),
            &[&port, method],
        );
        for line in ["#{\"x\": 1} from a child", "TypeError", "2", "locked", "done"] {
            assert_eq!(uses.line(), line, "{method}");
        }
        let ended = uses.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{method}");
        let hello = format!("hello from {method}");
        for line in [hello.as_str(), "from a child", "over", "free"] {
            assert_eq!(serves.line(), line, "{method}");
        }
        let ended = serves.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{method}");
    }
}

/// For each end of a connection over this port, what its socket's timer is set for, as the system shows it.
fn timers(port: i32) -> Vec<String> {
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for line in table.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, here, there, state, _, timer, ..] = fields[..] else { continue };
            let over = [here, there].iter().any(|address| address.ends_with(&format!(":{port:04X}")));
            if over && state == "01" {
                found.push(timer[..2].to_owned());
            }
        }
    }
    found
}

#[test]
fn both_ends_of_a_quiet_connection_ask_whether_the_other_is_there() {
    const KEEP_ALIVE: &str = "02";
    let mut serves = Session::start(SERVES, &[]);
    let port = serves.numbers("port")[0];
    let uses = r#"
        let m = SyncManager("localhost:" + args[0], "k");
        m.connect();
        let l = m.list([1]);
        print(l.len());
        sleep(60);
    "#;
    let mut uses = Session::start(uses, &[&port.to_string()]);
    assert_eq!(uses.line(), "1");
    serves.until("keep-alive at both ends", || {
        let timers = timers(port);
        timers.len() >= 2 && timers.iter().all(|timer| timer == KEEP_ALIVE)
    });
}

#[test]
fn ctrl_c_ends_every_call_that_waits_and_loses_nothing() {
    const WAITS: [&str; 6] = [
        "q.get()",
        "full.put(2)",
        "lock.acquire()",
        "event.wait()",
        "with condition { condition.wait(); }",
        "barrier.wait()",
    ];
    for wait in WAITS {
        let script = r#"
            fn hold(lock, here) { lock.acquire(); here.put(()); sleep(60); }

            if __name__ == "__main__" {
                let m = Manager();
                let q = m.Queue();
                let full = m.Queue(1);
                full.put(1);
                let lock = m.Lock();
                let event = m.Event();
                let condition = m.Condition();
                let barrier = m.Barrier(2);
                let here = Queue();
                let p = Process(hold, [lock, here], #{ daemon: true });
                p.start();
                here.get();
                print("waits");
                try { WAIT; } catch (e) { print(e.kind); }
                // The call is forgotten: what comes later is there for the next one.
                q.put("item");
                print(q.get_nowait());
                print(full.get_nowait());
                print(full.empty());
                event.set();
                print(`${event.wait()} ${condition.acquire(false)} ${barrier.n_waiting}`);
                m.shutdown();
            }
        "#;
        let mut session = Session::start(&script.replace("WAIT", wait), &[]);
        assert_eq!(session.line(), "waits");
        session.settles();
        session.signal(Signal::SIGINT);
        for line in ["KeyboardInterrupt", "item", "1", "true", "true true 0"] {
            assert_eq!(session.line(), line, "{wait}");
        }
        let ended = session.end();
        assert_eq!(ended.code, 0, "{wait}: {}", ended.stderr);
    }
}
