//! [`Pool::apply`]: the only thing that changes the pool.
//!
//! It is total: an event that does not fit is ignored, so that no stored history can stop a server
//! from starting. It decides nothing; that is `decide`'s business.

mod jobs;
mod plan;
mod rate;
mod tasks;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ids::{JobId, TaskId, WorkerId};
use crate::pool::Pool;
use crate::pool::event::{Event, Happening};
use crate::pool::job::Job;
use crate::pool::task::{AttemptState, Task, TaskKind, TaskState};
use crate::pool::worker::{Worker, WorkerProfile, WorkerState};
use crate::time::Millis;

impl Pool {
    /// Takes over what happened. An event that does not fit changes nothing.
    pub fn apply(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            Happening::JobCreated { job, analysis, .. } => {
                if let Some(made) = jobs::made(at, &event.what) {
                    self.create_job(*job, *analysis, made);
                }
            }
            Happening::PlanStarted { job, facts, header, other_streams, whole, weigh } => {
                self.start_plan(at, *job, facts, header, [*other_streams, *whole, *weigh]);
            }
            Happening::SegmentsPlanned { job, first_task, segments } => {
                self.add_segments(at, *job, *first_task, segments);
            }
            Happening::BitsAllocated { job, allocation } => self.allocate_bits(*job, allocation),
            Happening::SegmentsRetaken { job, first_task, retakes } => {
                self.retake_segments(at, *job, *first_task, retakes);
            }
            Happening::PlanCompleted { job, merge } => self.complete_plan(at, *job, *merge),
            Happening::SplitAbandoned { job, reason, whole } => {
                self.abandon_split(at, *job, reason, *whole);
            }
            Happening::SegmentRunUpLengthened { task } => {
                self.change_task(*task, |task| task.longer_run_up = true);
            }
            Happening::AttemptStarted { attempt, worker, role } => {
                self.start_attempt(at, *attempt, *worker, *role);
            }
            Happening::OutputStored { attempt, blob } => self.store_output(*attempt, blob),
            Happening::AttemptSucceeded { attempt, observed } => {
                self.succeed(at, *attempt, observed);
            }
            Happening::AttemptFailed { attempt, failure } => self.fail(at, *attempt, failure),
            Happening::AttemptExpired { attempt } => {
                self.close_attempt(at, *attempt, AttemptState::Expired);
            }
            Happening::AttemptCanceled { attempt } => {
                self.close_attempt(at, *attempt, AttemptState::Canceled);
            }
            Happening::TaskFailed { task } => self.fail_task(at, *task),
            Happening::MergeReady { job } => self.release_merge(*job),
            Happening::JobCompleted { job } => self.complete_job(at, *job),
            Happening::JobFailed { job, failure } => self.fail_job(at, *job, failure),
            Happening::JobCanceled { job } => self.cancel_job(at, *job),
            Happening::JobPaused { job } => self.pause_job(*job),
            Happening::JobResumed { job } => self.resume_job(at, *job),
            Happening::JobRetried { job } => self.retry_job(*job),
            Happening::JobDeleted { job } => self.delete_job(*job),
            Happening::WorkerRegistered { worker, profile } => {
                self.count_slots(*worker, |pool| pool.register_worker(at, *worker, profile));
            }
            Happening::WorkerChanged { worker, state } => {
                self.count_slots(*worker, |pool| pool.change_worker(*worker, state));
            }
            Happening::WorkerRemoved { worker } => {
                self.count_slots(*worker, |pool| pool.remove_worker(*worker));
            }
        }
    }

    fn count_slots(&mut self, id: WorkerId, change: impl FnOnce(&mut Self)) {
        let slots = |pool: &Self| pool.worker(id).map_or(0, Worker::open_slots);
        let before = slots(self);
        change(self);
        let after = self.active_slots + slots(self);
        self.active_slots = after.saturating_sub(before);
    }

    fn register_worker(&mut self, at: Millis, id: WorkerId, profile: &WorkerProfile) {
        self.last_worker = self.last_worker.max(id.0);
        let profile = Arc::new(profile.clone());
        if let Some(worker) = self.workers.get_mut(&id) {
            let worker = Arc::make_mut(worker);
            worker.profile = profile;
            worker.registered_at = at;
            worker.state = match &worker.state {
                WorkerState::SignedOff => WorkerState::Active,
                kept @ (WorkerState::Active
                | WorkerState::Draining
                | WorkerState::Paused
                | WorkerState::TakenOut { .. }) => kept.clone(),
            };
            return;
        }
        let worker = Worker {
            id,
            profile,
            state: WorkerState::Active,
            registered_at: at,
            running: BTreeSet::new(),
            failures_in_a_row: 0,
            succeeded: 0,
            failed: 0,
        };
        self.workers.insert(id, Arc::new(worker));
    }

    fn change_worker(&mut self, id: WorkerId, state: &WorkerState) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let worker = Arc::make_mut(worker);
        worker.state = state.clone();
        if worker.is_active() {
            worker.failures_in_a_row = 0;
        }
    }

    /// One that still holds attempts stays: they would belong to nobody.
    fn remove_worker(&mut self, id: WorkerId) {
        if self.worker(id).is_some_and(|worker| worker.running.is_empty()) {
            self.workers.remove(&id);
        }
    }

    /// Makes a task of a job that exists; one whose id is taken is ignored.
    fn add_task(&mut self, task: Task) {
        self.last_task = self.last_task.max(task.id.0);
        if self.tasks.contains_key(&task.id) {
            return;
        }
        let Some(job) = self.jobs.get_mut(&task.job) else { return };
        Arc::make_mut(job).tasks.insert(task.id);
        let mut counts = self.counts.get(&task.job).copied().unwrap_or_default();
        *counts.slot(task.state) += 1;
        counts.open_parts += u32::from(is_open_part(&task));
        self.counts.insert(task.job, counts);
        let (id, job) = (task.id, task.job);
        self.tasks.insert(id, Arc::new(task));
        if let (Some(job), Some(task)) = (self.jobs.get(&job), self.tasks.get(&id))
            && queued(job, task)
        {
            self.ready.insert(job, task);
        }
    }

    /// The one way to change a task: keeps counts and the index of ready tasks in step.
    fn change_task(&mut self, id: TaskId, change: impl FnOnce(&mut Task)) {
        let Some(slot) = self.tasks.get_mut(&id) else { return };
        let task = Arc::make_mut(slot);
        let (state_before, open_before) = (task.state, is_open_part(task));
        change(task);
        if task.state == state_before {
            return;
        }
        if let Some(counts) = self.counts.get_mut(&task.job) {
            let before = counts.slot(state_before);
            *before = before.saturating_sub(1);
            *counts.slot(task.state) += 1;
            let open = counts.open_parts + u32::from(is_open_part(task));
            counts.open_parts = open.saturating_sub(u32::from(open_before));
        }
        let Some(job) = self.jobs.get(&task.job) else { return };
        if queued(job, task) {
            self.ready.insert(job, task);
        } else {
            self.ready.remove(job, task);
        }
    }

    /// Changes a job and, where that opens, closes or releases it, the index of ready tasks.
    fn change_job(&mut self, id: JobId, change: impl FnOnce(&mut Job)) {
        let Some(slot) = self.jobs.get_mut(&id) else { return };
        let job = Arc::make_mut(slot);
        let before = (job.is_open(), job.start);
        change(job);
        if (job.is_open(), job.start) == before {
            return;
        }
        for task in &job.tasks {
            let Some(task) = self.tasks.get(task) else { continue };
            if queued(job, task) {
                self.ready.insert(job, task);
            } else {
                self.ready.remove(job, task);
            }
        }
    }
}

/// Whether the task belongs into the index of ready tasks.
pub(super) fn queued(job: &Job, task: &Task) -> bool {
    let held_back = job.is_held() && task.kind != TaskKind::Analysis;
    task.state == TaskState::Ready && job.is_open() && !held_back
}

/// Whether the merge waits for the task.
pub(super) const fn is_open_part(task: &Task) -> bool {
    task.is_part()
        && match task.state {
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Running
            | TaskState::Failed
            | TaskState::Canceled => true,
            TaskState::Done | TaskState::Aborted => false,
        }
}
