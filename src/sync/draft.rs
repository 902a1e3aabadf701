//! A message that is being written: in a buffer while it is small, straight into a block of its own where
//! something large comes.
//!
//! Invariants
//! 1. The message is what the block holds up to `filled`, then what the buffer holds.
//! 2. The block is in this process's hand until a channel publishes it: the draft of a killed process is swept.
//! 3. After a refusal nothing more is written, and the message can't be sealed.

use super::chunk::INLINE;
use crate::arena::blocks::{Block, OutOfMemory, Use};

/// Room for what comes behind something large, mostly a few bytes.
const SLACK: usize = 4 << 10;
/// A buffer that grew beyond this is not kept.
const KEEP: usize = 1 << 20;

/// See the head of this file.
pub struct Draft {
    buffer: Vec<u8>,
    block: Option<Block>,
    filled: usize,
    refused: Option<OutOfMemory>,
}

/// A message as a channel takes it.
pub enum Body<'a> {
    /// At most [`INLINE`] bytes.
    Inline(&'a [u8]),
    /// The first bytes of a block.
    Block(Block, usize),
}

impl<'a> Body<'a> {
    /// The message with these bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn of(bytes: &'a [u8]) -> Result<Self, OutOfMemory> {
        if bytes.len() <= INLINE {
            return Ok(Self::Inline(bytes));
        }
        let mut block = Block::new(bytes.len() as u64, Use::Bytes)?;
        block.write(0, bytes);
        Ok(Self::Block(block, bytes.len()))
    }

    /// Its bytes in all.
    pub fn length(&self) -> usize {
        match self {
            Self::Inline(bytes) => bytes.len(),
            Self::Block(_, length) => *length,
        }
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self::empty()
    }
}

impl Draft {
    /// An empty one.
    pub const fn empty() -> Self {
        Self { buffer: Vec::new(), block: None, filled: 0, refused: None }
    }

    /// Forgets what was written.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEEP);
        self.block = None;
        self.filled = 0;
        self.refused = None;
    }

    /// Bytes written so far.
    pub fn length(&self) -> usize {
        self.filled + self.buffer.len()
    }

    /// Writes a byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.buffer.push(byte);
    }

    /// Writes some bytes.
    #[inline]
    pub fn extend(&mut self, bytes: &[u8]) {
        if bytes.len() <= INLINE {
            self.buffer.extend_from_slice(bytes);
        } else if self.refused.is_none() {
            self.refused = self.spill(bytes).err();
        }
    }

    /// The message that was written.
    ///
    /// # Errors
    /// [`OutOfMemory`], now or when it was written.
    pub fn seal(&mut self) -> Result<Body<'_>, OutOfMemory> {
        if let Some(refused) = self.refused.take() {
            return Err(refused);
        }
        if self.block.is_some() {
            self.spill(&[])?;
        }
        match self.block.take() {
            Some(block) => Ok(Body::Block(block, std::mem::take(&mut self.filled))),
            None => Body::of(&self.buffer),
        }
    }

    /// Moves the buffer into the block, and writes `bytes` behind it.
    #[cold]
    fn spill(&mut self, bytes: &[u8]) -> Result<(), OutOfMemory> {
        let needed = self.length() + bytes.len();
        let mut block = match self.block.take() {
            Some(block) if block.capacity() >= needed as u64 => block,
            Some(old) => {
                let mut larger = Block::new((needed * 2) as u64, Use::Bytes)?;
                larger.write(0, old.bytes().get(..self.filled).unwrap_or_default());
                larger
            }
            None => Block::new((needed + SLACK) as u64, Use::Bytes)?,
        };
        block.write(self.filled, &self.buffer);
        block.write(self.length(), bytes);
        self.block = Some(block);
        self.filled = needed;
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::blocks::used;
    use crate::arena::testing::session;

    fn sealed(draft: &mut Draft) -> Vec<u8> {
        match draft.seal().expect("memory") {
            Body::Inline(bytes) => bytes.to_vec(),
            Body::Block(block, length) => block.bytes()[..length].to_vec(),
        }
    }

    #[test]
    fn what_is_written_comes_out_whatever_its_parts_sizes() {
        let _session = session();
        let before = used();
        let mut draft = Draft::empty();
        for parts in [
            &[3][..],
            &[INLINE],
            &[INLINE + 1],
            &[5, INLINE + 1, 7],
            &[1, 200_000, 2, 300_000, 4, 1_000_000, 5],
            &[INLINE, INLINE, INLINE],
        ] {
            draft.clear();
            let mut expected = Vec::new();
            for (part, size) in (1_u8..).zip(parts) {
                let bytes = vec![part; *size];
                draft.push(part);
                draft.extend(&bytes);
                expected.push(part);
                expected.extend(bytes);
            }
            assert_eq!(draft.length(), expected.len());
            assert_eq!(sealed(&mut draft), expected);
        }
        draft.clear();
        draft.extend(&vec![1; 100_000]);
        draft.clear();
        assert_eq!(used(), before, "what is not sent is freed");
    }

    #[test]
    fn a_message_that_has_no_room_can_not_be_sealed() {
        let _session = session();
        let mut draft = Draft::empty();
        draft.refused = Some(OutOfMemory { wanted: 1, used: 2, limit: 2 });
        draft.extend(&vec![1; 100_000]);
        assert!(draft.seal().is_err());
        draft.clear();
        draft.push(9);
        assert_eq!(sealed(&mut draft), [9]);
    }
}
