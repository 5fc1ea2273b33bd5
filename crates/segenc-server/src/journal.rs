//! What happens on the farm, for the log: one line each, with the numbers of job, task, attempt and worker as
//! fields, so that programs can sort it. Decides nothing.

use segenc_core::pool::Pool;
use segenc_core::pool::event::{Event, Happening};
use segenc_core::pool::worker::WorkerState;

/// Tells of an event that is stored; the pool knows of it.
pub(crate) fn tell(pool: &Pool, event: &Event) {
    match &event.what {
        Happening::JobCreated { job, name, .. } => {
            tracing::info!(job = job.0, name, "a job was made");
        }
        Happening::JobCompleted { job } => tracing::info!(job = job.0, "a job is completed"),
        Happening::JobFailed { job, failure } => {
            tracing::warn!(job = job.0, reason = failure.reason, "a job has failed");
        }
        Happening::JobCanceled { job } => tracing::info!(job = job.0, "a job was canceled"),
        Happening::SplitAbandoned { job, reason, .. } => {
            tracing::info!(job = job.0, reason, "a film is made in one piece after all");
        }
        Happening::AttemptStarted { attempt, worker, .. } => {
            let job = pool.task(attempt.task).map(|task| task.job.0);
            let (task, attempt) = (attempt.task.0, attempt.number.0);
            tracing::debug!(job, task, attempt, worker = worker.0, "an attempt was handed out");
        }
        Happening::AttemptSucceeded { attempt, .. } => {
            let Some(who) = Who::of(pool, *attempt) else { return };
            let Who { job, task, attempt, worker } = who;
            tracing::debug!(job, task, attempt, worker, "an attempt succeeded");
        }
        Happening::AttemptFailed { attempt, failure } => {
            let Some(who) = Who::of(pool, *attempt) else { return };
            let Who { job, task, attempt, worker } = who;
            let reason = &failure.reason;
            tracing::info!(job, task, attempt, worker, reason, "an attempt failed");
        }
        Happening::AttemptExpired { attempt } => {
            let Some(who) = Who::of(pool, *attempt) else { return };
            let Who { job, task, attempt, worker } = who;
            tracing::warn!(job, task, attempt, worker, "a lease ran out");
        }
        Happening::WorkerChanged { worker, state } => {
            if let WorkerState::TakenOut { reason } = state {
                tracing::warn!(worker = worker.0, reason, "a worker is taken out");
            }
        }
        Happening::PlanStarted { .. }
        | Happening::SegmentsPlanned { .. }
        | Happening::BitsAllocated { .. }
        | Happening::SegmentsRetaken { .. }
        | Happening::PlanCompleted { .. }
        | Happening::SegmentRunUpLengthened { .. }
        | Happening::OutputStored { .. }
        | Happening::AttemptCanceled { .. }
        | Happening::TaskFailed { .. }
        | Happening::MergeReady { .. }
        | Happening::JobPaused { .. }
        | Happening::JobResumed { .. }
        | Happening::JobRetried { .. }
        | Happening::JobDeleted { .. }
        | Happening::WorkerRegistered { .. }
        | Happening::WorkerRemoved { .. } => {}
    }
}

/// Who did what, in numbers.
struct Who {
    job: u64,
    task: u64,
    attempt: u32,
    worker: u64,
}

impl Who {
    fn of(pool: &Pool, id: segenc_core::ids::AttemptId) -> Option<Self> {
        let task = pool.task(id.task)?;
        let worker = task.attempt(id.number)?.worker.0;
        Some(Self { job: task.job.0, task: id.task.0, attempt: id.number.0, worker })
    }
}
