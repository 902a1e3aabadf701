//! Functions run both ways.

mod arrays;
mod numbers;
mod types;
mod values;
mod with;

use rhai::Dynamic;

/// A number as an argument.
fn int(value: i64) -> Dynamic {
    value.into()
}

fn float(value: f64) -> Dynamic {
    value.into()
}

fn ints(values: &[i64]) -> Dynamic {
    Dynamic::from_array(values.iter().map(|value| Dynamic::from(*value)).collect())
}
