//! Both sides of sockets killed at random moments: the other side goes on or is told, and nothing is left behind.

mod session;
mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use session::{METHODS, Session, runs};

/// How often each side is killed, under each start method.
const ROUNDS: &str = "25";

/// Clients are killed while they connect, prove themselves, send and receive; the server serves all others.
const CLIENTS: &str = r#"
    fn client(address) {
        loop {
            with Client(address, #{ authkey: "k" }) as connection {
                for i in 0..3 { connection.send(blob(100_000 * i, 1)); connection.recv(); }
            }
        }
    }

    fn server(queue) {
        with Listener(#{ authkey: "k" }) as listener {
            queue.put(listener.address);
            loop {
                let connection = listener.accept();
                let whole = 0;
                try {
                    loop {
                        let size = connection.recv().len();
                        if size % 100_000 != 0 { queue.put("torn: " + size); }
                        connection.send(size);
                        whole += 1;
                    }
                } catch (e) {
                    if !(e.kind in ["EOFError", "OSError", "BrokenPipeError", "ConnectionResetError"]) { queue.put(`${e}`); }
                }
                connection.close();
            }
        }
    }

    if __name__ == "__main__" {
        let queue = Queue();
        let serves = Process(server, [queue], #{ daemon: true });
        serves.start();
        let address = queue.get();
        for round in 0..ROUNDS {
            let victims = [Process(client, [address]), Process(client, [address])];
            for p in victims { p.start(); }
            sleep(uniform(0.0, 0.03));
            for p in victims { p.kill(); p.join(); }
        }
        with Client(address, #{ authkey: "k" }) as connection {
            connection.send(blob(300_000, 1));
            print(connection.recv());
        }
        print(queue.empty());
    }
"#;

/// Servers are killed while they accept, check, hand over and answer; the client always ends.
const SERVERS: &str = r#"
    fn answer(connection) {
        connection.send(connection.recv());
        connection.close();
    }

    fn server(path) {
        let listener = ();
        // A child of the one before may be about to end: by a fork it has the socket too.
        while listener == () {
            try { listener = Listener(path, #{ authkey: "k" }); } catch (e) { sleep(0.005); }
        }
        loop {
            let connection = listener.accept();
            let child = Process(answer, [connection], #{ daemon: true });
            child.start();
            connection.close();
            child.join();
        }
    }

    fn client(path, queue) {
        loop {
            try {
                with Client(path, #{ authkey: "k" }) as connection {
                    connection.send(blob(200_000, 1));
                    connection.recv();
                }
            } catch (e) {
                if e.kind == "TimeoutError" { queue.put("it hangs"); }
            }
            queue.put(1);
        }
    }

    if __name__ == "__main__" {
        let queue = Queue();
        let path = "listener";
        let victim = Process(client, [path, queue], #{ daemon: true });
        victim.start();
        for round in 0..ROUNDS {
            let serves = Process(server, [path]);
            serves.start();
            sleep(uniform(0.0, 0.04));
            serves.kill();
            serves.join();
            // The client has noticed: it goes on, time after time.
            while !queue.empty() { let told = queue.get(); if told != 1 { print(told); } }
            for i in 0..3 { let told = queue.get(); if told != 1 { print(told); } }
        }
        print("over");
    }
"#;

#[test]
fn killed_clients_delay_no_other_and_tear_nothing() {
    for method in METHODS {
        let mut session = Session::under(method, &CLIENTS.replace("ROUNDS", ROUNDS));
        assert_eq!(session.line(), "300000");
        assert_eq!(session.line(), "true");
        let ended = session.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    }
}

#[test]
fn clients_of_killed_servers_end() {
    for method in METHODS {
        let mut session = Session::under(method, &SERVERS.replace("ROUNDS", ROUNDS));
        assert_eq!(session.line(), "over");
        let ended = session.end();
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
}

/// A child sends a connection and ends; only then is it received, or the script ends without that.
const SENDS_AND_ENDS: &str = r#"
    fn send_and_end(queue, address) { queue.put(Client(address)); }

    if __name__ == "__main__" {
        let queue = Queue();
        let listener = Listener("listener");
        let p = Process(send_and_end, [queue, listener.address]);
        p.start();
        let accepted = listener.accept();
        p.join();
        print("ended " + getpid());
        while !exists("go") { sleep(0.005); }
        let received = queue.get();
        try { received.send("through"); print(accepted.recv()); } catch (e) { print(e.kind); }
        try { accepted.recv(); } catch (e) { print(e.kind); }
    }
"#;

/// The process that keeps the connection, and the session that it belongs to.
fn kept(method: &str) -> (Session, i32) {
    let mut session = Session::under(method, SENDS_AND_ENDS);
    let first = session.numbers("ended")[0];
    let keeps = |pid: &i32| {
        *pid != first && {
            let sockets = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            sockets
                .filter_map(|entry| entry.path().read_link().ok())
                .any(|link| link.to_string_lossy().starts_with("socket:"))
        }
    };
    let mut keeper = None;
    session.until("somebody keeps the connection", || {
        keeper = session.processes().into_iter().find(|pid| keeps(pid));
        keeper.is_some()
    });
    (session, keeper.expect("just found"))
}

#[test]
fn a_connection_whose_keeper_is_killed_is_lost_and_who_receives_it_is_told() {
    for method in METHODS {
        let (mut session, keeper) = kept(method);
        kill(Pid::from_raw(keeper), Signal::SIGKILL).expect("it is there");
        session.until("it is gone", || !runs(keeper));
        session.write("go", "");
        assert_eq!(session.line(), "OSError");
        assert_eq!(session.line(), "EOFError");
        assert_eq!(session.end().code, 0);
    }
}

#[test]
fn a_keeper_ends_when_the_connection_is_received_and_with_the_session() {
    for method in METHODS {
        let (mut session, keeper) = kept(method);
        session.write("go", "");
        assert_eq!(session.line(), "through");
        session.until("it is gone", || !runs(keeper));
        // Both ends are in one process now, which waits for itself.
        session.signal(Signal::SIGINT);
        assert_eq!(session.line(), "KeyboardInterrupt");
        assert_eq!(session.end().code, 0);
        // Nobody receives it, and everything is killed, or asked to end.
        for signal in [Signal::SIGKILL, Signal::SIGINT] {
            let (session, keeper) = kept(method);
            session.signal(signal);
            session.end();
            assert!(!runs(keeper));
        }
    }
}

#[test]
fn ctrl_c_ends_every_wait_for_a_socket() {
    const WAITS: [&str; 5] = [
        "listener.accept()",
        "accepted.recv()",
        "accepted.poll(())",
        "loop { client.send(blob(100_000)); }",
        r#"Client(listener.address, #{ authkey: "k" })"#,
    ];
    for wait in WAITS {
        let script = r#"
            let listener = Listener("listener");
            let client = Client(listener.address);
            let accepted = listener.accept();
            print("waits");
            try { WAIT; } catch (e) { print(e.kind); }
            // And it is over: the next call waits again.
            try { listener.accept(0); } catch (e) { print(e.kind); }
        "#;
        let mut session = Session::start(&script.replace("WAIT", wait), &[]);
        assert_eq!(session.line(), "waits");
        session.settles();
        session.signal(Signal::SIGINT);
        assert_eq!(session.line(), "KeyboardInterrupt", "{wait}");
        // The client that gave up had said that it has a key.
        let then = if wait.starts_with("Client") { "AuthenticationError" } else { "TimeoutError" };
        assert_eq!(session.line(), then, "{wait}");
        assert_eq!(session.end().code, 0);
    }
}

/// Listens, and waits for a client that never comes.
const LISTENS: &str = r#"
        if __name__ == "__main__" {
            let listener = Listener();
            set_local("kept to the end", listener);
            let child = Process(|| sleep(60), []);
            child.start();
            print("waits");
            listener.accept();
        }
    "#;

#[test]
fn the_socket_file_of_an_interrupted_or_killed_script_goes() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGKILL, -9)] {
        let mut session = Session::start(LISTENS, &[]);
        assert_eq!(session.line(), "waits");
        session.settles();
        session.signal(signal);
        // That nothing is left, in the folder for temporary files either, is looked at there.
        assert_eq!(session.end().code, code);
    }
}
