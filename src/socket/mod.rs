//! Connections over sockets: a listener, its clients, and whole messages between two processes that need not be
//! of one session.
//!
//! | file | concept |
//! |---|---|
//! | `address` | what scripts call an address, and how the system does |
//! | `framing` | messages in a stream of bytes |
//! | `handshake` | making sure of each other's key |
//! | `greeting` | a handshake that is going on over a socket |
//! | `open` | a socket as this process has it; how it gets into others |
//! | `keeper` | what stays of a process that ended while its sockets were on their way |
//! | `end` | an end of a connection as scripts have it, and values through it |
//! | `stream` | sending and receiving whole messages |
//! | `listener`, `client` | the two ways to a connection |

pub mod address;
pub mod client;
pub mod end;
pub mod framing;
pub mod greeting;
pub mod handshake;
pub mod keeper;
pub mod listener;
pub mod open;
pub mod stream;
