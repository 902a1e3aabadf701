//! Both sides of sockets killed at random moments: the other side goes on or is told, and nothing is left behind.

mod session;
mod support;

use session::{METHODS, Session};

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
