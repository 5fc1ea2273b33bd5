//! From the pool to the bodies of REST. Pure.

use std::collections::BTreeMap;

use segenc_core::failure::Failure;
use segenc_core::ids::AttemptId;
use segenc_core::plan::{Cut, DecodedFrom, Way};
use segenc_core::pool::job::{Job, JobState, Start};
use segenc_core::pool::task::{Attempt, AttemptState, Task, TaskKind, TaskState};
use segenc_core::pool::worker::{Worker, WorkerState};
use segenc_core::schedule;
use segenc_core::source::{Rational, StreamKind};
use segenc_core::spec::VideoSpec;
use segenc_proto::rest::{
    AttemptView, CheckView, FailureView, JobView, OutputView, Progress, ReportView, SegmentView,
    TaskView, WorkView, WorkerShare, WorkerView,
};

use super::hints::hint;
use super::waiting::waiting_for;
use crate::coordinator::View;
use crate::traffic::{Cargo, Traffic};

/// A job.
pub(crate) fn job_view(view: &View, job: &Job) -> JobView {
    let output = job.merge.and_then(|merge| view.pool.task(merge)?.output());
    let output = output.filter(|_| job.state == JobState::Completed);
    JobView {
        id: job.id.0,
        name: job.name.clone(),
        state: job.standing(),
        draft: job.start == Start::Draft,
        source_name: job.source.name.clone(),
        source_size: job.source.fingerprint.size,
        container: job.spec.container.clone(),
        encoder: match &job.spec.video {
            VideoSpec::Encode(video) => Some(video.encoder.clone()),
            VideoSpec::Copy | VideoSpec::Drop => None,
        },
        args: job.spec.args.clone(),
        priority: job.priority,
        created_at: job.created_at,
        started_at: job.started_at,
        ended_at: job.ended_at,
        whole_because: whole_because(job),
        copied_because: copied_because(job),
        plan_complete: job.plan_complete,
        duration_millis: duration_millis(job),
        progress: progress(view, job),
        failure: job.failure.as_ref().map(failure_view),
        waiting_for: waiting_for(view, job),
        output: output.map(|blob| OutputView { size: blob.size, sha256: blob.sha256.clone() }),
        output_path: job.output_path.clone().filter(|_| output.is_some()),
        note: view.notes.of(job.id).filter(|_| job.state == JobState::Canceled),
    }
}

fn whole_because(job: &Job) -> Option<String> {
    match &job.header.as_deref()?.way {
        Way::Segments => None,
        Way::Whole { reason } => Some(reason.clone()),
    }
}

fn copied_because(job: &Job) -> Option<String> {
    match &job.header.as_deref()?.decoded_from {
        DecodedFrom::Copy { reason } if job.decodes_copy() => Some(reason.clone()),
        DecodedFrom::Copy { .. } | DecodedFrom::Source => None,
    }
}

fn duration_millis(job: &Job) -> Option<u64> {
    let micros = job.facts.as_deref()?.duration_micros?;
    u64::try_from(micros / 1000).ok()
}

/// The film's frame rate, as far as the source tells it.
fn rate(job: &Job) -> Option<Rational> {
    let film = job.header.as_deref().and_then(|header| header.film.as_ref()?.rate);
    film.or_else(|| {
        let facts = job.facts.as_deref()?;
        let film = facts
            .streams
            .iter()
            .find(|stream| stream.kind == StreamKind::Video && !stream.attached_picture())?;
        film.video.as_ref()?.average_rate
    })
    .filter(|rate| rate.num > 0 && rate.den > 0)
}

/// Frames that the container's duration promises.
fn promised_frames(job: &Job) -> Option<u64> {
    let (rate, millis) = (rate(job)?, duration_millis(job)?);
    let frames = u128::from(millis) * u128::from(rate.num) / (u128::from(rate.den) * 1000);
    u64::try_from(frames).ok()
}

fn progress(view: &View, job: &Job) -> Progress {
    let mut progress = Progress::default();
    let mut millifps = 0_u64;
    for task in view.pool.tasks_of(job.id) {
        let expected = expected_frames(job, task);
        let is_film = expected.is_some() || task.kind == TaskKind::Whole;
        // Measured and made once more, a segment is work twice, but still one segment.
        let segments = u32::from(matches!(task.kind, TaskKind::Segment(_) | TaskKind::Whole));
        if is_film && !is_needless(task) {
            progress.segments_planned += segments;
            progress.frames_planned += expected.unwrap_or_default();
        }
        if task.is_part() {
            progress.bytes_done += task.output().map_or(0, |blob| blob.size);
        }
        match task.state {
            TaskState::Done if is_film => {
                progress.segments_done += segments;
                progress.frames_done += expected.unwrap_or_default();
            }
            TaskState::Running => {
                progress.running += 1;
                if is_film {
                    let (frames, speed) = running_frames(view, task);
                    // A worker may report any numbers.
                    let frames = frames.min(expected.unwrap_or(frames));
                    progress.frames_done = progress.frames_done.saturating_add(frames);
                    millifps = millifps.saturating_add(speed);
                }
            }
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Done
            | TaskState::Failed
            | TaskState::Canceled
            | TaskState::Aborted => {}
        }
    }
    progress.segments_measured = job.awaits_bits().then(|| measured(view, job));
    progress.frames_per_second = thousandths(millifps);
    if let Some(rate) = rate(job) {
        let real_time = f64::from(rate.num) / f64::from(rate.den);
        progress.times_real_time = Some(progress.frames_per_second / real_time);
    }
    progress.eta_millis = eta(job, &progress, millifps);
    progress
}

/// Segments whose size at one quality is known.
fn measured(view: &View, job: &Job) -> u32 {
    let tasks = view.pool.tasks_of(job.id);
    let done = tasks
        .filter(|task| matches!(task.kind, TaskKind::Measure(_)) && task.state == TaskState::Done);
    u32::try_from(done.count()).unwrap_or(u32::MAX)
}

/// A task whose work was made needless, such as the segments of an abandoned split.
fn is_needless(task: &Task) -> bool {
    match task.state {
        TaskState::Aborted => true,
        TaskState::Blocked
        | TaskState::Ready
        | TaskState::Running
        | TaskState::Done
        | TaskState::Failed
        | TaskState::Canceled => false,
    }
}

fn expected_frames(job: &Job, task: &Task) -> Option<u64> {
    match task.kind {
        TaskKind::Segment(index) | TaskKind::Measure(index) | TaskKind::Retake(index) => {
            let segment = job.segments.get(usize::try_from(index).ok()?)?;
            Some(segment.expected.count)
        }
        TaskKind::Whole => promised_frames(job),
        TaskKind::Analysis | TaskKind::Weigh | TaskKind::OtherStreams | TaskKind::Merge => None,
    }
}

fn running_frames(view: &View, task: &Task) -> (u64, u64) {
    task.running()
        .filter_map(|attempt| view.leases.get(AttemptId { task: task.id, number: attempt.number }))
        .fold((0, 0), |(frames, speed), lease| {
            // Of an attempt and its backup only one counts in the end.
            (frames.max(lease.frames), speed.max(lease.speed_millifps))
        })
}

/// Speeds on the wire are in thousandths; people read fractions.
#[expect(clippy::cast_precision_loss, reason = "a speed for people; beyond 2^53 nobody reads it")]
fn thousandths(number: u64) -> f64 {
    number as f64 / 1000.0
}

/// Frames that are left at the present speed; the film's promised length counts until the plan is complete.
fn eta(job: &Job, progress: &Progress, millifps: u64) -> Option<u64> {
    if !job.is_open() || millifps == 0 {
        return None;
    }
    let planned = match promised_frames(job) {
        Some(promised) if !job.plan_complete => promised.max(progress.frames_planned),
        Some(_) | None => progress.frames_planned,
    };
    let left = planned.saturating_sub(progress.frames_done);
    u64::try_from(u128::from(left) * 1_000_000 / u128::from(millifps)).ok()
}

pub(super) fn failure_view(failure: &Failure) -> FailureView {
    FailureView {
        reason: failure.reason.clone(),
        message: failure.message.clone(),
        hint: hint(&failure.reason).map(ToOwned::to_owned),
        log_tail: failure.log_tail.clone(),
    }
}

/// A task of a job.
pub(super) fn task_view(view: &View, job: &Job, task: &Task) -> TaskView {
    TaskView {
        id: task.id.0,
        kind: task_kind(task.kind).to_owned(),
        segment: segment_view(job, task),
        state: task_state(task.state).to_owned(),
        attempts: task.attempts.iter().map(|attempt| attempt_view(view, task, attempt)).collect(),
    }
}

pub(crate) const fn task_kind(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Analysis => "analysis",
        TaskKind::Segment(_) => "segment",
        TaskKind::Measure(_) => "measure",
        TaskKind::Retake(_) => "retake",
        TaskKind::Weigh => "weigh",
        TaskKind::OtherStreams => "other_streams",
        TaskKind::Whole => "whole",
        TaskKind::Merge => "merge",
    }
}

/// Which segment a task is about.
const fn index_of(kind: TaskKind) -> Option<u32> {
    match kind {
        TaskKind::Segment(index) | TaskKind::Measure(index) | TaskKind::Retake(index) => {
            Some(index)
        }
        TaskKind::Analysis
        | TaskKind::Weigh
        | TaskKind::OtherStreams
        | TaskKind::Whole
        | TaskKind::Merge => None,
    }
}

pub(crate) const fn task_state(state: TaskState) -> &'static str {
    match state {
        TaskState::Blocked => "blocked",
        TaskState::Ready => "ready",
        TaskState::Running => "running",
        TaskState::Done => "done",
        TaskState::Failed => "failed",
        TaskState::Canceled => "canceled",
        TaskState::Aborted => "aborted",
    }
}

fn segment_view(job: &Job, task: &Task) -> Option<SegmentView> {
    let index = index_of(task.kind)?;
    let segment = job.segments.get(usize::try_from(index).ok()?)?;
    let film = job.header.as_deref()?.film.as_ref()?;
    Some(SegmentView {
        index,
        start: segment.start,
        end: segment.end,
        frames: segment.expected.count,
        timebase: film.timebase.into(),
        cut: match segment.cut {
            Cut::SceneKeyframe => "scene_keyframe",
            Cut::Scene => "scene",
            Cut::Keyframe => "keyframe",
            Cut::Frame => "frame",
            Cut::End => "end",
        }
        .to_owned(),
    })
}

fn attempt_view(view: &View, task: &Task, attempt: &Attempt) -> AttemptView {
    let lease = view.leases.get(AttemptId { task: task.id, number: attempt.number });
    let worker = view.pool.worker(attempt.worker);
    let seen = attempt.observed.as_ref().and_then(|observed| observed.frames.as_ref());
    AttemptView {
        number: attempt.number.0,
        worker: attempt.worker.0,
        worker_name: worker.map_or_else(
            || format!("worker {}", attempt.worker),
            |worker| worker.profile.name.clone(),
        ),
        backup: !attempt.role.is_regular(),
        state: match attempt.state {
            AttemptState::Running => "running",
            AttemptState::Succeeded => "succeeded",
            AttemptState::Failed => "failed",
            AttemptState::Expired => "expired",
            AttemptState::Canceled => "canceled",
        }
        .to_owned(),
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
        frames_done: lease
            .map(|lease| lease.frames)
            .or_else(|| seen.map(|frames| frames.count))
            .unwrap_or_default(),
        frames_per_second: thousandths(lease.map_or(0, |lease| lease.speed_millifps)),
        output_size: attempt.output.as_ref().map(|blob| blob.size),
        failure: attempt.failure.as_ref().map(failure_view),
    }
}

/// What was made, by whom, and what was checked.
pub(super) fn report_view(view: &View, job: &Job) -> ReportView {
    let tasks: Vec<&Task> = view.pool.tasks_of(job.id).collect();
    let succeeded = |task: &&Task| task.succeeded().and_then(|attempt| attempt.observed.clone());
    let merge = job.merge.and_then(|merge| view.pool.task(merge));
    let observed = merge.as_ref().and_then(succeeded);
    let checks: Vec<CheckView> = observed
        .iter()
        .flat_map(|observed| observed.checks.iter())
        .map(|check| CheckView {
            name: check.name.clone(),
            passed: check.passed,
            detail: check.detail.clone(),
        })
        .collect();
    let frames = observed.and_then(|observed| observed.frames).map(|frames| frames.count);
    let planned = job.segments.iter().map(|segment| segment.expected.count).sum();
    let job_view = job_view(view, job);
    ReportView {
        verified: job.state == JobState::Completed && checks.iter().all(|check| check.passed),
        frames: frames.unwrap_or(planned),
        segments: job_view.progress.segments_done,
        way: if job.is_split() { "segments" } else { "whole" }.to_owned(),
        checks,
        cpu_millis: tasks
            .iter()
            .filter_map(succeeded)
            .fold(0, |sum, observed| sum.saturating_add(observed.cpu_millis)),
        workers: shares(view, &tasks),
        tasks: tasks.iter().map(|task| task_view(view, job, task)).collect(),
        job: job_view,
    }
}

/// Who did what of these tasks.
fn shares(view: &View, tasks: &[&Task]) -> Vec<WorkerShare> {
    let mut shares: BTreeMap<u64, WorkerShare> = BTreeMap::new();
    for attempt in tasks.iter().filter_map(|task| task.succeeded()) {
        let worker = attempt.worker;
        let share = shares.entry(worker.0).or_insert_with(|| WorkerShare {
            worker: worker.0,
            name: view
                .pool
                .worker(worker)
                .map_or_else(|| format!("worker {worker}"), |worker| worker.profile.name.clone()),
            tasks: 0,
            frames: 0,
            bytes: 0,
            cpu_millis: 0,
        });
        share.tasks += 1;
        share.bytes += attempt.output.as_ref().map_or(0, |blob| blob.size);
        if let Some(observed) = &attempt.observed {
            share.cpu_millis = share.cpu_millis.saturating_add(observed.cpu_millis);
        }
    }
    for task in tasks.iter().filter(|task| task.is_part()) {
        let Some(attempt) = task.succeeded() else { continue };
        // What was made in one piece is counted where it is checked.
        let teller = if task.kind == TaskKind::Whole {
            tasks.iter().find(|task| task.kind == TaskKind::Merge)
        } else {
            Some(task)
        };
        let told = teller.and_then(|task| task.succeeded()?.observed.as_ref()?.frames.as_ref());
        if let (Some(share), Some(frames)) = (shares.get_mut(&attempt.worker.0), told) {
            share.frames = share.frames.saturating_add(frames.count);
        }
    }
    let mut shares: Vec<WorkerShare> = shares.into_values().collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.cpu_millis));
    shares
}

/// A worker.
pub(crate) fn worker_view(view: &View, traffic: &Traffic, worker: &Worker) -> WorkerView {
    let counters = traffic.of(worker.id);
    let source_bytes_fetched = counters.read(Cargo::Source);
    let (state, reason) = match &worker.state {
        WorkerState::Active => ("active", None),
        WorkerState::Draining => ("draining", None),
        WorkerState::Paused => ("paused", None),
        WorkerState::TakenOut { reason } => ("taken_out", Some(reason.clone())),
        WorkerState::SignedOff => ("signed_off", None),
    };
    let profile = &worker.profile;
    WorkerView {
        id: worker.id.0,
        name: profile.name.clone(),
        state: state.to_owned(),
        reason,
        idle_because: idle_because(view, worker),
        online: worker.state != WorkerState::SignedOff
            && view.leases.is_present(worker.id, view.now),
        last_seen_at: view.leases.last_seen(worker.id),
        resting_until: view.leases.resting_until(worker.id, view.now),
        version: profile.version.clone(),
        slots: profile.slots,
        cores: profile.cores,
        memory_bytes: profile.memory_bytes,
        encoders: profile.encoders.clone(),
        ffmpeg_version: profile.ffmpeg_version.clone(),
        platform: profile.platform.clone(),
        running: u32::try_from(worker.running.len()).unwrap_or(u32::MAX),
        succeeded: worker.succeeded,
        failed: worker.failed,
        bytes_fetched: source_bytes_fetched + counters.read(Cargo::Part),
        source_bytes_fetched,
        bytes_delivered: counters.read(Cargo::Output),
        work: worker.running.iter().filter_map(|attempt| work_view(view, *attempt)).collect(),
    }
}

/// Why a worker that is in order gets nothing: people would look for a fault elsewhere.
fn idle_because(view: &View, worker: &Worker) -> Option<String> {
    let present = view.leases.is_present(worker.id, view.now);
    let job =
        schedule::kept_from(&view.pool, &view.leases, view.now, worker).filter(|_| present)?;
    Some(format!(
        "its {} (ffmpeg {}) would make segments that do not fit those of job {}: another build of the encoder makes \
         them",
        job.film_encoder().unwrap_or("encoder"),
        worker.profile.ffmpeg_version,
        job.id
    ))
}

fn work_view(view: &View, id: AttemptId) -> Option<WorkView> {
    let task = view.pool.task(id.task)?;
    let job = view.pool.job(task.job)?;
    let speed = view.leases.get(id).map_or(0, |lease| lease.speed_millifps);
    Some(WorkView {
        job: job.id.0,
        job_name: job.name.clone(),
        task: task.id.0,
        kind: task_kind(task.kind).to_owned(),
        segment: index_of(task.kind),
        started_at: task.attempt(id.number)?.started_at,
        frames_per_second: thousandths(speed),
    })
}
