//! What follows when an attempt fails or a worker goes: again, elsewhere, in one piece, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use super::Draft;
use super::judge::REASON_ENCODER_DIFFERS;
use crate::failure::{Failure, FailureKind};
use crate::ids::{AttemptId, JobId, TaskId, WorkerId};
use crate::pool::event::Happening;
use crate::pool::limits::{
    ATTEMPTS_PER_TASK_MAX, EXPIRIES_PER_TASK_MAX, FAILURES_IN_A_ROW_MAX, FAILURES_PER_TASK_MAX,
    NAMED_ENCODERS_MAX, WORKERS_PER_TASK_MAX,
};
use crate::pool::task::{AttemptState, Task, TaskKind};
use crate::pool::worker::WorkerState;
use crate::schedule;

/// Reason: lease after lease of one task ran out.
const REASON_WORKER_LOST: &str = "worker-lost";
/// Reason: a task was handed out and given back again and again.
const REASON_TOO_MANY_ATTEMPTS: &str = "too-many-attempts";
/// Reason: all workers that could go on were taken out.
const REASON_NO_WORKER_LEFT: &str = "no-worker-left";
/// Reason: no worker has the encoder.
const REASON_ENCODER_MISSING: &str = "encoder-missing";

impl Draft<'_> {
    pub(super) fn attempt_failed(&mut self, id: AttemptId, worker: WorkerId, failure: Failure) {
        self.happen(Happening::AttemptFailed { attempt: id, failure: failure.clone() });
        if self.runs_on(id.task) {
            // The attempt beside it may do better, and it alone decides what follows.
            self.take_out_if_failing(worker, &failure);
            self.fail_stranded();
            return;
        }
        match failure.kind {
            FailureKind::Task => self.give_up(id.task, failure),
            FailureKind::Mismatch => self.mismatched(id.task, failure),
            FailureKind::Worker | FailureKind::Transient => {
                self.take_out_if_failing(worker, &failure);
                self.again_if_sensible(id.task, failure);
            }
        }
        self.fail_stranded();
    }

    /// The next rung: a longer run-up, then no split, then nothing.
    fn mismatched(&mut self, id: TaskId, failure: Failure) {
        let Some(task) = self.pool.task(id) else { return };
        let job = task.job;
        let split = self.pool.job(job).is_some_and(crate::pool::job::Job::is_split);
        match task.kind {
            TaskKind::Segment(_) | TaskKind::Measure(_) | TaskKind::Retake(_)
                if !task.longer_run_up =>
            {
                self.happen(Happening::SegmentRunUpLengthened { task: id });
            }
            TaskKind::Segment(_) | TaskKind::Measure(_) | TaskKind::Retake(_) => {
                self.abandon_split(job, &failure.message);
            }
            TaskKind::Merge if split => self.abandon_split(job, &failure.message),
            TaskKind::Whole | TaskKind::Merge => self.give_up(id, failure),
            TaskKind::Analysis | TaskKind::OtherStreams | TaskKind::Weigh => {
                self.again_if_sensible(id, failure);
            }
        }
    }

    fn take_out_if_failing(&mut self, id: WorkerId, failure: &Failure) {
        let Some(worker) = self.pool.worker(id) else { return };
        if worker.is_active() && worker.failures_in_a_row >= FAILURES_IN_A_ROW_MAX {
            let reason = format!(
                "it failed {} tasks in a row, the last one with: {}",
                worker.failures_in_a_row, failure.message
            );
            self.happen(Happening::WorkerChanged {
                worker: id,
                state: WorkerState::TakenOut { reason },
            });
        }
    }

    /// Leaves the task ready for another try, unless it has had its tries.
    fn again_if_sensible(&mut self, id: TaskId, failure: Failure) {
        let Some(task) = self.pool.task(id) else { return };
        let failed_on = task.failed_workers();
        let untried = schedule::is_someone_else(&self.pool, self.leases, self.now, task);
        let nobody_better = match failure.kind {
            FailureKind::Worker | FailureKind::Mismatch => !untried,
            // Bad luck: the same worker may do better the next time.
            FailureKind::Transient | FailureKind::Task => false,
        };
        let exhausted = failed_on.len() >= WORKERS_PER_TASK_MAX
            || task.retryable_failures().count() >= FAILURES_PER_TASK_MAX
            || nobody_better;
        if !exhausted {
            return;
        }
        let job = task.job;
        let split = self.pool.job(job).is_some_and(crate::pool::job::Job::is_split);
        if failure.reason == REASON_ENCODER_DIFFERS && split {
            self.abandon_split(job, &failure.message);
        } else {
            self.give_up(id, failure);
        }
    }

    pub(super) fn expire(&mut self, id: AttemptId) {
        self.happen(Happening::AttemptExpired { attempt: id });
        let Some(task) = self.pool.task(id.task) else { return };
        let expired = |task: &Task| {
            task.counted()
                .filter(|attempt| attempt.role.is_regular())
                .filter(|attempt| attempt.state == AttemptState::Expired)
                .count()
        };
        if self.runs_on(id.task) {
            return;
        }
        let times = expired(task);
        if times >= EXPIRIES_PER_TASK_MAX {
            let message =
                format!("{times} workers in turn took this task and were not heard of again");
            self.give_up(id.task, lost(REASON_WORKER_LOST, message));
        } else {
            self.give_up_if_endless(id.task);
        }
    }

    /// Takes an attempt back from a worker that leaves or is told to give back what it holds.
    pub(super) fn give_back(&mut self, id: AttemptId) {
        self.happen(Happening::AttemptCanceled { attempt: id });
        self.give_up_if_endless(id.task);
    }

    /// Whether an attempt of the task runs, as a backup beside one that ended does.
    fn runs_on(&self, id: TaskId) -> bool {
        self.pool.task(id).is_some_and(|task| task.running().next().is_some())
    }

    fn give_up_if_endless(&mut self, id: TaskId) {
        if self.runs_on(id) {
            return;
        }
        let tried = self.pool.task(id).map_or(0, |task| task.counted().count());
        if tried >= ATTEMPTS_PER_TASK_MAX {
            let message = format!("it was handed out {tried} times and never finished");
            self.give_up(id, lost(REASON_TOO_MANY_ATTEMPTS, message));
        }
    }

    fn give_up(&mut self, id: TaskId, failure: Failure) {
        let Some(job) = self.pool.task(id).map(|task| task.job) else { return };
        let running = self.running_of(job, |task| task.id == id);
        self.cancel_attempts(running);
        self.happen(Happening::TaskFailed { task: id });
        self.fail_job(job, failure);
    }

    pub(super) fn fail_job(&mut self, job: JobId, failure: Failure) {
        let running = self.running_of(job, |_| true);
        self.cancel_attempts(running);
        self.happen(Happening::JobFailed { job, failure });
    }

    pub(super) fn abandon_split(&mut self, job: JobId, reason: &str) {
        let running = self.running_of(job, |task| match task.kind {
            TaskKind::Segment(_)
            | TaskKind::Measure(_)
            | TaskKind::Retake(_)
            | TaskKind::OtherStreams
            | TaskKind::Weigh
            | TaskKind::Merge => true,
            TaskKind::Analysis | TaskKind::Whole => false,
        });
        self.cancel_attempts(running);
        let whole = self.pool.next_task();
        self.happen(Happening::SplitAbandoned { job, reason: reason.to_owned(), whole });
        self.fail_unless_size_can_be_met(job, reason);
    }

    /// Fails the jobs with a ready task that nobody will ever take, so that they do not wait for ever.
    pub(super) fn fail_stranded(&mut self) {
        let mut hopeless: BTreeMap<JobId, Failure> = BTreeMap::new();
        for (needs, group) in self.pool.ready().groups() {
            let Some(failure) = self.hopeless(needs) else { continue };
            let jobs: BTreeSet<JobId> = group.iter().map(|place| place.job).collect();
            for job in jobs {
                hopeless.entry(job).or_insert_with(|| self.with_last_failure(job, &failure));
            }
        }
        for (job, failure) in hopeless {
            self.fail_job(job, failure);
        }
    }

    /// Why tasks with these needs will never be taken, if so.
    fn hopeless(&self, needs: &[String]) -> Option<Failure> {
        let (mut active, mut known, mut awaited, mut taken_out) = (false, false, false, None);
        for worker in self.pool.workers() {
            let can = worker.can(needs);
            known |= can;
            match &worker.state {
                WorkerState::Active | WorkerState::Draining | WorkerState::Paused if can => {
                    return None;
                }
                // It is in order, and only away: its computer starts again, perhaps.
                WorkerState::SignedOff if can && self.leases.is_awaited(worker.id, self.now) => {
                    awaited = true;
                }
                WorkerState::Active => active = true,
                WorkerState::TakenOut { reason } if can => {
                    taken_out = Some((&worker.profile.name, reason));
                }
                WorkerState::Draining
                | WorkerState::Paused
                | WorkerState::TakenOut { .. }
                | WorkerState::SignedOff => {}
            }
        }
        if awaited {
            return None;
        }
        if let Some((name, reason)) = taken_out {
            let message = format!(
                "no worker is left that could go on: {name} was taken out because {reason}"
            );
            return Some(Failure {
                kind: FailureKind::Worker,
                ..lost(REASON_NO_WORKER_LEFT, message)
            });
        }
        if known || !active {
            return None;
        }
        let message = format!(
            "no worker has {}; the encoders there are: {}",
            needs.join(", "),
            self.encoders_there_are()
        );
        Some(Failure { kind: FailureKind::Task, ..lost(REASON_ENCODER_MISSING, message) })
    }

    fn encoders_there_are(&self) -> String {
        let all: BTreeSet<&str> = self
            .pool
            .workers()
            .flat_map(|worker| worker.profile.encoders.iter().map(String::as_str))
            .collect();
        let named: Vec<&str> = all.iter().copied().take(NAMED_ENCODERS_MAX).collect();
        match (named.len(), all.len()) {
            (0, _) => "none".to_owned(),
            (shown, all) if shown < all => format!("{} and {} more", named.join(", "), all - shown),
            _ => named.join(", "),
        }
    }

    /// Adds what the job's last failed attempt said, which is what people need to know.
    fn with_last_failure(&self, job: JobId, failure: &Failure) -> Failure {
        let last = self
            .pool
            .tasks_of(job)
            .flat_map(Task::counted)
            .filter(|attempt| attempt.state == AttemptState::Failed)
            .max_by_key(|attempt| attempt.ended_at)
            .and_then(|attempt| attempt.failure.as_ref());
        let mut failure = failure.clone();
        if let Some(last) = last
            && failure.reason == REASON_NO_WORKER_LEFT
        {
            failure.message =
                format!("{}; the job's last failure: {}", failure.message, last.message);
            failure.log_tail.clone_from(&last.log_tail);
        }
        failure
    }
}

fn lost(reason: &str, message: String) -> Failure {
    Failure {
        kind: FailureKind::Transient,
        reason: reason.to_owned(),
        message,
        log_tail: String::new(),
    }
}
