//! A function's parameters, and the arguments of a call sorted to them.
//!
//! Arguments are given by position, or the optional ones by name in a trailing map: `pool.map(f, xs, 20)` is
//! `pool.map(f, xs, #{chunksize: 20})`. What does not fit is a `TypeError` that says what would.

use rhai::{Array, Blob, Dynamic, FnPtr, Map};

use crate::sys::clock::Deadline;
use crate::wire::Error;

/// What a function is called and takes.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// As errors name it: `Queue` or `Queue.put`.
    pub name: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [&'static str],
    /// How many of them must be given.
    pub required: usize,
}

/// The arguments of one call, one place a parameter.
#[derive(Debug)]
pub struct Arguments {
    signature: Signature,
    values: Vec<Option<Dynamic>>,
}

impl Signature {
    /// The signature of the function `name`, of whose `parameters` the first `required` must be given.
    pub const fn new(name: &'static str, parameters: &'static [&'static str], required: usize) -> Self {
        Self { name, parameters, required }
    }

    /// Sorts what was `given`.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn bind(self, mut given: Array) -> Result<Arguments, Error> {
        let mut values: Vec<Option<Dynamic>> = vec![None; self.parameters.len()];
        let options = if given.len() > self.required { given.pop_if(|last| last.is_map()) } else { None };
        let count = given.len();
        if count < self.required || count > values.len() {
            let (least, most) = (self.required, values.len());
            return Err(self.error(format!("takes {least} to {most} arguments, not {count}")));
        }
        for (place, value) in values.iter_mut().zip(given) {
            *place = Some(value);
        }
        for (name, value) in options.and_then(Dynamic::try_cast::<Map>).unwrap_or_default() {
            let index = self.parameters.iter().position(|parameter| *parameter == name.as_str());
            match index.and_then(|index| values.get_mut(index)) {
                Some(place @ None) => *place = Some(value),
                Some(_) => return Err(self.error(format!("got '{name}' twice: by position and by name"))),
                None => {
                    let known =
                        self.parameters.get(self.required.min(count)..).unwrap_or_default().join(", ");
                    return Err(self.error(format!("has no option '{name}'; it knows: {known}")));
                }
            }
        }
        Ok(Arguments { signature: self, values })
    }

    fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::new("TypeError", format!("{}() {what}", self.name))
    }
}

impl Arguments {
    /// Whether parameter `index` was given, if only as `()`.
    pub fn is_given(&self, index: usize) -> bool {
        self.values.get(index).is_some_and(Option::is_some)
    }

    /// The value of parameter `index`, if it was given and is not `()`.
    pub fn value(&mut self, index: usize) -> Option<Dynamic> {
        self.values.get_mut(index).and_then(Option::take).filter(|value| !value.is_unit())
    }

    /// The value of parameter `index`, even if it is `()`.
    pub fn any(&mut self, index: usize) -> Dynamic {
        self.values.get_mut(index).and_then(Option::take).unwrap_or(Dynamic::UNIT)
    }

    /// The argument of parameter `index` is not what was `wanted`.
    pub fn wrong(&self, index: usize, wanted: &str, value: &Dynamic) -> Error {
        let name = self.signature.parameters.get(index).copied().unwrap_or("an argument");
        self.signature.error(format!("wants {wanted} for '{name}', not {}", described(value)))
    }

    /// An int.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn int(&mut self, index: usize) -> Result<Option<i64>, Error> {
        let Some(value) = self.value(index) else { return Ok(None) };
        value.as_int().map(Some).map_err(|_| self.wrong(index, "an int", &value))
    }

    /// A bool.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn bool(&mut self, index: usize) -> Result<Option<bool>, Error> {
        let Some(value) = self.value(index) else { return Ok(None) };
        value.as_bool().map(Some).map_err(|_| self.wrong(index, "true or false", &value))
    }

    /// A string.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn string(&mut self, index: usize) -> Result<Option<String>, Error> {
        let Some(value) = self.value(index) else { return Ok(None) };
        let kept = value.clone();
        value.into_string().map(Some).map_err(|_| self.wrong(index, "a string", &kept))
    }

    /// Bytes: a blob, or a string.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn bytes(&mut self, index: usize) -> Result<Option<Blob>, Error> {
        let Some(value) = self.value(index) else { return Ok(None) };
        bytes(&value).map(Some).ok_or_else(|| self.wrong(index, "a blob or a string", &value))
    }

    /// Seconds, an int or a float.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn seconds(&mut self, index: usize) -> Result<Option<f64>, Error> {
        let Some(value) = self.value(index) else { return Ok(None) };
        seconds(&value).map(Some).ok_or_else(|| self.wrong(index, "seconds (a number)", &value))
    }

    /// Seconds, where `()` will not do.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn needed_seconds(&mut self, index: usize) -> Result<f64, Error> {
        self.seconds(index)?.ok_or_else(|| self.wrong(index, "seconds (a number)", &Dynamic::UNIT))
    }

    /// A time-out in seconds as a deadline from now; `()` is never.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn deadline(&mut self, index: usize) -> Result<Deadline, Error> {
        Ok(Deadline::after(self.seconds(index)?))
    }

    /// `block, timeout` from parameter `first` on, in seconds; a number in place of `block` is the time-out. `None` is
    /// for ever, zero does not wait.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn patience(&mut self, first: usize) -> Result<Option<f64>, Error> {
        let block = self.any(first);
        if let Some(seconds) = seconds(&block) {
            if self.value(first + 1).is_some() {
                let twice = "got two time-outs: a number in place of 'block' is one";
                return Err(self.signature.error(twice));
            }
            return Ok(Some(seconds));
        }
        let patience = self.seconds(first + 1)?;
        match block.as_bool() {
            Ok(false) => Ok(Some(0.0)),
            Err(_) if !block.is_unit() => Err(self.wrong(first, "true or false", &block)),
            _ => Ok(patience),
        }
    }

    /// As [`Arguments::patience`], as a deadline from now.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn block_and_timeout(&mut self, first: usize) -> Result<Deadline, Error> {
        Ok(Deadline::after(self.patience(first)?))
    }

    /// A function.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn function(&mut self, index: usize) -> Result<Option<FnPtr>, Error> {
        let Some(value) = self.value(index) else { return Ok(None) };
        value.clone().try_cast::<FnPtr>().map(Some).ok_or_else(|| self.wrong(index, "a function", &value))
    }

    /// A function, where `()` will not do.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn needed_function(&mut self, index: usize) -> Result<FnPtr, Error> {
        self.function(index)?.ok_or_else(|| self.wrong(index, "a function", &Dynamic::UNIT))
    }

    /// An array.
    ///
    /// # Errors
    /// `TypeError`.
    pub fn array(&mut self, index: usize) -> Result<Option<Array>, Error> {
        let Some(value) = self.value(index) else { return Ok(None) };
        value.clone().try_cast::<Array>().map(Some).ok_or_else(|| self.wrong(index, "an array", &value))
    }
}

/// A number as seconds.
pub fn seconds(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|whole| whole as f64))
}

/// The bytes of a blob, or of a string.
pub fn bytes(value: &Dynamic) -> Option<Blob> {
    if let Some(blob) = value.read_lock::<Blob>() {
        return Some(blob.clone());
    }
    value.as_immutable_string_ref().ok().map(|text| text.as_bytes().to_vec())
}

/// A value as an error names it: its type and, if it is short, itself.
pub fn described(value: &Dynamic) -> String {
    if value.is_unit() {
        return "()".to_owned();
    }
    let kind = match value.type_name() {
        "i64" => "int",
        "f64" => "float",
        name => name.rsplit("::").next().unwrap_or(name),
    };
    if value.is_int() || value.is_float() || value.is_bool() {
        return format!("{kind} {value}");
    }
    if value.is_string() {
        let text = value.to_string();
        if text.chars().count() <= 40 {
            return format!("{kind} {text:?}");
        }
    }
    kind.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: Signature = Signature::new("put", &["item", "block", "timeout"], 1);

    fn named(name: &str, value: impl Into<Dynamic>) -> Dynamic {
        Map::from([(name.into(), value.into())]).into()
    }

    #[test]
    fn by_position_and_by_name_is_the_same() {
        for given in [
            vec![1.into(), true.into(), 2.5.into()],
            vec![1.into(), named("timeout", 2.5)],
            vec![1.into(), 2.5.into()],
        ] {
            let mut arguments = PUT.bind(given).expect("they fit");
            assert_eq!(arguments.any(0).as_int(), Ok(1));
            assert_eq!(arguments.patience(1).expect("a time-out"), Some(2.5));
        }
        let mut arguments = PUT.bind(vec![named("block", 1)]).expect("what must be given may be a map");
        assert!(arguments.any(0).is_map() && !arguments.is_given(1));
        let mut arguments = PUT.bind(vec![1.into(), false.into(), 9.into()]).expect("they fit");
        assert_eq!(arguments.patience(1).expect("no time"), Some(0.0));
    }

    #[test]
    fn what_does_not_fit_says_what_would() {
        let refused = |given: Array| PUT.bind(given).expect_err("refused").to_string();
        assert_eq!(refused(vec![]), "TypeError: put() takes 1 to 3 arguments, not 0");
        assert_eq!(refused(vec![1.into(); 4]), "TypeError: put() takes 1 to 3 arguments, not 4");
        assert_eq!(
            refused(vec![1.into(), named("blok", 1)]),
            "TypeError: put() has no option 'blok'; it knows: block, timeout"
        );
        assert_eq!(
            refused(vec![1.into(), true.into(), named("block", 1)]),
            "TypeError: put() got 'block' twice: by position and by name"
        );
        let patience =
            |given: Array| PUT.bind(given).and_then(|mut given| given.patience(1)).expect_err("refused");
        assert_eq!(
            patience(vec![1.into(), true.into(), "x".into()]).to_string(),
            "TypeError: put() wants seconds (a number) for 'timeout', not string \"x\""
        );
        assert_eq!(
            patience(vec![1.into(), 1.into(), 2.into()]).to_string(),
            "TypeError: put() got two time-outs: a number in place of 'block' is one"
        );
    }
}
