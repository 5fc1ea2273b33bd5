//! Who gets which task: longest expected time first, and not where it has failed already.
//!
//! It chooses among what is ready; it changes nothing and knows nothing of events.

use crate::ids::WorkerId;
use crate::pool::Pool;
use crate::pool::leases::Leases;
use crate::pool::ready::Place;
use crate::pool::task::{Task, TaskKind};
use crate::pool::worker::Worker;
use crate::time::Millis;

/// The task that the worker should take now.
pub(crate) fn choose<'a>(
    pool: &'a Pool,
    leases: &Leases,
    now: Millis,
    worker: &Worker,
) -> Option<&'a Task> {
    let mut best: Option<(Place, &Task)> = None;
    for (needs, group) in pool.ready().groups() {
        if !worker.can(needs) {
            continue;
        }
        for place in group {
            if best.is_some_and(|(best, _)| best <= *place) {
                break;
            }
            let Some(task) = pool.task(place.task) else { continue };
            if !is_unfit(pool, task, worker.id) || someone_else(pool, leases, now, task).is_none() {
                best = Some((*place, task));
                break;
            }
        }
    }
    best.map(|(_, task)| task)
}

/// Whether the task has failed on the worker, or will: its encoder makes other parameter sets than
/// those of the segments that are done.
fn is_unfit(pool: &Pool, task: &Task, worker: WorkerId) -> bool {
    let differs = match task.kind {
        TaskKind::Segment(_) | TaskKind::Measure(_) | TaskKind::Retake(_) => {
            pool.job(task.job).is_some_and(|job| job.differing_workers.contains(&worker))
        }
        TaskKind::Analysis
        | TaskKind::OtherStreams
        | TaskKind::Weigh
        | TaskKind::Whole
        | TaskKind::Merge => false,
    };
    differs || task.failed_on(worker)
}

/// A worker that takes tasks, was heard of lately, can do this one and is not known to fail it.
pub(crate) fn someone_else<'a>(
    pool: &'a Pool,
    leases: &Leases,
    now: Millis,
    task: &Task,
) -> Option<&'a Worker> {
    pool.workers().find(|worker| {
        worker.is_active()
            && worker.capacity() > 0
            && worker.can(&task.needs)
            && leases.is_present(worker.id, now)
            && !is_unfit(pool, task, worker.id)
    })
}
