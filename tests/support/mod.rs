//! Running scripts as tests: what they expect, a run under guard, and what a run may not leave behind.
//!
//! | file | concept |
//! |---|---|
//! | `case` | what a script says about its own run, in comments |
//! | `run` | one program in a folder of its own, under a hang guard |
//! | `leak` | processes, shared memory and files that a run left behind |
//! | `verdict` | whether a run was as expected, and how not |
//! | `trial` | tests made from scripts, one for each start method |
//! | `behaviours` | the table of behaviours that cases cover |

#![allow(dead_code, reason = "each test file uses its part of this folder")]

pub mod behaviours;
pub mod case;
pub mod leak;
pub mod run;
pub mod trial;
pub mod verdict;
