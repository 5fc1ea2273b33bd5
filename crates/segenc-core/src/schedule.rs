//! Who gets which task: longest expected time first, and not where it has failed already; and when nothing waits,
//! whether a task that runs elsewhere is better tried a second time here.
//!
//! It chooses among what is ready; it changes nothing and knows nothing of events.

use crate::ids::WorkerId;
use crate::pool::Pool;
use crate::pool::job::Job;
use crate::pool::leases::{Lease, Leases};
use crate::pool::limits::{BACKUP_GAIN_MILLIS, BACKUP_SHARE_PERCENT, OVERDUE_PERCENT};
use crate::pool::ready::Place;
use crate::pool::speeds::Extent;
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

/// The running task of which the worker should make a backup: the one that takes longest of those that it would
/// finish clearly earlier than who has it.
pub(crate) fn choose_backup<'a>(
    pool: &'a Pool,
    leases: &Leases,
    now: Millis,
    worker: &Worker,
) -> Option<&'a Task> {
    let mut best: Option<(i32, Millis, &Task)> = None;
    for (id, lease) in leases.all() {
        let Some(task) = pool.task(id.task) else { continue };
        let Some(owner) = task.alone().filter(|owner| owner.number == id.number) else { continue };
        let Some(job) = pool.job(task.job).filter(|job| job.is_open()) else { continue };
        if owner.worker == worker.id || !worker.can(&task.needs) || is_unfit(pool, task, worker.id)
        {
            continue;
        }
        let Some(left) = gain(leases, now, job, task, (owner.worker, lease), worker.id) else {
            continue;
        };
        if best.is_none_or(|(priority, most, _)| (job.priority, left) > (priority, most)) {
            best = Some((job.priority, left, task));
        }
    }
    best.map(|(_, _, task)| task)
}

/// How long the owner of the attempt still takes, if the worker would finish the task clearly earlier.
fn gain(
    leases: &Leases,
    now: Millis,
    job: &Job,
    task: &Task,
    (owner, lease): (WorkerId, &Lease),
    worker: WorkerId,
) -> Option<Millis> {
    let extent = Extent::of(job, task.kind)?;
    let here = leases.speeds().expect(extent, worker)?;
    let left = time_left(leases, now, extent, owner, lease)?;
    let allowed = left.saturating_mul(BACKUP_SHARE_PERCENT) / 100;
    (here <= allowed && here.saturating_add(BACKUP_GAIN_MILLIS) <= left).then_some(left)
}

/// How long the owner still takes: by the frames it has done since it began, or by what it did before. A worker
/// that stands still does fewer and fewer frames in the time that passes.
fn time_left(
    leases: &Leases,
    now: Millis,
    extent: Extent,
    owner: WorkerId,
    lease: &Lease,
) -> Option<Millis> {
    if lease.frames > 0 {
        let so_far = u128::from(now.saturating_sub(lease.began));
        let open = u128::from(extent.frames.saturating_sub(lease.frames));
        return u64::try_from(so_far * open / u128::from(lease.frames)).ok();
    }
    let expected = leases.speeds().expect(extent, owner)?;
    let so_far = now.saturating_sub(lease.handed_out);
    if so_far > expected.saturating_mul(OVERDUE_PERCENT) / 100 {
        // Nothing tells how long; so far it was too long, so it may well take as long again.
        return Some(so_far);
    }
    Some(expected.saturating_sub(so_far))
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
