//! What one element is made of: a single typecode, or named fields with a typecode each.
//!
//! Fields lie in the order of their names, each at a multiple of its size, and a record's size is a multiple of
//! its largest field's, as C lays out structures. In the segment a record's shape is bytes in front of its data:
//! for each field the letter, the length of the name, and the name.

use super::code::Code;

/// A named part of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub code: Code,
    /// Where it lies in the record.
    pub at: usize,
}

/// See the head of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    Single(Code),
    Record { fields: Vec<Field>, size: usize },
}

/// The longest name of a field, in bytes.
pub const NAME: usize = u8::MAX as usize;

impl Shape {
    /// A record of these fields, whose names differ and have at most [`NAME`] bytes.
    pub fn record(mut named: Vec<(String, Code)>) -> Self {
        named.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut size = 0_usize;
        let mut largest = 1;
        let mut fields = Vec::with_capacity(named.len());
        for (name, code) in named {
            let at = size.next_multiple_of(code.size());
            fields.push(Field { name, code, at });
            size = at + code.size();
            largest = largest.max(code.size());
        }
        Self::Record { fields, size: size.next_multiple_of(largest) }
    }

    /// The bytes of an element.
    #[inline]
    pub fn size(&self) -> usize {
        match self {
            Self::Single(code) => code.size(),
            Self::Record { size, .. } => *size,
        }
    }

    /// The typecode, if it is a single one.
    #[inline]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Single(code) => Some(*code),
            Self::Record { .. } => None,
        }
    }

    /// The fields of a record.
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::Single(_) => &[],
            Self::Record { fields, .. } => fields,
        }
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// The shape as bytes.
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in self.fields() {
            bytes.extend([field.code as u8, field.name.len() as u8]);
            bytes.extend(field.name.bytes());
        }
        bytes
    }

    /// The record whose shape [`Shape::pack`] made `bytes` of; what is none of its bytes is left out.
    pub(super) fn unpack(mut bytes: &[u8]) -> Self {
        let mut named = Vec::new();
        while let [letter, length, rest @ ..] = bytes
            && let Some(code) = Code::of(*letter)
            && let Some((name, rest)) = rest.split_at_checked(usize::from(*length))
        {
            named.push((String::from_utf8_lossy(name).into_owned(), code));
            bytes = rest;
        }
        Self::record(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_as_in_c_and_come_back() {
        let named = [("z", Code::Float64), ("b", Code::Unsigned8), ("h", Code::Signed16), ("n", Code::Byte)];
        let shape = Shape::record(named.map(|(name, code)| (name.to_owned(), code)).to_vec());
        let places: Vec<_> = shape.fields().iter().map(|field| (field.name.as_str(), field.at)).collect();
        assert_eq!(places, [("b", 0), ("h", 2), ("n", 4), ("z", 8)]);
        assert_eq!(shape.size(), 16);
        assert_eq!(Shape::unpack(&shape.pack()), shape);
        assert_eq!(shape.field("h").map(|field| field.code), Some(Code::Signed16));
        assert_eq!(shape.field("x"), None);
    }

    #[test]
    fn a_record_without_large_fields_is_small() {
        let bytes = ["r", "g", "b"].map(|name| (name.to_owned(), Code::Unsigned8));
        assert_eq!(Shape::record(bytes.to_vec()).size(), 3);
    }
}
