//! Strings, maps, errors, closures.

use rhai::Dynamic;

use super::{int, ints};
use crate::native::testing::same;

#[test]
fn strings() {
    let source = r#"
        fn build(n) { let s = ""; for i in 0..n { s += "x"; s += i; s += 'c'; } s }
        fn join(n) { let s = "a" + n + "b"; s + s.len() }
        fn told(n) { `n is ${n}, twice ${n * 2}, half ${n / 2.0}, ${[n]} ${()}` }
        fn chars(n) { let c = 0; for ch in "hello, world" { if ch == 'l' { c += n } } c }
        fn compare(n) { let s = "abc"; [s < "abd", s == "abc", s != "x", s > 3, s == 'a', "a" == 'a'] }
        fn index(n) { let s = "hello"; [s[0], s[-1], s[1..3], s.len(), s.to_upper()] }
        fn outside(n) { "abc"[n] }
        fn set(n) { let s = "hello"; s[0] = 'J'; s }
        fn cut(n) { "a,b,c".split(",") }
        fn contains(n) { ["a" in "abc", 3 in [1, 2, 3], "k" in #{k: 1}, "z" in #{k: 1}] }
        fn pad(n) { let s = "x"; s.pad(n, '-'); s }
    "#;
    for name in
        ["build", "join", "told", "chars", "compare", "index", "outside", "set", "cut", "contains", "pad"]
    {
        for n in [1, 5] {
            same(source, name, &[int(n)]);
        }
    }
}

#[test]
fn maps() {
    let source = r#"
        fn count(n) { let m = #{}; for w in "a b a c a".split(" ") { if w in m { m[w] += 1 } else { m[w] = 1 } } m }
        fn nested(n) { let m = #{a: #{b: [1, 2, #{c: n}]}, d: n}; m.a.b[2].c += 1; m.a.b[2].c + m.d }
        fn missing(n) { let m = #{a: 1}; m.zz }
        fn missing_deep(n) { let m = #{a: 1}; m.zz.y }
        fn grow(n) { let m = #{}; m.x = n; m["y"] = [n]; m.y.push(3); m }
        fn wrong(n) { let m = #{}; m.x += n; m }
        fn keys(n) { let m = #{b: 1, a: 2}; let s = ""; for k in m.keys() { s += k } [s, m.values(), m.len()] }
        fn of_maps(n) { let a = [#{v: 1}, #{v: 2}]; for x in a { x.v = 9 } a[1].v = n; a }
        fn maybe(n) { let m = #{a: n}; m.a?.b }
        fn or_else(n) { let m = #{}; m.a ?? n }
    "#;
    for name in
        ["count", "nested", "missing", "missing_deep", "grow", "wrong", "keys", "of_maps", "maybe", "or_else"]
    {
        same(source, name, &[int(4)]);
    }
}

#[test]
fn errors_are_thrown_and_caught() {
    let source = r#"
        fn caught(n) { try { 10 / n } catch (e) { `${e.error} ${e.message} ${e.line}` } }
        fn value(n) { let r = 1; try { if n > 0 { throw n } r = 2 } catch (e) { r = e } r }
        fn again(n) { try { throw "x" } catch { throw } }
        fn other(n) { try { throw "x" } catch (e) { throw e + "y" } }
        fn inner(n) { if n > 3 { throw #{code: n} } n }
        fn outer(n) { try { inner(n) + 1 } catch (e) { if n > 4 { throw } e.code } }
        fn out(n) { for i in 0..n { try { if i == 2 { break } 1 / (1 - i) } catch (e) { continue } } n }
        fn nested(n) { let log = []; try { try { 1 / 0 } catch (e) { log.push(1); throw "again" } }
            catch (e) { log.push(e) } log }
        fn no_bool(n) { if n { 1 } }
        fn no_call(n) { nothing_here(n, "x") }
        fn no_op(n) { n + [] == n - "a" }
        fn returns(n) { try { return n * 2 } catch { } 3 }
        fn in_handler(n) { try { throw 1 } catch { return n } }
    "#;
    for name in [
        "caught",
        "value",
        "again",
        "other",
        "outer",
        "out",
        "nested",
        "no_bool",
        "no_call",
        "no_op",
        "returns",
        "in_handler",
    ] {
        for n in [0, 1, 4, 5] {
            same(source, name, &[int(n)]);
        }
    }
}

#[test]
fn switches() {
    let source = r#"
        fn f(n) { switch n { 1 => "one", 2 | 3 if n > 2 => "three", 'c' => 5, "s" => 6, 4..10 => "some", _ => n } }
        fn g(n) { let r = 0; switch n { 0 => { r = 5; } 1 => { return 7 } } r }
    "#;
    let values = [
        int(0),
        int(1),
        int(2),
        int(3),
        int(5),
        'c'.into(),
        "s".into(),
        4.5.into(),
        10.0.into(),
        Dynamic::UNIT,
    ];
    for name in ["f", "g"] {
        for value in &values {
            same(source, name, std::slice::from_ref(value));
        }
    }
}

#[test]
fn closures() {
    let source = r#"
        fn map(a) { a.map(|x| x * 2) }
        fn filter(a) { a.filter(|x| x > 3).len() }
        fn reduce(a) { a.reduce(|s, x| s + x, 0) }
        fn sort(a) { a.sort(|x, y| y - x); a }
        fn captured(a) { let k = 10; a.map(|x| x + k) }
        fn counts(a) { let n = 0; a.for_each(|| n += this); n }
        fn called(a) { let f = |x| x + 1; f.call(a[0]) }
        fn by_name(a) { let f = Fn("twice"); [f.call(3), call(f, 4), a.map(twice)] }
        fn twice(x) { x * 2 }
        fn fails(a) { a.map(|x| x / 0) }
        fn sorts_badly(a) { a.sort(|x, y| throw 1); a }
    "#;
    for name in
        ["map", "filter", "reduce", "sort", "captured", "counts", "called", "by_name", "fails", "sorts_badly"]
    {
        same(source, name, &[ints(&[3, 9, 4])]);
    }
}

#[test]
fn methods_work_on_this() {
    let source = r#"
        fn deposit(amount) { if amount <= 0 { throw "more" } this.balance += amount; this.log.push(amount); }
        fn bank(n) { let accounts = [#{balance: 1, log: [], fee: |x| x + this.log.len()}, #{balance: 2, log: []}];
            accounts[0].deposit(n); accounts[1].deposit(3); let fee = accounts[0].fee(n);
            let refused = 0; try { accounts[1].deposit(-n) } catch (e) { refused = e } [accounts[0].balance, accounts[1], fee, refused] }
        fn add(x) { this += x; this }
        fn number(n) { let y = n.add(2); n.add(y); n * 10 + y }
        fn fails(n) { let m = #{a: 1}; m.broken(n) } fn broken(n) { this.a / (n - n) }
        fn orders(n) { let orders = [#{items: [#{p: 1.5, c: n}, #{p: 2.0, c: 2}]}]; let s = 0.0;
            for o in orders { s += value(o); for i in o.items { s += i.c } } s }
        fn value(order) { let sum = 0.0; for item in order.items { sum += item.p * item.c } sum }
        fn changed(n) { let a = [[1], [2]]; for x in a { x.push(n) } for x in a { a.push(x) } a }
        fn missing(n) { n = #{a: n}; try { n.l.push(3) } catch (e) { return e.message } n }
        fn read_only(n) { let d = global::G; d += n; d }
        fn by_field(n) { let a = [#{k: 3, i: 1}, #{k: 1, i: 2}, #{k: 2, i: n}]; a.sort(|x, y| x.k - y.k); a }
        const G = 7;
    "#;
    for name in ["bank", "number", "fails", "orders", "changed", "missing", "by_field"] {
        for n in [2, 5] {
            same(source, name, &[int(n)]);
        }
    }
}
