//! A batch of commands, decided one after the other on a draft of the pool.
//!
//! Nothing here is true before the draft's records are stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use segenc_core::ids::{JobId, TaskId};
use segenc_core::pool::command::{Answer, Command, NewJob, Rejection};
use segenc_core::pool::event::Happening;
use segenc_core::pool::{Leases, Pool, decide};
use segenc_core::time::Millis;

use super::{Ask, Refusal, Reply, View};
use crate::planning::Planning;
use crate::store::{Record, Wish};

/// The pool as it will be when the records are stored.
#[derive(Clone)]
pub(crate) struct Draft<'a> {
    pub(crate) pool: Pool,
    pub(crate) leases: Leases,
    pub(crate) now: Millis,
    pub(super) records: Vec<Record>,
    pub(super) wishes: Vec<(JobId, Wish)>,
    jobs_by_key: &'a BTreeMap<String, JobId>,
}

/// What others should be woken for.
pub(super) struct News {
    /// A task may have become ready.
    pub(super) work: bool,
    /// Something has ended whose bytes may be needless now.
    pub(super) ended: bool,
}

/// What takes the pool's place once the records are stored.
pub(super) struct Next {
    pub(super) view: View,
    pub(super) news: News,
    pub(super) wishes: Vec<(JobId, Wish)>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        pool: &Pool,
        leases: &Leases,
        jobs_by_key: &'a BTreeMap<String, JobId>,
        now: Millis,
    ) -> Self {
        Self {
            pool: pool.clone(),
            leases: leases.clone(),
            now,
            records: Vec::new(),
            wishes: Vec::new(),
            jobs_by_key,
        }
    }

    /// Decides one command and applies what follows to the draft.
    pub(crate) fn decide(&mut self, command: &Command) -> Result<Answer, Rejection> {
        let decision = decide(&self.pool, &self.leases, self.now, command)?;
        for event in &decision.events {
            let before = job_of(&self.pool, &event.what);
            let last_task = last_task(&self.pool, &event.what);
            self.pool.apply(event);
            let job = before.or_else(|| job_of(&self.pool, &event.what));
            self.records.push(Record { job, event: event.clone(), last_task });
        }
        self.leases.note(&self.pool, self.now, command, &decision);
        Ok(decision.answer)
    }

    /// Answers one message. One that is refused in the middle leaves nothing behind.
    pub(super) fn answer(&mut self, planning: &mut Planning, ask: &Ask) -> Result<Reply, Refusal> {
        let done = |answer| Reply { answer, analysis: None, repeated: false };
        match ask {
            Ask::Command(command) => self.decide(command).map(done).map_err(Refusal::Rejected),
            Ask::Create { job, wish } => self.create(job, wish),
            Ask::Report(report) => {
                let before = self.clone();
                planning.report(self, report).inspect_err(|_| *self = before).map(
                    |(directive, analysis)| Reply {
                        answer: Answer::Directive(directive),
                        analysis,
                        repeated: false,
                    },
                )
            }
            Ask::FinishAnalysis(finish) => {
                let before = self.clone();
                planning.finish(self, finish).inspect_err(|_| *self = before).map(done)
            }
        }
    }

    fn create(&mut self, job: &NewJob, wish: &Wish) -> Result<Reply, Refusal> {
        if let Some(known) = wish.idempotency_key.as_deref().and_then(|key| self.job_of_key(key)) {
            return Ok(Reply { answer: Answer::Job(known), analysis: None, repeated: true });
        }
        let answer = self.decide(&Command::CreateJob(Box::new(job.clone())))?;
        if let Answer::Job(id) = answer {
            self.wishes.push((id, wish.clone()));
        }
        Ok(Reply { answer, analysis: None, repeated: false })
    }

    fn job_of_key(&self, key: &str) -> Option<JobId> {
        let fresh =
            self.wishes.iter().find(|(_, wish)| wish.idempotency_key.as_deref() == Some(key));
        fresh.map(|(job, _)| *job).or_else(|| self.jobs_by_key.get(key).copied())
    }

    pub(super) fn into_next(self) -> Next {
        let news = self.news();
        let view = View {
            pool: self.pool,
            leases: self.leases,
            now: self.now,
            storage: Arc::default(),
            notes: Arc::default(),
        };
        Next { view, news, wishes: self.wishes }
    }

    fn news(&self) -> News {
        let mut news = News { work: false, ended: false };
        for record in &self.records {
            match record.event.what {
                Happening::JobCreated { .. }
                | Happening::PlanStarted { .. }
                | Happening::SegmentsPlanned { .. }
                | Happening::BitsAllocated { .. }
                | Happening::SegmentsRetaken { .. }
                | Happening::PlanCompleted { .. }
                | Happening::SegmentRunUpLengthened { .. }
                | Happening::MergeReady { .. }
                | Happening::JobResumed { .. }
                | Happening::JobRetried { .. }
                | Happening::WorkerRegistered { .. }
                | Happening::WorkerChanged { .. }
                | Happening::WorkerRemoved { .. }
                | Happening::AttemptSucceeded { .. } => news.work = true,
                Happening::SplitAbandoned { .. }
                | Happening::AttemptFailed { .. }
                | Happening::AttemptExpired { .. }
                | Happening::AttemptCanceled { .. } => {
                    news.work = true;
                    news.ended = true;
                }
                Happening::TaskFailed { .. }
                | Happening::JobCompleted { .. }
                | Happening::JobFailed { .. }
                | Happening::JobCanceled { .. }
                | Happening::JobDeleted { .. } => news.ended = true,
                Happening::AttemptStarted { .. }
                | Happening::OutputStored { .. }
                | Happening::JobPaused { .. } => {}
            }
        }
        news
    }
}

/// The job that an event belongs to; its history goes with the job.
fn job_of(pool: &Pool, what: &Happening) -> Option<JobId> {
    match what {
        Happening::JobCreated { job, .. }
        | Happening::PlanStarted { job, .. }
        | Happening::SegmentsPlanned { job, .. }
        | Happening::BitsAllocated { job, .. }
        | Happening::SegmentsRetaken { job, .. }
        | Happening::PlanCompleted { job, .. }
        | Happening::SplitAbandoned { job, .. }
        | Happening::MergeReady { job }
        | Happening::JobCompleted { job }
        | Happening::JobFailed { job, .. }
        | Happening::JobCanceled { job }
        | Happening::JobPaused { job }
        | Happening::JobResumed { job }
        | Happening::JobRetried { job }
        | Happening::JobDeleted { job } => Some(*job),
        Happening::SegmentRunUpLengthened { task } | Happening::TaskFailed { task } => {
            pool.task(*task).map(|task| task.job)
        }
        Happening::AttemptStarted { attempt, .. }
        | Happening::OutputStored { attempt, .. }
        | Happening::AttemptSucceeded { attempt, .. }
        | Happening::AttemptFailed { attempt, .. }
        | Happening::AttemptExpired { attempt }
        | Happening::AttemptCanceled { attempt } => pool.task(attempt.task).map(|task| task.job),
        Happening::WorkerRegistered { .. }
        | Happening::WorkerChanged { .. }
        | Happening::WorkerRemoved { .. } => None,
    }
}

/// The largest task id that goes away with a deleted job.
fn last_task(pool: &Pool, what: &Happening) -> Option<TaskId> {
    match what {
        Happening::JobDeleted { job } => pool.tasks_of(*job).map(|task| task.id).max(),
        _ => None,
    }
}
