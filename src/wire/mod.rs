//! Values of the script language to bytes and back, without any I/O.
//!
//! A message is one value: a tag byte, then what the tag announces. Numbers are bincode varints
//! (one byte up to 250, signed ones zigzag), all else is little endian.
//!
//! ```text
//!  tag  value      payload
//!  ---  ---------  --------------------------------------------------------------------
//!    0  ()
//!    1  false
//!    2  true
//!    3  int        [value: varint, zigzag]
//!    4  float      [bits: 8 bytes]
//!    5  char       [code point: varint]
//!    6  string     [bytes: varint][UTF-8 ...]
//!    7  blob       [bytes: varint][bytes ...]
//!    8  array      [elements: varint][value]*
//!    9  map        [entries: varint]( [bytes: varint][UTF-8 key ...][value] )*
//!   10  a..b       [a: varint, zigzag][b: varint, zigzag]
//!   11  a..=b      [a: varint, zigzag][b: varint, zigzag]
//!   12  timestamp  [nanoseconds on the monotonic clock: varint, zigzag]
//!   13  function   [bytes: varint][name ...][captured: varint]([16, if shared][value])*
//!   14  Error      [kind][message][traceback][kinds: varint][kind]*[entries: varint](entry)*
//!                  (texts and entries as in string and map, without their tags)
//!   15  handle     [index into the attachments: varint]
//! ```
//!
//! Invariants:
//! 1. What `decode` gives for the bytes of `encode` is the value itself, down to the bits of a
//!    NaN. Shared variables arrive as what they held, those that a function captured as variables that its calls
//!    share there; tags and constness do not travel.
//! 2. `encode` leaves nothing behind when it refuses a value, and says where in the value it was.
//! 3. `decode` takes any bytes: it never panics, never allocates for more elements than bytes are
//!    left, and recurses through at most [`MAX_DEPTH`] containers. So does `encode`.
//! 4. A shared object is never in the bytes: they hold an index, the attachments hold the offset,
//!    so that whoever carries a message can count references without understanding it.
//!
//! | file | concept |
//! |---|---|
//! | `format` | the tags and the depth limit |
//! | `encode`, `refusal` | values to bytes; what can't travel and where it stands |
//! | `buffers` | what messages are written in and read from |
//! | `output` | where the bytes are written to |
//! | `decode`, `cursor` | bytes to values; the bytes that are left |
//! | `function`, `timestamp` | what a function pointer and a timestamp are in another process |
//! | `handle` | how shared objects are told from plain values |
//! | `error`, `kinds` | the `Error` type of scripts and its table of kinds |
//! | `raised`, `traceback` | an error raised by a script, as another process receives it |

mod buffers;
mod cursor;
mod decode;
mod encode;
mod error;
mod format;
mod function;
mod handle;
mod kinds;
mod output;
mod raised;
mod refusal;
mod timestamp;
mod traceback;

pub use buffers::{with_buffer, with_draft};
pub use decode::{DecodeError, blob, decode, decode_row};
pub use encode::{begin_array, encode, encode_all, encode_blob};
pub use error::Error;
pub use format::MAX_DEPTH;
pub use handle::{Handles, NoHandles};
pub use kinds::KINDS;
pub use output::Output;
pub use raised::Raised;
pub use refusal::EncodeError;
pub use traceback::{Frame, call_chain, innermost};
