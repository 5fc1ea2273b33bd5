//! Attempts as they start and end, and what that makes of their task.

use std::sync::Arc;

use crate::failure::Failure;
use crate::ids::{AttemptId, TaskId, WorkerId};
use crate::pool::Pool;
use crate::pool::decide::REASON_ENCODER_DIFFERS;
use crate::pool::job::ParameterSets;
use crate::pool::task::{
    Attempt, AttemptRole, AttemptState, Blob, Observed, Task, TaskKind, TaskState,
};
use crate::time::Millis;

impl Pool {
    pub(super) fn start_attempt(
        &mut self,
        at: Millis,
        id: AttemptId,
        worker: WorkerId,
        role: AttemptRole,
    ) {
        let Some(task) = self.task(id.task) else { return };
        let open = match task.state {
            TaskState::Ready | TaskState::Running => true,
            TaskState::Blocked
            | TaskState::Done
            | TaskState::Failed
            | TaskState::Canceled
            | TaskState::Aborted => false,
        };
        if !open || task.next_attempt() != id {
            return;
        }
        let Some(holder) = self.workers.get_mut(&worker) else { return };
        Arc::make_mut(holder).running.insert(id);
        self.change_task(id.task, |task| {
            task.state = TaskState::Running;
            task.attempts.push(Attempt {
                number: id.number,
                worker,
                role,
                state: AttemptState::Running,
                started_at: at,
                ended_at: None,
                output: None,
                observed: None,
                failure: None,
            });
        });
    }

    pub(super) fn store_output(&mut self, id: AttemptId, blob: &Blob) {
        self.change_attempt(id, |attempt| {
            if attempt.state == AttemptState::Running {
                attempt.output = Some(blob.clone());
            }
        });
    }

    pub(super) fn succeed(&mut self, at: Millis, id: AttemptId, observed: &Observed) {
        let Some(task) = self.task(id.task) else { return };
        let (job, kind) = (task.job, task.kind);
        let Some(worker) = self.close_attempt(at, id, AttemptState::Succeeded) else { return };
        self.change_attempt(id, |attempt| attempt.observed = Some(observed.clone()));
        self.change_task(id.task, |task| task.state = TaskState::Done);
        if let Some(holder) = self.workers.get_mut(&worker) {
            let holder = Arc::make_mut(holder);
            holder.failures_in_a_row = 0;
            holder.succeeded += 1;
        }
        let first = self.job(job).is_some_and(|job| job.parameter_sets.is_none());
        if first && matches!(kind, TaskKind::Segment(_) | TaskKind::Retake(_)) {
            let sha256 = observed.extradata_sha256.clone();
            let trials = self.workers.get(&worker).map(|worker| worker.profile.clone());
            self.change_job(job, |job| {
                job.parameter_sets = Some(ParameterSets { sha256 });
                let told = |encoder| trials.as_ref()?.trial_sets.get(encoder).cloned();
                job.trial_sets = job.film_encoder().and_then(told);
            });
        }
    }

    pub(super) fn fail(&mut self, at: Millis, id: AttemptId, failure: &Failure) {
        let Some(worker) = self.close_attempt(at, id, AttemptState::Failed) else { return };
        self.change_attempt(id, |attempt| attempt.failure = Some(failure.clone()));
        let differs = failure.reason == REASON_ENCODER_DIFFERS;
        let blamed = self
            .task(id.task)
            .is_some_and(|task| task.retryable_failures().any(|it| it.number == id.number));
        if let Some(worker) = self.workers.get_mut(&worker) {
            let worker = Arc::make_mut(worker);
            worker.failed += 1;
            // Another build of the encoder works well, only not for this job: no reason to take it out.
            worker.failures_in_a_row += u32::from(blamed && !differs);
        }
        if let Some(job) = self.task(id.task).map(|task| task.job)
            && differs
        {
            self.change_job(job, |job| {
                job.differing_workers.insert(worker);
            });
        }
    }

    pub(super) fn fail_task(&mut self, at: Millis, id: TaskId) {
        let Some(job) = self.task(id).map(|task| task.job) else { return };
        self.close_tasks(at, job, TaskState::Failed, |task| {
            task.id == id
                && match task.state {
                    TaskState::Blocked | TaskState::Ready | TaskState::Running => true,
                    TaskState::Done
                    | TaskState::Failed
                    | TaskState::Canceled
                    | TaskState::Aborted => false,
                }
        });
    }

    /// Ends a running attempt and says whose it was; the task is ready again if no other runs.
    pub(super) fn close_attempt(
        &mut self,
        at: Millis,
        id: AttemptId,
        state: AttemptState,
    ) -> Option<WorkerId> {
        let attempt = self.task(id.task)?.attempt(id.number)?;
        if attempt.state != AttemptState::Running {
            return None;
        }
        let worker = attempt.worker;
        self.change_attempt(id, |attempt| {
            attempt.state = state;
            attempt.ended_at = Some(at);
        });
        if let Some(worker) = self.workers.get_mut(&worker) {
            Arc::make_mut(worker).running.remove(&id);
        }
        self.change_task(id.task, |task| {
            if task.state == TaskState::Running && task.running().next().is_none() {
                task.state = TaskState::Ready;
            }
        });
        Some(worker)
    }

    fn change_attempt(&mut self, id: AttemptId, change: impl FnOnce(&mut Attempt)) {
        let Some(position) = usize::try_from(id.number.0).ok().and_then(|it| it.checked_sub(1))
        else {
            return;
        };
        self.change_task(id.task, |task: &mut Task| {
            if let Some(attempt) = task.attempts.get_mut(position) {
                change(attempt);
            }
        });
    }
}
