//! What happened as spans of a trace: one trace for each job, in it a span for each task and each attempt.
//!
//! Made of what is stored, so a server that was started again goes on with the same traces: their ids follow from
//! the job. Knows nothing of how spans are sent. Decides nothing.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use segenc_core::ids::{AttemptId, JobId, TaskId};
use segenc_core::pool::Pool;
use segenc_core::pool::event::{Event, Happening};
use segenc_core::pool::job::Job;
use segenc_core::pool::task::{Attempt, AttemptState, Task, TaskKind, TaskState};
use segenc_core::time::Millis;
use sha2::{Digest as _, Sha256};

use crate::http::{task_kind, task_state};

/// Who takes the spans.
#[derive(Debug, Clone, Copy)]
pub struct SpanSink {
    /// Whether the trace of this id is wanted: of many, some may be left out.
    pub wants: fn([u8; 16]) -> bool,
    /// Takes a span that has ended. It must not block.
    pub take: fn(EndedSpan),
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedSpan {
    /// The trace it belongs to.
    pub trace: [u8; 16],
    /// Its own id.
    pub id: [u8; 8],
    /// The span around it; `None`: it is the trace's root.
    pub parent: Option<[u8; 8]>,
    /// What it is: `job`, `task` or `attempt`.
    pub name: &'static str,
    /// When it began, in milliseconds since 1970.
    pub began: Millis,
    /// When it ended.
    pub ended: Millis,
    /// What is known of it.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// The reason's stable name, if it went wrong.
    pub error: Option<String>,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanValue {
    /// A word.
    Text(String),
    /// A count, or a number of the farm's.
    Number(u64),
    /// Yes or no.
    Flag(bool),
}

/// The attempt's place in the job's trace, for the worker; `None` where nobody traces it.
pub(crate) fn traceparent(sink: Option<SpanSink>, pool: &Pool, id: AttemptId) -> Option<String> {
    let sink = sink?;
    let task = pool.task(id.task)?;
    let trace = trace_id(pool.job(task.job)?);
    (sink.wants)(trace).then(|| {
        let span = attempt_span(trace, id);
        format!("00-{}-{}-01", crate::auth::hex(&trace), crate::auth::hex(&span))
    })
}

/// Tells of what these stored events ended; the pool knows of all of them.
pub(crate) fn tell<'a>(sink: SpanSink, pool: &Pool, events: impl Iterator<Item = &'a Event>) {
    for span in spans(pool, events) {
        if (sink.wants)(span.trace) {
            (sink.take)(span);
        }
    }
}

/// The spans that ended with these events, inner ones first.
fn spans<'a>(pool: &Pool, events: impl Iterator<Item = &'a Event>) -> Vec<EndedSpan> {
    let mut ended = Ended::default();
    events.for_each(|event| ended.note(pool, event));
    let mut spans = Vec::new();
    for id in &ended.attempts {
        spans.extend(attempt_of(pool, *id));
    }
    for id in &ended.tasks {
        spans.extend(task_of(pool, *id));
    }
    for id in &ended.jobs {
        spans.extend(pool.job(*id).and_then(|job| job_span_of(pool, job)));
    }
    spans
}

/// What ended, each once, however many events say so.
#[derive(Debug, Default)]
struct Ended {
    attempts: BTreeSet<AttemptId>,
    tasks: BTreeSet<TaskId>,
    jobs: BTreeSet<JobId>,
}

impl Ended {
    fn note(&mut self, pool: &Pool, event: &Event) {
        match &event.what {
            Happening::AttemptSucceeded { attempt, .. }
            | Happening::AttemptFailed { attempt, .. }
            | Happening::AttemptExpired { attempt }
            | Happening::AttemptCanceled { attempt } => self.note_attempt(pool, *attempt),
            Happening::TaskFailed { task } => {
                self.tasks.insert(*task);
            }
            Happening::JobCompleted { job }
            | Happening::JobFailed { job, .. }
            | Happening::JobCanceled { job } => {
                self.jobs.insert(*job);
                self.note_closed(pool, *job, event.at);
            }
            Happening::SplitAbandoned { job, .. } => self.note_closed(pool, *job, event.at),
            Happening::JobCreated { .. }
            | Happening::PlanStarted { .. }
            | Happening::SegmentsPlanned { .. }
            | Happening::BitsAllocated { .. }
            | Happening::SegmentsRetaken { .. }
            | Happening::PlanCompleted { .. }
            | Happening::SegmentRunUpLengthened { .. }
            | Happening::AttemptStarted { .. }
            | Happening::OutputStored { .. }
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

    fn note_attempt(&mut self, pool: &Pool, id: AttemptId) {
        self.attempts.insert(id);
        let Some(task) = pool.task(id.task) else { return };
        let ends_it = match task.state {
            // A backup that ends after its task does not end it again.
            TaskState::Done => {
                task.attempt(id.number).is_some_and(|tried| tried.state == AttemptState::Succeeded)
            }
            TaskState::Failed | TaskState::Canceled | TaskState::Aborted => true,
            TaskState::Blocked | TaskState::Ready | TaskState::Running => false,
        };
        if ends_it {
            self.tasks.insert(task.id);
        }
    }

    /// What ran when the job came to an end was closed with it, without an event of its own.
    fn note_closed(&mut self, pool: &Pool, job: JobId, at: Millis) {
        for task in pool.tasks_of(job) {
            for tried in &task.attempts {
                if tried.state == AttemptState::Canceled && tried.ended_at == Some(at) {
                    let id = AttemptId { task: task.id, number: tried.number };
                    self.note_attempt(pool, id);
                }
            }
        }
    }
}

fn attempt_of(pool: &Pool, id: AttemptId) -> Option<EndedSpan> {
    let task = pool.task(id.task)?;
    let tried = task.attempt(id.number)?;
    let trace = trace_id(pool.job(task.job)?);
    let mut attributes = about_task(pool, task);
    attributes.push(("segenc.attempt", number(id.number.0)));
    attributes.push(("segenc.backup", SpanValue::Flag(!tried.role.is_regular())));
    attributes.push(("segenc.outcome", word(outcome(tried.state))));
    attributes.push(("segenc.worker", SpanValue::Number(tried.worker.0)));
    if let Some(worker) = pool.worker(tried.worker) {
        attributes.push(("segenc.worker.name", word(&worker.profile.name)));
    }
    if let Some(output) = &tried.output {
        attributes.push(("segenc.output.bytes", SpanValue::Number(output.size)));
    }
    if let Some(seen) = &tried.observed {
        attributes.push(("segenc.cpu_millis", SpanValue::Number(seen.cpu_millis)));
        if let Some(frames) = &seen.frames {
            attributes.push(("segenc.frames", SpanValue::Number(frames.count)));
        }
    }
    Some(EndedSpan {
        trace,
        id: attempt_span(trace, id),
        parent: Some(task_span(trace, task)),
        name: "attempt",
        began: tried.started_at,
        ended: tried.ended_at?,
        attributes,
        error: failed(tried),
    })
}

const fn outcome(state: AttemptState) -> &'static str {
    match state {
        AttemptState::Running => "running",
        AttemptState::Succeeded => "succeeded",
        AttemptState::Failed => "failed",
        AttemptState::Expired => "expired",
        AttemptState::Canceled => "canceled",
    }
}

/// Why an attempt counts as gone wrong.
fn failed(tried: &Attempt) -> Option<String> {
    match tried.state {
        AttemptState::Failed => {
            Some(tried.failure.as_ref().map_or("failed", |failure| &failure.reason).to_owned())
        }
        AttemptState::Expired => Some("lease-expired".to_owned()),
        // Nobody wanted it any more, which is no fault.
        AttemptState::Running | AttemptState::Succeeded | AttemptState::Canceled => None,
    }
}

fn task_of(pool: &Pool, id: TaskId) -> Option<EndedSpan> {
    let task = pool.task(id)?;
    let trace = trace_id(pool.job(task.job)?);
    let last = task.succeeded().or_else(|| task.attempts.last())?;
    let mut attributes = about_task(pool, task);
    attributes.push(("segenc.outcome", word(task_state(task.state))));
    let tries = u64::try_from(task.attempts.len()).unwrap_or(u64::MAX);
    attributes.push(("segenc.attempts", SpanValue::Number(tries)));
    Some(EndedSpan {
        trace,
        id: task_span(trace, task),
        parent: Some(job_span(trace)),
        name: "task",
        began: task.created_at,
        ended: last.ended_at?,
        attributes,
        error: match task.state {
            TaskState::Failed => failed(last).or_else(|| Some("failed".to_owned())),
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Running
            | TaskState::Done
            | TaskState::Canceled
            | TaskState::Aborted => None,
        },
    })
}

fn about_task(pool: &Pool, task: &Task) -> Vec<(&'static str, SpanValue)> {
    let mut attributes = vec![
        ("segenc.job", SpanValue::Number(task.job.0)),
        ("segenc.task", SpanValue::Number(task.id.0)),
        ("segenc.task.kind", word(task_kind(task.kind))),
    ];
    match task.kind {
        TaskKind::Segment(index) | TaskKind::Measure(index) | TaskKind::Retake(index) => {
            attributes.push(("segenc.segment", number(index)));
            let job = pool.job(task.job);
            let segment = job.and_then(|job| job.segments.get(usize::try_from(index).ok()?));
            if let Some(segment) = segment {
                let planned = segment.expected.count;
                attributes.push(("segenc.frames.planned", SpanValue::Number(planned)));
            }
        }
        TaskKind::Analysis
        | TaskKind::Weigh
        | TaskKind::OtherStreams
        | TaskKind::Whole
        | TaskKind::Merge => {}
    }
    attributes
}

fn job_span_of(pool: &Pool, job: &Job) -> Option<EndedSpan> {
    let trace = trace_id(job);
    let tasks = u64::try_from(pool.tasks_of(job.id).count()).unwrap_or(u64::MAX);
    let segments = u64::try_from(job.segments.len()).unwrap_or(u64::MAX);
    Some(EndedSpan {
        trace,
        id: job_span(trace),
        parent: None,
        name: "job",
        began: job.created_at,
        ended: job.ended_at?,
        attributes: vec![
            ("segenc.job", SpanValue::Number(job.id.0)),
            ("segenc.job.name", word(&job.name)),
            ("segenc.outcome", word(&job.state.to_string())),
            ("segenc.source.bytes", SpanValue::Number(job.source.fingerprint.size)),
            ("segenc.segments", SpanValue::Number(segments)),
            ("segenc.tasks", SpanValue::Number(tasks)),
        ],
        error: job.failure.as_ref().map(|failure| failure.reason.clone()),
    })
}

fn word(text: &str) -> SpanValue {
    SpanValue::Text(text.to_owned())
}

fn number(count: u32) -> SpanValue {
    SpanValue::Number(u64::from(count))
}

/// The trace of a job: the same after every start of the server, another one on every server.
fn trace_id(job: &Job) -> [u8; 16] {
    let mut digest = Sha256::new();
    digest.update(b"segenc trace");
    digest.update(job.id.0.to_le_bytes());
    digest.update(job.created_at.to_le_bytes());
    digest.update(job.source.fingerprint.size.to_le_bytes());
    digest.update(job.source.fingerprint.head_and_tail.as_bytes());
    first(&digest.finalize())
}

fn job_span(trace: [u8; 16]) -> [u8; 8] {
    span_id(trace, b"job", &[])
}

/// A task that is taken up again with its job is a span of its own.
fn task_span(trace: [u8; 16], task: &Task) -> [u8; 8] {
    span_id(trace, b"task", &[task.id.0, u64::try_from(task.counted_from).unwrap_or(u64::MAX)])
}

fn attempt_span(trace: [u8; 16], id: AttemptId) -> [u8; 8] {
    span_id(trace, b"attempt", &[id.task.0, u64::from(id.number.0)])
}

fn span_id(trace: [u8; 16], kind: &[u8], numbers: &[u64]) -> [u8; 8] {
    let mut digest = Sha256::new();
    digest.update(trace);
    digest.update(kind);
    numbers.iter().for_each(|number| digest.update(number.to_le_bytes()));
    first(&digest.finalize())
}

/// The first bytes of a digest. All zeros would mean "none", but comes up never.
fn first<const N: usize>(digest: &[u8]) -> [u8; N] {
    std::array::from_fn(|position| digest.get(position).copied().unwrap_or_default())
}
