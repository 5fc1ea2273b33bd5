//! A task and its attempts.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, FailureKind};
use crate::ids::{AttemptId, AttemptNumber, JobId, TaskId, WorkerId};
use crate::plan::Frames;
use crate::time::Millis;

/// What a task does. On the wire there are three kinds; segment, other streams and whole title are
/// all `transcode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Reads the source: facts and packets.
    Analysis,
    /// Encodes the segment of this index.
    Segment(u32),
    /// Encodes the segment of this index at one quality for all, to learn how many bits it takes.
    Measure(u32),
    /// Encodes the segment of this index once more, because it missed the bits that it was due.
    Retake(u32),
    /// Finds out how many bytes of the output the copied streams take.
    Weigh,
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

/// Why an attempt was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptRole {
    /// Its task waited for a worker.
    #[default]
    Regular,
    /// Another attempt of its task runs, and this one is expected to end earlier: a backup. Its failure counts
    /// neither against the task nor against the worker.
    Backup,
}

impl AttemptRole {
    /// Whether its task waited for a worker. So it is stored as events always were, before there were backups.
    #[must_use]
    pub const fn is_regular(&self) -> bool {
        match self {
            Self::Regular => true,
            Self::Backup => false,
        }
    }
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
    /// Bytes that count for a wished size: the film's packets of a segment or a measurement, or the file that
    /// was weighed.
    #[serde(default)]
    pub media_bytes: Option<u64>,
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

/// The encoders a worker must have for a task, by ffmpeg's names, sorted; empty: anybody can do it.
pub type Needs = Arc<[String]>;

/// What a worker is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its identity.
    pub id: TaskId,
    /// The job it belongs to.
    pub job: JobId,
    /// What it does.
    pub kind: TaskKind,
    /// Where it stands.
    pub state: TaskState,
    /// All tries, by number from 1.
    pub attempts: Vec<Attempt>,
    /// The next attempt seeks further back, because what came out was not what the plan says.
    pub longer_run_up: bool,
    /// The encoders it takes.
    pub needs: Needs,
    /// A measure of the work that orders tasks of a kind: bytes of source video.
    pub cost: u64,
    /// When it was made.
    pub created_at: Millis,
    /// Attempts before this position belong to an earlier life of the job and count for no limit.
    pub counted_from: usize,
}

impl Task {
    /// The attempt of this number.
    #[must_use]
    pub fn attempt(&self, number: AttemptNumber) -> Option<&Attempt> {
        let position = usize::try_from(number.0).ok()?.checked_sub(1)?;
        self.attempts.get(position)
    }

    /// The number that the next attempt gets.
    #[must_use]
    pub fn next_attempt(&self) -> AttemptId {
        let tried = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        AttemptId { task: self.id, number: AttemptNumber(tried.saturating_add(1)) }
    }

    /// The attempts that hold a lease.
    pub fn running(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.state == AttemptState::Running)
    }

    /// The one attempt that runs, if a second one may run beside it: it is no backup, none was started beside it
    /// before, and it has not delivered yet.
    #[must_use]
    pub fn alone(&self) -> Option<&Attempt> {
        let may = match self.kind {
            TaskKind::Segment(_) | TaskKind::Measure(_) | TaskKind::Retake(_) | TaskKind::Whole => {
                true
            }
            TaskKind::Analysis | TaskKind::OtherStreams | TaskKind::Weigh | TaskKind::Merge => {
                false
            }
        };
        let last = self.attempts.last()?;
        let running = last.state == AttemptState::Running && last.output.is_none();
        (may && running && last.role.is_regular()).then_some(last)
    }

    /// The attempt whose output is the task's.
    #[must_use]
    pub fn succeeded(&self) -> Option<&Attempt> {
        self.attempts.iter().rev().find(|attempt| attempt.state == AttemptState::Succeeded)
    }

    /// The bytes that the task has made.
    #[must_use]
    pub fn output(&self) -> Option<&Blob> {
        self.succeeded()?.output.as_ref()
    }

    /// Whether the task yields a part of the output, which the merge waits for.
    #[must_use]
    pub const fn is_part(&self) -> bool {
        match self.kind {
            TaskKind::Segment(_)
            | TaskKind::Retake(_)
            | TaskKind::OtherStreams
            | TaskKind::Whole => true,
            TaskKind::Analysis | TaskKind::Measure(_) | TaskKind::Weigh | TaskKind::Merge => false,
        }
    }

    /// Whether nothing but what the worker saw comes of it.
    #[must_use]
    pub const fn only_tells(&self) -> bool {
        match self.kind {
            TaskKind::Analysis | TaskKind::Weigh => true,
            TaskKind::Segment(_)
            | TaskKind::Measure(_)
            | TaskKind::Retake(_)
            | TaskKind::OtherStreams
            | TaskKind::Whole
            | TaskKind::Merge => false,
        }
    }

    /// The bytes that count for a wished size, as far as they are known.
    #[must_use]
    pub fn media_bytes(&self) -> Option<u64> {
        let told = self.succeeded()?.observed.as_ref().and_then(|seen| seen.media_bytes);
        told.or_else(|| self.output().map(|blob| blob.size))
    }

    /// The attempts that count for the limits.
    pub fn counted(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().skip(self.counted_from)
    }

    /// The attempts that failed in a way that another worker may do better, without backups.
    pub fn retryable_failures(&self) -> impl Iterator<Item = &Attempt> {
        self.counted().filter(|attempt| attempt.role.is_regular()).filter(|attempt| {
            let Some(failure) = &attempt.failure else { return false };
            match failure.kind {
                FailureKind::Transient | FailureKind::Worker => true,
                FailureKind::Mismatch => {
                    matches!(
                        self.kind,
                        TaskKind::Analysis | TaskKind::OtherStreams | TaskKind::Weigh
                    )
                }
                FailureKind::Task => false,
            }
        })
    }

    /// Whether it failed on this worker already, and might do better on another.
    #[must_use]
    pub fn failed_on(&self, worker: WorkerId) -> bool {
        self.retryable_failures().any(|attempt| attempt.worker == worker)
    }

    /// The workers on which it failed and might do better on another.
    #[must_use]
    pub fn failed_workers(&self) -> BTreeSet<WorkerId> {
        self.retryable_failures().map(|attempt| attempt.worker).collect()
    }
}

/// One try of a task by a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its number within the task, from 1: the fencing token.
    pub number: AttemptNumber,
    /// Who tries.
    pub worker: WorkerId,
    /// Why it was handed out.
    pub role: AttemptRole,
    /// Where it stands.
    pub state: AttemptState,
    /// When it was handed out.
    pub started_at: Millis,
    /// When it ended, however.
    pub ended_at: Option<Millis>,
    /// The bytes it delivered.
    pub output: Option<Blob>,
    /// What the worker saw, when it succeeded.
    pub observed: Option<Observed>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// An attempt that holds a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningAttempt {
    /// Which.
    pub id: AttemptId,
    /// Of which job.
    pub job: JobId,
    /// What it does.
    pub kind: TaskKind,
    /// Who runs it.
    pub worker: WorkerId,
    /// When it was handed out.
    pub started_at: Millis,
}
