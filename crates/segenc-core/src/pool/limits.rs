//! Every number that bounds the pool's patience, each with its reason.

use crate::time::Millis;

/// How long an attempt may be silent: three missed reports of a worker that reports every three
/// seconds, so that one lost message expires nothing.
pub const LEASE_MILLIS: Millis = 10_000;

/// An attempt that was handed out this long ago and never reported is handed out again when its
/// worker asks: the answer was lost. A worker reports right after it got a task, well within this.
pub const REDELIVER_AFTER_MILLIS: Millis = 1_000;

/// How often the same attempt is handed out again; then its lease is left to run out, so that a
/// worker that asks and never works cannot hold a task for ever.
pub const REDELIVERIES_MAX: u32 = 3;

/// A worker that was not heard of for this long is not waited for: two long polls.
pub const SILENT_MILLIS: Millis = 60_000;

/// Attempts that a worker may hold beyond its slots: it fetches the next input while it encodes.
pub const PREFETCHED_ATTEMPTS: usize = 1;

/// Slots beyond this are not believed: no machine runs so many encodes, and a worker must not be able
/// to take the whole queue.
pub const SLOTS_MAX: u32 = 256;

/// On so many different workers a task may fail: by the third it is not the worker's fault.
pub const WORKERS_PER_TASK_MAX: usize = 3;

/// So often a task may fail in all, wherever.
pub const FAILURES_PER_TASK_MAX: usize = 5;

/// So many leases of one task may run out: machines vanish more often than tasks kill them.
pub const EXPIRIES_PER_TASK_MAX: usize = 10;

/// So many attempts a task may have, however they end: the last bound on a worker that joins, takes
/// and leaves in a circle.
pub const ATTEMPTS_PER_TASK_MAX: usize = 100;

/// A worker that fails so many tasks in a row is taken out, so that it cannot swallow the queue.
pub const FAILURES_IN_A_ROW_MAX: u32 = 3;

/// So many names of encoders are listed in a message.
pub const NAMED_ENCODERS_MAX: usize = 40;

/// So often segments that missed their bits are chosen to be made again: what two tries have not brought near is
/// how the encoder is.
pub const RETAKE_ROUNDS_MAX: u32 = 2;
