//! What happened: the one list that feeds store, history, live views and simulator.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::ids::{AttemptId, JobId, TaskId, WorkerId};
use crate::plan::{PlanHeader, Segment};
use crate::pool::job::{SourceRef, Start};
use crate::pool::task::{AttemptRole, Blob, Observed};
use crate::pool::worker::{WorkerProfile, WorkerState};
use crate::rate::{Allocation, Retake};
use crate::source::SourceFacts;
use crate::spec::JobSpec;
use crate::time::Millis;

/// Something that happened, with when. Stored before anybody hears of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Millis,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Happening {
    /// A job was made, with its analysis task.
    JobCreated {
        /// The job.
        job: JobId,
        /// Its first task.
        analysis: TaskId,
        /// Name for people.
        name: String,
        /// What is wished.
        spec: Arc<JobSpec>,
        /// From what.
        source: SourceRef,
        /// Where to.
        output_path: Option<String>,
        /// Higher goes first.
        priority: i32,
        /// Whether it goes on by itself once it is planned.
        #[serde(default)]
        start: Start,
    },
    /// The facts are known and the plan has begun.
    PlanStarted {
        /// The job.
        job: JobId,
        /// What the analysis saw.
        facts: Arc<SourceFacts>,
        /// The fixed part of the plan.
        header: Arc<PlanHeader>,
        /// The task for other streams, where the plan needs one.
        other_streams: Option<TaskId>,
        /// The task for the whole title, where the film is not split.
        whole: Option<TaskId>,
        /// The task that weighs the copied streams, where the size of the whole file is wished.
        #[serde(default)]
        weigh: Option<TaskId>,
    },
    /// Segments were added; their tasks have consecutive ids. Where a size is wished, each has two: the one that
    /// measures it comes first.
    SegmentsPlanned {
        /// The job.
        job: JobId,
        /// The id of the first one's task.
        first_task: TaskId,
        /// In order.
        segments: Vec<Segment>,
    },
    /// All segments are measured: the bits of each are known, and they can be encoded.
    BitsAllocated {
        /// The job.
        job: JobId,
        /// The bits.
        allocation: Arc<Allocation>,
    },
    /// The film missed its size: some segments are encoded once more; these tasks have consecutive ids.
    SegmentsRetaken {
        /// The job.
        job: JobId,
        /// The id of the first one's task.
        first_task: TaskId,
        /// In order.
        retakes: Vec<Retake>,
    },
    /// The analysis ended: the plan is complete, the merge is known.
    PlanCompleted {
        /// The job.
        job: JobId,
        /// The merge task.
        merge: TaskId,
    },
    /// The film will be made in one piece after all; segments are aborted.
    SplitAbandoned {
        /// The job.
        job: JobId,
        /// Why.
        reason: String,
        /// The task for the whole title.
        whole: TaskId,
    },
    /// A segment goes to the next rung: its later attempts seek further back.
    SegmentRunUpLengthened {
        /// Its task.
        task: TaskId,
    },
    /// An attempt was handed to a worker.
    AttemptStarted {
        /// Which.
        attempt: AttemptId,
        /// To whom.
        worker: WorkerId,
        /// Why.
        #[serde(default, skip_serializing_if = "AttemptRole::is_regular")]
        role: AttemptRole,
    },
    /// Its output is stored and synced.
    OutputStored {
        /// Of which attempt.
        attempt: AttemptId,
        /// Where.
        blob: Blob,
    },
    /// It succeeded; its task is done.
    AttemptSucceeded {
        /// Which.
        attempt: AttemptId,
        /// What the worker saw.
        observed: Observed,
    },
    /// It failed.
    AttemptFailed {
        /// Which.
        attempt: AttemptId,
        /// Why.
        failure: Failure,
    },
    /// Its lease ran out.
    AttemptExpired {
        /// Which.
        attempt: AttemptId,
    },
    /// It was given back, or made needless.
    AttemptCanceled {
        /// Which.
        attempt: AttemptId,
    },
    /// The task failed for good.
    TaskFailed {
        /// Which.
        task: TaskId,
    },
    /// All parts of the output are there: the merge may begin.
    MergeReady {
        /// The job.
        job: JobId,
    },
    /// The output is made and verified.
    JobCompleted {
        /// The job.
        job: JobId,
    },
    /// The job cannot be done; its remaining tasks are aborted.
    JobFailed {
        /// The job.
        job: JobId,
        /// Why.
        failure: Failure,
    },
    /// The user canceled it.
    JobCanceled {
        /// The job.
        job: JobId,
    },
    /// The user paused it.
    JobPaused {
        /// The job.
        job: JobId,
    },
    /// The user resumed it.
    JobResumed {
        /// The job.
        job: JobId,
    },
    /// The user had it taken up again.
    JobRetried {
        /// The job.
        job: JobId,
    },
    /// It was forgotten, with its tasks and blobs.
    JobDeleted {
        /// The job.
        job: JobId,
    },
    /// A worker joined, or came back with news of itself.
    WorkerRegistered {
        /// Which.
        worker: WorkerId,
        /// What it says of itself.
        profile: WorkerProfile,
    },
    /// A worker's state changed.
    WorkerChanged {
        /// Which.
        worker: WorkerId,
        /// To what.
        state: WorkerState,
    },
    /// A worker was forgotten.
    WorkerRemoved {
        /// Which.
        worker: WorkerId,
    },
}
