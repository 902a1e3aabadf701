//! The memory that messages take while they are there, and what is left of it afterwards.

use super::*;
use crate::arena::blocks::used;
use crate::arena::segment::memory;
use crate::arena::testing::session;

const MIB: u64 = 1 << 20;

fn now() -> Deadline {
    Deadline::after(Some(0.0))
}

fn resident() -> u64 {
    memory().resident().expect("the file is there")
}

#[test]
fn a_million_messages_take_no_more_room_than_those_that_are_there() {
    let _session = session();
    register();
    let channel = Channel::new(0).expect("memory");
    let mut buffer = Vec::new();
    let mut turn = || {
        // A backlog that comes and goes, over several chunks.
        for number in 0..20_000_u64 {
            channel.put(&number.to_le_bytes(), &[], now()).expect("room");
        }
        for _ in 0..20_000 {
            channel.take(&mut buffer, now()).expect("a message");
        }
    };
    turn();
    let (before, resident_before) = (used(), resident());
    (0..50).for_each(|_| turn());
    assert_eq!(used(), before);
    assert!(resident() <= resident_before + MIB, "{} and {resident_before} before", resident());
}

#[test]
fn after_a_burst_of_a_gibibyte_most_of_it_is_given_back() {
    let _session = session();
    register();
    let before = resident();
    let channel = Channel::new(0).expect("memory");
    let message = vec![7; MIB as usize];
    for _ in 0..1024 {
        channel.put(&message, &[], now()).expect("room");
    }
    assert!(resident() >= before + 1000 * MIB, "the burst is there");
    let mut buffer = Vec::new();
    for _ in 0..1024 {
        channel.take(&mut buffer, now()).expect("a message");
    }
    assert!(resident() <= before + 256 * MIB, "{} MiB are left", (resident() - before) / MIB);
}
