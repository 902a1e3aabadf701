//! Numbers, loops, calls.

use super::{float, int, ints};
use crate::native::testing::same;

const EDGES: &[i64] = &[0, 1, -1, 2, 3, 7, -8, 63, 64, 65, i64::MAX, i64::MIN, i64::MIN + 1];

#[test]
fn recursion_gives_what_the_interpreter_gives() {
    let source = "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }";
    assert_eq!(same(source, "fib", &[int(15)]), "i64: 610");
}

#[test]
fn every_operator_on_the_edges_of_integers() {
    for op in ["+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "==", "!=", "<", "<=", ">", ">="] {
        let source = format!("fn f(a, b) {{ a {op} b }} fn g(a, b) {{ let x = a; x {op}= b; x }}");
        let assigns = !op.contains(['=', '<', '>']) || op == "<<" || op == ">>";
        for left in EDGES {
            for right in EDGES {
                same(&source_of(&source, assigns), "f", &[int(*left), int(*right)]);
                if assigns {
                    same(&source, "g", &[int(*left), int(*right)]);
                }
            }
        }
    }
}

fn source_of(source: &str, assigns: bool) -> String {
    let end = source.find("fn g").filter(|_| !assigns).unwrap_or(source.len());
    source[..end].to_owned()
}

#[test]
fn floats_compare_with_the_engines_epsilon() {
    let mut values = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e308,
        -1e308,
        5e-324,
        1e-160,
        f64::MIN_POSITIVE,
        1.0 + f64::EPSILON,
        1.0 - f64::EPSILON / 2.0,
        1.0 + 2.0 * f64::EPSILON,
        0.3,
    ];
    values.push(0.1 + 0.2);
    for op in ["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "**"] {
        let source = format!("fn f(a, b) {{ a {op} b }}");
        for left in &values {
            for right in &values {
                same(&source, "f", &[float(*left), float(*right)]);
            }
            same(&source, "f", &[float(*left), int(3)]);
            same(&source, "f", &[int(-7), float(*left)]);
        }
    }
}

#[test]
fn negation_has_a_text_of_its_own() {
    for value in EDGES {
        same("fn f(a) { -a }", "f", &[int(*value)]);
    }
}

#[test]
fn loops_and_what_they_give() {
    let source = "
        fn while_(n) { let i = 0; let s = 0; while i < n { s += i % 7; i += 1; } s }
        fn nothing(n) { while n > 0 { n -= 1 } }
        fn leaves(n) { let x = loop { n += 3; if n > 20 { break n * 2; } }; x + 1 }
        fn until_ten(n) { do { n += 1; if n == 3 { continue } } until n > 10; n }
        fn ranges(n) { let s = 0; for i in 0..n { for j in i..=n { if j == 5 { continue } s += i * j } } s }
        fn counted(n) { let s = 0; for (i, k) in 3..n { s += i * 10 + k } s }
        fn early(n) { for i in 0..n { if i * i > 50 { return i } } -1 }
        fn shadow(n) { let x = n; let x = x + 1; if x > 0 { let x = 100; x += 1; } x }
        fn mixed(n) { if n > 0 { 1 } else { 2.5 } }
        fn no_else(n) { if n > 3 { n } }
        fn value(n) { let y = { let a = n; a * 2 }; y }
    ";
    for name in [
        "while_",
        "nothing",
        "leaves",
        "until_ten",
        "ranges",
        "counted",
        "early",
        "shadow",
        "mixed",
        "no_else",
        "value",
    ] {
        for n in [0, 1, 4, 11] {
            same(source, name, &[int(n)]);
        }
    }
}

#[test]
fn depth_has_the_interpreters_limit_and_chain() {
    let source = "fn deep(n) { if n <= 0 { 0 } else { 1 + deep(n - 1) } }
        fn outer(n) { let x = 1; x + inner(n) } fn inner(n) { 10 / n }";
    for n in [10, 150, 180, 190, 195, 196, 197, 198, 199, 200, 201, 202, 1000] {
        same(source, "deep", &[int(n)]);
    }
    same(source, "outer", &[int(0)]);
    same(source, "outer", &[int(2)]);
    same(source, "outer", &[float(2.0)]);
}

#[test]
fn a_variable_may_change_its_type() {
    let source = "fn f(n) { let s = 0; for i in 0..n { s += 0.5; } s }
        fn g(n) { let s = 1; if n > 1 { s = \"a\" } s }
        fn h(n) { n = n * 1.5; n }";
    for name in ["f", "g", "h"] {
        for n in [0, 1, 2] {
            same(source, name, &[int(n)]);
        }
    }
}

#[test]
fn arrays_of_numbers() {
    let source = "
        fn sum(a) { let s = 0; for x in a { s += x } s }
        fn by_index(a) { let s = 0; let i = 0; while i < a.len() { s += a[i]; i += 1; } s }
        fn back(a) { a[-1] + a[-2] }
        fn write(a) { a[0] = 5; a[-1] += 7; a[1] *= a[0]; a }
        fn outside(a) { a[3] }
        fn far(a) { a[-4] }
        fn copy(a) { let b = a; b[0] = 9; [a, b] }
        fn change(a) { a.push(4); a[0] = 1; a.len() }
        fn callers(a) { change(a); a }
        fn nested(a) { let m = [a, a]; m[0][1] = 8; m[1][2] + m[0][1] }
        fn sieve(n) { let p = []; for i in 0..n { p.push(true) } let i = 2;
            while i * i < n { if p[i] { let j = i * i; while j < n { p[j] = false; j += i; } } i += 1; }
            let c = 0; for k in 2..n { if p[k] { c += 1 } } c }
        fn reads(a) { get(a, 1) + get(a, 2) } fn get(a, i) { a[i] }
    ";
    for name in
        ["sum", "by_index", "back", "write", "outside", "far", "copy", "change", "callers", "nested", "reads"]
    {
        same(source, name, &[ints(&[3, 4, 5])]);
    }
    same(source, "sieve", &[int(100)]);
    same(source, "sum", &[rhai::Dynamic::from_array(vec![float(1.5), int(2), "x".into()])]);
}
