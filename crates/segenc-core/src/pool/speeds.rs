//! How fast each worker was seen to be at each job, learnt from the attempts that succeeded. Volatile, like the
//! leases it belongs to; it decides nothing.

use imbl::OrdMap;

use crate::ids::{JobId, WorkerId};
use crate::pool::Pool;
use crate::pool::job::Job;
use crate::pool::task::{AttemptState, TaskKind};
use crate::time::Millis;

/// What is done to a segment: measuring it is another thing than encoding it, and takes another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Effort {
    Measuring,
    Encoding,
}

/// Work that was done, and the time that it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    bytes: u64,
    millis: Millis,
}

impl Seen {
    /// Adds an attempt. What was seen before counts half as much, so that a worker that was slowed down by
    /// something else is known as a slow one after a few attempts.
    const fn and(self, bytes: u64, millis: Millis) -> Self {
        Self {
            bytes: (self.bytes / 2).saturating_add(bytes),
            millis: (self.millis / 2).saturating_add(millis),
        }
    }

    fn time_for(self, bytes: u64) -> Option<Millis> {
        let time = u128::from(bytes) * u128::from(self.millis);
        u64::try_from(time.checked_div(u128::from(self.bytes))?).ok()
    }
}

/// A part of a job's film, as far as it says how long work on it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    job: JobId,
    effort: Effort,
    bytes: u64,
    /// Frames to be made.
    pub(crate) frames: u64,
}

impl Extent {
    /// The extent of a task; `None` where no part of the film is encoded, or it is not known which.
    pub(crate) fn of(job: &Job, kind: TaskKind) -> Option<Self> {
        let (effort, segment) = match kind {
            TaskKind::Segment(index) | TaskKind::Retake(index) => (Effort::Encoding, Some(index)),
            TaskKind::Measure(index) => (Effort::Measuring, Some(index)),
            TaskKind::Whole => (Effort::Encoding, None),
            TaskKind::Analysis | TaskKind::OtherStreams | TaskKind::Weigh | TaskKind::Merge => {
                return None;
            }
        };
        let (bytes, frames) = match segment {
            Some(index) => {
                let segment = job.segments.get(usize::try_from(index).ok()?)?;
                (segment.source_bytes, segment.expected.count)
            }
            // Known when it was to be split once.
            None => job.segments.iter().fold((0_u64, 0_u64), |(bytes, frames), segment| {
                let bytes = bytes.saturating_add(segment.source_bytes);
                (bytes, frames.saturating_add(segment.expected.count))
            }),
        };
        (frames > 0).then_some(Self { job: job.id, effort, bytes: bytes.max(1), frames })
    }
}

/// What was learnt of workers and jobs that are not at their end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Speeds {
    of_workers: OrdMap<(JobId, Effort, WorkerId), Seen>,
    of_jobs: OrdMap<(JobId, Effort), Seen>,
}

impl Speeds {
    /// What the attempts of open jobs tell, when nobody remembers how they went.
    pub(super) fn remembered(pool: &Pool) -> Self {
        let mut speeds = Self::default();
        for job in pool.jobs().filter(|job| !job.state.is_final()) {
            for task in pool.tasks_of(job.id) {
                let Some(extent) = Extent::of(job, task.kind) else { continue };
                for attempt in &task.attempts {
                    if let (AttemptState::Succeeded, Some(end)) = (attempt.state, attempt.ended_at)
                    {
                        let millis = end.saturating_sub(attempt.started_at);
                        speeds.learn(extent, attempt.worker, millis);
                    }
                }
            }
        }
        speeds
    }

    /// A worker did this in that time.
    pub(super) fn learn(&mut self, extent: Extent, worker: WorkerId, millis: Millis) {
        let Extent { job, effort, bytes, frames: _ } = extent;
        let millis = millis.max(1);
        let of_worker = self.of_workers.entry((job, effort, worker)).or_default();
        *of_worker = of_worker.and(bytes, millis);
        let of_job = self.of_jobs.entry((job, effort)).or_default();
        *of_job = of_job.and(bytes, millis);
    }

    /// Forgets a job, so that this does not grow with the years.
    pub(super) fn forget(&mut self, job: JobId) {
        let gone: Vec<_> = self
            .of_workers
            .range(
                (job, Effort::Measuring, WorkerId(0))..=(job, Effort::Encoding, WorkerId(u64::MAX)),
            )
            .map(|(key, _)| *key)
            .collect();
        for key in gone {
            self.of_workers.remove(&key);
        }
        self.of_jobs.remove(&(job, Effort::Measuring));
        self.of_jobs.remove(&(job, Effort::Encoding));
    }

    /// How long the worker will take for this, going by what it did in this job before; one that did nothing
    /// there is taken to be like those that did.
    pub(crate) fn expect(&self, extent: Extent, worker: WorkerId) -> Option<Millis> {
        let Extent { job, effort, bytes, frames: _ } = extent;
        let own = self.of_workers.get(&(job, effort, worker));
        own.or_else(|| self.of_jobs.get(&(job, effort)))?.time_for(bytes)
    }
}
