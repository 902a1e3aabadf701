//! Managers: objects in a server process, and proxies for them in others, also on other machines.
//!
//! | file | concept |
//! |---|---|
//! | `message` | what server and clients say to each other |
//! | `inbox` | what has arrived, cut into messages |
//! | `server` | the loop that serves all clients |
//! | `door` | where clients come in |
//! | `guest` | a client as the server has it |
//! | `desk` | what is done about calls |
//! | `methods` | one call of one object |
//! | `create` | making objects |
//! | `registry` | the objects, and the types that can be made |
//! | `object` | a managed object |
//! | `list` `dict` `mapping` | what containers can do beside what the language can |
//! | `blocking` | what objects have in common whose calls may have to wait |
//! | `lock` `semaphore` `condition` `event` `barrier` `queue` | one of those each |
//! | `host` | what the server needs of the engine |
//! | `proxy` | what stands for an object in a script |
//! | `site` | a server as another process knows it |
//! | `link` | a client's connection |

pub mod barrier;
pub mod blocking;
pub mod condition;
pub mod create;
pub mod desk;
pub mod dict;
mod door;
pub mod event;
pub mod guest;
pub mod host;
pub mod inbox;
pub mod link;
pub mod list;
pub mod lock;
pub mod mapping;
pub mod message;
pub mod methods;
pub mod object;
pub mod proxy;
pub mod queue;
pub mod registry;
pub mod semaphore;
pub mod server;
pub mod site;

#[cfg(test)]
mod tests;
