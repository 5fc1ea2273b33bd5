//! Streams of the source that hold nothing.
//!
//! Must not know what else is checked.

use segenc_core::failure::{Failure, FailureKind};
use segenc_core::plan::Origin;
use segenc_core::source::StreamKind;
use segenc_core::work::{MergeFrom, MergeWork};

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::observe::{self, MadeFile};

/// The work without the copied streams that have no packets in the source, if streams are missing: some
/// containers do not write such a stream at all.
pub(super) async fn without_empty_streams(
    attempt: &Attempt<'_>,
    source: Option<&MediaInput>,
    work: &MergeWork,
    file: &MadeFile,
) -> Result<MergeWork, WorkError> {
    let mut left = work.clone();
    let (false, Some(source)) = (super::streams(file, &work.streams).passed, source) else {
        return Ok(left);
    };
    left.streams.clear();
    for merged in &work.streams {
        let stream = merged.stream.source_stream;
        let copied_sound =
            merged.stream.origin == Origin::Copied && merged.kind == StreamKind::Audio;
        let empty =
            copied_sound && observe::is_empty(attempt, &work.demuxer, source, stream).await?;
        if !empty {
            left.streams.push(merged.clone());
        }
    }
    Ok(left)
}

/// Whether a film made in one piece has no packets in the source. Of what cannot be read that is not known.
pub(super) async fn film_is_empty(
    attempt: &Attempt<'_>,
    source: Option<&MediaInput>,
    work: &MergeWork,
) -> Result<bool, WorkError> {
    let film = work.streams.iter().find(|merged| {
        let cover = merged.dispositions.iter().any(|name| name == "attached_pic");
        merged.kind == StreamKind::Video && !cover
    });
    let (MergeFrom::WholeTitle(_), Some(source), Some(film)) = (&work.from, source, film) else {
        return Ok(false);
    };
    let stream = film.stream.source_stream;
    let empty = observe::is_empty(attempt, &work.demuxer, source, stream).await;
    Ok(WorkError::or_nothing(empty)?.unwrap_or(false))
}

/// What is wrong with an output is that nothing was to be put into it.
pub(super) fn no_frames(found: Failure) -> WorkError {
    WorkError::Failed(Failure {
        kind: FailureKind::Task,
        reason: "source-unreadable".to_owned(),
        message: "the film has no frames: the file may be cut off or damaged".to_owned(),
        log_tail: found.message,
    })
}
