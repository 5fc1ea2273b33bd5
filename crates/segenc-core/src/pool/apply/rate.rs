//! The bits of segments as they are allocated, and segments that are made once more.

use std::sync::Arc;

use super::jobs::new_task;
use super::plan::video_needs;
use crate::ids::{JobId, TaskId};
use crate::pool::Pool;
use crate::pool::task::{Needs, TaskKind, TaskState};
use crate::rate::{Allocation, Retake};
use crate::time::Millis;

impl Pool {
    pub(super) fn allocate_bits(&mut self, id: JobId, allocation: &Arc<Allocation>) {
        let Some(job) = self.job(id) else { return };
        let fits = allocation.asked.len() == job.segments.len();
        if !job.is_split() || !job.awaits_bits() || !fits || job.state.is_final() {
            return;
        }
        self.change_job(id, |job| job.allocation = Some(allocation.clone()));
        let waiting: Vec<TaskId> = self
            .tasks_of(id)
            .filter(|task| matches!(task.kind, TaskKind::Segment(_)))
            .filter(|task| task.state == TaskState::Blocked)
            .map(|task| task.id)
            .collect();
        for task in waiting {
            self.change_task(task, |task| task.state = TaskState::Ready);
        }
    }

    pub(super) fn retake_segments(
        &mut self,
        at: Millis,
        id: JobId,
        first_task: TaskId,
        retakes: &[Retake],
    ) {
        let Some(job) = self.job(id) else { return };
        if !job.is_split() || job.state.is_final() {
            return;
        }
        let needs: Needs = video_needs(job).collect();
        let cost_of = |retake: &Retake| {
            let place = usize::try_from(retake.segment).ok()?;
            job.segments.get(place).map(|segment| segment.source_bytes)
        };
        let tasks: Vec<_> = (first_task.0..)
            .zip(retakes)
            .map(|(number, retake)| {
                let mut task = new_task(at, id, TaskId(number), TaskKind::Retake(retake.segment));
                task.needs = needs.clone();
                task.cost = cost_of(retake).unwrap_or_default();
                task
            })
            .collect();
        self.change_job(id, |job| {
            job.retakes.extend(retakes.iter().map(|retake| (retake.segment, retake.asked)));
            job.retake_rounds += 1;
        });
        for task in tasks {
            self.add_task(task);
        }
    }
}
