//! The dictionary of a manager: any plain value as a key, in the order in which the keys came.
//!
//! Invariants
//! 1. Two keys are one if the language's `==` says so: `1` and `1.0`, `'a'` and `"a"`. The first one that came stays.
//! 2. `index` leads from each key to its entry, and every entry has its key there.

use std::collections::{BTreeMap, HashMap};

use rhai::{Array, Dynamic, ImmutableString, Map};

use crate::wire::Error;

/// A key, as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Unit,
    Bool(bool),
    Int(i64),
    /// The bits of one that is no whole number.
    Float(u64),
    Text(ImmutableString),
}

impl Key {
    /// The key that a value is.
    ///
    /// # Errors
    /// `TypeError` for a value that can be none.
    pub fn of(value: &Dynamic) -> Result<Self, Error> {
        if let Ok(text) = value.as_immutable_string_ref() {
            return Ok(Self::Text(text.clone()));
        }
        if let Ok(int) = value.as_int() {
            return Ok(Self::Int(int));
        }
        if let Ok(float) = value.as_float() {
            let whole = float as i64;
            return Ok(if whole as f64 == float { Self::Int(whole) } else { Self::Float(float.to_bits()) });
        }
        if let Ok(char) = value.as_char() {
            return Ok(Self::Text(ImmutableString::from(char.to_string())));
        }
        if let Ok(truth) = value.as_bool() {
            return Ok(Self::Bool(truth));
        }
        if value.is_unit() {
            return Ok(Self::Unit);
        }
        Err(Error::new(
            "TypeError",
            format!(
                "a key is a string, an int, a float, a char, a bool or (), not a value of type {}",
                short(value)
            ),
        ))
    }
}

fn short(value: &Dynamic) -> &'static str {
    let name = value.type_name();
    name.rsplit("::").next().unwrap_or(name)
}

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub struct Dict {
    index: HashMap<Key, u64>,
    entries: BTreeMap<u64, (Dynamic, Dynamic)>,
    next: u64,
}

impl Dict {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The value of `key`.
    pub fn get(&self, key: &Key) -> Option<&Dynamic> {
        self.index.get(key).and_then(|place| self.entries.get(place)).map(|(_, value)| value)
    }

    /// Whether it has `key`.
    pub fn contains(&self, key: &Key) -> bool {
        self.index.contains_key(key)
    }

    /// Gives `key` the value.
    ///
    /// # Errors
    /// `TypeError` for a value that can be no key.
    pub fn set(&mut self, key: Dynamic, value: Dynamic) -> Result<(), Error> {
        let known = Key::of(&key)?;
        if let Some(entry) = self.index.get(&known).and_then(|place| self.entries.get_mut(place)) {
            entry.1 = value;
            return Ok(());
        }
        self.index.insert(known, self.next);
        self.entries.insert(self.next, (key, value));
        self.next += 1;
        Ok(())
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &Key) -> Option<Dynamic> {
        let place = self.index.remove(key)?;
        self.entries.remove(&place).map(|(_, value)| value)
    }

    /// Takes the entry out that came last.
    pub fn pop(&mut self) -> Option<(Dynamic, Dynamic)> {
        let (_, (key, value)) = self.entries.pop_last()?;
        if let Ok(known) = Key::of(&key) {
            self.index.remove(&known);
        }
        Some((key, value))
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The keys, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &Dynamic> {
        self.entries.values().map(|(key, _)| key)
    }

    /// The keys and values, in their order.
    pub fn items(&self) -> impl Iterator<Item = (&Dynamic, &Dynamic)> {
        self.entries.values().map(|(key, value)| (key, value))
    }

    /// As a map of the language, whose keys are strings.
    ///
    /// # Errors
    /// `TypeError` if a key is none.
    pub fn to_map(&self) -> Result<Map, Error> {
        let entry = |(key, value): (&Dynamic, &Dynamic)| {
            let key = key.as_immutable_string_ref().map_err(|_| {
                Error::new(
                    "TypeError",
                    format!(
                        "the key {key:?} is no string, as those of a map of the language are: items() gives pairs"
                    ),
                )
            })?;
            Ok((key.as_str().into(), value.clone()))
        };
        self.items().map(entry).collect()
    }

    /// Becomes what the map is; keys that were here keep their places.
    pub fn become_map(&mut self, mut map: Map) {
        let gone: Vec<Key> = self
            .keys()
            .filter(|key| !key.as_immutable_string_ref().is_ok_and(|key| map.contains_key(key.as_str())))
            .filter_map(|key| Key::of(key).ok())
            .collect();
        gone.iter().for_each(|key| drop(self.remove(key)));
        for (key, value) in self.entries.values_mut() {
            let text = key.as_immutable_string_ref().ok();
            if let Some(new) = text.and_then(|key| map.remove(key.as_str())) {
                *value = new;
            }
        }
        for (key, value) in map {
            // A string is a key.
            let _ = self.set(key.as_str().into(), value);
        }
    }

    /// Takes over every entry of a map, or of an array of pairs.
    ///
    /// # Errors
    /// `TypeError` if `value` is neither, or a key is none.
    pub fn update(&mut self, value: Dynamic) -> Result<(), Error> {
        let value = match value.try_cast_result::<Map>() {
            Ok(map) => {
                return map.into_iter().try_for_each(|(key, value)| self.set(key.as_str().into(), value));
            }
            Err(value) => value,
        };
        let wanted =
            || Error::new("TypeError", "entries come from a map, or from an array of [key, value] pairs");
        let pairs = value.try_cast::<Array>().ok_or_else(wanted)?;
        for pair in pairs {
            let pair = pair.try_cast::<Array>().and_then(|pair| <[Dynamic; 2]>::try_from(pair).ok());
            let [key, value] = pair.ok_or_else(wanted)?;
            self.set(key, value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dict(pairs: &[(Dynamic, i64)]) -> Dict {
        let mut dict = Dict::default();
        pairs.iter().for_each(|(key, value)| dict.set(key.clone(), (*value).into()).expect("a key"));
        dict
    }

    fn shown(dict: &Dict) -> String {
        dict.items().map(|(key, value)| format!("{key:?}={value:?} ")).collect()
    }

    #[test]
    fn keys_keep_their_order_and_equal_ones_are_one() {
        let mut dict = dict(&[
            ("b".into(), 1),
            (2.into(), 2),
            (2.5.into(), 3),
            (Dynamic::UNIT, 4),
            (true.into(), 5),
            ('b'.into(), 6),
            (2.0.into(), 7),
        ]);
        assert_eq!(shown(&dict), "\"b\"=6 2=7 2.5=3 ()=4 true=5 ");
        assert!(dict.remove(&Key::Int(2)).is_some() && dict.remove(&Key::Int(2)).is_none());
        dict.set(2.into(), 8.into()).expect("a key");
        assert_eq!(dict.pop().map(|(key, _)| key.as_int()), Some(Ok(2)));
        assert_eq!((dict.len(), dict.contains(&Key::Int(2))), (4, false));
        assert!(dict.set(Dynamic::from_array(vec![]), 1.into()).is_err());
        assert!(dict.to_map().is_err());
    }

    #[test]
    fn a_map_is_taken_over_and_places_are_kept() {
        let mut dict = dict(&[("z".into(), 1), ("y".into(), 2), ("x".into(), 3)]);
        let mut map = dict.to_map().expect("strings");
        map.remove("y");
        map.insert("z".into(), 9.into());
        map.insert("a".into(), 4.into());
        dict.become_map(map);
        assert_eq!(shown(&dict), "\"z\"=9 \"x\"=3 \"a\"=4 ");
        let pairs: Array = vec![vec![Dynamic::from(1_i64), 2_i64.into()].into()];
        dict.update(pairs.into()).expect("pairs");
        assert_eq!(dict.len(), 4);
        assert!(dict.update(5.into()).is_err());
    }
}
