//! The index of ready tasks, in the order in which they are handed out.
//!
//! Grouped by the encoders they need, so that a worker that lacks one does not walk over thousands of
//! tasks it cannot do. It knows nothing of workers.

use std::cmp::Reverse;

use imbl::{OrdMap, OrdSet};

use crate::ids::{JobId, TaskId};
use crate::pool::job::Job;
use crate::pool::task::{Needs, Task, TaskKind};

/// Where a ready task stands in the queue: smaller goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    priority: Reverse<i32>,
    rank: u8,
    cost: Reverse<u64>,
    pub(crate) job: JobId,
    pub(crate) task: TaskId,
}

impl Place {
    pub(super) const fn of(job: &Job, task: &Task) -> Self {
        Self {
            priority: Reverse(job.priority),
            rank: rank(task.kind),
            cost: Reverse(task.cost),
            job: task.job,
            task: task.id,
        }
    }
}

/// What others wait for goes first: an analysis makes work for all, the other streams take as long as
/// the whole title, a merge ends a job.
const fn rank(kind: TaskKind) -> u8 {
    match kind {
        TaskKind::Analysis => 0,
        TaskKind::OtherStreams | TaskKind::Weigh => 1,
        TaskKind::Merge => 2,
        TaskKind::Segment(_) | TaskKind::Measure(_) | TaskKind::Retake(_) | TaskKind::Whole => 3,
    }
}

/// The ready tasks of open jobs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct ReadyTasks {
    groups: OrdMap<Needs, OrdSet<Place>>,
}

impl ReadyTasks {
    pub(super) fn insert(&mut self, job: &Job, task: &Task) {
        let group = self.groups.entry(task.needs.clone()).or_default();
        group.insert(Place::of(job, task));
    }

    pub(super) fn remove(&mut self, job: &Job, task: &Task) {
        let Some(group) = self.groups.get_mut(&task.needs) else { return };
        group.remove(&Place::of(job, task));
        if group.is_empty() {
            self.groups.remove(&task.needs);
        }
    }

    /// The groups that are not empty: what they need, and their tasks in order.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&Needs, &OrdSet<Place>)> {
        self.groups.iter()
    }

    pub(super) fn contains(&self, job: &Job, task: &Task) -> bool {
        self.groups.get(&task.needs).is_some_and(|group| group.contains(&Place::of(job, task)))
    }

    pub(super) fn len(&self) -> usize {
        self.groups.values().map(OrdSet::len).sum()
    }
}
