//! What is counted since the server started: only ever upwards, for those who ask again and again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use segenc_core::pool::Pool;
use segenc_core::pool::event::{Event, Happening};
use segenc_core::pool::job::JobState;
use segenc_core::pool::task::TaskKind;

use super::kind_name;

/// Bounds of the time that a commit takes, in seconds: an SSD syncs in about a millisecond, a worn-out disk in
/// tenths of a second.
pub(super) const COMMIT_BOUNDS: [f64; 8] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
/// Bounds of the time that a job waits for its first worker, in seconds.
pub(super) const WAIT_BOUNDS: [f64; 8] = [1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0];

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Mutex<Counts>,
}

/// What the counts are now.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) commits: Histogram<8>,
    pub(super) commits_refused: u64,
    pub(super) waits: Histogram<8>,
    /// By kind of task and how they ended.
    pub(super) attempts: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) jobs_made: u64,
    pub(super) jobs_ended: BTreeMap<JobState, u64>,
    pub(super) frames: u64,
    /// Processor time in milliseconds by worker.
    pub(super) cpu_millis: BTreeMap<u64, u64>,
    pub(super) messages_sent: u64,
    pub(super) messages_given_up: u64,
}

impl Tally {
    /// Something was stored, and took this long.
    pub(crate) fn note_commit(&self, took: Duration) {
        self.change(|counts| counts.commits.note(took.as_secs_f64(), &COMMIT_BOUNDS));
    }

    /// Something could not be stored.
    pub(crate) fn note_refused_commit(&self) {
        self.change(|counts| counts.commits_refused += 1);
    }

    /// A notification arrived.
    pub(crate) fn note_message_sent(&self) {
        self.change(|counts| counts.messages_sent += 1);
    }

    /// A notification was given up.
    pub(crate) fn note_message_given_up(&self) {
        self.change(|counts| counts.messages_given_up += 1);
    }

    /// These things happened; the pool knows of them.
    pub(crate) fn note_events<'a>(&self, pool: &Pool, events: impl Iterator<Item = &'a Event>) {
        self.change(|counts| events.for_each(|event| counts.note(pool, event)));
    }

    pub(super) fn now(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Counts {
    fn note(&mut self, pool: &Pool, event: &Event) {
        match &event.what {
            Happening::JobCreated { .. } => self.jobs_made += 1,
            Happening::JobCompleted { .. } => self.note_end(JobState::Completed),
            Happening::JobFailed { .. } => self.note_end(JobState::Failed),
            Happening::JobCanceled { .. } => self.note_end(JobState::Canceled),
            Happening::AttemptStarted { attempt, .. } => {
                let Some(task) = pool.task(attempt.task) else { return };
                if task.kind == TaskKind::Analysis && attempt.number.0 == 1 {
                    let waited = event.at.saturating_sub(task.created_at);
                    self.waits.note(Duration::from_millis(waited).as_secs_f64(), &WAIT_BOUNDS);
                }
            }
            Happening::AttemptSucceeded { attempt, observed } => {
                let Some(task) = pool.task(attempt.task) else { return };
                self.note_attempt(task.kind, "succeeded");
                if let Some(tried) = task.attempt(attempt.number) {
                    // A worker may report any numbers.
                    let spent = self.cpu_millis.entry(tried.worker.0).or_default();
                    *spent = spent.saturating_add(observed.cpu_millis);
                }
                match task.kind {
                    TaskKind::Segment(_)
                    | TaskKind::Measure(_)
                    | TaskKind::Retake(_)
                    | TaskKind::Whole => {
                        let made = observed.frames.as_ref().map_or(0, |frames| frames.count);
                        self.frames = self.frames.saturating_add(made);
                    }
                    // What was made in one piece is counted where it is checked.
                    TaskKind::Merge if pool.job(task.job).is_some_and(|job| !job.is_split()) => {
                        let made = observed.frames.as_ref().map_or(0, |frames| frames.count);
                        self.frames = self.frames.saturating_add(made);
                    }
                    TaskKind::Analysis
                    | TaskKind::Weigh
                    | TaskKind::OtherStreams
                    | TaskKind::Merge => {}
                }
            }
            Happening::AttemptFailed { attempt, .. } => {
                self.note_end_of(pool, attempt.task, "failed");
            }
            Happening::AttemptExpired { attempt } => {
                self.note_end_of(pool, attempt.task, "expired");
            }
            Happening::AttemptCanceled { attempt } => {
                self.note_end_of(pool, attempt.task, "canceled");
            }
            Happening::PlanStarted { .. }
            | Happening::SegmentsPlanned { .. }
            | Happening::BitsAllocated { .. }
            | Happening::SegmentsRetaken { .. }
            | Happening::PlanCompleted { .. }
            | Happening::SplitAbandoned { .. }
            | Happening::SegmentRunUpLengthened { .. }
            | Happening::OutputStored { .. }
            | Happening::TaskFailed { .. }
            | Happening::MergeReady { .. }
            | Happening::JobPaused { .. }
            | Happening::JobResumed { .. }
            | Happening::JobRetried { .. }
            | Happening::JobDeleted { .. }
            | Happening::WorkerRegistered { .. }
            | Happening::WorkerChanged { .. }
            | Happening::WorkerRemoved { .. } => {}
        }
    }

    fn note_end(&mut self, state: JobState) {
        *self.jobs_ended.entry(state).or_default() += 1;
    }

    fn note_end_of(&mut self, pool: &Pool, task: segenc_core::ids::TaskId, how: &'static str) {
        if let Some(task) = pool.task(task) {
            self.note_attempt(task.kind, how);
        }
    }

    fn note_attempt(&mut self, kind: TaskKind, how: &'static str) {
        *self.attempts.entry((kind_name(kind), how)).or_default() += 1;
    }
}

/// Values by size.
#[derive(Debug, Clone)]
pub(super) struct Histogram<const N: usize> {
    /// How many were at most as large as each bound, and larger than the one before.
    pub(super) within: [u64; N],
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { within: [0; N], count: 0, sum: 0.0 }
    }
}

impl<const N: usize> Histogram<N> {
    fn note(&mut self, value: f64, bounds: &[f64; N]) {
        self.count += 1;
        self.sum += value;
        if let Some(place) = bounds.iter().position(|bound| value <= *bound)
            && let Some(within) = self.within.get_mut(place)
        {
            *within += 1;
        }
    }
}
