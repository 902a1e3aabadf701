//! Typecodes: what one element is, how many bytes it takes, and which values fit.
//!
//! The letters are those of Python's `multiprocessing` and `ctypes` on Linux: `l` has eight bytes, `c` is one
//! byte, `u` a character of four. An element is whole bits in a word of its size, so that it can be read and
//! written in one piece (see `cells`).

/// What an element of some typecode holds, as one value of the language.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    Int(i64),
    Float(f64),
    Char(char),
    Bool(bool),
}

/// Why a value is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is of another type.
    Type,
    /// It is a number beyond what the element can hold.
    Range,
}

/// See the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    Signed8 = b'b',
    Unsigned8 = b'B',
    Signed16 = b'h',
    Unsigned16 = b'H',
    Signed32 = b'i',
    Unsigned32 = b'I',
    SignedLong = b'l',
    UnsignedLong = b'L',
    Signed64 = b'q',
    Unsigned64 = b'Q',
    Float32 = b'f',
    Float64 = b'd',
    Byte = b'c',
    Char = b'u',
    Bool = b'?',
}

/// The letters, as errors list them.
pub const LETTERS: &str = "b B h H i I l L q Q f d c u ?";

impl Code {
    const ALL: [Self; 15] = [
        Self::Signed8,
        Self::Unsigned8,
        Self::Signed16,
        Self::Unsigned16,
        Self::Signed32,
        Self::Unsigned32,
        Self::SignedLong,
        Self::UnsignedLong,
        Self::Signed64,
        Self::Unsigned64,
        Self::Float32,
        Self::Float64,
        Self::Byte,
        Self::Char,
        Self::Bool,
    ];

    /// The code of a letter.
    pub fn of(letter: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as u8 == letter)
    }

    /// Its letter.
    pub fn letter(self) -> char {
        char::from(self as u8)
    }

    /// The bytes of an element, which are also its alignment.
    pub fn size(self) -> usize {
        match self {
            Self::Signed8 | Self::Unsigned8 | Self::Byte | Self::Bool => 1,
            Self::Signed16 | Self::Unsigned16 => 2,
            Self::Signed32 | Self::Unsigned32 | Self::Float32 | Self::Char => 4,
            _ => 8,
        }
    }

    /// The least and the greatest int that fits; `None` for what is no integer. What does not fit a script's
    /// int does not fit `Q` either.
    pub fn range(self) -> Option<(i64, i64)> {
        Some(match self {
            Self::Signed8 => (i8::MIN.into(), i8::MAX.into()),
            Self::Unsigned8 => (0, u8::MAX.into()),
            Self::Signed16 => (i16::MIN.into(), i16::MAX.into()),
            Self::Unsigned16 => (0, u16::MAX.into()),
            Self::Signed32 => (i32::MIN.into(), i32::MAX.into()),
            Self::Unsigned32 => (0, u32::MAX.into()),
            Self::SignedLong | Self::Signed64 => (i64::MIN, i64::MAX),
            Self::UnsignedLong | Self::Unsigned64 => (0, i64::MAX),
            Self::Float32 | Self::Float64 | Self::Byte | Self::Char | Self::Bool => return None,
        })
    }

    /// Whether elements are ints or floats.
    pub fn is_number(self) -> bool {
        self.range().is_some() || matches!(self, Self::Float32 | Self::Float64)
    }

    /// The bits of an element that holds `value`.
    ///
    /// # Errors
    /// [`Unfit`].
    #[inline]
    pub fn pack(self, value: Scalar) -> Result<u64, Unfit> {
        match (self, value) {
            (Self::Float64, Scalar::Float(float)) => Ok(float.to_bits()),
            (Self::Float64, Scalar::Int(int)) => Ok((int as f64).to_bits()),
            (Self::Float32, Scalar::Float(float)) => single(float),
            (Self::Float32, Scalar::Int(int)) => single(int as f64),
            (Self::Float32 | Self::Float64, Scalar::Bool(bool)) => {
                self.pack(Scalar::Float(f64::from(u8::from(bool))))
            }
            (Self::Byte, Scalar::Char(char)) => u8::try_from(char).map(u64::from).map_err(|_| Unfit::Range),
            (Self::Byte, Scalar::Int(int)) => u8::try_from(int).map(u64::from).map_err(|_| Unfit::Range),
            (Self::Char, Scalar::Char(char)) => Ok(u64::from(u32::from(char))),
            (Self::Bool, Scalar::Bool(bool)) => Ok(u64::from(bool)),
            (Self::Bool, Scalar::Int(int)) => {
                u64::try_from(int).ok().filter(|int| *int <= 1).ok_or(Unfit::Range)
            }
            (Self::Byte | Self::Char | Self::Bool, _) => Err(Unfit::Type),
            (_, Scalar::Bool(bool)) => Ok(u64::from(bool)),
            (_, Scalar::Int(int)) => match self.range() {
                Some((least, greatest)) if least <= int && int <= greatest => Ok(int as u64 & self.mask()),
                _ => Err(Unfit::Range),
            },
            (_, Scalar::Float(_) | Scalar::Char(_)) => Err(Unfit::Type),
        }
    }

    /// What an element of these bits holds.
    #[inline]
    pub fn unpack(self, bits: u64) -> Scalar {
        match self {
            Self::Signed8 => Scalar::Int((bits as i8).into()),
            Self::Unsigned8 => Scalar::Int((bits as u8).into()),
            Self::Signed16 => Scalar::Int((bits as i16).into()),
            Self::Unsigned16 => Scalar::Int((bits as u16).into()),
            Self::Signed32 => Scalar::Int((bits as i32).into()),
            Self::Unsigned32 => Scalar::Int((bits as u32).into()),
            Self::SignedLong | Self::Signed64 | Self::UnsignedLong | Self::Unsigned64 => {
                Scalar::Int(bits as i64)
            }
            Self::Float32 => Scalar::Float(f32::from_bits(bits as u32).into()),
            Self::Float64 => Scalar::Float(f64::from_bits(bits)),
            Self::Byte => Scalar::Char(char::from(bits as u8)),
            Self::Char => Scalar::Char(char::from_u32(bits as u32).unwrap_or(char::REPLACEMENT_CHARACTER)),
            Self::Bool => Scalar::Bool(bits & 0xff != 0),
        }
    }

    /// The bits of an element that held `bits` and to which `amount` is added.
    ///
    /// # Errors
    /// [`Unfit`]; what is no number can't be added to.
    pub fn add(self, bits: u64, amount: Scalar) -> Result<u64, Unfit> {
        if !self.is_number() {
            return Err(Unfit::Type);
        }
        match (self.unpack(bits), amount) {
            (Scalar::Int(old), Scalar::Int(amount)) => {
                self.pack(Scalar::Int(old.checked_add(amount).ok_or(Unfit::Range)?))
            }
            (Scalar::Float(old), Scalar::Int(amount)) => self.pack(Scalar::Float(old + amount as f64)),
            (Scalar::Float(old), Scalar::Float(amount)) => self.pack(Scalar::Float(old + amount)),
            _ => Err(Unfit::Type),
        }
    }

    /// The bits that an element has.
    fn mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self.size())
    }
}

/// A float of 32 bits; what is finite must stay so.
fn single(float: f64) -> Result<u64, Unfit> {
    let single = float as f32;
    if single.is_infinite() && float.is_finite() { Err(Unfit::Range) } else { Ok(single.to_bits().into()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_letter_is_a_code_and_nothing_else_is() {
        let letters: Vec<u8> = LETTERS.bytes().filter(|letter| *letter != b' ').collect();
        for letter in 0..=u8::MAX {
            let code = Code::of(letter);
            assert_eq!(code.is_some(), letters.contains(&letter), "{letter}");
            assert!(code.is_none_or(|code| code as u8 == letter));
        }
    }

    #[test]
    fn the_ends_of_every_range_fit_and_their_neighbours_do_not() {
        for code in Code::ALL {
            let Some((least, greatest)) = code.range() else { continue };
            for int in [least, greatest, 0] {
                assert_eq!(code.pack(Scalar::Int(int)).map(|bits| code.unpack(bits)), Ok(Scalar::Int(int)));
            }
            for beyond in [least.checked_sub(1), greatest.checked_add(1)].into_iter().flatten() {
                assert_eq!(code.pack(Scalar::Int(beyond)), Err(Unfit::Range), "{code:?} {beyond}");
            }
            let last = code.pack(Scalar::Int(greatest)).expect("it fits");
            assert_eq!(code.add(last, Scalar::Int(1)), Err(Unfit::Range));
        }
    }

    #[test]
    fn values_of_another_type_are_refused() {
        let values = [Scalar::Int(1), Scalar::Float(1.0), Scalar::Char('x'), Scalar::Bool(true)];
        for code in Code::ALL {
            let fit = values.map(|value| code.pack(value).is_ok());
            let expected = match code {
                Code::Float32 | Code::Float64 => [true, true, false, true],
                Code::Byte => [true, false, true, false],
                Code::Char => [false, false, true, false],
                _ => [true, false, false, true],
            };
            assert_eq!(fit, expected, "{code:?}");
        }
    }

    proptest! {
        #[test]
        fn what_fits_comes_back(int: i64, float: f64, char: char) {
            for code in Code::ALL {
                if let Some((least, greatest)) = code.range() {
                    let packed = code.pack(Scalar::Int(int));
                    let fits = (least..=greatest).contains(&int);
                    prop_assert_eq!(packed.is_ok(), fits);
                    if let Ok(bits) = packed {
                        prop_assert!(bits & !code.mask() == 0, "no bit beyond the element");
                        prop_assert_eq!(code.unpack(bits), Scalar::Int(int));
                    }
                }
            }
            let bits = Code::Float64.pack(Scalar::Float(float)).expect("every float fits");
            prop_assert_eq!(bits, float.to_bits());
            match Code::Float32.pack(Scalar::Float(float)) {
                Ok(bits) => prop_assert_eq!(f32::from_bits(bits as u32).to_bits(), (float as f32).to_bits()),
                Err(_) => prop_assert!(float.abs() > f64::from(f32::MAX)),
            }
            let bits = Code::Char.pack(Scalar::Char(char)).expect("every char fits");
            prop_assert_eq!(Code::Char.unpack(bits), Scalar::Char(char));
            prop_assert_eq!(Code::Byte.pack(Scalar::Char(char)).is_ok(), u32::from(char) < 256);
        }
    }
}
