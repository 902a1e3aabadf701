//! The state machines whose calls wait, one call after the other.

use std::rc::Rc;

use rhai::{Array, Dynamic, FnPtr};

use super::barrier::Barrier;
use super::blocking::{Answer, Answers, Blocking, Caller, Step, Ticket, Who};
use super::condition::Condition;
use super::event::Event;
use super::host::{Host, Trial};
use super::lock::Lock;
use super::queue::Queue;
use super::semaphore::Semaphore;
use crate::wire::{Error, Raised};

/// None of them needs an engine.
struct NoEngine;

impl Host for NoEngine {
    fn method(&self, _: &mut Dynamic, _: &str, _: Array) -> Result<Dynamic, Raised> {
        unreachable!("no engine")
    }

    fn function(&self, _: &FnPtr, _: Option<&mut Dynamic>, _: Array) -> Result<Dynamic, Raised> {
        unreachable!("no engine")
    }

    fn items(&self, _: Dynamic) -> Result<Array, Raised> {
        unreachable!("no engine")
    }

    fn construct(&self, _: &str, _: Array) -> Result<Dynamic, Raised> {
        unreachable!("no engine")
    }

    fn trial(&self, _: &Dynamic, _: &str, _: &Array) -> Option<Result<Trial, Raised>> {
        None
    }

    fn attempt(&self, _: &Trial) -> Option<Answer> {
        None
    }

    fn too_late(&self, _: &Trial) -> Answer {
        Ok(Dynamic::UNIT)
    }

    fn bound(&self, _: &Dynamic) -> Option<&'static str> {
        None
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// An object with clients, and what those were told so far.
struct Scene<T> {
    object: T,
    requests: u64,
    answers: Answers,
}

impl<T: Blocking> Scene<T> {
    fn of(object: T) -> Self {
        Self { object, requests: 0, answers: Answers::default() }
    }

    /// What `client` is told at once, `waits`, or the kind of error that is raised.
    fn call(&mut self, client: u64, method: &str, given: Array) -> String {
        self.requests += 1;
        let who = Rc::new(Who { client, name: format!("P{client}"), pid: client, local: true });
        let caller = Caller { ticket: Ticket { client, request: self.requests }, who };
        let step = self.object.call(&caller, method, given, &mut self.answers, &NoEngine);
        match step {
            Ok(Step::Done(value)) => value.to_string(),
            Ok(Step::Waits(_)) => "waits".to_owned(),
            Ok(Step::Unknown) => "unknown".to_owned(),
            Err(raised) => kind(&raised),
        }
    }

    /// What others were told since this was asked last: client and answer.
    fn told(&mut self) -> String {
        let shown = |(ticket, answer, _): (Ticket, Answer, String)| {
            let answer = answer.map_or_else(|raised| kind(&raised), |value| value.to_string());
            format!("{}:{answer}", ticket.client)
        };
        self.answers.parked.drain(..).map(shown).collect::<Vec<_>>().join(" ")
    }

    /// The time of the call that was made last but `back` is over.
    fn expire(&mut self, client: u64, back: u64) {
        let ticket = Ticket { client, request: self.requests - back };
        self.object.expire(ticket, &mut self.answers);
    }
}

fn kind(raised: &Raised) -> String {
    raised.value.read_lock::<Error>().map(|error| error.kind().to_string()).unwrap_or_default()
}

#[test]
fn a_lock_goes_to_who_waits_longest_and_from_the_dead_to_the_next() {
    let mut scene = Scene::of(Lock::new(false));
    assert_eq!(scene.call(1, "acquire", vec![]), "true");
    assert_eq!(scene.call(1, "acquire", vec![false.into()]), "false");
    for client in 2..5 {
        assert_eq!(scene.call(client, "acquire", vec![]), "waits");
    }
    scene.expire(3, 1);
    assert_eq!(scene.told(), "3:false");
    // Anybody may release it.
    assert_eq!(scene.call(9, "release", vec![]), "");
    assert_eq!(scene.told(), "2:true");
    scene.object.bereave(2, &mut scene.answers);
    assert!(scene.answers.parked.iter().all(|(_, _, word)| word.contains("P2")), "a warning");
    assert_eq!(scene.told(), "4:true");
    scene.object.bereave(4, &mut scene.answers);
    assert_eq!(scene.call(9, "release", vec![]), "", "what the dead held");
    assert_eq!(scene.call(9, "release", vec![]), "RuntimeError");
    assert_eq!(scene.call(1, "acquire", vec![5.into()]), "true");
}

#[test]
fn a_recursive_lock_is_its_holders_only() {
    let mut scene = Scene::of(Lock::new(true));
    assert_eq!(scene.call(1, "acquire", vec![]), "true");
    assert_eq!(scene.call(1, "acquire", vec![]), "true");
    assert_eq!(scene.call(2, "release", vec![]), "RuntimeError");
    assert_eq!(scene.call(2, "acquire", vec![]), "waits");
    assert_eq!(scene.call(1, "release", vec![]), "");
    assert_eq!(scene.told(), "");
    assert_eq!(scene.call(1, "release", vec![]), "");
    assert_eq!(scene.told(), "2:true");
}

#[test]
fn units_of_a_semaphore_come_back_as_far_as_it_once_had_them() {
    let mut scene = Scene::of(Semaphore::new(2, true));
    assert_eq!([scene.call(1, "acquire", vec![]), scene.call(1, "acquire", vec![])], ["true", "true"]);
    assert_eq!(scene.call(2, "acquire", vec![]), "waits");
    scene.object.bereave(1, &mut scene.answers);
    assert_eq!(scene.told(), "2:true");
    assert_eq!(scene.call(3, "get_value", vec![]), "1");
    assert_eq!(scene.call(3, "release", vec![]), "", "an abandoned one");
    assert_eq!(scene.call(2, "release", vec![]), "");
    assert_eq!(scene.call(2, "release", vec![]), "ValueError");
    let mut signal = Scene::of(Semaphore::new(0, false));
    assert_eq!(signal.call(1, "release", vec![]), "");
    assert_eq!(signal.call(2, "acquire", vec![]), "true");
    signal.object.bereave(2, &mut signal.answers);
    assert_eq!(signal.call(1, "acquire", vec![false.into()]), "false");
}

#[test]
fn whoever_waits_for_a_condition_has_the_lock_again_when_it_goes_on() {
    let lock = Rc::new(std::cell::RefCell::new(Lock::new(true)));
    let mut scene = Scene::of(Condition::new(lock));
    assert_eq!(scene.call(1, "wait", vec![]), "RuntimeError");
    for client in 1..4 {
        assert_eq!(scene.call(client, "acquire", vec![]), "true");
        assert_eq!(scene.call(client, "wait", vec![]), "waits");
    }
    assert_eq!(scene.call(9, "acquire", vec![]), "true");
    assert_eq!(scene.call(9, "notify", vec![]), "");
    scene.expire(3, 2);
    assert_eq!(scene.told(), "", "the lock is held");
    assert_eq!(scene.call(9, "release", vec![]), "");
    assert_eq!(scene.told(), "1:true");
    assert_eq!(scene.call(1, "release", vec![]), "");
    assert_eq!(scene.told(), "3:false", "it was out of time");
    // One that is cancelled is told so when it has the lock.
    let ticket = Ticket { client: 2, request: 5 };
    assert!(!scene.object.cancel(ticket, &mut scene.answers));
    assert_eq!(scene.told(), "");
    scene.object.bereave(3, &mut scene.answers);
    assert_eq!(scene.told(), "2:KeyboardInterrupt");
}

#[test]
fn a_queue_serves_getters_and_putters_in_turn() {
    let mut scene = Scene::of(Queue::new(1));
    assert_eq!(scene.call(1, "get", vec![]), "waits");
    assert_eq!(scene.call(2, "get", vec![]), "waits");
    assert_eq!(scene.call(3, "put", vec!["a".into()]), "");
    assert_eq!(scene.told(), "1:a");
    scene.object.bereave(2, &mut scene.answers);
    assert_eq!(scene.call(3, "put", vec!["b".into()]), "");
    assert_eq!(scene.call(3, "put", vec!["c".into(), false.into()]), "Full");
    assert_eq!(scene.call(4, "put", vec!["d".into()]), "waits");
    assert_eq!(scene.call(1, "get", vec![]), "b");
    assert_eq!(scene.told(), "4:");
    assert_eq!(scene.call(1, "get_nowait", vec![]), "d");
    assert_eq!(scene.call(1, "get_nowait", vec![]), "Empty");
    assert_eq!(scene.call(1, "join", vec![]), "waits");
    for _ in 0..3 {
        assert_eq!(scene.call(1, "task_done", vec![]), "");
    }
    assert_eq!(scene.told(), "1:true");
    assert_eq!(scene.call(1, "task_done", vec![]), "ValueError");
    assert_eq!(scene.call(1, "get", vec![]), "waits");
    assert_eq!(scene.call(2, "shutdown", vec![]), "");
    assert_eq!(scene.told(), "1:ShutDown");
    assert_eq!(scene.call(2, "put", vec![1.into()]), "ShutDown");
}

#[test]
fn a_barrier_and_an_event_tell_all_who_wait() {
    let mut barrier = Scene::of(Barrier::new(3, None, None));
    assert_eq!(barrier.call(1, "wait", vec![]), "waits");
    assert_eq!(barrier.call(2, "wait", vec![]), "waits");
    barrier.object.bereave(2, &mut barrier.answers);
    assert_eq!(barrier.call(3, "wait", vec![]), "waits", "the dead one does not count");
    assert_eq!(barrier.call(4, "wait", vec![]), "2");
    assert_eq!(barrier.told(), "1:0 3:1");
    assert_eq!(barrier.call(1, "wait", vec![]), "waits");
    barrier.expire(1, 0);
    assert_eq!(barrier.told(), "1:BrokenBarrierError");
    assert_eq!(barrier.call(1, "wait", vec![]), "BrokenBarrierError");
    let mut event = Scene::of(Event::default());
    assert_eq!([event.call(1, "wait", vec![]), event.call(2, "wait", vec![])], ["waits", "waits"]);
    assert_eq!(event.call(3, "set", vec![]), "");
    assert_eq!(event.told(), "1:true 2:true");
    assert_eq!(event.call(3, "wait", vec![]), "true");
}
