//! What goes wrong around the media programs, in the terms that decide what happens next.
//!
//! Each reason is a heading of `docs/failures.md`.

use std::io::{self, ErrorKind};

use segenc_core::failure::{Failure, FailureKind};

use crate::fetch::FetchError;
use crate::source_cache::Trouble;
use crate::upload::UploadError;
use crate::upstream::{UpstreamError, chain};

/// The server keeps no more of a log than this.
const LOG_TAIL_BYTES_MAX: usize = 32 * 1024;

/// A failure without a log.
pub(crate) fn failure(kind: FailureKind, reason: &str, message: impl Into<String>) -> Failure {
    let reason = reason.to_owned();
    Failure { kind, reason, message: message.into(), log_tail: String::new() }
}

/// The server lost what an analysis told it, or does not take it.
pub(crate) fn analysis_not_taken() -> Failure {
    failure(
        FailureKind::Transient,
        "analysis-not-taken",
        "the server did not take the packets of the source",
    )
}

/// The scratch folder could not be used: another worker may have a better disk.
pub(crate) fn scratch(attempted: &str, error: &io::Error) -> Failure {
    failure(
        FailureKind::Worker,
        storing_reason(error.kind()),
        format!("cannot {attempted} in the worker's scratch folder: {error}"),
    )
}

/// A source could not be read to the end.
pub(crate) fn source(trouble: &Trouble) -> Failure {
    let (kind, reason) = match trouble {
        Trouble::Interrupted(_) | Trouble::Refused(_) => {
            (FailureKind::Transient, "input-interrupted")
        }
        Trouble::Changed => (FailureKind::Task, "source-changed"),
        Trouble::Storing(kind, _) => (FailureKind::Worker, storing_reason(*kind)),
    };
    failure(kind, reason, trouble.to_string())
}

/// An input could not be fetched.
pub(crate) fn input(error: &FetchError) -> Failure {
    let (kind, reason) = match error {
        FetchError::Interrupted(_)
        | FetchError::Refused(UpstreamError::Interrupted(_) | UpstreamError::Refused(_)) => {
            (FailureKind::Transient, "input-interrupted")
        }
        FetchError::Refused(UpstreamError::Changed) | FetchError::WrongDigest { .. } => {
            (FailureKind::Transient, "input-damaged")
        }
        FetchError::Storing { source, .. } => (FailureKind::Worker, storing_reason(source.kind())),
    };
    failure(kind, reason, chain(error))
}

/// An output could not be brought to the server; `None`: nobody wants to know.
pub(crate) fn output(error: &UploadError) -> Option<Failure> {
    let (kind, reason) = match error {
        UploadError::Stale(_) | UploadError::NotKnown => return None,
        UploadError::Interrupted(_) | UploadError::Refused(_) => {
            (FailureKind::Transient, "output-interrupted")
        }
        UploadError::Damaged => (FailureKind::Transient, "output-damaged"),
        UploadError::Reading { source, .. } => (FailureKind::Worker, storing_reason(source.kind())),
    };
    Some(failure(kind, reason, chain(error)))
}

/// The failure with no more of the log than the server keeps: its end says what happened.
pub(crate) fn bounded(mut failure: Failure) -> Failure {
    let log = &failure.log_tail;
    if log.len() > LOG_TAIL_BYTES_MAX {
        let mut from = log.len() - LOG_TAIL_BYTES_MAX;
        while !log.is_char_boundary(from) {
            from += 1;
        }
        failure.log_tail = log[from..].to_owned();
    }
    failure
}

fn storing_reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => "disk-full",
        _ => "scratch-unusable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_log_is_kept_whole_characters_only() {
        let mut long = failure(FailureKind::Task, "x", "y");
        long.log_tail = format!("{}end", "ä".repeat(LOG_TAIL_BYTES_MAX));
        let short = bounded(long);
        assert!(short.log_tail.len() <= LOG_TAIL_BYTES_MAX);
        assert!(short.log_tail.ends_with("äend"));
    }

    #[test]
    fn a_full_disk_is_this_workers_fault_and_a_changed_source_the_jobs() {
        let full = source(&Trouble::Storing(ErrorKind::StorageFull, String::new()));
        assert_eq!((full.kind, full.reason.as_str()), (FailureKind::Worker, "disk-full"));
        let changed = source(&Trouble::Changed);
        assert_eq!((changed.kind, changed.reason.as_str()), (FailureKind::Task, "source-changed"));
        assert!(output(&UploadError::NotKnown).is_none());
    }
}
