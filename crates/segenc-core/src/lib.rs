//! What a job is, how it is planned, and who gets which task.
//!
//! This crate is pure: it performs no I/O, reads no clock, draws no random number and has no
//! `async fn`. Time, identifiers and random bits are handed in, so that the simulator runs the same
//! code as the server. It derives serde's traits so that others can store its types, but never
//! serialises anything itself.

pub mod failure;
pub mod ids;
pub mod naming;
pub mod plan;
pub mod pool;
pub mod rate;
pub mod schedule;
pub mod source;
pub mod spec;
pub mod time;
pub mod work;
