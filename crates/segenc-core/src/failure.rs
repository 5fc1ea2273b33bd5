//! Why something failed, in terms that decide what happens next.

use serde::{Deserialize, Serialize};

/// What a failed attempt says about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Bad luck: again, anywhere.
    Transient,
    /// This worker's fault: again, elsewhere.
    Worker,
    /// The source or the options are at fault: never again.
    Task,
    /// What came out is not what the plan says: again on a safer rung, at the end unsplit.
    Mismatch,
}

/// Why an attempt or a job failed, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What follows from it.
    pub kind: FailureKind,
    /// The reason's stable name in kebab-case, a heading of `docs/failures.md`.
    pub reason: String,
    /// What went wrong, with what: one or two sentences, lower case.
    pub message: String,
    /// The end of the program's log, bounded by the worker.
    pub log_tail: String,
}
