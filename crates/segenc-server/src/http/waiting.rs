//! Why nothing happens with a job, if it waits for something that a user can change. Pure.

use std::collections::BTreeSet;

use segenc_core::pool::job::{Job, JobState};
use segenc_core::pool::task::TaskState;
use segenc_proto::rest::NO_WORKER_YET;

use crate::coordinator::View;

/// One clause, or nothing if the job goes on or only waits for its turn.
pub(super) fn waiting_for(view: &View, job: &Job) -> Option<String> {
    match job.state {
        JobState::Completed | JobState::Failed | JobState::Canceled => return None,
        JobState::Paused => return Some("paused; resume it to go on".to_owned()),
        JobState::Analyzing | JobState::Transcoding | JobState::Merging => {}
    }
    if let Some(trouble) = view.storage.trouble(view.now) {
        return Some(trouble);
    }
    if job.is_held() && job.plan_complete {
        return Some("held; resume it to start".to_owned());
    }
    let mut missing: BTreeSet<&str> = BTreeSet::new();
    let mut ready = false;
    for task in view.pool.tasks_of(job.id) {
        match task.state {
            TaskState::Running => return None,
            TaskState::Ready if job.is_held() && task.id != job.analysis => continue,
            TaskState::Ready => {}
            TaskState::Blocked
            | TaskState::Done
            | TaskState::Failed
            | TaskState::Canceled
            | TaskState::Aborted => continue,
        }
        ready = true;
        let able = |needs: &[String]| {
            view.pool.workers().any(|worker| worker.is_active() && worker.can(needs))
        };
        if !able(&task.needs) {
            missing.extend(task.needs.iter().map(String::as_str));
        }
    }
    if !ready {
        return None;
    }
    if view.pool.workers().next().is_none() {
        return Some(format!("{NO_WORKER_YET}; `segenc serve` prints the command"));
    }
    let present = view.pool.workers().filter(|worker| view.leases.is_present(worker.id, view.now));
    if !present.into_iter().any(segenc_core::pool::worker::Worker::is_active) {
        return Some("all workers are offline, draining or taken out".to_owned());
    }
    if missing.is_empty() {
        return None;
    }
    let names: Vec<&str> = missing.into_iter().collect();
    Some(format!("no active worker has {}", names.join(", ")))
}
