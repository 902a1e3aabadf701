//! Numbered messages flow through queues and pipes while producers, consumers and those who wait are killed at
//! random moments: nothing hangs, nothing comes twice, nothing is lost but what a killed consumer had just taken.
//!
//! `STOOK_KILL_SECONDS=600 cargo test --test kill_messages -- --nocapture` kills longer and shows the counts.

mod session;
mod support;

use std::time::{Duration, Instant};

use session::{METHODS, Session};

/// Rounds over and over: each has its own line of messages, and says what became of them.
const FLOW: &str = r#"
    fn send(line, message) {
        if type_of(line) == "Connection" { line.send(message); } else { line.put(message); }
    }

    fn receive(line) { if type_of(line) == "Connection" { line.recv() } else { line.get() } }

    // What was acknowledged had been put.
    fn produce(line, id, acks) {
        let n = 0;
        loop {
            send(line, [id, n, blob(if n % 40 == 39 { 70_000 } else { n % 200 })]);
            acks.put([id, n]);
            n += 1;
        }
    }

    fn consume(line, seen) {
        try {
            loop {
                let message = receive(line);
                seen.put([message[0], message[1]]);
            }
        } catch (e) {
            if e.kind != "ShutDown" && e.kind != "EOFError" { throw; }
        }
    }

    // Looks and takes nothing, until there is no gate any more.
    fn watch(line, gate) { while !(gate in wait([line, gate])) { } }

    fn begin(role, ends, id) {
        let p = switch role {
            "producer" => Process(produce, [ends.input, id, ends.acks]),
            "consumer" => Process(consume, [ends.output, ends.seen]),
            _ => Process(watch, [ends.output, ends.gate]),
        };
        p.start();
        #{ process: p, role: role }
    }

    fn drain(queue) {
        let items = [];
        try { loop { items.push(queue.get_nowait()); } } catch (e) { if e.kind != "Empty" { throw; } }
        items
    }

    fn key(message) { `${message[0]}:${message[1]}` }

    fn round(kind, kills) {
        let gate = Pipe(false);
        let ends = #{ seen: Queue(), acks: Queue(), gate: gate[0] };
        if kind == "Pipe" {
            let pipe = Pipe(false);
            ends.output = pipe[0];
            ends.input = pipe[1];
        } else {
            let queue = if kind == "Queue" { Queue(20) } else { JoinableQueue() };
            ends.output = queue;
            ends.input = queue;
        }
        let id = 0;
        let living = [];
        for role in ["producer", "producer", "consumer", "consumer", "watcher", "watcher"] {
            living.push(begin(role, ends, id));
            id += 1;
        }
        let killed = #{ producer: 0, consumer: 0, watcher: 0 };
        for i in 0..kills {
            sleep(random() * 0.004);
            let at = randint(0, living.len() - 1);
            let victim = living[at];
            victim.process.kill();
            victim.process.join();
            killed[victim.role] += 1;
            living[at] = begin(victim.role, ends, id);
            id += 1;
        }
        for one in living {
            if one.role == "producer" { one.process.kill(); one.process.join(); }
        }
        if kind == "Pipe" { ends.input.close(); ends.output.close(); } else { ends.input.shutdown(); }
        gate[1].close();
        for one in living {
            one.process.join();
            if one.role != "producer" && one.process.exitcode != 0 { throw `a ${one.role} ended with ${one.process.exitcode}`; }
        }
        let seen = #{};
        let twice = 0;
        for message in drain(ends.seen) {
            let name = key(message);
            if name in seen { twice += 1; }
            seen[name] = true;
        }
        let lost = 0;
        let acknowledged = drain(ends.acks);
        for message in acknowledged { if !(key(message) in seen) { lost += 1; } }
        print(`round ${acknowledged.len()} ${twice} ${lost} ${killed.producer} ${killed.consumer} ${killed.watcher}`);
    }

    if __name__ == "__main__" {
        loop {
            for kind in ["Queue", "Pipe", "JoinableQueue"] { round(kind, 40); }
        }
    }
"#;

#[test]
fn messages_of_the_living_arrive_once() {
    let wanted = std::env::var("STOOK_KILL_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs_f64(wanted.unwrap_or(9.0)) / 3;
    for method in METHODS {
        let mut session = Session::under(method, FLOW);
        let start = Instant::now();
        let mut sums = [0_i64; 6];
        let mut rounds = 0;
        // Each kind has its turn, however slow the machine is.
        while start.elapsed() < time || rounds < 3 {
            let counts = session.numbers("round");
            let [acknowledged, twice, lost, _, consumers, _] = counts[..] else {
                panic!("a round says {counts:?}");
            };
            assert!(acknowledged > 0, "nothing flows");
            assert_eq!(twice, 0, "{method}: messages came twice");
            assert!(lost <= consumers, "{method}: {lost} lost, {consumers} consumers killed");
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += i64::from(count));
            rounds += 1;
        }
        let [messages, twice, lost, producers, consumers, watchers] = sums;
        println!(
            "{method}: {messages} messages in {rounds} rounds; killed {producers} producers, {consumers} consumers, \
             {watchers} watchers; {twice} twice, {lost} lost"
        );
        session.signal(nix::sys::signal::Signal::SIGKILL);
        assert_eq!(session.end().code, -9);
    }
}
