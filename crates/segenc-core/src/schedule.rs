//! Who gets which task: longest expected time first, and not where it has failed already; and when nothing waits,
//! whether a task that runs elsewhere is better tried a second time here.
//!
//! It chooses among what is ready; it changes nothing and knows nothing of events.

mod fitness;

use std::collections::BTreeSet;

use crate::ids::{JobId, WorkerId};
use crate::pool::Pool;
use crate::pool::job::Job;
use crate::pool::leases::{Lease, Leases};
use crate::pool::limits::{BACKUP_GAIN_MILLIS, BACKUP_SHARE_PERCENT, OVERDUE_PERCENT};
use crate::pool::ready::Place;
use crate::pool::speeds::Extent;
use crate::pool::task::Task;
use crate::pool::worker::Worker;
use crate::time::Millis;
use fitness::{Fitness, Judge, is_of_segment};

/// Of so many waiting tasks at most is told why a worker does not get them: one is enough, and most are alike.
const LOOKED_AT_MAX: usize = 256;

/// The task that the worker should take now.
pub(crate) fn choose<'a>(
    pool: &'a Pool,
    leases: &Leases,
    now: Millis,
    worker: &Worker,
) -> Option<&'a Task> {
    let mut judge = Judge::new(pool, leases, now);
    // Jobs whose segments are better made by others: all that nobody has tried stand alike.
    let mut left_to_others: BTreeSet<JobId> = BTreeSet::new();
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
            let untried = is_of_segment(task.kind) && task.attempts.is_empty();
            if untried && left_to_others.contains(&place.job) {
                continue;
            }
            if judge.should_take(task, worker) {
                best = Some((*place, task));
                break;
            }
            if untried {
                left_to_others.insert(place.job);
            }
        }
    }
    best.map(|(_, task)| task)
}

/// The job whose segments the worker could make, but is not given, because its encoder is another build than that of the
/// segments that are there: what people want to know of a worker that idles.
#[must_use]
pub fn kept_from<'a>(
    pool: &'a Pool,
    leases: &Leases,
    now: Millis,
    worker: &Worker,
) -> Option<&'a Job> {
    if !worker.is_active()
        || !worker.running.is_empty()
        || choose(pool, leases, now, worker).is_some()
    {
        return None;
    }
    let mut judge = Judge::new(pool, leases, now);
    let groups = pool.ready().groups().filter(|(needs, _)| worker.can(needs));
    let waiting = groups.flat_map(|(_, group)| group.iter().take(LOOKED_AT_MAX));
    waiting.filter_map(|place| pool.task(place.task)).find_map(|task| {
        let job = pool.job(task.job).filter(|_| is_of_segment(task.kind))?;
        let differs = job.differing_workers.contains(&worker.id)
            || judge.fitness(task, worker) == Fitness::WouldDiffer;
        differs.then_some(job)
    })
}

/// The running task of which the worker should make a backup: the one that takes longest of those that it would
/// finish clearly earlier than who has it.
pub(crate) fn choose_backup<'a>(
    pool: &'a Pool,
    leases: &Leases,
    now: Millis,
    worker: &Worker,
) -> Option<&'a Task> {
    let mut judge = Judge::new(pool, leases, now);
    let mut best: Option<(i32, Millis, &Task)> = None;
    for (id, lease) in leases.all() {
        let Some(task) = pool.task(id.task) else { continue };
        let Some(owner) = task.alone().filter(|owner| owner.number == id.number) else { continue };
        let Some(job) = pool.job(task.job).filter(|job| job.is_open()) else { continue };
        let fit = judge.fitness(task, worker) == Fitness::Fit;
        if owner.worker == worker.id || !worker.can(&task.needs) || !fit {
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

/// Whether somebody who takes tasks and was heard of lately can do this one and is not known to fail it.
pub(crate) fn is_someone_else(pool: &Pool, leases: &Leases, now: Millis, task: &Task) -> bool {
    Judge::new(pool, leases, now).is_someone_else(task, |fitness| fitness != Fitness::Proven)
}
