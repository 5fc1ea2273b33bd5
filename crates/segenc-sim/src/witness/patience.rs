//! What the witness knows of workers that are there or will be: no job is given up while one is awaited, and no segment
//! goes to an odd build of the encoder while one that fits is there.

use std::collections::BTreeMap;

use segenc_core::ids::{AttemptId, JobId, WorkerId};
use segenc_core::pool::Pool;
use segenc_core::pool::command::Command;
use segenc_core::pool::job::Job;
use segenc_core::pool::limits::AWAITED_MILLIS;
use segenc_core::pool::task::{Task, TaskKind};
use segenc_core::pool::worker::{Worker, WorkerState};
use segenc_core::time::Millis;

/// Who asked for a task within this time is there beyond doubt: half of what the pool allows.
const SURELY_THERE_MILLIS: Millis = 30_000;

/// When workers were heard of last, as far as the clock can be trusted.
#[derive(Debug, Default)]
pub(super) struct Patience {
    asked: BTreeMap<WorkerId, Millis>,
    signed_off: BTreeMap<WorkerId, Millis>,
}

impl Patience {
    /// The clock was set, or the server started again: of nobody it is known how long ago they spoke.
    pub(super) fn forget_times(&mut self) {
        self.asked.clear();
        self.signed_off.clear();
    }

    pub(super) fn heard(&mut self, now: Millis, command: &Command) {
        if let Command::RequestTask(worker) = command {
            self.asked.insert(*worker, now);
        }
    }

    pub(super) fn changed(&mut self, at: Millis, worker: WorkerId, state: &WorkerState) {
        self.signed_off.remove(&worker);
        if *state == WorkerState::SignedOff {
            self.asked.remove(&worker);
            self.signed_off.insert(worker, at);
        }
    }

    /// A job was failed because no worker is left.
    pub(super) fn gave_up(&self, pool: &Pool, at: Millis, id: JobId) -> Result<(), String> {
        let job = pool.job(id).ok_or_else(|| format!("job {id} is lost"))?;
        let Some(encoder) = job.film_encoder().map(ToOwned::to_owned) else { return Ok(()) };
        for (worker, since) in &self.signed_off {
            let able = pool.worker(*worker).is_some_and(|worker| {
                worker.state == WorkerState::SignedOff && worker.can(std::slice::from_ref(&encoder))
            });
            if able && at < since.saturating_add(AWAITED_MILLIS) {
                return Err(format!("job {id} was given up, but worker {worker} may come back"));
            }
        }
        Ok(())
    }

    /// An attempt was handed out.
    pub(super) fn started(
        &self,
        pool: &Pool,
        at: Millis,
        id: AttemptId,
        worker: WorkerId,
    ) -> Result<(), String> {
        let task = pool.task(id.task).ok_or_else(|| format!("task {} is lost", id.task))?;
        let job = pool.job(task.job).ok_or_else(|| format!("job {} is lost", task.job))?;
        let Some(worker) = pool.worker(worker) else { return Ok(()) };
        if !matches!(task.kind, TaskKind::Segment(_) | TaskKind::Retake(_) | TaskKind::Measure(_))
            || !is_odd(job, worker)
        {
            return Ok(());
        }
        let better = pool.workers().find(|other| {
            let asked = self.asked.get(&other.id);
            other.is_active()
                && asked.is_some_and(|asked| at < asked.saturating_add(SURELY_THERE_MILLIS))
                && fits(job, task, other)
        });
        match better {
            Some(better) => Err(format!(
                "attempt {id} went to worker {}, whose encoder is odd, but worker {} is there",
                worker.id, better.id
            )),
            None => Ok(()),
        }
    }
}

/// Whether the worker's encoder is another build than that of the first finished segment.
fn is_odd(job: &Job, worker: &Worker) -> bool {
    match (&job.trial_sets, told(job, worker)) {
        (Some(first), Some(told)) => first != told,
        (Some(_) | None, _) => false,
    }
}

fn fits(job: &Job, task: &Task, worker: &Worker) -> bool {
    worker.can(&task.needs)
        && !is_odd(job, worker)
        && !job.differing_workers.contains(&worker.id)
        && !task.failed_on(worker.id)
}

fn told<'a>(job: &Job, worker: &'a Worker) -> Option<&'a String> {
    worker.profile.trial_sets.get(job.film_encoder()?)
}
