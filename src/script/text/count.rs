//! Maps of counts: text to how often it came, as Python's `collections.Counter`.

use std::collections::HashMap;

use rhai::{Array, Dynamic, Engine, FuncRegistration, INT, ImmutableString, Map};

use super::Outcome;
use crate::wire::Error;

pub fn register(engine: &mut Engine) {
    engine.register_fn("counter", |items: &mut Array| -> Outcome<Map> {
        let mut counts = Map::new();
        count(&mut counts, items)?;
        Ok(counts)
    });
    // Not pure: as a method it is refused on a constant, as a function it gets a copy.
    let changing = || FuncRegistration::new("update_counts").with_purity(false);
    changing().register_into_engine(engine, add);
    changing().register_into_engine(engine, |counts: &mut Map, items: Array| count(counts, &items));
    engine.register_fn("most_common", |counts: &mut Map| most_common(counts, INT::MAX));
    engine.register_fn("most_common", |counts: &mut Map, n: INT| most_common(counts, n));
}

/// Adds one to the count of each item.
///
/// # Errors
/// `TypeError` for an item that is no string or character, which could not be a map's key; nothing is counted then.
fn count(counts: &mut Map, items: &Array) -> Outcome<()> {
    let mut tally: HashMap<ImmutableString, INT> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Ok(text) = item.as_immutable_string_ref() {
            match tally.get_mut(&*text) {
                Some(count) => *count += 1,
                None => drop(tally.insert(text.clone(), 1)),
            }
        } else if let Ok(character) = item.as_char() {
            *tally.entry(character.to_string().into()).or_default() += 1;
        } else {
            let message =
                format!("items[{index}] is of type {}: only strings can be counted", item.type_name());
            return Err(Error::new("TypeError", message).raise());
        }
    }
    tally.iter().try_for_each(|(text, count)| raise_by(counts, text, *count))
}

/// Adds the counts of `part` to those of `total`.
///
/// # Errors
/// `TypeError` when a count is no int, `OverflowError` when a sum is too large; what came before it is added.
fn add(total: &mut Map, part: Map) -> Outcome<()> {
    part.iter().try_for_each(|(key, count)| raise_by(total, key, int(key, count)?))
}

fn raise_by(counts: &mut Map, key: &str, more: INT) -> Outcome<()> {
    let Some(count) = counts.get_mut(key) else {
        counts.insert(key.into(), more.into());
        return Ok(());
    };
    let Some(sum) = int(key, count)?.checked_add(more) else {
        return Err(Error::new("OverflowError", format!("the count of {key:?} is too large")).raise());
    };
    *count = sum.into();
    Ok(())
}

/// The `n` keys with the highest counts, as arrays `[key, count]`; of equal counts the lesser key first.
///
/// # Errors
/// `TypeError` when a count is no int.
fn most_common(counts: &Map, n: INT) -> Outcome<Array> {
    let mut ranked = Vec::with_capacity(counts.len());
    for (key, count) in counts {
        ranked.push((std::cmp::Reverse(int(key, count)?), key.as_str()));
    }
    let n = usize::try_from(n.max(0)).unwrap_or(usize::MAX);
    if n < ranked.len() {
        // Only the first few need an order.
        ranked.select_nth_unstable(n);
        ranked.truncate(n);
    }
    ranked.sort_unstable();
    Ok(ranked.into_iter().map(|(count, key)| Dynamic::from_array(vec![key.into(), count.0.into()])).collect())
}

fn int(key: &str, count: &Dynamic) -> Outcome<INT> {
    count.as_int().map_err(|found| {
        Error::new("TypeError", format!("the count of {key:?} is of type {found}, not an int")).raise()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{eval, fails, shown};

    #[test]
    fn items_are_counted() {
        assert_eq!(shown(r#"counter(["b", "a", "b", 'b'])"#), r#"#{"a": 1, "b": 3}"#);
        assert_eq!(shown("counter([])"), "#{}");
        let error = fails(r#"counter(["a", 1])"#);
        assert_eq!(error.to_string(), "TypeError: items[1] is of type i64: only strings can be counted");
    }

    #[test]
    fn counts_are_added_in_place() {
        let total: String = eval(
            r#"let t = #{a: 1}; update_counts(t, #{a: 2, b: 5}); t.update_counts(["b", "c"]); t.to_string()"#,
        );
        assert_eq!(total, r#"#{"a": 3, "b": 6, "c": 1}"#);
    }

    #[test]
    fn a_constant_is_not_changed() {
        assert!(eval::<bool>(
            "const C = #{a: 1}; let refused = false; try { C.update_counts(#{a: 1}) } catch { refused = true } \
             refused && C.a == 1"
        ));
    }

    #[test]
    fn what_cannot_be_added_is_refused() {
        for (part, kind) in [
            (r#"#{b: "x"}"#, "TypeError"),
            ("#{c: 1}", "TypeError"),
            ("#{b: 9223372036854775807}", "OverflowError"),
            (r#"["a", 7]"#, "TypeError"),
        ] {
            let add = format!(r#"let t = #{{a: 1, b: 1, c: ""}}; update_counts(t, {part})"#);
            assert_eq!(fails(&add).kind(), kind, "{part}");
        }
        // Items are looked at before any is counted.
        assert_eq!(
            eval::<String>(r#"let t = #{a: 1}; try { update_counts(t, ["a", 7]) } catch {} t.to_string()"#),
            r#"#{"a": 1}"#
        );
    }

    #[test]
    fn the_most_common_come_first_and_ties_by_key() {
        let counts = "#{d: 2, b: 7, a: 2, c: 9}";
        assert_eq!(shown(&format!("most_common({counts}, 3)")), r#"[["c", 9], ["b", 7], ["a", 2]]"#);
        assert_eq!(shown(&format!("most_common({counts}).len()")), "4");
        assert_eq!(shown(&format!("most_common({counts}, 9).len()")), "4");
        assert_eq!(shown(&format!("most_common({counts}, -1)")), "[]");
        assert_eq!(fails(r#"most_common(#{a: "x"}, 1)"#).kind(), "TypeError");
    }
}
