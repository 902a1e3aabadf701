//! Values of native types: their properties and indexers, read, written and changed, again and again.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString};

use super::int;
use crate::native::testing::{engine, same_by};

/// Three numbers and a log of who touched them.
#[derive(Clone, Default)]
struct Cells(Rc<RefCell<(Vec<i64>, Vec<String>)>>);

impl Cells {
    fn new() -> Self {
        Self(Rc::new(RefCell::new((vec![1, 2, 3], Vec::new()))))
    }

    fn log(&self, what: String) {
        self.0.borrow_mut().1.push(what);
    }

    fn get(&self, index: i64) -> Result<i64, Box<EvalAltResult>> {
        self.log(format!("get {index}"));
        let found = usize::try_from(index).ok().and_then(|at| self.0.borrow().0.get(at).copied());
        found.ok_or_else(|| format!("there is no cell {index}").into())
    }

    fn set(&self, index: i64, new: i64) -> Result<(), Box<EvalAltResult>> {
        self.log(format!("set {index} to {new}"));
        match usize::try_from(index)
            .ok()
            .and_then(|at| self.0.borrow_mut().0.get_mut(at).map(|cell| *cell = new))
        {
            Some(()) => Ok(()),
            None => Err(format!("there is no cell {index} for {new}").into()),
        }
    }
}

fn with_cells() -> Engine {
    let mut engine = engine();
    engine
        .register_type_with_name::<Cells>("Cells")
        .register_fn("cells", Cells::new)
        .register_get("first", |cells: &mut Cells| cells.get(0))
        .register_set("first", |cells: &mut Cells, new: i64| cells.set(0, new))
        .register_get("last", |cells: &mut Cells| cells.get(2))
        .register_get("fails", |cells: &mut Cells| cells.get(7))
        .register_set("fails", |cells: &mut Cells, new: i64| cells.set(7, new))
        .register_get("log", |cells: &mut Cells| -> Array {
            cells.0.borrow().1.iter().map(|line| line.clone().into()).collect()
        })
        .register_indexer_get(|cells: &mut Cells, index: i64| cells.get(index))
        .register_indexer_set(|cells: &mut Cells, index: i64, new: i64| cells.set(index, new))
        .register_indexer_get(|cells: &mut Cells, name: ImmutableString| {
            cells.log(format!("get {name}"));
            if name == "none" {
                return Err::<ImmutableString, Box<EvalAltResult>>("nothing is called none".into());
            }
            Ok(name)
        })
        .register_indexer_set(|cells: &mut Cells, name: ImmutableString, new: Dynamic| {
            cells.log(format!("set {name} to {new}"));
            if name == "none" { Err::<(), Box<EvalAltResult>>("nothing can be set".into()) } else { Ok(()) }
        });
    engine
}

/// The body runs for `i` from 0 to 5 with `c` and `s`; what it raises is noted.
fn turns(body: &str) {
    let source = format!(
        "fn once(c, i, s) {{ {body} }}
        fn f(n) {{
            let c = cells(); let s = []; let a = [c, 1]; let m = #{{ c: c, a: a }};
            for i in 0..n {{ {body} }}
            [c.log, s]
        }}
        fn g(n) {{
            let log = []; let c = cells();
            for i in 0..n {{ let s = []; try {{ log.push(once(c, i, s)); }} catch (e) {{ log.push([e, `${{e}}`]); }} log.push(s); }}
            [c.log, log]
        }}"
    );
    let engine = with_cells();
    same_by(&engine, &source, "f", &[int(6)]);
    if !body.contains("m.") && !body.contains("a[") {
        same_by(&engine, &source, "g", &[int(6)]);
    }
}

#[test]
fn properties_and_items_are_read() {
    for body in [
        "s.push(c.first + c[1]);",
        "s.push(c.last); s.push(c[i]);",
        "s.push(c.fails);",
        "s.push(c.missing); s.push(c.other_name);",
        "s.push(c.none);",
        "s.push(c[\"a\" + i]);",
        "s.push(c[1.5]);",
        "let k = if i % 2 == 0 { i } else { \"name\" }; s.push(c[k]);",
        "s.push(a[0].first + m.c[1] + m.a[0].last + m[\"c\"][\"first\"]);",
        "let x = if i % 3 == 2 { \"text\" } else { c }; s.push(x[1]);",
        "let x = if i % 3 == 2 { #{ first: 9 } } else { c }; s.push(x.first);",
        "let x = if i % 3 == 2 { [7, 8] } else { c }; s.push(x[1]);",
        "const C = c; s.push(C.first); s.push(C[1]);",
        "let r = i..9; s.push(r.start); s.push(r.end); s.push(r.nothing);",
        "s.push(c.first.to_string().len());",
    ] {
        turns(body);
    }
}

#[test]
fn properties_and_items_are_written() {
    for body in [
        "c.first = i; c[1] = i * 2; s.push(c.first);",
        "c.last = i;",
        "c.fails = i;",
        "c.anything = i; c.none = i;",
        "c[i] = i;",
        "c[\"a\" + i] = [i];",
        "c[1] = \"no number\";",
        "c.first = 1.5;",
        "a[0].first = i; m.c[1] = i; m.a[0][2] = i; s.push(m.c.first);",
        "let x = if i % 3 == 2 { #{} } else { c }; x.first = i; s.push(x);",
        "const C = c; C.first = 3;",
        "const C = c; C[1] = 3;",
    ] {
        turns(body);
    }
}

#[test]
fn properties_and_items_are_changed() {
    for body in [
        "c.first += i; c[1] *= 3; s.push(c.first - c[1]);",
        "c.last += 1;",
        "c.fails += 1;",
        "c.first += \"x\";",
        "c.first += 9223372036854775807;",
        "c[i] += 1;",
        "c[\"a\" + i] += \"!\";",
        "c[\"none\"] += \"!\";",
        "c.anything += \"!\"; c.none += 1;",
        "c.first /= i;",
        "a[0].first += 2; m.c[1] -= 1; m.a[0][2] <<= 1; s.push(m.a[0].first);",
        "let x = if i % 3 == 2 { #{ first: 5 } } else { c }; x.first += 1; s.push(x.first);",
        "let x = if i % 3 == 2 { [1, 2] } else { c }; x[1] += 1; s.push(x[1]);",
        "let by = || c.first; c.first += by.call();",
    ] {
        turns(body);
    }
}
