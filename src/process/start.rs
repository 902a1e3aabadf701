//! Several values in one parcel: what a new process is to run, the function of a pool's call.
//!
//! One after another, each as `wire` writes it.
//!
//! The parcel's references are first those that the sender names (a program, channels), then the
//! handles inside the values.

use rhai::Dynamic;

use crate::arena::blocks::OutOfMemory;
use crate::arena::handle::Kind;
use crate::arena::parcel::Parcel;
use crate::sync::draft::Body;
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
    written(references, parts, handles, parcel)
}

/// Calls `with` what such a parcel is made of, before there is one: what it holds, and its references.
///
/// # Errors
/// [`PackError`].
pub fn written<T>(
    references: &[u64],
    parts: &[(&str, &Dynamic)],
    handles: &dyn Handles,
    with: impl FnOnce(Body<'_>, &[u64]) -> Result<T, OutOfMemory>,
) -> Result<T, PackError> {
    wire::with_draft(|draft, all| {
        all.extend_from_slice(references);
        for (name, value) in parts {
            wire::encode(value, name, handles, draft, all)?;
        }
        Ok(with(draft.seal()?, all)?)
    })
}

/// The parcel of what was written.
///
/// # Errors
/// [`OutOfMemory`].
pub fn parcel(body: Body<'_>, references: &[u64]) -> Result<Parcel, OutOfMemory> {
    match body {
        Body::Inline(bytes) => Parcel::new(bytes, references),
        Body::Block(block, length) => Parcel::of_block(Kind::Parcel, block, length, references),
    }
}

/// The values in `parcel`.
///
/// # Errors
/// If it is not what [`pack`] made, or a handle in it can't be opened.
pub fn unpack(parcel: &Parcel, handles: &dyn Handles) -> Result<Vec<Dynamic>, DecodeError> {
    wire::decode_row(parcel.bytes(), &parcel.references(), handles)
}
