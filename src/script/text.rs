//! Soon.
pub const NAMES: &[&str] = &[];
pub fn register(_: &mut rhai::Engine) {}
