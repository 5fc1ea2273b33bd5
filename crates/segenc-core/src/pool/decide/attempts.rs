//! What workers say of their attempts. Only the worker that holds the attempt may speak of it, and
//! only while it runs; what was said already may be said again.

use super::Draft;
use super::judge::Verdict;
use crate::failure::Failure;
use crate::ids::{AttemptId, JobId, WorkerId};
use crate::pool::command::{Answer, Directive, Rejection};
use crate::pool::event::Happening;
use crate::pool::task::{Attempt, AttemptState, Blob, Observed, Task, TaskKind, TaskState};
use crate::pool::worker::WorkerState;

/// Says why the attempt is not the one that counts.
pub(super) fn stale(task: &Task, id: AttemptId) -> Rejection {
    let became = match task.attempt(id.number).map(|attempt| attempt.state) {
        None => "never handed out",
        Some(AttemptState::Running) => "handed to another worker, or for another purpose",
        Some(AttemptState::Succeeded) => "succeeded",
        Some(AttemptState::Failed) => "failed",
        Some(AttemptState::Expired) => "expired",
        Some(AttemptState::Canceled) => "canceled",
    };
    let why = match task.attempts.last() {
        Some(last) if last.number > id.number => {
            format!("{became}, superseded by attempt {}", last.number)
        }
        Some(_) | None => became.to_owned(),
    };
    Rejection::StaleAttempt { attempt: id, why }
}

impl Draft<'_> {
    /// The worker's own attempt, in whatever state.
    fn own(&self, worker: WorkerId, id: AttemptId) -> Result<(&Task, &Attempt), Rejection> {
        self.worker(worker)?;
        let task = self.task(id.task)?;
        match task.attempt(id.number) {
            Some(attempt) if attempt.worker == worker => Ok((task, attempt)),
            Some(_) | None => Err(stale(task, id)),
        }
    }

    pub(super) fn report(&self, worker: WorkerId, id: AttemptId) -> Result<Answer, Rejection> {
        let (task, attempt) = self.own(worker, id)?;
        let paused = self.worker(worker)?.state == WorkerState::Paused;
        // Reading the source takes seconds, and what is reported of it must not be lost.
        let may_stand = task.kind != TaskKind::Analysis;
        Ok(Answer::Directive(match attempt.state {
            AttemptState::Running if paused && may_stand => Directive::Pause,
            AttemptState::Running => Directive::Continue,
            AttemptState::Succeeded
            | AttemptState::Failed
            | AttemptState::Expired
            | AttemptState::Canceled => Directive::Stop,
        }))
    }

    pub(super) fn store(
        &mut self,
        worker: WorkerId,
        id: AttemptId,
        blob: &Blob,
    ) -> Result<Answer, Rejection> {
        let (task, attempt) = self.own(worker, id)?;
        let known = attempt.output.as_ref() == Some(blob);
        match attempt.state {
            AttemptState::Running if known => Ok(Answer::Done),
            AttemptState::Running => {
                self.happen(Happening::OutputStored { attempt: id, blob: blob.clone() });
                Ok(Answer::Done)
            }
            AttemptState::Succeeded if known => Ok(Answer::Done),
            AttemptState::Succeeded
            | AttemptState::Failed
            | AttemptState::Expired
            | AttemptState::Canceled => Err(stale(task, id)),
        }
    }

    pub(super) fn finish(
        &mut self,
        worker: WorkerId,
        id: AttemptId,
        observed: &Observed,
    ) -> Result<Answer, Rejection> {
        let (task, attempt) = self.own(worker, id)?;
        match attempt.state {
            AttemptState::Running => {}
            AttemptState::Succeeded => return Ok(Answer::Done),
            // It was told so before, and answered: the answer was lost.
            AttemptState::Failed if attempt.failure.as_ref().is_some_and(super::judge::is_ours) => {
                return Ok(Answer::Done);
            }
            AttemptState::Failed | AttemptState::Expired | AttemptState::Canceled => {
                return Err(stale(task, id));
            }
        }
        let job = self.job(task.job)?;
        let kind = task.kind;
        let delivered = match kind {
            // Its segments are decoded from what it has delivered.
            TaskKind::Analysis if job.decodes_copy() => attempt.output.is_some(),
            TaskKind::Analysis => job.header.is_some(),
            TaskKind::Weigh => true,
            TaskKind::Segment(_)
            | TaskKind::Measure(_)
            | TaskKind::Retake(_)
            | TaskKind::OtherStreams
            | TaskKind::Whole
            | TaskKind::Merge => attempt.output.is_some(),
        };
        if !delivered {
            return Err(Rejection::NoOutput(id));
        }
        match super::judge::judge(job, task, observed) {
            Verdict::Good => self.succeed(id, kind, observed),
            Verdict::Bad(failure) => self.attempt_failed(id, worker, failure),
        }
        Ok(Answer::Done)
    }

    fn succeed(&mut self, id: AttemptId, kind: TaskKind, observed: &Observed) {
        let Some(job) = self.pool.task(id.task).map(|task| task.job) else { return };
        let others = self.running_of(job, |task| task.id == id.task);
        self.happen(Happening::AttemptSucceeded { attempt: id, observed: observed.clone() });
        self.cancel_attempts(others.into_iter().filter(|other| *other != id).collect());
        match kind {
            TaskKind::Analysis => {
                let merge = self.pool.next_task();
                self.happen(Happening::PlanCompleted { job, merge });
                self.allocate_if_measured(job);
                self.release_merge(job);
            }
            TaskKind::Measure(_) | TaskKind::Weigh => self.allocate_if_measured(job),
            TaskKind::OtherStreams => {
                self.allocate_if_measured(job);
                self.release_merge(job);
            }
            TaskKind::Segment(_) | TaskKind::Retake(_) | TaskKind::Whole => self.release_merge(job),
            TaskKind::Merge => self.happen(Happening::JobCompleted { job }),
        }
    }

    fn release_merge(&mut self, job: JobId) {
        let merge = self.pool.job(job).and_then(|job| job.merge);
        let blocked = merge
            .and_then(|merge| self.pool.task(merge))
            .is_some_and(|task| task.state == TaskState::Blocked);
        if blocked && self.pool.parts_are_there(job) && !self.retakes_begin(job) {
            self.happen(Happening::MergeReady { job });
        }
    }

    pub(super) fn fail(
        &mut self,
        worker: WorkerId,
        id: AttemptId,
        failure: &Failure,
    ) -> Result<Answer, Rejection> {
        let (task, attempt) = self.own(worker, id)?;
        match attempt.state {
            AttemptState::Running => {}
            AttemptState::Failed => return Ok(Answer::Done),
            AttemptState::Succeeded | AttemptState::Expired | AttemptState::Canceled => {
                return Err(stale(task, id));
            }
        }
        self.attempt_failed(id, worker, failure.clone());
        Ok(Answer::Done)
    }

    /// Lets leases that ran out expire, and looks for jobs that nobody can do.
    pub(super) fn tick(&mut self) -> Answer {
        let past: Vec<AttemptId> = self.leases.run_out(self.now).collect();
        for id in past {
            if self.pool.running_attempt(id) {
                self.expire(id);
            }
        }
        self.fail_stranded();
        self.forget_drafts();
        Answer::Done
    }
}
