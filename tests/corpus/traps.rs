//! The places where native code is easily a little different from the interpreter, one test each.

use super::differ::Differ;

/// Runs function `f` of the source both ways with each argument list, which must give the same.
fn same(functions: &str, calls: &[&str]) {
    let differ = Differ::new();
    let source = format!("{functions}\nfn arguments() {{ [{}] }}\n", calls.join(", "));
    let findings = differ.run(&source, "f").unwrap_or_else(|error| panic!("{error}\n{source}"));
    assert!(findings.differences.is_empty(), "{source}\n{}", findings.told());
    assert_eq!(findings.native, calls.len(), "ran natively, {:?}\n{source}", findings.states);
}

const INTS: &[&str] =
    &["0", "1", "-1", "2", "-7", "63", "64", "9223372036854775807", "-9223372036854775807 - 1"];

const FLOATS: &[&str] = &[
    "0.0",
    "-0.0",
    "1.0",
    "1.0000000000000002",
    "1.0000000000000004",
    "0.9999999999999999",
    "-1.0",
    "0.1 + 0.2",
    "0.3",
    "1e308",
    "1e-160",
    "5e-324",
    "2.2250738585072014e-308",
    "9.007199254740992e15",
    "9.3e18",
    "1.0 / 0.0",
    "-1.0 / 0.0",
    "0.0 / 0.0",
];

/// Every pair of these as an argument list.
fn pairs(left: &[&str], right: &[&str]) -> Vec<String> {
    left.iter().flat_map(|a| right.iter().map(move |b| format!("[{a}, {b}]"))).collect()
}

/// Every binary operator of the list on every pair.
fn operators(operators: &[&str], left: &[&str], right: &[&str]) {
    let calls = pairs(left, right);
    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
    for operator in operators {
        same(&format!("fn f(a, b) {{ a {operator} b }}"), &calls);
    }
}

const COMPARISONS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

#[test]
fn floats_are_compared_with_a_relative_epsilon() {
    operators(COMPARISONS, FLOATS, FLOATS);
}

#[test]
fn ints_and_floats_are_compared_by_value() {
    operators(COMPARISONS, INTS, FLOATS);
    operators(COMPARISONS, FLOATS, INTS);
}

#[test]
fn ints_overflow_with_the_interpreters_words() {
    operators(&["+", "-", "*"], INTS, INTS);
}

#[test]
fn division_by_zero_and_of_the_least_int_by_minus_one() {
    operators(&["/", "%"], INTS, INTS);
}

#[test]
fn powers_and_shifts_have_their_limits() {
    operators(&["**", "<<", ">>"], INTS, INTS);
    operators(&["**"], FLOATS, INTS);
}

#[test]
fn floats_divide_by_zero_and_keep_their_sign() {
    operators(&["+", "-", "*", "/", "%", "**"], FLOATS, FLOATS);
    same("fn f(a) { -a }", &["[0.0]", "[-0.0]", "[0.0 / 0.0]"]);
}

#[test]
fn ints_and_floats_mix() {
    operators(&["+", "-", "*", "/", "%"], INTS, FLOATS);
    operators(&["+", "-", "*", "/", "%"], FLOATS, INTS);
}

#[test]
fn negation_overflows_in_words_of_its_own() {
    same("fn f(a) { -a }", &["[-9223372036854775807 - 1]", "[5]", "[0]"]);
    same("fn f(a) {\n  abs(a)\n}", &["[-9223372036854775807 - 1]", "[-5]"]);
}

#[test]
fn a_first_argument_that_is_a_variable_is_read_last() {
    same("fn g(a, b) { a * 10 + b }\nfn f(x) { g(x, { x += 1; x }) }", &["[3]"]);
    same("fn f(x) { max(x, { x = 10; x - 5 }) }", &["[3]"]);
    same("fn f(x) { x + { x = 10; x } }", &["[3]", "[2.5]"]);
    same("fn f(x) { x - { x = 10; x } - x }", &["[3]"]);
    same("fn f(x) { x < { x = 10; 5 } }", &["[3]", "[7.5]"]);
    same("fn g(a, b, c) { a * 100 + b * 10 + c }\nfn f(x, y) { g(x, y, { x = 7; y = 8; 9 }) }", &["[1, 2]"]);
    same("fn f(a) { let i = 0; a[i] += { i = 1; a[1] = 5; 2 }; a }", &["[[10, 20]]"]);
}

#[test]
fn arguments_are_by_value() {
    same(
        "fn change(a) { a[0] = 9; a.push(1); a.len() }\nfn f(a) { let n = change(a); a[0] * 100 + a.len() * 10 + n }",
        &["[[1, 2]]", "[[1, 2, 3, 4]]"],
    );
    same("fn read(a) { a[0] + a[-1] }\nfn f(a) { read(a) + read(a) + a.len() }", &["[[1, 2, 3]]", "[[1.5]]"]);
    same("fn change(n) { n += 1; n }\nfn f(n) { change(n) * 100 + n }", &["[4]", "[1.5]"]);
    same("fn keep(a) { let b = a; b[0] = 7; a[0] }\nfn f(a) { keep(a) + a[0] }", &["[[1, 2]]"]);
    same(
        "fn f(a) { let b = a; a[0] = 5; b.push(3); a[0] * 100 + b[0] * 10 + a.len() + b.len() }",
        &["[[1]]"],
    );
    same(
        "fn deep(a, n) { if n > 0 { a[0] += n; deep(a, n - 1) + a[0] } else { a[0] } }\nfn f(a) { deep(a, 3) + a[0] }",
        &["[[1]]"],
    );
}

#[test]
fn negative_indexes_count_from_the_end() {
    let indexes = ["0", "1", "2", "3", "-1", "-3", "-4", "9223372036854775807", "-9223372036854775807 - 1"];
    for array in ["[1, 2, 3]", "[1.5, 2.5, 3.5]", "[true, false, true]", "[]", "blob(3, 5)"] {
        let calls: Vec<String> = indexes.iter().map(|index| format!("[{array}, {index}]")).collect();
        let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
        same("fn f(a, i) { a[i] }", &calls);
    }
    let calls: Vec<String> = indexes.iter().map(|index| format!("[[1, 2, 3], {index}]")).collect();
    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
    same("fn f(a, i) { a[i] = 7;\n a[i] -= 1; a[0] + a[1] * 10 + a[2] * 100 }", &calls);
}

#[test]
fn shadowing_makes_another_variable() {
    same("fn f(x) { let x = x + 1; { let x = x * 10; x += 1; } let y = x; let x = 2.5; y + x }", &["[3]"]);
    same(
        "fn f(n) { let s = 0; for n in 0..n { let s = 100; s += n; } for i in 0..n { s += i; let n = 9; } s * 10 + n }",
        &["[3]"],
    );
    same("fn f(x) { let a = [x, 2]; let a = a; a[0] += 1; let a = { a }; let a = a[0]; a }", &["[3]"]);
    same("fn f(x) { if x > 1 { let x = 1.5; x } else { let x = 2.5; x } }", &["[1]", "[2]"]);
    same("fn f(x) { let i = 0; while i < 3 { let x = i; x += 1; i += 1; } x }", &["[7]"]);
}

#[test]
fn an_if_may_give_one_type_or_another() {
    same("fn f(c) { let x = if c { 1 } else { 2.5 }; x + 1 }", &["[true]", "[false]"]);
    same("fn f(c) { if c { 1 } }", &["[true]", "[false]"]);
    same("fn f(c) { let x = if c { 1 }; x == () }", &["[true]", "[false]"]);
    same("fn f(c) { let x = 1; if c { x = 2.5; } x * 2 }", &["[true]", "[false]"]);
    same("fn f(c) { if c { return 1; } 2.5 }", &["[true]", "[false]"]);
    same("fn f(c) { let x = 1;\n x += if c { 1 } else { true };\n x }", &["[true]", "[false]"]);
}

#[test]
fn a_condition_must_be_a_bool() {
    same("fn f(c) { if c { 1 } else { 2 } }", &["[true]", "[1]", "[()]"]);
    same("fn f(c) { while c { return 1; } 2 }", &["[false]", "[1.5]"]);
    same("fn f(a, b) { a && b }", &["[true, true]", "[false, 1]", "[true, 1]", "[1, true]"]);
    same("fn f(a, b) { a || b }", &["[true, 1]", "[false, 1]", "[false, false]"]);
}

#[test]
fn loops_have_values() {
    same("fn f(n) { let x = while n < 0 { n += 1; }; x == () }", &["[-3]"]);
    same("fn f(n) { let x = while true { n += 1; if n > 5 { break n; } }; x * 2 }", &["[1]"]);
    same("fn f(n) { loop { n += 1; if n > 5 { break; } } }", &["[1]"]);
    same("fn f(n) { let x = loop { n += 1; if n > 5 { break n * 1.5; } }; x }", &["[1]"]);
    same("fn f(n) { let x = for i in 0..n { if i == 3 { break i; } }; x == () }", &["[3]", "[5]"]);
    same("fn f(n) { let x = do { n += 1; if n == 4 { break n; } } while n < 10; x ?? -1 }", &["[1]", "[7]"]);
    same(
        "fn f(n) { let d = 5; switch n { 0 => 1, _ => for k in 0..4 { if k < n { break d; } } } }",
        &["[0]", "[3]"],
    );
    same("fn f(n) { do { n += 1; } until n > 4; n }", &["[1]", "[9]"]);
}

#[test]
fn ranges_are_made_once() {
    same("fn f(n) { let s = 0; for i in 0..n { n = 2; i += 10; s += i; } s }", &["[5]", "[0]", "[-4]"]);
    same(
        "fn f(a, b) { let s = 0; for i in a..=b { s += 1; if s > 9 { break; } } s }",
        &[
            "[0, 3]",
            "[3, 0]",
            "[9223372036854775805, 9223372036854775807]",
            "[-9223372036854775807 - 1, -9223372036854775807 - 1]",
        ],
    );
    same(
        "fn f(a, b, c) { let s = 0; for i in range(a, b, c) { s = s * 10 + i; } s }",
        &["[0, 9, 3]", "[9, 0, -2]", "[0, 5, 0]", "[0, 5, -1]", "[0, 3, 9223372036854775807]"],
    );
    same("fn f(n) { let s = 0; for (x, i) in n..n + 3 { s += x * i; } s }", &["[4]"]);
}

#[test]
fn constants_are_read_only() {
    same("const G = 7;\nfn f(x) { const C = 5; x * C + global::G }", &["[3]"]);
    same("fn f(x) { const A = [1, 2]; A.push(x); A }", &["[3]"]);
    same("fn f(x) { const A = [1, 2]; A[0] = x; A[0] }", &["[3]"]);
    same("fn f(x) { const A = [1, 2]; let b = A; b[0] = x; A[0] * 10 + b[0] }", &["[3]"]);
}

#[test]
fn captured_variables_are_shared() {
    same("fn f(x) { let g = |y| x + y; x = 5; g.call(1) * 10 + x }", &["[3]"]);
    same("fn f(x) { let g = || { x += 1; x }; g.call(); g.call(); x }", &["[3]", "[1.5]"]);
    same("fn f(a) { let g = |v| a.push(v); g.call(7); a[0] = 9; g.call(8); a }", &["[[1, 2]]"]);
    same("fn f(n) { let s = 0; let g = |v| { s += v; }; for i in 0..n { g.call(i); s += 1; } s }", &["[4]"]);
    same(
        "fn f(n) { let fs = []; for i in 0..n { fs.push(|| i * 10); } let s = 0; for g in fs { s += g.call(); } s }",
        &["[4]"],
    );
}

#[test]
fn errors_name_every_function_on_the_way() {
    same(
        "fn low(a, b) {\n  let c = a - 1;\n  c / b\n}\nfn mid(a, b) {\n  1 + low(a, b)\n}\nfn f(a, b) {\n  mid(a,\n   b) * 2\n}",
        &["[1, 0]", "[-9223372036854775807 - 1, 3]", "[5, 2]", "[1.5, 0]"],
    );
}

#[test]
fn recursion_ends_at_the_limit() {
    let calls = ["[5]", "[20]", "[21]", "[22]", "[23]", "[24]", "[25]", "[1000]"];
    same("fn f(n) { if n <= 0 { 0 } else { 1 + f(n - 1) } }", &calls);
    same(
        "fn g(n) { if n <= 0 { 0.5 } else { f(n - 1) } }\nfn f(n) { if n <= 0 { 0.0 } else { 1.0 + g(n - 1) } }",
        &calls,
    );
}

#[test]
fn a_function_is_called_with_one_type_after_the_other() {
    same(
        "fn f(x, y) { let s = x; for i in 0..3 { s += y; } s }",
        &["[1, 2]", "[1.5, 2]", "[1, 2.5]", "[1, 2]", "[\"a\", 'b']", "[true, 1]", "[[1], [2]]"],
    );
}

#[test]
fn floats_become_ints_as_far_as_they_fit() {
    let calls: Vec<String> = FLOATS.iter().map(|float| format!("[{float}]")).collect();
    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
    for function in [
        "to_int", "floor", "ceiling", "round", "int", "fraction", "sqrt", "abs", "sign", "is_nan", "ln",
        "exp",
    ] {
        same(&format!("fn f(x) {{ {function}(x) }}"), &calls);
    }
}

#[test]
fn least_and_greatest_of_mixed_types() {
    for function in ["min", "max"] {
        let (left, right) = ([&INTS[..5], &FLOATS[..4]].concat(), [&INTS[..5], &FLOATS[..4]].concat());
        let calls = pairs(&left, &right);
        let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
        same(&format!("fn f(a, b) {{ {function}(a, b) }}"), &calls);
    }
}

#[test]
fn characters_and_bools_have_their_operators() {
    operators(COMPARISONS, &["'a'", "'b'", "'\u{fc}'"], &["'a'", "'b'", "\"a\""]);
    operators(&["==", "!=", "&", "|", "^"], &["true", "false"], &["true", "false", "1"]);
    operators(&["&", "|", "^"], INTS, INTS);
    for left in ["'a'", "\"ab\""] {
        operators(&["+"], &[left], &["'b'", "\"cd\"", "1", "2.5", "()"]);
    }
}

#[test]
fn a_method_changes_what_it_is_called_with() {
    same(
        "fn add(x) { this += x; this }\nfn f(n) { let y = n.add(2); n.add(y); n * 10 + y }",
        &["[3]", "[1.5]"],
    );
    same(
        "fn put(x) { this.push(x); this[0] = x; }\nfn f(a) { a.put(5); a.put(6); a }",
        &["[[1]]", "[[1.5]]"],
    );
}

#[test]
fn caught_errors_are_those_of_the_interpreter() {
    same(
        "fn low(a) { 10 / a }\nfn f(a) { try { low(a) } catch (e) { print(e); e } }",
        &["[0]", "[5]", "[()]"],
    );
    same(
        "fn f(a) { let x = 1; try { x = 2; a[5] = 1; x = 3; } catch { x += 10; } x }",
        &["[[1]]", "[[1, 2, 3, 4, 5, 6]]"],
    );
    same(
        "fn f(a) { for i in 0..3 { try { if i == 1 { throw i; } } catch (e) { return e + 10; } } }",
        &["[1]"],
    );
}
