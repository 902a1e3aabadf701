//! Blocks as one process's scripts have them. A clone is the same block.

use std::ops::Deref;
use std::rc::Rc;

use super::block::Block;

macro_rules! blocks {
    ($($name:ident $text:literal)*) => {$(
        #[doc = $text]
        #[derive(Clone, Debug)]
        pub struct $name(Rc<Block>);

        impl From<Rc<Block>> for $name {
            fn from(block: Rc<Block>) -> Self {
                Self(block)
            }
        }

        impl Deref for $name {
            type Target = Rc<Block>;

            fn deref(&self) -> &Rc<Block> {
                &self.0
            }
        }
    )*};
}

blocks! {
    Value "One element."
    Array "Many elements."
}

/// One element of an array of records.
#[derive(Clone, Debug)]
pub struct Record {
    pub block: Rc<Block>,
    pub index: usize,
}
