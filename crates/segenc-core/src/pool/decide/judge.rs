//! Whether what came out is what the plan says. It looks only at what workers observed; the bytes were
//! checked against their digest before.

use crate::failure::{Failure, FailureKind};
use crate::plan::Frames;
use crate::pool::job::Job;
use crate::pool::task::{Observed, Task, TaskKind};

/// Reason: a segment's frames are not those that were planned.
pub(super) const REASON_SEGMENT_MISMATCH: &str = "segment-mismatch";
/// Reason: the encoder's parameter sets are not those of the other segments.
pub(in crate::pool) const REASON_ENCODER_DIFFERS: &str = "encoder-differs";
/// Reason: a worker told no size of what it was to weigh.
pub(super) const REASON_NOT_WEIGHED: &str = "not-weighed";
/// Reason: the finished output did not pass its checks.
pub(super) const REASON_OUTPUT_MISMATCH: &str = "output-mismatch";

pub(super) enum Verdict {
    Good,
    Bad(Failure),
}

/// Whether the failure was found here, and not reported by the worker.
pub(super) fn is_ours(failure: &Failure) -> bool {
    [REASON_SEGMENT_MISMATCH, REASON_ENCODER_DIFFERS, REASON_NOT_WEIGHED, REASON_OUTPUT_MISMATCH]
        .contains(&failure.reason.as_str())
}

pub(super) fn judge(job: &Job, task: &Task, observed: &Observed) -> Verdict {
    match task.kind {
        TaskKind::Analysis | TaskKind::OtherStreams => Verdict::Good,
        TaskKind::Segment(index) | TaskKind::Retake(index) => segment(job, index, observed),
        TaskKind::Measure(index) => {
            frames(job, index, observed).map_or(Verdict::Good, Verdict::Bad)
        }
        TaskKind::Weigh => weighed(observed),
        TaskKind::Whole => checks(observed),
        TaskKind::Merge => merge(job, observed),
    }
}

/// What is wrong with the frames of a segment, if anything is.
fn frames(job: &Job, index: u32, observed: &Observed) -> Option<Failure> {
    let mismatch = |message| failure(FailureKind::Mismatch, REASON_SEGMENT_MISMATCH, message);
    let Some(planned) = usize::try_from(index).ok().and_then(|index| job.segments.get(index))
    else {
        return Some(mismatch("it is not in the plan".to_owned()));
    };
    match &observed.frames {
        None => Some(mismatch(format!("nobody counted the frames of segment {index}"))),
        Some(seen) if *seen != planned.expected => Some(mismatch(format!(
            "segment {index} came out as {}, but {} were planned",
            describe(seen),
            describe(&planned.expected)
        ))),
        Some(_) => None,
    }
}

fn segment(job: &Job, index: u32, observed: &Observed) -> Verdict {
    if let Some(failure) = frames(job, index, observed) {
        return Verdict::Bad(failure);
    }
    match &job.parameter_sets {
        Some(first) if first.sha256 != observed.extradata_sha256 => {
            let message = format!(
                "the encoder wrote other parameter sets for segment {index} than for the first \
                 finished one: another version or build of it?"
            );
            bad(FailureKind::Worker, REASON_ENCODER_DIFFERS, message)
        }
        Some(_) | None => Verdict::Good,
    }
}

fn merge(job: &Job, observed: &Observed) -> Verdict {
    if job.is_split()
        && let Some(seen) = &observed.frames
    {
        let planned: u64 = job.segments.iter().map(|segment| segment.expected.count).sum();
        if seen.count != planned {
            let message =
                format!("the output has {} frames, but {planned} were planned", seen.count);
            return bad(FailureKind::Mismatch, REASON_OUTPUT_MISMATCH, message);
        }
    }
    checks(observed)
}

fn checks(observed: &Observed) -> Verdict {
    match observed.checks.iter().find(|check| !check.passed) {
        Some(check) => {
            let message = format!("the check of {} did not hold: {}", check.name, check.detail);
            bad(FailureKind::Mismatch, REASON_OUTPUT_MISMATCH, message)
        }
        None => Verdict::Good,
    }
}

fn describe(frames: &Frames) -> String {
    format!("{} frames with pts {} to {}", frames.count, frames.first_pts, frames.last_pts)
}

/// Nothing but its weight comes of it.
fn weighed(observed: &Observed) -> Verdict {
    match observed.media_bytes {
        Some(_) => Verdict::Good,
        None => {
            let message = "nobody weighed the copied streams".to_owned();
            bad(FailureKind::Worker, REASON_NOT_WEIGHED, message)
        }
    }
}

fn bad(kind: FailureKind, reason: &str, message: String) -> Verdict {
    Verdict::Bad(failure(kind, reason, message))
}

fn failure(kind: FailureKind, reason: &str, message: String) -> Failure {
    Failure { kind, reason: reason.to_owned(), message, log_tail: String::new() }
}
