//! What workers say: themselves, what they saw, why they failed.

use segenc_core::failure::{Failure, FailureKind};
use segenc_core::ids::AttemptId;
use segenc_core::plan::Frames;
use segenc_core::pool::task::{Check, Observed};
use segenc_core::pool::worker::WorkerProfile;

use super::WireError;
use crate::grpc;

/// Longest text that a worker may send in one field; the rest is cut off.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// More slots than any machine has.
const MAX_SLOTS: u32 = 1024;
/// More encoders than any ffmpeg has.
const MAX_ENCODERS: usize = 1000;
/// More checks than any report has.
const MAX_CHECKS: usize = 200;

/// Reads what a worker says of itself.
///
/// # Errors
/// When it has no name or no slots, or claims more than is possible.
pub fn worker_profile(message: grpc::RegistrationRequest) -> Result<WorkerProfile, WireError> {
    if message.name.trim().is_empty() {
        return Err(WireError::Missing("name"));
    }
    if !(1..=MAX_SLOTS).contains(&message.slots) {
        let value = message.slots.to_string();
        return Err(WireError::Meaningless { field: "number of slots", value });
    }
    let count = message.encoders.len();
    if count > MAX_ENCODERS {
        return Err(WireError::TooMany { what: "encoders", count, limit: MAX_ENCODERS });
    }
    let mut encoders = message.encoders;
    encoders.sort();
    encoders.dedup();
    // Of encoders that it does not have, nothing is to be known.
    let trial_sets = message.trial_sets.into_iter();
    let trial_sets = trial_sets
        .filter(|(encoder, _)| encoders.binary_search(encoder).is_ok())
        .map(|(encoder, wrote)| (encoder, bounded(wrote, 64)))
        .collect();
    Ok(WorkerProfile {
        name: bounded(message.name, 200),
        version: bounded(message.version, 200),
        slots: message.slots,
        cores: message.cores,
        memory_bytes: message.memory_bytes,
        encoders,
        ffmpeg_version: bounded(message.ffmpeg_version, 200),
        platform: bounded(message.platform, 200),
        can_pause: message.can_pause,
        trial_sets,
    })
}

impl From<WorkerProfile> for grpc::RegistrationRequest {
    fn from(profile: WorkerProfile) -> Self {
        Self {
            name: profile.name,
            version: profile.version,
            slots: profile.slots,
            cores: profile.cores,
            memory_bytes: profile.memory_bytes,
            encoders: profile.encoders,
            ffmpeg_version: profile.ffmpeg_version,
            platform: profile.platform,
            can_pause: profile.can_pause,
            trial_sets: profile.trial_sets.into_iter().collect(),
        }
    }
}

/// Reads why an attempt failed.
///
/// # Errors
/// When the kind means nothing.
pub fn failure(message: grpc::FailRequest) -> Result<Failure, WireError> {
    let meaningless =
        || WireError::Meaningless { field: "failure kind", value: message.kind.to_string() };
    let kind = match grpc::FailureKind::try_from(message.kind).map_err(|_| meaningless())? {
        grpc::FailureKind::Unspecified => return Err(meaningless()),
        grpc::FailureKind::Transient => FailureKind::Transient,
        grpc::FailureKind::Worker => FailureKind::Worker,
        grpc::FailureKind::Task => FailureKind::Task,
        grpc::FailureKind::Mismatch => FailureKind::Mismatch,
    };
    Ok(Failure {
        kind,
        reason: bounded(message.reason, 100),
        message: bounded(message.message, 4096),
        log_tail: bounded(message.log_tail, MAX_TEXT_BYTES),
    })
}

/// Reads a reason for people, of bounded length.
#[must_use]
pub fn reason(text: String) -> String {
    bounded(text, 1024)
}

impl grpc::FailRequest {
    /// Says that `attempt` failed.
    #[must_use]
    pub fn new(attempt: AttemptId, failure: Failure) -> Self {
        let kind = match failure.kind {
            FailureKind::Transient => grpc::FailureKind::Transient,
            FailureKind::Worker => grpc::FailureKind::Worker,
            FailureKind::Task => grpc::FailureKind::Task,
            FailureKind::Mismatch => grpc::FailureKind::Mismatch,
        };
        Self {
            task_id: attempt.task.0,
            attempt: attempt.number.0,
            kind: kind.into(),
            reason: failure.reason,
            message: failure.message,
            log_tail: failure.log_tail,
        }
    }
}

/// Reads what a worker saw when it finished.
///
/// # Errors
/// When there are more checks than can be.
pub fn observed(message: &grpc::FinishRequest) -> Result<Observed, WireError> {
    let count = message.checks.len();
    if count > MAX_CHECKS {
        return Err(WireError::TooMany { what: "checks", count, limit: MAX_CHECKS });
    }
    Ok(Observed {
        frames: message.frames.clone().map(observed_frames),
        extradata_sha256: message.extradata_sha256.clone(),
        media_bytes: message.media_bytes,
        cpu_millis: message.cpu_millis,
        checks: message
            .checks
            .iter()
            .map(|check| Check {
                name: bounded(check.name.clone(), 200),
                passed: check.passed,
                detail: bounded(check.detail.clone(), 4096),
            })
            .collect(),
    })
}

/// Writes a finish without what only an analysis or a whole title adds.
#[must_use]
pub fn finish_request(attempt: AttemptId, observed: Observed) -> grpc::FinishRequest {
    let check =
        |check: Check| grpc::Check { name: check.name, passed: check.passed, detail: check.detail };
    grpc::FinishRequest {
        task_id: attempt.task.0,
        attempt: attempt.number.0,
        frames: observed.frames.map(Into::into),
        extradata_sha256: observed.extradata_sha256,
        cpu_millis: observed.cpu_millis,
        checks: observed.checks.into_iter().map(check).collect(),
        output_is_input: None,
        facts: None,
        packets: None,
        media_bytes: observed.media_bytes,
    }
}

/// Reads a set of frames.
#[must_use]
pub fn observed_frames(message: grpc::Frames) -> Frames {
    Frames {
        count: message.count,
        first_pts: message.first_pts,
        last_pts: message.last_pts,
        pts_sha256: message.pts_sha256,
    }
}

impl From<Frames> for grpc::Frames {
    fn from(frames: Frames) -> Self {
        Self {
            count: frames.count,
            first_pts: frames.first_pts,
            last_pts: frames.last_pts,
            pts_sha256: frames.pts_sha256,
        }
    }
}

/// Keeps the end of a text, which in a log is the part that says what went wrong.
fn bounded(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let mut from = text.len() - limit;
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text.drain(..from);
    }
    text
}

#[cfg(test)]
mod tests {
    use segenc_core::ids::{AttemptNumber, TaskId};

    use super::*;

    #[test]
    fn a_failure_survives_the_wire() {
        let attempt = AttemptId { task: TaskId(7), number: AttemptNumber(2) };
        let sent = Failure {
            kind: FailureKind::Worker,
            reason: "disk-full".to_owned(),
            message: "no space left in the scratch folder".to_owned(),
            log_tail: "av_interleaved_write_frame(): No space left on device".to_owned(),
        };
        let message = grpc::FailRequest::new(attempt, sent.clone());
        assert_eq!((message.task_id, message.attempt), (7, 2));
        assert_eq!(failure(message), Ok(sent));
    }

    #[test]
    fn an_endless_log_is_cut_at_a_character() {
        let kept = bounded("ä".repeat(MAX_TEXT_BYTES), 101);
        assert_eq!(kept.len(), 100);
    }

    #[test]
    fn a_worker_without_slots_is_refused() {
        let request = grpc::RegistrationRequest { name: "nas".to_owned(), ..Default::default() };
        assert!(worker_profile(request).is_err());
    }
}
