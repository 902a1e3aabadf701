//! What arrays hold, loops over everything, and values that are moved.

use rhai::Dynamic;

use super::{int, ints};
use crate::native::testing::same;
use crate::native::{Compiler, Limits, testing};

/// Runs every function of the source with the number, and with none of the names left out.
fn all(source: &str, argument: &Dynamic) {
    let names: Vec<&str> = source
        .split("fn ")
        .skip(1)
        .filter_map(|text| text.split_once("(n)"))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|letter| letter.is_alphanumeric() || letter == '_'))
        .collect();
    assert!(names.len() > 3, "{names:?}");
    for name in names {
        same(source, name, std::slice::from_ref(argument));
    }
}

#[test]
fn an_element_may_change_its_type() {
    let source = r#"
        fn pushed(n) { let a = [1, 2]; a.push(1.5); a.push("x"); a[2] + a[0] }
        fn pushed_by_name(n) { let a = [1]; push(a, 2.5); a[1] * a[0] }
        fn set(n) { let a = [1, 2]; for i in 0..4 { a[0] += i; if i == n { a[1] = "two"; } } a }
        fn set_float(n) { let a = [1, 2]; a[0] += 0.5; a[1] *= 2; a }
        fn float_int(n) { let a = [1.0]; a[0] += n; a[0] /= 2; a[0] }
        fn inserted(n) { let a = [1]; a.insert(0, 'c'); a[0] }
        fn appended(n) { let a = [1]; a += [true]; a += 2.5; a.append(["x"]); a }
        fn rows(n) { let r = [[1.0], [2.0]]; r[0].push(n); r[1][0] = (); r }
        fn deep(n) { let r = [[[[[n]]]]]; r[0][0][0][0][0] += 1; r[0][0][0][0].push("x"); r }
        fn other_row(n) { let r = [[1, 2]]; r.push([1.5]); r.push([]); r.push(3); r[0][0] + r[1][0] }
        fn bits(n) { let a = [n, 2]; a[0][1] = true; a[1].set_bit(4, true); a }
        fn tagged(n) { let a = [n, 2]; a[0].tag = 7; let x = a[0]; x.tag }
        fn tagged_later(n) { let a = [n, 2]; let x = a[1]; set_tag(x, 3); a.push(x); a[2].tag }
        fn captured(n) { let a = [1, 2]; let f = || a.push("x"); f.call(); a }
        fn captured_index(n) { let i = 0; let f = || i; let a = [1, 2]; i += 1; a[i] + a[f.call()] }
        fn emptied(n) { let a = [1, 2, 3]; let b = a.pop() + a.shift(); a.clear(); a.push(n); [a, b] }
        fn sorted(n) { let a = [3, 1, 2]; a.sort(); a.reverse(); a.remove(0); a.truncate(5); a[0] - a[-1] }
        fn doubled(n) { let a = [1, 2]; a.for_each(|| this *= 1.5); a[0] + a[1] }
        fn constant(n) { const A = [1, 2]; A[0] + A.len() }
        fn no_push(n) { const A = [1, 2]; A.push(n); A }
        fn no_set(n) { const A = [1, 2]; A[0] = n; A }
        fn itself(n) { let a = [[1]]; a.push(a[0]); a[0].push(2); a.push(a); a }
        fn conditional(n) { let a = if n > 3 { [1] } else { [1.5] }; a[0] + a.len() }
        fn shadowed(n) { let a = [1]; let a = a[0]; let a = [a, "x"]; a }
        fn reused(n) { let a = []; for i in 0..3 { let row = []; row.push(i); a.push(row); } a[2][0] + n }
        fn swapped(n) { let a = [1]; let b = ["x"]; let c = a; a = b; b = c; [a, b] }
        fn chars(n) { let a = ['a', 'b']; a[0] = 'z'; a[0] < a[1] || a[0] == 'z' }
        fn bools(n) { let a = [true]; a.push(n > 3); a[1] &= a[0]; !a[1] }
        fn units(n) { let a = [(), ()]; a[0] = (); a[1] == a[0] }
    "#;
    all(source, &int(4));
}

#[test]
fn outside_of_an_array() {
    let source = r#"
        fn above(n) { let a = [1, 2]; a[n] }
        fn below(n) { let a = [1.5, 2.5]; a[-n] }
        fn at_end(n) { let a = [1.5, 2.5]; a[-1] + a[-2] }
        fn of_float(n) { let a = [1, 2]; a[0.5] }
        fn of_text(n) { let a = [1, 2]; a["x"] }
        fn of_any(n) { let a = [1, 2]; let i = [1, "x"]; a[i[0]] + a[i[1]] }
        fn range(n) { let a = [1, 2]; a[0..1] }
        fn property(n) { let a = [1, 2]; a.x }
        fn nothing(n) { let a = []; a[0] }
        fn nothing_added(n) { let a = []; let s = 1; s += a[0]; s }
        fn nothing_in_loop(n) { let a = []; let s = 0; for x in a { s += x * "no"; s = x.y; } s + n }
        fn nothing_yet(n) { let a = []; let s = 0; try { s = a[0]; } catch { a.push(n); } s + a[0] }
        fn nothing_while(n) { let a = []; while a[0] > 2 { let y = 1.5; y += a[0]; } 1 }
        fn nothing_or(n) { let a = []; a[0] ?? n }
        fn nothing_given(n) { let a = []; [takes(a), takes([n])] }
        fn takes(a) { let s = 0; for x in a { s += x; } s + a.len() }
        fn set(n) { let a = [1]; a[n] = 2; a }
        fn set_text(n) { let a = [1]; a["x"] = 2; a }
        fn update(n) { let a = [1.5]; a[n] += 2; a }
        fn overflow(n) { let a = [9223372036854775807]; a[0] += n; a }
        fn divides(n) { let a = [n, 0]; a[0] /= a[1]; a }
        fn row(n) { let a = [[1]]; a[0][n] }
        fn no_row(n) { let a = [[1]]; a[n][0] = 2; }
        fn caught(n) { let a = [1]; let log = []; try { a[n] = 3; } catch (e) { log.push(e.error); } log }
    "#;
    all(source, &int(4));
}

#[test]
fn arrays_are_handed_on() {
    let source = r#"
        fn sum(a) { let s = 0; for x in a { s += x; } s }
        fn grows(a) { a.push(1); a }
        fn first(a) { a[0] }
        fn ints(n) { let a = [n, 2]; sum(a) + sum([1, 2]) + a.len() }
        fn floats(n) { let a = [1.5, 2.5]; sum(a) * sum([n]) }
        fn unchanged(n) { let a = [n]; let b = grows(a); [a, b, grows(grows(a))] }
        fn any(n) { first([n]) + first([1.5]) + first(["x"]) + first([[1]]) }
        fn nested(a) { if a.len() > 3 { a } else { nested(a + [a]) } }
        fn deeper(n) { first(first([[n]])) }
        fn quick(a) { if a.len() < 2 { return a; } let p = a[0]; let l = []; let r = [];
            for i in 1..a.len() { if a[i] < p { l.push(a[i]); } else { r.push(a[i]); } }
            quick(l) + [p] + quick(r) }
        fn sorts(n) { quick([3, 1, n, 2, 9, 0]) }
        fn by_map(n) { let m = #{a: [1, n]}; m.a.push(2.5); sum(m.a) }
        fn closure(n) { [[1], [2, n]].map(|row| row[0] + row.len()) }
        fn compare(n) { let a = [[2, 1], [1, n]]; a.sort(|x, y| x[0] - y[0]); a }
        fn keeps(n) { let a = [n]; let b = a; b[0] = 7; let c = b; c.push("x"); [a, b, c] }
        fn returns(n) { let a = [n]; for i in 0..9 { if i == n { return a; } a.push(i); } [] }
        fn again(n) { let s = 0; for i in 0..n { let a = [i]; let b = a; b.push(i); s += sum(b); } s }
        fn both(n) { let a = [n]; [a, a] }
        fn in_try(n) { let a = [n]; try { throw grows(a) } catch (e) { e } }
        fn in_map(n) { let a = [n]; let b = "x"; #{z: a, b: b, a: n} }
        fn set(n) { let m = #{}; let a = [n]; m.x = a; m.y = m.x; m }
        fn into_itself(n) { let d = #{a: n}; d.m = d; d["x"] = d; let a = [1]; a[0] = a; [a, d] }
        fn chosen(n) { let a = [n]; let b = if n > 3 { a } else { [] }; b.push(1); b }
    "#;
    all(source, &int(4));
    for array in [
        ints(&[1, 2, 3]),
        Dynamic::from_array(vec![]),
        Dynamic::from_array(vec![1.5.into(), 2.5.into()]),
        Dynamic::from_array(vec![1.into(), 2.5.into()]),
        Dynamic::from_array(vec!["x".into(), 'c'.into()]),
        Dynamic::from_array(vec![ints(&[4, 5]), ints(&[6])]),
        Dynamic::from_array(vec![ints(&[4, 5]), Dynamic::from_array(vec![1.5.into()])]),
        Dynamic::from_array(vec![Dynamic::UNIT]),
        "text".into(),
    ] {
        for name in ["sum", "grows", "first", "nested", "quick"] {
            same(source, name, std::slice::from_ref(&array));
        }
    }
}

#[test]
fn a_tag_on_an_element_stays() {
    let mut tagged = Dynamic::from_int(3);
    tagged.set_tag(9);
    let array = Dynamic::from_array(vec![1.into(), tagged]);
    let source = "fn tags(a) { let s = []; for x in a { s.push(x.tag); } let y = a[1]; s.push(y.tag); s }";
    assert_eq!(same(source, "tags", &[array]), "array: [0, 9, 9]");
}

#[test]
fn arrays_of_many_types_do_not_use_up_the_forms() {
    let source = "fn f(a) { let n = 0; for x in a { n += 1; } n }";
    let engine = testing::engine();
    let ast = engine.compile(source).expect("a script");
    let compiler = Compiler::new(&engine, &ast, Limits::default());
    let values: [Dynamic; 6] = [1.into(), 1.5.into(), true.into(), 'c'.into(), "x".into(), Dynamic::UNIT];
    let rows = values.clone().map(|value| Dynamic::from_array(vec![value]));
    for value in values.into_iter().chain(rows) {
        let array = Dynamic::from_array(vec![value.clone(), value]);
        let found = testing::compiled(&engine, &ast, &compiler, "f", &[array]);
        assert_eq!(found.as_deref(), Some("i64: 2"));
    }
}

#[test]
fn loops_go_through_everything() {
    let source = r#"
        fn text(n) { let s = []; for (c, i) in "a\u00fc\u4e16z" { s.push(c); s.push(i); } s }
        fn no_text(n) { let s = n; for c in "" { s += 1; } s }
        fn range(n) { let r = 2..n; let s = 0; for i in r { s += i; } s }
        fn closed(n) { let r = 2..=n; let s = []; for (i, k) in r { s.push(i * k); } s }
        fn steps(n) { let s = []; for i in range(0, 10, n) { s.push(i); } for x in range(1.0, 2.0, 0.25) { s.push(x); } s }
        fn bytes(n) { let s = 0; for b in blob(3, 7) { s += b; } s }
        fn bits(n) { let s = []; for b in bits(5, 0, n) { s.push(b); } s }
        fn chars(n) { let s = ""; for c in "hello".chars(1, n) { s += c; } s }
        fn map(n) { let m = #{a: 1}; for x in m { } }
        fn number(n) { for x in n { } }
        fn nothing(n) { let s = 0; let u = (); for x in u { s += 1; } s }
        fn caught(n) { try { for x in n + 1 { } } catch (e) { `${e.error} ${e.line} ${e.position}` } }
        fn breaks(n) { let r = 0..9; for i in r { if i == n { break i * 2; } } }
        fn nested(n) { let s = []; for a in "ab" { for b in 0..=2 { for c in "x" { s.push(`${a}${b}${c}`); } } } s }
        fn continues(n) { let s = 0; let r = 0..=9; for i in r { if i % 2 == 0 { continue; } s += i; } s }
        fn returns(n) { for c in "hello" { for d in 0..n { if c == 'l' { return [c, d]; } } } }
        fn throws(n) { for c in "hello" { if c == 'l' { throw c; } } }
        fn changes(n) { let s = []; for c in "abc" { c += "x"; s.push(c); } s }
        fn captures(n) { let fs = []; for c in "abc" { fs.push(|x| c + x); } let s = []; for f in fs { s.push(f.call(n)); } s }
        fn of_either(n) { let s = []; let of = ["xy", 0..2, [1.5], n]; for a in of { try { for x in a { s.push(x); } } catch { s.push("no"); } } s }
        fn own_text(n) { let t = "ab"; for c in t { t += c; } t }
        fn own_array(n) { let t = [1, 2]; for c in t { t.push(c); } t }
        fn own_row(n) { let t = [[1], [2]]; for c in t { c.push(n); t[0].push(9); } t }
        fn empty(n) { let k = 0; for c in "abc" { } for i in 0..=n { k = i; } k }
    "#;
    all(source, &int(4));
}
