//! The pool: all jobs, tasks, workers and leases, and the rules that change them.
//!
//! `decide` looks at the pool and a command and answers with events or a rejection; [`Pool::apply`]
//! is the only thing that changes the pool. Both are pure. The pool is made of persistent maps: a
//! clone costs nothing, so the server can decide a whole batch of commands on a clone, commit its
//! events, and only then let the clone take the pool's place.

use std::sync::Arc;

use imbl::OrdMap;

use crate::ids::{AttemptId, JobId, TaskId, WorkerId};
use job::{Job, TaskCounts};
use ready::ReadyTasks;
use task::{AttemptState, RunningAttempt, Task};
use worker::Worker;

mod apply;
pub mod command;
mod decide;
pub mod event;
pub mod job;
pub mod leases;
pub mod limits;
pub(crate) mod ready;
mod sanity;
pub(crate) mod speeds;
pub mod task;
pub mod worker;

pub use decide::{Decision, decide};
pub use leases::{Lease, Leases};
pub use sanity::sanity_check;

#[cfg(test)]
mod tests;

/// All jobs, tasks and workers. What is volatile, such as leases, is not here but in [`Leases`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pool {
    jobs: OrdMap<JobId, Arc<Job>>,
    tasks: OrdMap<TaskId, Arc<Task>>,
    workers: OrdMap<WorkerId, Arc<Worker>>,
    /// Beside the jobs, because they change with every task and a job is large.
    counts: OrdMap<JobId, TaskCounts>,
    ready: ReadyTasks,
    /// Slots of all workers that take tasks.
    active_slots: usize,
    /// The largest identifiers ever seen: they only grow, also when their owners are forgotten.
    last_job: u64,
    last_task: u64,
    last_worker: u64,
}

impl Pool {
    /// All jobs, oldest first.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs.values().map(AsRef::as_ref)
    }

    /// The job, if it is known.
    #[must_use]
    pub fn job(&self, job: JobId) -> Option<&Job> {
        self.jobs.get(&job).map(AsRef::as_ref)
    }

    /// How many tasks of the job are in which state.
    #[must_use]
    pub fn counts(&self, job: JobId) -> TaskCounts {
        self.counts.get(&job).copied().unwrap_or_default()
    }

    /// The task, if it is known.
    #[must_use]
    pub fn task(&self, task: TaskId) -> Option<&Task> {
        self.tasks.get(&task).map(AsRef::as_ref)
    }

    /// The job's tasks, in the order they were made; those of segments in the order of the film.
    pub fn tasks_of(&self, job: JobId) -> impl Iterator<Item = &Task> {
        let tasks = self.jobs.get(&job).into_iter().flat_map(|job| job.tasks.iter());
        tasks.filter_map(|task| self.task(*task))
    }

    /// All workers, oldest first.
    pub fn workers(&self) -> impl DoubleEndedIterator<Item = &Worker> {
        self.workers.values().map(AsRef::as_ref)
    }

    /// The worker, if it is known.
    #[must_use]
    pub fn worker(&self, worker: WorkerId) -> Option<&Worker> {
        self.workers.get(&worker).map(AsRef::as_ref)
    }

    /// The attempts that hold a lease, by worker.
    pub fn running(&self) -> impl Iterator<Item = RunningAttempt> {
        self.workers().flat_map(|worker| worker.running.iter()).filter_map(|id| {
            let task = self.task(id.task)?;
            let attempt = task.attempt(id.number)?;
            (attempt.state == AttemptState::Running).then_some(RunningAttempt {
                id: *id,
                job: task.job,
                kind: task.kind,
                worker: attempt.worker,
                started_at: attempt.started_at,
            })
        })
    }

    /// Whether the attempt holds a lease.
    #[must_use]
    pub fn running_attempt(&self, id: AttemptId) -> bool {
        self.task(id.task)
            .and_then(|task| task.attempt(id.number))
            .is_some_and(|attempt| attempt.state == AttemptState::Running)
    }

    /// The tasks that wait for a worker, of jobs that are neither paused nor at their end.
    pub(crate) const fn ready(&self) -> &ReadyTasks {
        &self.ready
    }

    /// Whether more tasks wait than there are slots, so that a worker may take one ahead. At the tail a
    /// task taken ahead by a slow worker would wait there while others are idle.
    pub(crate) fn has_plenty(&self) -> bool {
        self.ready.len() > self.active_slots
    }

    const fn next_job(&self) -> JobId {
        JobId(self.last_job + 1)
    }

    const fn next_task(&self) -> TaskId {
        TaskId(self.last_task + 1)
    }

    const fn next_worker(&self) -> WorkerId {
        WorkerId(self.last_worker + 1)
    }
}
