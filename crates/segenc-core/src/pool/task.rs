//! A task and its attempts.

use serde::{Deserialize, Serialize};

use crate::plan::Frames;

/// What a task does. On the wire there are three kinds; segment, other streams and whole title are
/// all `transcode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Reads the source: facts and packets.
    Analysis,
    /// Encodes the segment of this index.
    Segment(u32),
    /// Encodes the streams beside the film, for the whole title.
    OtherStreams,
    /// Makes the output in one go, as plain ffmpeg would, because the film must not be split.
    Whole,
    /// Joins and verifies.
    Merge,
}

/// A state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for other tasks.
    Blocked,
    /// Waits for a worker.
    Ready,
    /// Some attempt runs.
    Running,
    /// An attempt succeeded.
    Done,
    /// It failed for good.
    Failed,
    /// By the user.
    Canceled,
    /// By the system, because something else failed or made it needless.
    Aborted,
}

/// A state of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// A worker holds its lease.
    Running,
    /// Its output is the task's.
    Succeeded,
    /// The worker reported a failure, or its output was not what the plan says.
    Failed,
    /// Its lease ran out.
    Expired,
    /// Given back, or made needless.
    Canceled,
}

/// Stored bytes with their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Name in the blob store.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
}

/// What the worker saw when it finished.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// The frames of the task's output, on the output's clock in the film's timebase: segments, and
    /// the film of a merge.
    pub frames: Option<Frames>,
    /// SHA-256, hex, over the encoder's parameter sets (extradata); empty where it has none.
    pub extradata_sha256: Option<String>,
    /// Processor time of the programs it ran, in milliseconds.
    pub cpu_millis: u64,
    /// Checks made and what came out, for the report: merge and whole title.
    pub checks: Vec<Check>,
}

/// One check of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked, such as `frame count`.
    pub name: String,
    /// Whether it held.
    pub passed: bool,
    /// What was seen: one clause.
    pub detail: String,
}
