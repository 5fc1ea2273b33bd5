//! Every number that bounds the pool's patience, each with its reason.

use crate::time::Millis;

/// How long an attempt may be silent: three missed reports of a worker that reports every three
/// seconds, so that one lost message expires nothing. With the tick that finds it and the way to another worker,
/// a frozen one's task runs elsewhere within ten seconds.
pub const LEASE_MILLIS: Millis = 9_000;

/// The clock is looked at every half second. When more than this has passed since, the server stood still, its disk
/// hung, or its clock was set forward: what workers said meanwhile could not be heard, so no lease ran out by it.
pub const TICK_LATE_MILLIS: Millis = 5_000;

/// A backup must be expected to end by so much earlier than the attempt beside it: starting, fetching and
/// delivering take about that.
pub const BACKUP_GAIN_MILLIS: Millis = 1_000;

/// And it must be expected to take no more than so many hundredths of what is left of the attempt beside it, because
/// what is expected is often wrong and a backup that loses was for nothing.
pub const BACKUP_SHARE_PERCENT: u64 = 75;

/// An attempt that shows no frame is believed to have begun as long as it has not taken more than so many
/// hundredths of what was expected of all of it; then it counts as stuck.
pub const OVERDUE_PERCENT: u64 = 150;

/// An attempt that was handed out this long ago and never reported is handed out again when its
/// worker asks: the answer was lost. A worker reports right after it got a task, well within this.
pub const REDELIVER_AFTER_MILLIS: Millis = 1_000;

/// How often the same attempt is handed out again; then its lease is left to run out, so that a
/// worker that asks and never works cannot hold a task for ever.
pub const REDELIVERIES_MAX: u32 = 3;

/// A worker that was not heard of for this long is not waited for: two long polls.
pub const SILENT_MILLIS: Millis = 60_000;

/// A worker that has signed off is waited for as long, where all others that could go on were taken out: a computer that
/// installs updates and starts again takes minutes, and by then its user has looked.
pub const AWAITED_MILLIS: Millis = 3_600_000;

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

/// A draft, held for somebody to look at its plan, is forgotten after an hour: who comes back later makes
/// another, and a farm must not fill with wishes that nobody has.
pub const DRAFT_MILLIS_MAX: Millis = 3_600_000;

/// So many names of encoders are listed in a message.
pub const NAMED_ENCODERS_MAX: usize = 40;

/// So often segments that missed their bits are chosen to be made again: what two tries have not brought near is
/// how the encoder is.
pub const RETAKE_ROUNDS_MAX: u32 = 2;
