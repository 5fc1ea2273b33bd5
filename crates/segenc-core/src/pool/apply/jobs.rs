//! What happens to a job as a whole: made, ended, paused, taken up again, forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::failure::Failure;
use crate::ids::{AttemptId, JobId, TaskId};
use crate::pool::Pool;
use crate::pool::event::Happening;
use crate::pool::job::{Job, JobState, Start, TaskCounts};
use crate::pool::task::{AttemptState, Task, TaskKind, TaskState};
use crate::time::Millis;

/// The job that a creation makes.
pub(super) fn made(at: Millis, what: &Happening) -> Option<Job> {
    let Happening::JobCreated { job, analysis, name, spec, source, output_path, priority, start } =
        what
    else {
        return None;
    };
    Some(Job {
        id: *job,
        name: name.clone(),
        spec: spec.clone(),
        source: source.clone(),
        output_path: output_path.clone(),
        priority: *priority,
        state: JobState::Analyzing,
        start: *start,
        created_at: at,
        started_at: at,
        ended_at: None,
        facts: None,
        header: None,
        segments: imbl::Vector::new(),
        plan_complete: false,
        tasks: imbl::OrdSet::new(),
        analysis: *analysis,
        merge: None,
        failure: None,
        split_abandoned: None,
        parameter_sets: None,
        trial_sets: None,
        allocation: None,
        retakes: BTreeMap::new(),
        retake_rounds: 0,
        differing_workers: BTreeSet::new(),
    })
}

/// A task that nobody has tried.
pub(super) fn new_task(at: Millis, job: JobId, id: TaskId, kind: TaskKind) -> Task {
    Task {
        id,
        job,
        kind,
        state: TaskState::Ready,
        attempts: Vec::new(),
        longer_run_up: false,
        needs: Arc::new([]),
        cost: 0,
        created_at: at,
        counted_from: 0,
    }
}

impl Pool {
    pub(super) fn create_job(&mut self, id: JobId, analysis: TaskId, made: Job) {
        self.last_job = self.last_job.max(id.0);
        if self.jobs.contains_key(&id) || self.tasks.contains_key(&analysis) {
            return;
        }
        let at = made.created_at;
        self.jobs.insert(id, Arc::new(made));
        self.counts.insert(id, TaskCounts::default());
        self.add_task(new_task(at, id, analysis, TaskKind::Analysis));
    }

    pub(super) fn complete_job(&mut self, at: Millis, id: JobId) {
        let merged = self.job(id).and_then(|job| job.merge).and_then(|merge| self.task(merge));
        if merged.is_some_and(|task| task.state == TaskState::Done) {
            self.end_job(at, id, JobState::Completed, TaskState::Aborted, None);
        }
    }

    pub(super) fn fail_job(&mut self, at: Millis, id: JobId, failure: &Failure) {
        self.end_job(at, id, JobState::Failed, TaskState::Aborted, Some(failure.clone()));
    }

    pub(super) fn cancel_job(&mut self, at: Millis, id: JobId) {
        self.end_job(at, id, JobState::Canceled, TaskState::Canceled, None);
    }

    /// Ends a job: what is not at its own end goes to `rest`, its attempts are canceled.
    fn end_job(
        &mut self,
        at: Millis,
        id: JobId,
        state: JobState,
        rest: TaskState,
        failure: Option<Failure>,
    ) {
        if self.job(id).is_none_or(|job| job.state.is_final()) {
            return;
        }
        self.close_tasks(at, id, rest, |task| match task.state {
            TaskState::Blocked | TaskState::Ready | TaskState::Running => true,
            TaskState::Done | TaskState::Failed | TaskState::Canceled | TaskState::Aborted => false,
        });
        self.change_job(id, |job| {
            job.state = state;
            job.ended_at = Some(at);
            job.failure = failure;
        });
    }

    /// Takes the chosen tasks of a job to `state`, and cancels the attempts that run.
    pub(super) fn close_tasks(
        &mut self,
        at: Millis,
        job: JobId,
        state: TaskState,
        choose: impl Fn(&Task) -> bool,
    ) {
        let chosen: Vec<TaskId> =
            self.tasks_of(job).filter(|task| choose(task)).map(|task| task.id).collect();
        for id in chosen {
            let running: Vec<_> = self
                .task(id)
                .into_iter()
                .flat_map(Task::running)
                .map(|attempt| AttemptId { task: id, number: attempt.number })
                .collect();
            for attempt in running {
                self.close_attempt(at, attempt, AttemptState::Canceled);
            }
            self.change_task(id, |task| task.state = state);
        }
    }

    pub(super) fn pause_job(&mut self, id: JobId) {
        self.change_job(id, |job| {
            if job.is_open() {
                job.state = JobState::Paused;
            }
        });
    }

    pub(super) fn resume_job(&mut self, at: Millis, id: JobId) {
        let phase = self.phase(id);
        self.change_job(id, |job| {
            if job.state == JobState::Paused {
                job.state = phase;
            }
            match std::mem::take(&mut job.start) {
                Start::AtOnce => {}
                Start::Held | Start::Draft => job.started_at = at,
            }
        });
    }

    /// What is done stays done, and so does what an abandoned split made needless.
    pub(super) fn retry_job(&mut self, id: JobId) {
        let Some(job) = self.job(id) else { return };
        match job.state {
            JobState::Failed | JobState::Canceled => {}
            JobState::Analyzing
            | JobState::Transcoding
            | JobState::Merging
            | JobState::Completed
            | JobState::Paused => return,
        }
        let split = job.is_split();
        let again: Vec<(TaskId, TaskKind)> = self
            .tasks_of(id)
            .filter(|task| match task.state {
                TaskState::Failed | TaskState::Canceled | TaskState::Aborted => true,
                TaskState::Blocked | TaskState::Ready | TaskState::Running | TaskState::Done => {
                    false
                }
            })
            .filter(|task| match task.kind {
                TaskKind::Segment(_)
                | TaskKind::Measure(_)
                | TaskKind::Retake(_)
                | TaskKind::OtherStreams
                | TaskKind::Weigh => split,
                TaskKind::Analysis | TaskKind::Whole | TaskKind::Merge => true,
            })
            .map(|task| (task.id, task.kind))
            .collect();
        let waits = job.awaits_bits();
        for (task, kind) in again.iter().filter(|(_, kind)| *kind != TaskKind::Merge) {
            let state = match kind {
                TaskKind::Segment(_) if waits => TaskState::Blocked,
                TaskKind::Segment(_)
                | TaskKind::Analysis
                | TaskKind::Measure(_)
                | TaskKind::Retake(_)
                | TaskKind::OtherStreams
                | TaskKind::Weigh
                | TaskKind::Whole
                | TaskKind::Merge => TaskState::Ready,
            };
            self.change_task(*task, |task| {
                task.state = state;
                task.counted_from = task.attempts.len();
            });
        }
        let merge_state =
            if self.parts_are_there(id) { TaskState::Ready } else { TaskState::Blocked };
        for (task, _) in again.iter().filter(|(_, kind)| *kind == TaskKind::Merge) {
            self.change_task(*task, |task| {
                task.state = merge_state;
                task.counted_from = task.attempts.len();
            });
        }
        let phase = self.phase(id);
        self.change_job(id, |job| {
            job.state = phase;
            job.ended_at = None;
            job.failure = None;
            // The worker may have got another ffmpeg meanwhile.
            job.differing_workers.clear();
        });
    }

    pub(super) fn delete_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id).cloned() else { return };
        if !job.state.is_final() {
            return;
        }
        for task in &job.tasks {
            self.tasks.remove(task);
        }
        self.jobs.remove(&id);
        self.counts.remove(&id);
    }

    /// The state that the job's tasks speak of.
    fn phase(&self, id: JobId) -> JobState {
        let Some(merge) = self.job(id).and_then(|job| job.merge) else {
            return JobState::Analyzing;
        };
        match self.task(merge).map(|task| task.state) {
            None | Some(TaskState::Blocked) => JobState::Transcoding,
            Some(
                TaskState::Ready
                | TaskState::Running
                | TaskState::Done
                | TaskState::Failed
                | TaskState::Canceled
                | TaskState::Aborted,
            ) => JobState::Merging,
        }
    }

    /// Whether all parts of the output are made and none will follow.
    pub(in crate::pool) fn parts_are_there(&self, id: JobId) -> bool {
        self.job(id).is_some_and(|job| job.plan_complete) && self.counts(id).open_parts == 0
    }
}
