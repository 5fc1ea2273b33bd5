//! The pool: all jobs, tasks, workers and leases, and the rules that change them.
//!
//! `decide` looks at the pool and a command and answers with events or a rejection; [`Pool::apply`]
//! is the only thing that changes the pool. Both are pure. The pool is made of persistent maps: a
//! clone costs nothing, so the server can decide a whole batch of commands on a clone, commit its
//! events, and only then let the clone take the pool's place.

pub mod command;
pub mod event;
pub mod job;
pub mod task;
pub mod worker;
