//! Several values in one parcel: what a new process is to run, the function of a pool's call.
//!
//! ```text
//! parts: [length: u32, little endian][value as `wire` writes it] ...
//! ```
//!
//! The parcel's references are first those that the sender names (a program, channels), then the
//! handles inside the values.

use rhai::Dynamic;

use crate::arena::blocks::OutOfMemory;
use crate::arena::parcel::Parcel;
use crate::wire::{self, DecodeError, EncodeError, Handles};

/// Why values could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// One of them can't travel.
    #[error(transparent)]
    Refused(#[from] EncodeError),
    /// There is no memory for them.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// Packs `parts`, each with the name that an error is to call it, and counts the objects at `references`.
///
/// # Errors
/// [`PackError`].
pub fn pack(
    references: &[u64],
    parts: &[(&str, &Dynamic)],
    handles: &dyn Handles,
) -> Result<Parcel, PackError> {
    let (bytes, references) = write(references, parts, handles)?;
    Ok(Parcel::new(&bytes, &references)?)
}

/// The bytes and the references of such a parcel.
///
/// # Errors
/// [`PackError`].
pub fn write(
    references: &[u64],
    parts: &[(&str, &Dynamic)],
    handles: &dyn Handles,
) -> Result<(Vec<u8>, Vec<u64>), PackError> {
    let mut references = references.to_vec();
    let mut bytes = Vec::new();
    for (name, value) in parts {
        let start = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        wire::encode(value, name, handles, &mut bytes, &mut references)?;
        let length = u32::try_from(bytes.len() - start - 4).map_err(|_| OutOfMemory {
            wanted: bytes.len() as u64,
            used: crate::arena::blocks::used(),
            limit: u64::from(u32::MAX),
        })?;
        if let Some(place) = bytes.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }
    Ok((bytes, references))
}

/// The values in `parcel`.
///
/// # Errors
/// If it is not what [`pack`] made, or a handle in it can't be opened.
pub fn unpack(parcel: &Parcel, handles: &dyn Handles) -> Result<Vec<Dynamic>, DecodeError> {
    let references = parcel.references();
    let mut bytes = parcel.bytes();
    let mut values = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).unwrap_or((rest, &[]));
        values.push(wire::decode(part, &references, handles)?);
        bytes = rest;
    }
    Ok(values)
}
