//! What must hold of a pool at any time. Used by tests and the simulator after every event.

use std::collections::BTreeSet;

use crate::ids::AttemptId;
use crate::pool::Pool;
use crate::pool::apply::{is_open_part, queued};
use crate::pool::job::{Job, JobState, TaskCounts};
use crate::pool::task::{AttemptState, Task, TaskKind, TaskState};

/// Checks the pool's invariants.
///
/// # Errors
/// The first one that does not hold, for people.
pub fn sanity_check(pool: &Pool) -> Result<(), String> {
    let mut tasks = 0;
    let mut queue = 0;
    let mut running = 0;
    for job in pool.jobs() {
        let mut seen = Seen::default();
        for id in &job.tasks {
            let task = pool.task(*id).ok_or_else(|| format!("task {id} of a job is gone"))?;
            check_task(pool, job, task).map_err(|why| format!("task {id}: {why}"))?;
            seen.add(task);
            queue += usize::from(queued(job, task));
            running += task.running().count();
        }
        tasks += job.tasks.len();
        check_job(pool, job, &seen).map_err(|why| format!("job {}: {why}", job.id))?;
    }
    ensure(tasks == pool.tasks.len(), || "a task belongs to no job".to_owned())?;
    ensure(queue == pool.ready.len(), || "the index of ready tasks is out of step".to_owned())?;
    let (mut held, mut slots) = (0, 0);
    for worker in pool.workers() {
        held += worker.running.len();
        slots += worker.open_slots();
        ensure(worker.running.len() <= worker.capacity(), || {
            format!("worker {} holds {} attempts", worker.id, worker.running.len())
        })?;
    }
    ensure(slots == pool.active_slots, || "the count of slots is out of step".to_owned())?;
    ensure(held == running, || format!("{held} attempts are held, but {running} run"))
}

/// What the tasks of a job add up to.
#[derive(Default)]
struct Seen {
    counts: TaskCounts,
    segments: usize,
}

impl Seen {
    fn add(&mut self, task: &Task) {
        *self.counts.slot(task.state) += 1;
        self.counts.open_parts += u32::from(is_open_part(task));
        self.segments += usize::from(matches!(task.kind, TaskKind::Segment(_)));
    }
}

fn check_job(pool: &Pool, job: &Job, seen: &Seen) -> Result<(), String> {
    let counts = seen.counts;
    ensure(counts == pool.counts(job.id), || "its counts are out of step".to_owned())?;
    ensure(seen.segments == job.segments.len(), || "a segment has no task".to_owned())?;
    ensure(job.plan_complete == job.merge.is_some(), || "plan and merge disagree".to_owned())?;
    ensure(job.state.is_final() == job.ended_at.is_some(), || "its end is not dated".to_owned())?;
    ensure((job.state == JobState::Failed) == job.failure.is_some(), || {
        "it is failed without a failure, or the other way round".to_owned()
    })?;
    let merge = job.merge.and_then(|merge| pool.task(merge)).map(|task| task.state);
    if job.state.is_final() {
        let open = counts.blocked + counts.ready + counts.running;
        ensure(open == 0, || format!("it is {}, but {open} tasks are open", job.state))?;
    } else {
        let ended = counts.failed + counts.canceled;
        ensure(ended == 0, || format!("it is {}, but {ended} tasks have failed", job.state))?;
        // Something is always left to do, and nothing waits for what is there already.
        let going = counts.ready + counts.running;
        ensure(going > 0, || format!("it is {}, but nothing goes on", job.state))?;
        let waits = merge == Some(TaskState::Blocked);
        ensure(!(waits && counts.open_parts == 0), || "its merge waits for nothing".to_owned())?;
    }
    match job.state {
        JobState::Analyzing => ensure(!job.plan_complete, || "its plan is complete".to_owned()),
        JobState::Transcoding => ensure(merge == Some(TaskState::Blocked), || {
            "it is transcoding, but its merge does not wait".to_owned()
        }),
        JobState::Merging => ensure(counts.open_parts == 0, || "parts are missing".to_owned()),
        JobState::Completed => {
            let whole = counts.open_parts == 0 && merge == Some(TaskState::Done);
            ensure(whole, || "it is completed without all its parts".to_owned())
        }
        JobState::Failed | JobState::Canceled | JobState::Paused => Ok(()),
    }
}

fn check_task(pool: &Pool, job: &Job, task: &Task) -> Result<(), String> {
    ensure(task.job == job.id, || "it belongs to two jobs".to_owned())?;
    ensure(!queued(job, task) || pool.ready.contains(job, task), || {
        "it is ready, but not in the index".to_owned()
    })?;
    let (mut running, mut succeeded) = (0, 0);
    for (attempt, number) in task.attempts.iter().zip(1..) {
        ensure(attempt.number.0 == number, || "its attempts are not numbered in order".to_owned())?;
        let id = AttemptId { task: task.id, number: attempt.number };
        let ended = match attempt.state {
            AttemptState::Running => {
                running += 1;
                let held = pool.worker(attempt.worker).is_some_and(|it| it.running.contains(&id));
                ensure(held, || format!("attempt {number} runs, but its worker does not hold it"))?;
                false
            }
            AttemptState::Succeeded => {
                succeeded += 1;
                let whole = task.only_tells() || attempt.output.is_some();
                ensure(whole, || format!("attempt {number} succeeded without output"))?;
                true
            }
            AttemptState::Failed | AttemptState::Expired | AttemptState::Canceled => true,
        };
        ensure(ended == attempt.ended_at.is_some(), || format!("attempt {number} ends wrongly"))?;
        ensure((attempt.state == AttemptState::Failed) == attempt.failure.is_some(), || {
            format!("attempt {number} is failed without a failure, or the other way round")
        })?;
    }
    check_backup(task)?;
    ensure(succeeded <= 1, || "two of its attempts succeeded".to_owned())?;
    match task.state {
        TaskState::Running => ensure(running > 0, || "it runs without an attempt".to_owned()),
        TaskState::Done => ensure(running == 0 && succeeded == 1, || {
            format!("it is done with {succeeded} successes and {running} running")
        }),
        TaskState::Blocked | TaskState::Ready | TaskState::Failed | TaskState::Canceled => {
            ensure(running == 0 && succeeded == 0, || {
                format!("it is open with {succeeded} successes and {running} running")
            })
        }
        TaskState::Aborted => ensure(running == 0, || "it is aborted, but runs".to_owned()),
    }
}

/// Two attempts run side by side only as one and its backup, on two workers.
fn check_backup(task: &Task) -> Result<(), String> {
    let running: Vec<_> = task.running().collect();
    let backups = running.iter().filter(|attempt| !attempt.role.is_regular()).count();
    let workers: BTreeSet<_> = running.iter().map(|attempt| attempt.worker).collect();
    ensure(running.len() <= 2 && backups <= 1 && running.len() - backups <= 1, || {
        format!("{} of its attempts run, {backups} of them backups", running.len())
    })?;
    ensure(workers.len() == running.len(), || "one worker runs two of its attempts".to_owned())
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}
