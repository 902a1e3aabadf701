//! The only place that knows the engine: what scripts can call, how they are loaded and run.
//!
//! | file | concept |
//! |---|---|
//! | `runtime` | what this process runs: program, name, arguments |
//! | `program` | source texts, as they run here and travel to children |
//! | `modules` | files that scripts import |
//! | `engine` | an engine with everything registered |
//! | `check` | reading a script without running it |
//! | `run` | the first process's script from start to end |
//! | `enter` | a started process from its beginning to its end |
//! | `heritage` | what it has from the one that started it |
//! | `inherit` | what a forked child keeps of its parent's connections |
//! | `job` | what it is to do |
//! | `kept` | calling the script later |
//! | `callee` | calling a function many times |
//! | `iterate` | what loops go through, one at a time |
//! | `terminal` | a progress bar and lines on one terminal |
//! | `stage` | the engine and the loaded program it does that with |
//! | `zygote` | the fork server |
//! | `atexit` | what is called at a process's end |
//! | `with` | the `with` statement |
//! | `gate` | where calls leave the interpreter for machine code |
//! | `signature` | parameters by position or by name |
//! | `raise` | errors of the layers below as errors of scripts |
//! | `report` | an error that nobody caught, for people |
//! | `carry` | handles inside values |
//! | `process` `queue` `connection` `socket` `locks` `pool` `share` `manager` `wait` `time` `errors` `logger` `random` | one area of the API each |
//! | `command` | running other programs |
//! | `files` `text` `hash` | what job scripts do to files |

pub mod atexit;
pub mod callee;
pub mod carry;
pub mod check;
pub mod command;
pub mod connection;
pub mod engine;
pub mod enter;
pub mod errors;
pub mod files;
pub mod gate;
pub mod hash;
pub mod heritage;
pub mod inherit;
pub mod iterate;
pub mod job;
pub mod kept;
pub mod locks;
pub mod logger;
pub mod manager;
pub mod modules;
pub mod pool;
pub mod process;
pub mod program;
pub mod queue;
pub mod raise;
pub mod random;
pub mod report;
pub mod run;
pub mod runtime;
pub mod share;
pub mod signature;
pub mod socket;
pub mod stage;
pub mod terminal;
pub mod text;
pub mod time;
pub mod wait;
pub mod with;
pub mod zygote;
