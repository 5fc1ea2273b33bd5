//! The plan as it becomes tasks: begun, extended, completed, and its split abandoned.

use std::sync::Arc;

use super::jobs::new_task;
use crate::ids::{JobId, TaskId};
use crate::plan::{PlanHeader, Segment, Way};
use crate::pool::Pool;
use crate::pool::job::{Job, JobState};
use crate::pool::task::{Needs, TaskKind, TaskState};
use crate::source::{SourceFacts, StreamKind};
use crate::spec::VideoSpec;
use crate::time::Millis;

impl Pool {
    /// `tasks`: the one for other streams, the one for the whole title, and the one that weighs.
    pub(super) fn start_plan(
        &mut self,
        at: Millis,
        id: JobId,
        facts: &Arc<SourceFacts>,
        header: &Arc<PlanHeader>,
        tasks: [Option<TaskId>; 3],
    ) {
        if self.job(id).is_none_or(|job| job.header.is_some() || job.state.is_final()) {
            return;
        }
        self.change_job(id, |job| {
            job.facts = Some(facts.clone());
            job.header = Some(header.clone());
        });
        let Some(job) = self.jobs.get(&id).cloned() else { return };
        let [other_streams, whole, weigh] = tasks;
        if let Some(task) = other_streams {
            let mut task = new_task(at, id, task, TaskKind::OtherStreams);
            task.needs = audio_needs(&job).collect();
            self.add_task(task);
        }
        if let Some(task) = whole {
            self.add_whole(at, &job, task);
        }
        if let Some(task) = weigh {
            self.add_task(new_task(at, id, task, TaskKind::Weigh));
        }
    }

    fn add_whole(&mut self, at: Millis, job: &Job, id: TaskId) {
        let mut task = new_task(at, job.id, id, TaskKind::Whole);
        let mut needs: Vec<String> = video_needs(job).chain(audio_needs(job)).collect();
        needs.sort_unstable();
        needs.dedup();
        task.needs = needs.into();
        task.cost = u64::MAX;
        self.add_task(task);
    }

    pub(super) fn add_segments(
        &mut self,
        at: Millis,
        id: JobId,
        first_task: TaskId,
        segments: &[Segment],
    ) {
        let Some(job) = self.job(id) else { return };
        if !job.is_split() || job.plan_complete || job.state.is_final() {
            return;
        }
        let known = job.segments.len();
        let fits = |(offset, segment): (usize, &Segment)| {
            usize::try_from(segment.index).is_ok_and(|index| index == known + offset)
        };
        if !segments.iter().enumerate().all(fits) {
            return;
        }
        let needs: Needs = video_needs(job).collect();
        let (measured, waits) = (job.rate().is_some(), job.awaits_bits());
        self.change_job(id, |job| {
            job.segments.extend(segments.iter().cloned().map(Arc::new));
        });
        let mut number = first_task.0;
        for segment in segments {
            let mut add = |kind, state| {
                let mut task = new_task(at, id, TaskId(number), kind);
                number += 1;
                task.state = state;
                task.needs = needs.clone();
                task.cost = segment.source_bytes;
                self.add_task(task);
            };
            if measured {
                add(TaskKind::Measure(segment.index), TaskState::Ready);
            }
            let state = if waits { TaskState::Blocked } else { TaskState::Ready };
            add(TaskKind::Segment(segment.index), state);
        }
    }

    pub(super) fn complete_plan(&mut self, at: Millis, id: JobId, merge: TaskId) {
        if self.job(id).is_none_or(|job| job.plan_complete || job.state.is_final()) {
            return;
        }
        let mut task = new_task(at, id, merge, TaskKind::Merge);
        task.state = TaskState::Blocked;
        self.add_task(task);
        self.change_job(id, |job| {
            job.plan_complete = true;
            job.merge = Some(merge);
            if job.is_open() {
                job.state = JobState::Transcoding;
            }
        });
    }

    pub(super) fn abandon_split(&mut self, at: Millis, id: JobId, reason: &str, whole: TaskId) {
        if self.job(id).is_none_or(|job| !job.is_split() || job.state.is_final()) {
            return;
        }
        self.close_tasks(at, id, TaskState::Aborted, |task| match task.kind {
            TaskKind::Segment(_)
            | TaskKind::Measure(_)
            | TaskKind::Retake(_)
            | TaskKind::OtherStreams
            | TaskKind::Weigh => true,
            TaskKind::Analysis | TaskKind::Whole | TaskKind::Merge => false,
        });
        self.close_tasks(at, id, TaskState::Blocked, |task| task.kind == TaskKind::Merge);
        self.change_job(id, |job| {
            if let Some(header) = &mut job.header {
                Arc::make_mut(header).way = Way::Whole { reason: reason.to_owned() };
            }
            job.split_abandoned = Some(reason.to_owned());
            if job.state == JobState::Merging {
                job.state = JobState::Transcoding;
            }
        });
        if let Some(job) = self.jobs.get(&id).cloned() {
            self.add_whole(at, &job, whole);
        }
    }

    pub(super) fn release_merge(&mut self, id: JobId) {
        let Some(merge) = self.job(id).and_then(|job| job.merge) else { return };
        if !self.parts_are_there(id) {
            return;
        }
        self.change_task(merge, |task| {
            if task.state == TaskState::Blocked {
                task.state = TaskState::Ready;
            }
        });
        self.change_job(id, |job| {
            if job.is_open() {
                job.state = JobState::Merging;
            }
        });
    }
}

/// The encoder of the film, where one is encoded.
pub(super) fn video_needs(job: &Job) -> impl Iterator<Item = String> {
    let film = job.header.as_ref().is_some_and(|header| header.film.is_some());
    let encoder = match &job.spec.video {
        VideoSpec::Encode(encode) if film => Some(encode.encoder.clone()),
        VideoSpec::Encode(_) | VideoSpec::Copy | VideoSpec::Drop => None,
    };
    encoder.into_iter()
}

/// The encoders of the sound, where there is any and it is encoded.
fn audio_needs(job: &Job) -> impl Iterator<Item = String> {
    let heard = job
        .facts
        .as_ref()
        .is_some_and(|facts| facts.streams.iter().any(|stream| stream.kind == StreamKind::Audio));
    let dropped = job.spec.dropped_kinds.contains(&StreamKind::Audio);
    let mut codecs: Vec<String> = job
        .spec
        .codecs
        .iter()
        .filter(|choice| heard && !dropped && choice.kind == StreamKind::Audio)
        .filter(|choice| choice.codec != "copy")
        .map(|choice| choice.codec.clone())
        .collect();
    codecs.sort_unstable();
    codecs.dedup();
    codecs.into_iter()
}
