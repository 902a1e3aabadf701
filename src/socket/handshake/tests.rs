//! Handshakes of honest and of hostile sides, byte by byte.

use proptest::prelude::*;

use super::*;

type Outcome = Option<Result<(), Refused>>;

fn listener(key: Option<&[u8]>) -> Handshake {
    Handshake::of_listener(key).expect("randomness")
}

fn client(key: Option<&[u8]>) -> Handshake {
    Handshake::of_client(key).expect("randomness")
}

/// Gives `to` what `from` says, `piece` bytes at a time; whether it said anything.
fn pass(from: &mut Handshake, to: &mut Handshake, piece: usize) -> bool {
    let said = std::mem::take(from.outgoing());
    for bytes in said.chunks(piece) {
        to.receive(bytes);
    }
    !said.is_empty()
}

/// Both outcomes when neither has anything more to say.
fn outcomes(mut client: Handshake, mut listener: Handshake, piece: usize) -> (Outcome, Outcome) {
    while pass(&mut client, &mut listener, piece) | pass(&mut listener, &mut client, piece) {}
    (client.outcome(), listener.outcome())
}

#[test]
fn the_same_key_opens_and_any_other_is_refused_by_both() {
    let long = vec![7; 1000];
    for key in [&b"secret"[..], b"", &long] {
        let (client, listener) = (client(Some(key)), listener(Some(key)));
        assert_eq!(outcomes(client, listener, SIZE), (Some(Ok(())), Some(Ok(()))));
    }
    for (one, other) in [(&b"secret"[..], &b"Secret"[..]), (b"", b"x"), (b"x", b"")] {
        let (client, listener) = (client(Some(one)), listener(Some(other)));
        let refused = (Some(Err(Refused::Rejected)), Some(Err(Refused::WrongKey)));
        assert_eq!(outcomes(client, listener, SIZE), refused);
    }
}

#[test]
fn a_key_on_one_side_only_is_refused_by_both() {
    let (out, into) = (client(Some(b"")), listener(None));
    assert_eq!(outcomes(out, into, SIZE), (Some(Err(Refused::NoKeyThere)), Some(Err(Refused::NoKeyHere))));
    // A client without a key does not wait: the refusal stands where a message would begin.
    let (mut out, mut into) = (client(None), listener(Some(b"")));
    pass(&mut out, &mut into, SIZE);
    assert_eq!((out.outcome(), into.outcome()), (Some(Ok(())), Some(Err(Refused::NoKeyThere))));
    assert_eq!(into.outgoing().as_slice(), framing::REFUSED.to_le_bytes());
    assert_eq!(outcomes(client(None), listener(None), SIZE), (Some(Ok(())), Some(Ok(()))));
}

#[test]
fn the_key_and_its_hash_are_never_sent_and_no_two_handshakes_are_alike() {
    let key = [0xab; 32];
    let conversation = || {
        let (mut out, mut into) = (client(Some(&key)), listener(Some(&key)));
        let mut said = Vec::new();
        loop {
            let before = said.len();
            said.extend_from_slice(out.outgoing());
            pass(&mut out, &mut into, SIZE);
            said.extend_from_slice(into.outgoing());
            pass(&mut into, &mut out, SIZE);
            if said.len() == before {
                return said;
            }
        }
    };
    let (one, other) = (conversation(), conversation());
    assert_eq!(one.len(), 5 * SIZE);
    assert!(!one.windows(32).any(|bytes| bytes == key));
    for (one, other) in one.chunks(SIZE).zip(other.chunks(SIZE)).take(4) {
        assert_ne!(one, other);
    }
}

#[test]
fn a_proof_that_is_sent_back_or_again_proves_nothing() {
    // The listener's own challenge and what it would say to it, from somebody without the key.
    let mut into = listener(Some(b"secret"));
    let mut out = client(Some(b"secret"));
    pass(&mut out, &mut into, SIZE);
    let challenge = std::mem::take(into.outgoing());
    out.receive(&challenge);
    let proof = std::mem::take(out.outgoing());
    // To another connection of the same listener.
    let mut again = listener(Some(b"secret"));
    pass(&mut client(Some(b"secret")), &mut again, SIZE);
    again.outgoing().clear();
    again.receive(&proof);
    assert_eq!(again.outcome(), Some(Err(Refused::WrongKey)));
    // To the client itself, as a listener's.
    let mut echo = proof.clone();
    echo[6] = WELCOME;
    out.receive(&echo);
    assert_eq!(out.outcome(), Some(Err(Refused::WrongKey)));
}

#[test]
fn another_version_is_told_so_and_is_no_attempt_to_get_in() {
    let mut out = client(Some(b"k"));
    let mut hello = std::mem::take(out.outgoing());
    hello[5] = 9;
    let mut into = listener(Some(b"k"));
    into.receive(&hello);
    assert_eq!(into.outcome(), Some(Err(Refused::OtherVersion(9))));
    assert!(!Refused::OtherVersion(9).is_worth_telling());
    let mut answer = std::mem::take(into.outgoing());
    answer[5] = 9;
    out.receive(&answer);
    assert_eq!(out.outcome(), Some(Err(Refused::OtherVersion(9))));
}

#[test]
fn a_bogus_answer_in_every_phase_ends_it() {
    let bogus = [b'x'; 1 << 12];
    let mut into = listener(Some(b"k"));
    into.receive(&bogus);
    assert_eq!(into.outcome(), Some(Err(Refused::Stranger)));
    assert_eq!(into.wants(), 0, "it wants no more of that");

    let mut out = client(Some(b"k"));
    out.outgoing().clear();
    out.receive(&bogus);
    assert_eq!(out.outcome(), Some(Err(Refused::Stranger)));

    // The proof, the welcome and the verdict, garbled.
    for phase in 2..5 {
        let (mut out, mut into) = (client(Some(b"k")), listener(Some(b"k")));
        let (mut speaker, mut victim) = (&mut out, &mut into);
        for _ in 0..phase {
            pass(speaker, victim, SIZE);
            std::mem::swap(&mut speaker, &mut victim);
        }
        assert_eq!(victim.outcome(), None, "phase {phase}");
        victim.receive(&bogus);
        assert_eq!(victim.outcome(), Some(Err(Refused::Bogus)), "phase {phase}");
        assert_eq!(victim.outgoing().get(6), Some(&REFUSED), "it says so");
    }
}

proptest! {
    #[test]
    fn how_the_bytes_are_cut_does_not_matter(piece in 1_usize..100) {
        let (out, into) = (client(Some(b"key")), listener(Some(b"key")));
        prop_assert_eq!(outcomes(out, into, piece), (Some(Ok(())), Some(Ok(()))));
    }

    #[test]
    fn nobody_gets_in_with_any_bytes(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..12),
        begin in any::<bool>(),
    ) {
        let mut into = listener(Some(b"key"));
        if begin {
            // Something that knows the protocol, but not the key.
            pass(&mut client(Some(b"other")), &mut into, SIZE);
        }
        for piece in &pieces {
            into.receive(piece);
            prop_assert!(into.outgoing.len() <= 3 * SIZE);
        }
        prop_assert_ne!(into.outcome(), Some(Ok(())));
    }

    #[test]
    fn one_bit_changed_anywhere_keeps_both_out(message in 1_usize..4, bit in 0_usize..SIZE * 8) {
        let (mut out, mut into) = (client(Some(b"key")), listener(Some(b"key")));
        let mut number = 0;
        loop {
            let mut spoke = false;
            for side in 0..2 {
                let (from, to) = if side == 0 { (&mut out, &mut into) } else { (&mut into, &mut out) };
                let mut said = std::mem::take(from.outgoing());
                if said.is_empty() {
                    continue;
                }
                if number == message {
                    said[bit / 8] ^= 1 << (bit % 8);
                }
                number += 1;
                spoke = true;
                to.receive(&said);
            }
            if !spoke {
                break;
            }
        }
        prop_assert!(!(out.outcome() == Some(Ok(())) && into.outcome() == Some(Ok(()))));
    }
}
