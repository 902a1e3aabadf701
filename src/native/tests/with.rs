//! `with`: entered and left on every way, by types with a door, with functions for it, and with neither.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine};

use super::int;
use crate::native::testing::{engine, same_by};
use crate::script::with::{self, door::Ways};

/// What was done with it, in order.
#[derive(Clone, Default)]
struct Gate(Rc<RefCell<Vec<String>>>, i64);

impl Gate {
    fn log(&self, what: &str) {
        self.0.borrow_mut().push(what.to_owned());
    }
}

/// The same, entered by functions.
#[derive(Clone, Default)]
struct Old(Gate);

fn with_gates() -> Engine {
    let mut engine = engine();
    with::register(&mut engine);
    let enter = |gate: &Gate| {
        gate.log("enter");
        if gate.1 == 1 { Err("it does not open".into()) } else { Ok(()) }
    };
    let leave = |gate: &Gate| {
        gate.log("leave");
        if gate.1 == 2 { Err("it does not shut".into()) } else { Ok(()) }
    };
    Ways::new(enter, |gate: &Gate| Dynamic::from(gate.clone()), leave)
        .with_lock(|gate: &Gate| gate.1 != 3)
        .register();
    engine
        .register_type_with_name::<Gate>("Gate")
        .register_fn("gate", |kind: i64| Gate(Rc::default(), kind))
        .register_fn("get_lock", |gate: &mut Gate| Gate(Rc::clone(&gate.0), gate.1 % 3))
        .register_get("log", |gate: &mut Gate| -> Array {
            gate.0.borrow().iter().map(|line| line.clone().into()).collect()
        })
        .register_fn("note", |gate: &mut Gate, what: Dynamic| gate.log(&what.to_string()))
        .register_type_with_name::<Old>("Old")
        .register_fn("old", Old::default)
        .register_fn("__enter__", |old: &mut Old| old.0.log("enter"))
        .register_fn("__exit__", |old: &mut Old| old.0.log("leave"))
        .register_get("log", |old: &mut Old| -> Array {
            old.0.0.borrow().iter().map(|line| line.clone().into()).collect()
        });
    engine
}

#[test]
fn a_resource_is_left_on_every_way() {
    let engine = with_gates();
    for body in [
        "with g { g.note(i); s += i; }",
        "with g.get_lock() { g.note(i); s += i; }",
        "s += with g { g.note(`<${i}>`); i * 2 };",
        "with g { s += 1; let t = `a${i}`; g.note(t); t }",
        "with g { with h { s += 1; if i == 2 { throw \"inner\" } } g.note(\"between\"); }",
        "with g { if i == 3 { throw i } }",
        "with g { s += 1 / (3 - i); }",
        "try { with g { let t = `x${i}`; g.note(t + (1 / (3 - i))); } } catch (e) { s += 100; }",
        "with g { try { throw i } catch (e) { s += e } }",
        "with g { for k in 0..9 { if k == i { break } s += k; } }",
        "with g { if i == 2 { return s } s += 1; }",
        "let t = `t${i}`; try { with g { return t } } catch (e) { s += t.len(); }",
        "with g { if i == 2 { break } s += 1; }",
        "with g { if i == 2 { continue } s += 1; }",
        "with g { let f = |x| x + i; s += f.call(2); }",
        "with g as open { open.note(i); s += 1; }",
        "with i { s += 1; }",
        "with i.get_lock() { s += 1; }",
        "let g = h; with g { s += 1; g = 3; }",
        "let o = old(); with o { s += i; } s += o.log.len();",
        "let o = old(); try { with o { throw i } } catch (e) { s += e; } s += o.log.len();",
        "with a[0] { s += i; }",
    ] {
        let source = format!(
            "fn caught(kind) {{
                let g = gate(kind); let h = gate(0); let a = [g]; let s = 0; let ended = ();
                try {{ for i in 0..5 {{ {body} }} ended = \"all\"; }} catch (e) {{ ended = `${{e}}`; }}
                [g.log, h.log, ended, s]
            }}
            fn raised(kind) {{
                let g = gate(kind); let h = gate(0); let a = [g]; let s = 0;
                for i in 0..5 {{ {body} }}
                [g.log, h.log, s]
            }}"
        );
        for kind in 0..4 {
            for name in ["caught", "raised"] {
                same_by(&engine, &source, name, &[int(kind)]);
            }
        }
    }
}
