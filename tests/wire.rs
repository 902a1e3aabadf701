//! The wire format from outside: whatever can be sent arrives as it was, whatever arrives is
//! either a value or refused, and what can't be sent is named by its path.

use std::{
    cell::RefCell,
    ops::{Range, RangeInclusive},
    process::Command,
    rc::Rc,
    time::{Duration, Instant},
};

use proptest::{collection, prelude::*, test_runner::FileFailurePersistence};
use rhai::{Array, Dynamic, Engine, FnPtr, INT, Map, config::hashing::set_hashing_seed};
use stook::wire::{self, DecodeError, EncodeError, Error, Handles, KINDS, MAX_DEPTH, NoHandles};

/// Stands for a shared object in these tests.
#[derive(Clone, Debug, PartialEq)]
struct Token(u64);

/// Knows `Token`s, and no object beyond offset 2^32.
struct Tokens;

impl Handles for Tokens {
    fn detach(&self, value: &Dynamic) -> Option<u64> {
        value.read_lock::<Token>().map(|token| token.0)
    }

    fn attach(&self, offset: u64) -> Option<Dynamic> {
        (offset < 1 << 32).then(|| Dynamic::from(Token(offset)))
    }
}

fn encoded(value: &Dynamic) -> Result<(Vec<u8>, Vec<u64>), EncodeError> {
    let (mut bytes, mut attachments) = (Vec::new(), Vec::new());
    wire::encode(value, "v", &Tokens, &mut bytes, &mut attachments)?;
    Ok((bytes, attachments))
}

fn decoded(bytes: &[u8]) -> Result<Dynamic, DecodeError> {
    wire::decode(bytes, &[1, 2, 3, u64::MAX], &Tokens)
}

fn travel(value: &Dynamic) -> Dynamic {
    let (bytes, attachments) = encoded(value).expect("a value that can travel");
    wire::decode(&bytes, &attachments, &Tokens).expect("what has just been encoded")
}

fn refused(value: impl Into<Dynamic>) -> EncodeError {
    encoded(&value.into()).expect_err("a value that can't travel")
}

fn array(values: impl IntoIterator<Item = Dynamic>) -> Dynamic {
    Dynamic::from_array(values.into_iter().collect())
}

fn map<const N: usize>(entries: [(&str, Dynamic); N]) -> Dynamic {
    Dynamic::from_map(entries.map(|(key, value)| (key.into(), value)).into())
}

/// A function pointer by a name that only closures have: made of its bytes.
fn function(name: &str, captured: Vec<Dynamic>) -> Dynamic {
    let mut bytes = vec![13, name.len() as u8];
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    let mut pointer =
        decoded(&bytes).expect("a portable name").try_cast::<FnPtr>().expect("a function pointer");
    pointer.set_curry(captured);
    pointer.into()
}

/// Are these the same value, down to the bits of floats? Shared variables count as what they hold.
fn same(a: &Dynamic, b: &Dynamic) -> bool {
    fn both<T: Clone + 'static>(a: &Dynamic, b: &Dynamic, equal: impl Fn(&T, &T) -> bool) -> Option<bool> {
        let a = a.read_lock::<T>()?;
        Some(b.read_lock::<T>().is_some_and(|b| equal(&a, &b)))
    }
    fn lists(a: &[Dynamic], b: &[Dynamic]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
    }
    fn maps(a: &Map, b: &Map) -> bool {
        a.keys().eq(b.keys()) && a.values().zip(b.values()).all(|(a, b)| same(a, b))
    }
    fn errors(a: &Error, b: &Error) -> bool {
        (a.kind(), a.message(), a.traceback(), a.kinds()) == (b.kind(), b.message(), b.traceback(), b.kinds())
            && maps(a.data(), b.data())
    }
    both::<()>(a, b, |_, _| true)
        .or_else(|| both::<bool>(a, b, bool::eq))
        .or_else(|| both::<INT>(a, b, INT::eq))
        .or_else(|| both::<f64>(a, b, |a, b| a.to_bits() == b.to_bits()))
        .or_else(|| both::<char>(a, b, char::eq))
        .or_else(|| both::<rhai::ImmutableString>(a, b, |a, b| a == b))
        .or_else(|| both::<Vec<u8>>(a, b, Vec::eq))
        .or_else(|| both::<Array>(a, b, |a, b| lists(a, b)))
        .or_else(|| both::<Map>(a, b, maps))
        .or_else(|| both::<Range<INT>>(a, b, PartialEq::eq))
        .or_else(|| both::<RangeInclusive<INT>>(a, b, PartialEq::eq))
        .or_else(|| both::<Instant>(a, b, Instant::eq))
        .or_else(|| both::<FnPtr>(a, b, |a, b| a.fn_name() == b.fn_name() && lists(a.curry(), b.curry())))
        .or_else(|| both::<Error>(a, b, errors))
        .or_else(|| both::<Token>(a, b, Token::eq))
        .unwrap_or(false)
}

fn scalar() -> impl Strategy<Value = Dynamic> {
    prop_oneof![
        Just(Dynamic::UNIT),
        any::<bool>().prop_map(Dynamic::from),
        any::<INT>().prop_map(Dynamic::from),
        (-300..300_i64).prop_map(Dynamic::from),
        // Every bit pattern, NaNs with payloads among them.
        any::<u64>().prop_map(|bits| Dynamic::from(f64::from_bits(bits))),
        (0_u64..1 << 51).prop_map(|bits| Dynamic::from(f64::from_bits(bits | 0x7ff8 << 48))),
        any::<char>().prop_map(Dynamic::from),
        ".{0,40}".prop_map(Dynamic::from),
        collection::vec(any::<u8>(), 0..300).prop_map(Dynamic::from_blob),
        any::<(INT, INT)>().prop_map(|(a, b)| Dynamic::from(a..b)),
        any::<(INT, INT)>().prop_map(|(a, b)| Dynamic::from(a..=b)),
        (any::<u32>(), any::<bool>()).prop_map(|(seconds, before)| {
            let (now, distance) = (Instant::now(), Duration::from_secs(seconds.into()));
            let instant = if before { now - distance } else { now + distance };
            Dynamic::from_timestamp(instant)
        }),
        (0_u64..1 << 32).prop_map(|offset| Dynamic::from(Token(offset))),
    ]
}

fn entries(value: impl Strategy<Value = Dynamic>) -> impl Strategy<Value = Map> {
    collection::btree_map(".{0,12}", value, 0..6)
        .prop_map(|entries| entries.into_iter().map(|(k, v)| (k.into(), v)).collect())
}

fn error(value: impl Strategy<Value = Dynamic>) -> impl Strategy<Value = Dynamic> {
    let kind = prop_oneof![proptest::sample::select(KINDS).prop_map(|(kind, _)| kind.to_owned()), ".{0,12}",];
    (kind, ".{0,20}", ".{0,20}", entries(value)).prop_map(|(kind, message, traceback, data)| {
        let error = Error::new(kind, message).with_traceback(traceback);
        Dynamic::from(data.into_iter().fold(error, |error, (key, value)| error.with_data(&key, value)))
    })
}

/// Any value that can travel, nested a few levels, with shared variables in between.
fn value() -> impl Strategy<Value = Dynamic> {
    scalar().prop_recursive(5, 60, 6, |inner| {
        let name = prop_oneof!["_f[a-z0-9]{0,8}", "anon\\$[0-9a-f]{16}"];
        prop_oneof![
            3 => collection::vec(inner.clone(), 0..6).prop_map(Dynamic::from_array),
            3 => entries(inner.clone()).prop_map(Dynamic::from_map),
            1 => error(inner.clone()),
            1 => (name, collection::vec(inner.clone(), 0..3))
                .prop_map(|(name, captured)| function(&name, captured)),
            1 => inner.prop_map(Dynamic::into_shared),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_value_survives(value in value()) {
        let arrived = travel(&value);
        prop_assert!(same(&value, &arrived), "{value:?} became {arrived:?}");
        prop_assert!(!arrived.is_shared());
    }

    #[test]
    fn encoding_is_canonical(value in value()) {
        prop_assert_eq!(encoded(&travel(&value)), encoded(&value));
    }

    #[test]
    fn any_bytes_are_a_value_or_refused(bytes in collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = decoded(&bytes) {
            prop_assert!(error.position <= bytes.len(), "{error}");
        }
    }

    /// As above, with bytes that get further because they begin like a message.
    #[test]
    fn damaged_messages_are_values_or_refused(
        value in value(),
        damage in collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (mut bytes, attachments) = encoded(&value).expect("a value that can travel");
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(value) = wire::decode(&bytes, &attachments, &Tokens) {
            prop_assert!(same(&value, &travel(&value)));
        }
    }

    #[test]
    fn shortened_and_lengthened_messages_are_refused(value in value()) {
        let (mut bytes, attachments) = encoded(&value).expect("a value that can travel");
        for length in 0..bytes.len() {
            prop_assert!(wire::decode(&bytes[..length], &attachments, &Tokens).is_err());
        }
        bytes.push(0);
        let error = wire::decode(&bytes, &attachments, &Tokens).expect_err("one byte too many");
        prop_assert_eq!(error.position, bytes.len() - 1);
    }

    #[test]
    fn handles_travel_as_attachments(value in value()) {
        let (bytes, attachments) = encoded(&value).expect("a value that can travel");
        if !attachments.is_empty() {
            let without = wire::decode(&bytes, &attachments[1..], &Tokens);
            prop_assert!(without.is_err());
            prop_assert!(wire::decode(&bytes, &attachments, &NoHandles).is_err());
        }
    }
}

#[test]
fn small_values_take_few_bytes() {
    let length = |value: Dynamic| encoded(&value).map(|(bytes, _)| bytes.len());
    assert_eq!(length(Dynamic::UNIT), Ok(1));
    assert_eq!(length(true.into()), Ok(1));
    assert_eq!(length(125_i64.into()), Ok(2));
    assert_eq!(length(INT::MIN.into()), Ok(10));
    assert_eq!(length("abc".into()), Ok(5));
    assert_eq!(length(Dynamic::from_blob(vec![7; 250])), Ok(252));
}

#[test]
fn arguments_are_encoded_as_an_array() {
    let arguments = [1_i64.into(), "two".into(), Dynamic::from(Token(3))];
    let (mut bytes, mut attachments) = (Vec::new(), Vec::new());
    wire::encode_all(&arguments, "args", &Tokens, &mut bytes, &mut attachments)
        .expect("values that can travel");
    let arrived = wire::decode(&bytes, &attachments, &Tokens).expect("what has been encoded");
    assert!(same(&arrived, &array(arguments)), "{arrived:?}");
}

#[test]
fn several_values_may_share_one_list_of_attachments() {
    let (mut bytes, mut attachments) = (b"header".to_vec(), vec![77]);
    let mut ends = vec![bytes.len()];
    for offset in [5, 6] {
        let value = Dynamic::from(Token(offset));
        wire::encode(&value, "v", &Tokens, &mut bytes, &mut attachments).expect("a handle");
        ends.push(bytes.len());
    }
    assert_eq!(attachments, [77, 5, 6]);
    for (range, offset) in ends.windows(2).zip([5, 6]) {
        let value = wire::decode(&bytes[range[0]..range[1]], &attachments, &Tokens);
        assert_eq!(value.expect("a handle").cast::<Token>(), Token(offset));
    }
}

#[test]
fn a_refused_value_leaves_nothing_behind() {
    let (mut bytes, mut attachments) = (vec![1, 2, 3], vec![9]);
    let value = array([Dynamic::from(Token(4)), "text".into(), Dynamic::from(0_u8)]);
    let error = wire::encode(&value, "v", &Tokens, &mut bytes, &mut attachments)
        .expect_err("a byte is no type of scripts");
    assert_eq!((error.path.as_str(), error.type_name.as_str()), ("v[2]", "u8"));
    assert_eq!((bytes, attachments), (vec![1, 2, 3], vec![9]));
}

#[derive(Clone)]
struct Pool;

#[test]
fn the_path_leads_to_what_is_refused() {
    let deep = map([("cfg", map([("a b", array([(), ()].map(Dynamic::from)))]))]);
    assert!(encoded(&deep).is_ok());

    let pool = || Dynamic::from(Pool);
    let path = |value: Dynamic| refused(value).path;
    assert_eq!(path(pool()), "v");
    assert_eq!(path(map([("cfg", map([("handler", pool())]))])), "v.cfg.handler");
    assert_eq!(path(map([("a b", array([().into(), pool()]))])), r#"v["a b"][1]"#);
    assert_eq!(path(map([("", pool())])), r#"v[""]"#);
    assert_eq!(path(function("f", vec![().into(), pool()])), "v.<captured 1>");
    assert_eq!(path(Dynamic::from(Error::new("E", "").with_data("pool", pool()))), "v.data.pool");
    assert_eq!(path(array([pool().into_shared()])), "v[0]");

    let arguments = [map([("cfg", map([("handler", pool())]))])];
    let error = wire::encode_all(&arguments, "args", &Tokens, &mut vec![], &mut vec![])
        .expect_err("a pool can't travel");
    assert_eq!(error.path, "args[0].cfg.handler");
    let error = Error::from(error);
    assert_eq!(error.kind(), "TypeError");
    assert_eq!(
        error.message(),
        "args[0].cfg.handler can't be sent to another process: \
         a value of type Pool belongs to the process that made it"
    );
}

#[test]
fn pointers_to_native_code_and_odd_names_are_refused() {
    #[allow(deprecated, reason = "Rhai marks this constructor volatile, not deprecated")]
    let native = FnPtr::from_fn("embedded", |_, _| Ok(Dynamic::UNIT)).expect("a valid name");
    let error = refused(map([("f", native.into())]));
    assert_eq!((error.path.as_str(), error.type_name.as_str()), ("v.f", "Fn"));
    assert!(error.reason.contains("embedded"), "{error}");

    for name in ["a b", "a::b", "print", "anon$", "anon$0123456789abcdeF"] {
        let mut bytes = vec![13, name.len() as u8];
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        let error = decoded(&bytes).expect_err(name);
        assert_eq!(error.position, 1, "{name}: {error}");
    }
}

/// `levels` arrays inside each other; the innermost holds `core`.
fn nested(levels: usize, core: Option<Dynamic>) -> Dynamic {
    let innermost = array(core);
    (1..levels).fold(innermost, |inner, _| array([inner]))
}

/// The bytes of the same, which need not be possible.
fn nested_bytes(levels: usize) -> Vec<u8> {
    let mut bytes = [8, 1].repeat(levels - 1);
    bytes.extend([8, 0]);
    bytes
}

#[test]
fn depth_256_travels_and_257_does_not() {
    assert_eq!(MAX_DEPTH, 256);
    for core in [Dynamic::ONE, function("f", vec![]), Dynamic::from(Error::new("E", ""))] {
        let deepest = nested(256, Some(core));
        assert!(same(&travel(&deepest), &deepest));
    }
    for core in [
        array([]),
        map([]),
        function("f", vec![Dynamic::ONE]),
        Dynamic::from(Error::new("E", "").with_data("x", 1_i64)),
    ] {
        let error = refused(nested(256, Some(core)));
        assert!(error.reason.contains("256 levels"), "{error}");
        assert!(error.path.starts_with("v[0][0]"), "{error}");
    }
    // Far deeper: no overflow of the stack either.
    assert!(refused(nested(5000, None)).reason.contains("256 levels"));

    assert!(decoded(&nested_bytes(256)).is_ok());
    let error = decoded(&nested_bytes(257)).expect_err("one level too many");
    assert_eq!(error.position, 2 * 256 + 1);
    assert!(decoded(&nested_bytes(1_000_000)).is_err());
}

#[test]
fn values_that_contain_themselves_are_refused() {
    // An array in a shared variable that is also its last element. What stands before it is
    // large: going round 256 times would write a gigabyte.
    let variable = Dynamic::UNIT.into_shared();
    let padding = Dynamic::from_blob(vec![0; 4 << 20]);
    let mut alias = variable.clone();
    *alias.write_lock::<Dynamic>().expect("not locked") = array([padding, map([("me", variable.clone())])]);

    let error = refused(variable.clone());
    assert_eq!(error.path, "v[1].me");
    assert_eq!(error.reason, "it contains itself");
    // The same variable twice, one beside the other, is no cycle.
    let twice = Dynamic::ONE.into_shared();
    assert!(same(&travel(&array([twice.clone(), twice])), &array([Dynamic::ONE, Dynamic::ONE])));

    // A closure that captured the variable it is kept in.
    let closure = Dynamic::UNIT.into_shared();
    *closure.clone().write_lock::<Dynamic>().expect("not locked") =
        function("anon$0123456789abcdef", vec![closure.clone()]);
    assert_eq!(refused(closure.clone()).path, "v.<captured 0>");

    // Take the cycles apart again, to free them.
    for variable in [variable, closure] {
        let mut variable = variable;
        *variable.write_lock::<Dynamic>().expect("not locked") = Dynamic::UNIT;
    }
}

#[test]
fn shared_variables_inside_shared_variables() {
    let wrap = |inner: Dynamic| Dynamic::from(Rc::new(RefCell::new(inner)));
    let twice = wrap(wrap(Dynamic::ONE));
    assert!(twice.is_shared());
    assert_eq!(travel(&twice).as_int(), Ok(1));
    let error = refused((0..5000).fold(Dynamic::ONE, |inner, _| wrap(inner)));
    assert!(error.reason.contains("256 levels"), "{error}");
}

#[test]
fn a_locked_variable_is_refused_without_a_panic() {
    let variable = array([Dynamic::ONE]).into_shared();
    let value = array([map([("locked", variable.clone())])]);
    let mut holder = variable;
    let guard = holder.write_lock::<Array>().expect("not locked yet");
    let error = encoded(&value).expect_err("the variable is locked");
    assert_eq!(error.path, "v[0].locked");
    drop(guard);
    assert!(encoded(&value).is_ok());
}

#[test]
fn lengths_beyond_the_message_are_refused_before_allocating() {
    // A u64 as a varint: 253 and eight bytes.
    let announce = |tag: u8, length: u64| {
        let mut bytes = vec![tag, 253];
        bytes.extend(length.to_le_bytes());
        bytes.extend([0; 3]);
        bytes
    };
    for tag in [6, 7, 8, 9, 13, 14] {
        for length in [4, 1 << 20, 1 << 40, u64::MAX] {
            let error = decoded(&announce(tag, length)).expect_err("three bytes are left");
            assert_eq!(error.position, 1, "tag {tag}, {length} announced: {error}");
        }
    }
    assert!(decoded(&announce(8, 3)).is_ok());
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let expected = |bytes: &[u8]| {
        let error = decoded(bytes).expect_err("damaged");
        (error.position, error.expected)
    };
    assert_eq!(expected(&[]), (0, "a value"));
    assert_eq!(expected(&[8, 2, 3, 5]), (4, "a value"));
    assert_eq!(expected(&[8, 1, 99]), (2, "a value"));
    assert_eq!(expected(&[0, 0]), (1, "the end of the message"));
    assert_eq!(expected(&[6, 3, b'a', 0xff, b'c']), (3, "text in UTF-8"));
    // A surrogate.
    assert_eq!(expected(&[5, 251, 0x00, 0xd8]), (1, "a char"));
    assert_eq!(expected(&[9, 2, 1, b'k', 0, 1, b'k', 0]), (5, "a key that has not come before"));
    // There are four attachments, and no object belongs to the last one.
    assert_eq!(expected(&[15, 4]), (0, "a handle known here"));
    assert_eq!(expected(&[15, 3]), (0, "a handle known here"));
    assert!(decoded(&[15, 2]).is_ok());
    let error = decoded(&[8, 1, 99]).expect_err("damaged");
    assert_eq!(error.to_string(), "damaged message: expected a value at byte 2");
}

const CLOSURES: &str = r#"
    fn twice(x) { x * 2 }
    fn apply(f, x) { f.call(x) }
    fn make() {
        let base = 40;
        let step = #{by: [1, 2]};
        let inner = |x| x * base;
        let made = #{};
        made.closure = |x| x + base + step.by[1];
        made.captures_closure = |x| inner.call(x) + 1;
        made.named = twice;
        made.curried = Fn("apply").curry(twice);
        made.native = Fn("abs");
        made.no_arguments = || base;
        made.at = timestamp();
        made
    }
"#;

/// Two other processes: one makes closures and a timestamp, the other one gets and uses them.
#[test]
fn closures_and_timestamps_arrive_in_another_process() {
    const ROLE: &str = "WIRE_TEST_ROLE";
    const MESSAGE: &str = "WIRE_TEST_MESSAGE";
    let play = |role: &str, message: &str| -> String {
        let output = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "closures_and_timestamps_arrive_in_another_process", "--nocapture"])
            .env(ROLE, role)
            .env(MESSAGE, message)
            .output()
            .expect("this test starts again");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{role}: {text}{}", String::from_utf8_lossy(&output.stderr));
        let (_, said) = text.split_once('<').expect("an answer in <>");
        said.split_once('>').expect("an answer in <>").0.into()
    };
    let Ok(role) = std::env::var(ROLE) else {
        let before = Instant::now();
        let message = play("make", "");
        let after = Instant::now();
        assert_eq!(play("use", &message), "ok");

        let bytes = base16ct::lower::decode_vec(&message).expect("hexadecimal digits");
        let made = decoded(&bytes).expect("what the other process encoded").cast::<Map>();
        let at = made["at"].clone().cast::<Instant>();
        assert!((before..after).contains(&at), "{at:?} is not between {before:?} and {after:?}");
        return;
    };

    // Nothing of Rhai has been used in this process yet.
    set_hashing_seed(Some([3, 1, 4, 1])).expect("the seed is still open");
    let engine = Engine::new();
    let ast = engine.compile(CLOSURES).expect("a script");
    if role == "make" {
        let made =
            engine.call_fn::<Dynamic>(&mut rhai::Scope::new(), &ast, "make", ()).expect("a map of functions");
        let (bytes, _) = encoded(&made).expect("functions can travel");
        println!("<{}>", base16ct::lower::encode_string(&bytes));
        return;
    }
    let message = std::env::var(MESSAGE).expect("a message");
    let bytes = base16ct::lower::decode_vec(&message).expect("hexadecimal digits");
    let made = decoded(&bytes).expect("functions arrive").cast::<Map>();
    for (name, argument, result) in [
        ("closure", 5_i64, 47),
        ("captures_closure", 2, 81),
        ("named", 5, 10),
        ("curried", 5, 10),
        ("native", -5, 5),
    ] {
        let function = made[name].clone();
        let pointer = function.clone().cast::<FnPtr>();
        // What a closure captured its calls share here as well; what was given to `curry` each has for itself.
        assert!(
            pointer.iter_curry().all(|captured| captured.is_shared() == name.contains("closure")),
            "{name}"
        );
        let from_rust = pointer.call::<INT>(&engine, &ast, (argument,));
        assert_eq!(from_rust.expect(name), result, "{name}");
        let arguments = (function.clone(), argument);
        let from_script = engine.call_fn::<INT>(&mut rhai::Scope::new(), &ast, "apply", arguments);
        assert_eq!(from_script.expect(name), result, "{name}");
        // What arrived can be sent on.
        assert!(same(&travel(&function), &function), "{name}");
    }
    let pointer = made["no_arguments"].clone().cast::<FnPtr>();
    assert_eq!(pointer.call::<INT>(&engine, &ast, ()).expect("a closure"), 40);
    println!("<ok>");
}
