//! What can't travel and where inside the value it stands.
//!
//! The path is put together backwards, one segment per container, while the refusal returns
//! through them: a value that can travel pays nothing for it.

use std::fmt::{self, Write};

use rhai::is_valid_identifier;

use super::error::Error;

/// Longer paths are shown by their beginning and their end.
const SHOWN_SEGMENTS: usize = 32;
const SHOWN_AT_EACH_END: usize = 8;

/// A value that can't be sent to another process. Its text is a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// Where it stands inside what was to be sent: `args[0].cfg.handler`.
    pub path: String,
    /// The name of its type, without the path of its module.
    pub type_name: String,
    /// Why it can't travel.
    pub reason: String,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self.path.as_str() {
            "" => "the value",
            path => path,
        };
        write!(f, "{path} can't be sent to another process: {}", self.reason)
    }
}

impl std::error::Error for EncodeError {}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Error::new("TypeError", error.to_string())
    }
}

/// One step from a container to something inside it.
#[derive(Debug)]
pub(super) enum Segment {
    Index(usize),
    Key(String),
    Captured(usize),
    /// The data of an `Error`.
    Data,
}

/// An [`EncodeError`] on its way out.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Innermost first.
    segments: Vec<Segment>,
    type_name: String,
    reason: String,
}

impl Refusal {
    #[cold]
    pub(super) fn new(type_name: &str, reason: impl Into<String>) -> Box<Self> {
        Box::new(Self { segments: Vec::new(), type_name: bare(type_name).into(), reason: reason.into() })
    }

    /// A custom type that neither is a plain value nor stands for a shared object.
    #[cold]
    pub(super) fn custom_type(type_name: &str) -> Box<Self> {
        let name = bare(type_name);
        Self::new(name, format!("a value of type {name} belongs to the process that made it"))
    }

    /// The same refusal seen from one container further out.
    #[cold]
    pub(super) fn inside(mut self: Box<Self>, segment: Segment) -> Box<Self> {
        self.segments.push(segment);
        self
    }

    #[cold]
    pub(super) fn at_root(self, root: &str) -> EncodeError {
        let mut path = String::from(root);
        let count = self.segments.len();
        let hidden =
            if count > SHOWN_SEGMENTS { SHOWN_AT_EACH_END..count - SHOWN_AT_EACH_END } else { count..count };
        for (at, segment) in self.segments.iter().rev().enumerate() {
            if at == hidden.start {
                path.push_str("...");
            }
            if !hidden.contains(&at) {
                segment.append_to(&mut path);
            }
        }
        EncodeError { path, type_name: self.type_name, reason: self.reason }
    }
}

// The sink is a vector, so bincode has nothing to fail at; its error is passed on all the same.
impl From<bincode::error::EncodeError> for Box<Refusal> {
    fn from(error: bincode::error::EncodeError) -> Self {
        Refusal::new("value", error.to_string())
    }
}

impl Segment {
    fn append_to(&self, path: &mut String) {
        let dot = if path.is_empty() { "" } else { "." };
        // Writing to a string can't fail.
        let _ = match self {
            Self::Index(index) => write!(path, "[{index}]"),
            Self::Key(key) if is_valid_identifier(key) => write!(path, "{dot}{key}"),
            Self::Key(key) => write!(path, "[{key:?}]"),
            Self::Captured(index) => write!(path, "{dot}<captured {index}>"),
            Self::Data => write!(path, "{dot}data"),
        };
    }
}

/// A type's name without the path of its module; generic arguments keep theirs.
fn bare(type_name: &str) -> &str {
    let generics = type_name.find('<').unwrap_or(type_name.len());
    match type_name[..generics].rfind("::") {
        Some(separator) => &type_name[separator + 2..],
        None => type_name,
    }
}

#[cfg(test)]
mod tests {
    use super::{Refusal, Segment, bare};

    #[test]
    fn paths_read_like_script() {
        let refusal = Refusal::new("x::Pool", "no")
            .inside(Segment::Key("handler".into()))
            .inside(Segment::Key("a \"b\"".into()))
            .inside(Segment::Captured(2))
            .inside(Segment::Data)
            .inside(Segment::Index(3));
        assert_eq!(refusal.at_root("args").path, r#"args[3].data.<captured 2>["a \"b\""].handler"#);
    }

    #[test]
    fn without_a_root_a_path_starts_with_its_first_key() {
        let refusal = Refusal::new("Pool", "no").inside(Segment::Key("a".into()));
        assert_eq!(refusal.at_root("").path, "a");
        let bare_value = Refusal::new("Pool", "no").at_root("");
        assert_eq!(bare_value.to_string(), "the value can't be sent to another process: no");
    }

    #[test]
    fn long_paths_show_both_ends() {
        let refusal = (0..40).fold(Refusal::new("x", "deep"), |r, i| r.inside(Segment::Index(i)));
        let path = refusal.at_root("v").path;
        assert!(path.starts_with("v[39][38]"), "{path}");
        assert!(path.contains("[32]...[7]"), "{path}");
        assert!(path.ends_with("[1][0]"), "{path}");
    }

    #[test]
    fn type_names_lose_their_module() {
        assert_eq!(bare("stook::process::Process"), "Process");
        assert_eq!(bare("core::ops::Range<a::B>"), "Range<a::B>");
        assert_eq!(bare("Fn"), "Fn");
    }
}
