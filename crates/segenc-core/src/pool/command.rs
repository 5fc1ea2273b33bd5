//! What can be asked of the pool.

use crate::failure::Failure;
use crate::ids::{AttemptId, JobId, TaskId, WorkerId};
use crate::plan::{PlanHeader, Segment};
use crate::pool::job::{SourceRef, Start};
use crate::pool::task::{Blob, Observed};
use crate::pool::worker::WorkerProfile;
use crate::source::SourceFacts;
use crate::spec::JobSpec;
use crate::time::Millis;

/// A wish of a user or a worker, or of time itself ([`Command::Tick`]). Every command may arrive twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Makes a job.
    CreateJob(Box<NewJob>),
    /// Stops a job; idempotent.
    CancelJob(JobId),
    /// Lets nothing new of it start.
    PauseJob(JobId),
    /// Goes on with a paused job.
    ResumeJob(JobId),
    /// Takes up a failed or canceled job again: what is done stays done, failed tasks get a fresh count.
    RetryJob(JobId),
    /// Forgets a job that has ended.
    DeleteJob(JobId),

    /// A worker joins; the server has checked its join token. `known` is set when it comes back with
    /// its own token.
    RegisterWorker {
        /// The identity it already has.
        known: Option<WorkerId>,
        /// What it says of itself.
        profile: WorkerProfile,
    },
    /// Takes no more tasks, by the user.
    DrainWorker(WorkerId),
    /// Stands still with what it has, by the user: its programs are suspended, its leases go on.
    PauseWorker(WorkerId),
    /// Takes tasks again: paused, drained, taken out or signed off.
    ResumeWorker(WorkerId),
    /// Gives back what the worker holds, at once.
    ReleaseWorker(WorkerId),
    /// Forgets the worker; what it holds is given back.
    RemoveWorker(WorkerId),
    /// The worker's line broke and it did not come back: what it holds expires now.
    LineLost(WorkerId),
    /// The worker leaves by itself; what it holds is given back.
    SignOff(WorkerId),

    /// The worker asks for nothing before this time, because its hours are over.
    RestWorker {
        /// Who says so.
        worker: WorkerId,
        /// Until when.
        until: Millis,
    },
    /// A free slot asks for work.
    RequestTask(WorkerId),
    /// A running attempt lives: renews its lease.
    ReportStatus {
        /// Who says so.
        worker: WorkerId,
        /// Of which attempt.
        attempt: AttemptId,
        /// Frames done since its start.
        frames: u64,
        /// Frames per second, in thousandths.
        speed_millifps: u64,
    },
    /// The plan begins: facts are known.
    StartPlan {
        /// The analysis attempt that saw it.
        attempt: AttemptId,
        /// What it saw.
        facts: Box<SourceFacts>,
        /// What was planned from it.
        header: PlanHeader,
    },
    /// The plan grows. Segments already known must be the same as before.
    ExtendPlan {
        /// The analysis attempt whose packets led to it.
        attempt: AttemptId,
        /// In order.
        segments: Vec<Segment>,
    },
    /// Splitting turns out to be unsafe: the film is made in one piece.
    AbandonSplit {
        /// Of which job.
        job: JobId,
        /// Why, for people.
        reason: String,
    },
    /// The bytes of an attempt's output are stored and synced.
    StoreOutput {
        /// Who delivered them.
        worker: WorkerId,
        /// Of which attempt.
        attempt: AttemptId,
        /// Where they are.
        blob: Blob,
    },
    /// The worker says that the attempt is done.
    FinishTask {
        /// Who says so.
        worker: WorkerId,
        /// Which attempt.
        attempt: AttemptId,
        /// What it saw.
        observed: Observed,
    },
    /// The worker says that the attempt failed.
    FailTask {
        /// Who says so.
        worker: WorkerId,
        /// Which attempt.
        attempt: AttemptId,
        /// Why.
        failure: Failure,
    },
    /// Time has passed: leases that ran out expire.
    Tick,
}

/// A job to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Name for people.
    pub name: String,
    /// What is wished.
    pub spec: JobSpec,
    /// From what.
    pub source: SourceRef,
    /// Where the finished file goes on the server, by its absolute path; `None`: it stays in the store
    /// and is fetched from there.
    pub output_path: Option<String>,
    /// Higher goes first; 0 is usual.
    pub priority: i32,
    /// Whether it goes on by itself once it is planned.
    pub start: Start,
}

/// What a command that was accepted answers, beside its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done, or already so.
    Done,
    /// The job made.
    Job(JobId),
    /// The worker registered.
    Worker(WorkerId),
    /// An attempt for the worker that asked; `None`: nothing fits now.
    Assigned(Option<AttemptId>),
    /// The attempt goes on, or is to stop.
    Directive(Directive),
}

/// What a worker is told about its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// Go on.
    Continue,
    /// Stand still, and go on when told to: the lease lives while it is reported on.
    Pause,
    /// Stop it and clean up: canceled, expired, or made needless.
    Stop,
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such job.
    #[error("there is no job {0}")]
    UnknownJob(JobId),
    /// There is no such task.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// There is no such worker.
    #[error("there is no worker {0}")]
    UnknownWorker(WorkerId),
    /// The attempt is no longer the worker's.
    #[error("attempt {attempt} is no longer yours: it was {why}")]
    StaleAttempt {
        /// Which.
        attempt: AttemptId,
        /// What became of it: one word or a short clause.
        why: String,
    },
    /// The worker cannot suspend what it runs.
    #[error("worker {0} cannot suspend the programs it runs: drain it, or release what it has")]
    CannotPause(WorkerId),
    /// Finished without its output.
    #[error("attempt {0} has delivered no output")]
    NoOutput(AttemptId),
    /// The state does not allow it.
    #[error("job {job} is {state}: {hint}")]
    WrongState {
        /// Which job.
        job: JobId,
        /// Its state.
        state: String,
        /// What would be possible.
        hint: String,
    },
    /// The plan says something else for a segment that was already planned.
    #[error("segment {index} of job {job} is not what was planned: has the source changed?")]
    PlanChanged {
        /// Which job.
        job: JobId,
        /// Which segment.
        index: u32,
    },
}
