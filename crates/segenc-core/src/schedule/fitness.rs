//! Whether a worker suits a task: whether it failed on it before, and whether its encoder makes what the job's other
//! segments are made of. It must not know in which order tasks are handed out.

use std::collections::BTreeMap;

use crate::ids::JobId;
use crate::pool::Pool;
use crate::pool::job::Job;
use crate::pool::leases::Leases;
use crate::pool::task::{Task, TaskKind};
use crate::pool::worker::Worker;
use crate::time::Millis;

/// How a worker suits a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fitness {
    /// Nothing speaks against it.
    Fit,
    /// Its encoder is another build, by what it wrote when it was tried.
    WouldDiffer,
    /// The task has failed on it, or a segment of the job came out with other parameter sets.
    Proven,
}

/// Tells how workers suit tasks, and remembers what it found out of jobs.
pub(super) struct Judge<'a> {
    pool: &'a Pool,
    leases: &'a Leases,
    now: Millis,
    wanted: BTreeMap<JobId, Option<&'a str>>,
}

impl<'a> Judge<'a> {
    pub(super) const fn new(pool: &'a Pool, leases: &'a Leases, now: Millis) -> Self {
        Self { pool, leases, now, wanted: BTreeMap::new() }
    }

    pub(super) fn fitness(&mut self, task: &Task, worker: &Worker) -> Fitness {
        let job = self.pool.job(task.job).filter(|_| is_of_segment(task.kind));
        let differs = job.is_some_and(|job| job.differing_workers.contains(&worker.id));
        if differs || task.failed_on(worker.id) {
            return Fitness::Proven;
        }
        let wrote = job.and_then(|job| wrote(worker, job));
        let wanted = wrote.and(job).and_then(|job| self.wanted(job));
        match (wrote, wanted) {
            (Some(wrote), Some(wanted)) if wrote != wanted => Fitness::WouldDiffer,
            (Some(_) | None, _) => Fitness::Fit,
        }
    }

    /// Whether the worker should take the task. Rather than nobody, one that does not suit it takes it.
    pub(super) fn should_take(&mut self, task: &Task, worker: &Worker) -> bool {
        match self.fitness(task, worker) {
            Fitness::Fit => true,
            Fitness::WouldDiffer => !self.is_someone_else(task, |fitness| fitness == Fitness::Fit),
            Fitness::Proven => !self.is_someone_else(task, |fitness| fitness != Fitness::Proven),
        }
    }

    /// Whether a worker takes tasks, was heard of lately, can do this one and suits it well enough.
    pub(super) fn is_someone_else(
        &mut self,
        task: &Task,
        enough: impl Fn(Fitness) -> bool,
    ) -> bool {
        let pool = self.pool;
        pool.workers()
            .any(|worker| self.is_there(worker, &task.needs) && enough(self.fitness(task, worker)))
    }

    fn is_there(&self, worker: &Worker, needs: &[String]) -> bool {
        worker.is_active()
            && worker.capacity() > 0
            && worker.can(needs)
            && self.leases.is_present(worker.id, self.now)
    }

    /// What a worker must have written in its trial. Before the first segment is finished, that is what most processors
    /// would write: what one odd worker finished first would bind all others.
    fn wanted(&mut self, job: &'a Job) -> Option<&'a str> {
        if job.parameter_sets.is_some() {
            return job.trial_sets.as_deref();
        }
        if let Some(known) = self.wanted.get(&job.id) {
            return *known;
        }
        let mut cores: BTreeMap<&str, u64> = BTreeMap::new();
        let encoder = job.film_encoder().map(ToOwned::to_owned);
        for worker in self.pool.workers() {
            if self.is_there(worker, encoder.as_slice())
                && !job.differing_workers.contains(&worker.id)
                && let Some(wrote) = wrote(worker, job)
            {
                *cores.entry(wrote).or_default() += u64::from(worker.profile.cores.max(1));
            }
        }
        // Of equals the one whose name comes first, so that the answer is the same for whoever asks.
        let most = cores.into_iter().rev().max_by_key(|(_, cores)| *cores).map(|(wrote, _)| wrote);
        self.wanted.insert(job.id, most);
        most
    }
}

/// What the worker wrote when the encoder of the job's film was tried, if it told.
fn wrote<'a>(worker: &'a Worker, job: &Job) -> Option<&'a str> {
    worker.profile.trial_sets.get(job.film_encoder()?).map(String::as_str)
}

/// Whether it makes a part of the film that has to fit others.
pub(super) const fn is_of_segment(kind: TaskKind) -> bool {
    match kind {
        TaskKind::Segment(_) | TaskKind::Measure(_) | TaskKind::Retake(_) => true,
        TaskKind::Analysis
        | TaskKind::OtherStreams
        | TaskKind::Weigh
        | TaskKind::Whole
        | TaskKind::Merge => false,
    }
}
