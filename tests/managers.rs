//! Managers when something goes wrong: servers and clients killed in the middle of calls, hostile bytes before and after
//! the handshake, clients that are slow or never read, and a thousand of them. Others don't notice, memory stays
//! bounded, no lock stays with the dead, and nothing is left behind.

mod raw;
mod session;
mod support;

use std::io::Write;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use raw::{KEY, Raw, connected};
use rhai::Dynamic;
use session::{METHODS, Session, proc_file};
use stook::manager::message::{self, Kind, LONGEST};

/// How often somebody is killed, under each start method.
const ROUNDS: &str = "12";

/// What each kind of client does for ever.
const WORK: &str = r#"
    fn objects(m) {
        [
            m.dict(), m.list(), m.Queue(), m.Lock(), m.RLock(), m.BoundedSemaphore(2), m.Condition(), m.Event(),
            m.Barrier(2), m.JoinableQueue(), m.set(), m.Namespace(), m.Value("i", 0), m.Array("i", 1)
        ]
    }

    fn work(kind, all) {
        let d = all[0]; let l = all[1]; let q = all[2]; let lock = all[3]; let rlock = all[4]; let semaphore = all[5];
        let condition = all[6]; let event = all[7]; let barrier = all[8]; let jobs = all[9]; let set = all[10];
        let names = all[11]; let value = all[12]; let array = all[13];
        loop {
            switch kind {
                0 => { d["x"] = blob(50_000, 1); d["x"].len(); d.keys(); }
                1 => { l.push(1); l.sort(|a, b| a - b); if l.len() > 50 { l.clear(); } }
                2 => { q.put([1, 2]); q.get(); }
                3 => { with lock { d["n"] = 1; } with rlock { with rlock { d["n"] = 2; } } }
                4 => { with semaphore { d["n"] = 3; } }
                5 => { with condition { condition.wait(0.001); condition.notify_all(); } }
                6 => { event.wait(0.001); event.set(); event.clear(); }
                7 => { let inner = [l, d]; l.push(inner); d["inner"] = inner; d["inner"][0].len(); l.clear(); }
                8 => { try { barrier.wait(0.001); } catch { barrier.reset(); } }
                9 => { jobs.put(1); jobs.get(); jobs.task_done(); jobs.join(0.001); }
                10 => { set.add(1); set.discard(1); names.x = [1]; value.value = 2; array[0] = value.value; }
            }
        }
    }
"#;

/// Clients are killed in the middle of each kind of call; whoever comes afterwards finds everything usable.
const CLIENTS: &str = r#"
    if __name__ == "__main__" {
        with Manager() as m {
            let all = objects(m);
            for round in 0..ROUNDS {
                let victims = [];
                for kind in 0..11 { let p = Process(work, [kind, all]); p.start(); victims.push(p); }
                sleep(uniform(0.0, 0.1));
                for p in victims { p.kill(); p.join(); }
            }
            all[1].clear();
            all[0].clear();
            while !all[2].empty() { all[2].get(); }
            for i in 3..7 { print(all[i].acquire(true, 20)); }
            print(all[5].acquire(true, 20));
            for i in 3..7 { all[i].release(); }
            all[5].release();
            all[2].put("usable");
            print(all[2].get());
            print(m.number_of_objects());
        }
    }
"#;

#[test]
fn clients_killed_in_the_middle_of_a_call_leave_nothing_held() {
    for method in METHODS {
        let script = format!("{WORK}{}", CLIENTS.replace("ROUNDS", ROUNDS));
        let mut session = Session::under(method, &script);
        for _ in 0..5 {
            assert_eq!(session.line(), "true", "{method}");
        }
        assert_eq!(session.line(), "usable", "{method}");
        assert_eq!(session.line(), "14", "{method}: objects that nobody has");
        let ended = session.end();
        assert_eq!(ended.code, 0, "{method}: {}", ended.stderr);
        let others: Vec<&str> = ended
            .stderr
            .lines()
            .filter(|line| !line.starts_with("stook: warning: the connection of"))
            .collect();
        assert!(others.is_empty(), "{method}: {others:?}");
    }
}

/// Servers are killed while clients are in the middle of each kind of call: each client learns of it.
const SERVERS: &str = r#"
    fn told(told, kind, all) {
        try {
            work(kind, all);
        } catch (e) {
            told.put(e.kind);
        }
    }

    if __name__ == "__main__" {
        let kinds = ["EOFError", "ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError"];
        for round in 0..4 {
            let m = Manager();
            let server = active_children()[0];
            let all = objects(m);
            let queue = Queue();
            let clients = [];
            for kind in 0..11 { let p = Process(told, [queue, kind, all]); p.start(); clients.push(p); }
            sleep(uniform(0.0, 0.2));
            server.kill();
            for p in clients { p.join(); }
            for p in clients { let kind = queue.get(); if !(kind in kinds) { print(kind); } }
            m.shutdown();
        }
        print("over");
    }
"#;

#[test]
fn clients_of_a_killed_server_are_told() {
    for method in METHODS {
        let mut session = Session::under(method, &format!("{WORK}{SERVERS}"));
        assert_eq!(session.line(), "over", "{method}");
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{method}");
    }
}

/// Everything is killed at once, in the middle of everything.
#[test]
fn nothing_is_left_of_a_session_that_is_killed() {
    for method in METHODS {
        let script = format!(
            "{WORK}{}",
            r#"
            if __name__ == "__main__" {
                let m = Manager();
                let all = objects(m);
                for kind in 0..11 { Process(work, [kind, all]).start(); }
                sleep(0.2);
                print("works");
                sleep(60);
            }
            "#
        );
        for signal in [Signal::SIGKILL, Signal::SIGINT] {
            let mut session = Session::under(method, &script);
            assert_eq!(session.line(), "works");
            session.signal(signal);
            session.end();
        }
    }
}

/// A manager on a port of this machine, with the server's process id.
const SERVES: &str = r#"
    if __name__ == "__main__" {
        let m = SyncManager("localhost:0", args[0]);
        m.start();
        print("port " + m.address[1] + " " + active_children()[0].pid);
        sleep(60);
    }
"#;

fn server() -> (Session, u16, i32) {
    let mut session = Session::start(SERVES, &[KEY]);
    let numbers = session.numbers("port");
    (session, u16::try_from(numbers[0]).expect("a port"), numbers[1])
}

/// The server still serves, and it is shut down well.
fn ends_well(session: Session) {
    session.signal(Signal::SIGINT);
    let ended = session.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
}

/// The most memory that a process ever had, in KiB.
fn peak(pid: i32) -> usize {
    let status = proc_file(pid, "status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

#[test]
fn hostile_bytes_before_and_after_the_handshake_disturb_nobody() {
    let (session, port, pid) = server();
    let mut honest = Raw::honest(port);
    let before = peak(pid);
    let mut kept = Vec::new();
    for bytes in [&b""[..], b"x", b"GET / HTTP/1.1\r\n\r\n", &[0; 40], &[255; 4096]] {
        let mut stream = connected(port);
        // It may have been refused already.
        let _ = stream.write_all(bytes);
        kept.push(stream);
        honest.is_usable();
    }
    for _ in 0..200 {
        kept.push(connected(port));
    }
    honest.is_usable();
    Raw::honest(port).is_usable();

    let mut call_first = Vec::new();
    message::write_bare(&mut call_first, Kind::Call, 1, 0, "create", &[]);
    let mut answer = Vec::new();
    message::write_bare(&mut answer, Kind::Result, 1, 0, "", &[0]);
    let bad = [
        u64::MAX.to_le_bytes().to_vec(),
        (LONGEST + 1).to_le_bytes().to_vec(),
        [&3_u64.to_le_bytes()[..], b"abc"].concat(),
        [&25_u64.to_le_bytes()[..], &[200; 25]].concat(),
        call_first,
        answer,
    ];
    for bytes in &bad {
        let mut raw = Raw::greeted(port);
        raw.stream.write_all(bytes).expect("room");
        raw.ends();
        honest.is_usable();
    }
    for bytes in &bad[..4] {
        let mut raw = Raw::honest(port);
        raw.stream.write_all(bytes).expect("room");
        raw.ends();
        honest.is_usable();
    }
    // What can't be read is an error of the call, and of nothing else.
    let mut raw = Raw::honest(port);
    for value in [&b""[..], &[255], &[8, 255, 255, 255], &[15, 9], &[9, 1, 1]] {
        let mut out = Vec::new();
        message::write_bare(&mut out, Kind::Call, 5, 0, "create", value);
        raw.stream.write_all(&out).expect("room");
        assert_eq!(raw.receive().map(|(kind, ..)| kind), Some(Kind::Raised));
    }
    for (object, method) in [(99_999, "push"), (0, "shutdown"), (0, "register"), (0, "nothing"), (0, "hold")]
    {
        raw.send(object, method, &[99_999_i64.into()]);
        assert_eq!(raw.receive().map(|(kind, ..)| kind), Some(Kind::Raised), "{method}");
    }
    raw.is_usable();
    // A length that is announced takes no memory.
    let mut greedy = Raw::honest(port);
    greedy.stream.write_all(&LONGEST.to_le_bytes()).expect("room");
    honest.is_usable();
    assert!(peak(pid) < before + (16 << 10), "more than 16 MiB for nothing");
    ends_well(session);
}

#[test]
fn a_client_that_never_reads_takes_bounded_memory_and_holds_up_nobody() {
    let (session, port, pid) = server();
    let mut honest = Raw::honest(port);
    let list = honest.create("list");
    drop(honest.call(list, "push", &[Dynamic::from_blob(vec![1; 1 << 20])]));
    let mut greedy = Raw::honest(port);
    let before = peak(pid);
    greedy.stream.set_nonblocking(true).expect("an option");
    // 500 MiB of answers, for as many calls as find room.
    for _ in 0..500 {
        let bytes = greedy.bytes_of(list, "copy", &[]);
        if greedy.stream.write_all(&bytes).is_err() {
            break;
        }
    }
    for _ in 0..20 {
        honest.is_usable();
    }
    assert!(peak(pid) < before + (64 << 10), "{} KiB, before {before}", peak(pid));
    // It reads after all, and gets everything.
    greedy.stream.set_nonblocking(false).expect("an option");
    for _ in 0..3 {
        let (kind, _, value, _) = greedy.receive().expect("an answer");
        assert!(kind == Kind::Result && value.len() > 1 << 20);
    }
    drop(greedy);
    honest.is_usable();
    ends_well(session);
}

#[test]
fn a_slow_client_and_one_with_too_many_calls_delay_nobody() {
    let (session, port, _) = server();
    let mut honest = Raw::honest(port);
    let mut slow = Raw::honest(port);
    let bytes = slow.bytes_of(0, "create", &["list".into()]);
    for byte in bytes {
        slow.stream.write_all(&[byte]).expect("room");
        honest.is_usable();
    }
    assert_eq!(slow.receive().map(|(kind, ..)| kind), Some(Kind::Result));

    // Calls that wait, one behind the other; and one that comes through.
    let queue = honest.create("Queue");
    let mut waits = Raw::honest(port);
    waits.send(0, "hold", &[(queue as i64).into()]);
    assert_eq!(waits.receive().map(|(kind, ..)| kind), Some(Kind::Result));
    for _ in 0..10 {
        waits.send(queue, "get", &[]);
    }
    waits.is_usable();
    drop(honest.call(queue, "put", &[5_i64.into()]));
    assert_eq!(waits.receive().map(|(kind, number, ..)| (kind, number)), Some((Kind::Result, 2)));
    // No honest client has a thousand.
    for _ in 0..1100 {
        let bytes = waits.bytes_of(queue, "get", &[]);
        if waits.stream.write_all(&bytes).is_err() {
            break;
        }
    }
    waits.ends();
    // What it waited for is forgotten.
    drop(honest.call(queue, "put", &[6_i64.into()]));
    assert_eq!(honest.call(queue, "get", &[]).as_int(), Ok(6));
    ends_well(session);
}

#[test]
fn a_thousand_clients_stay_usable() {
    const CLIENTS: usize = 1000;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit");
    let (session, port, _) = server();
    let mut first = Raw::honest(port);
    let list = first.create("list");
    let mut all: Vec<Raw> = (0..CLIENTS).map(|_| Raw::honest(port)).collect();
    for round in 0..2 {
        for raw in &mut all {
            if round == 0 {
                drop(raw.call(0, "hold", &[(list as i64).into()]));
            }
            drop(raw.call(list, "push", &[1_i64.into()]));
        }
    }
    assert_eq!(first.call(list, "len", &[]).as_int(), Ok(2 * CLIENTS as i64));
    // Half of them go, in whatever way; the others go on.
    all.truncate(CLIENTS / 2);
    for raw in &mut all {
        raw.is_usable();
    }
    ends_well(session);
}
