//! Encodes: one segment, the streams beside the film, or the whole title; and looks at what came out.
//!
//! Must not know how the parts are joined.

use segenc_core::failure::{Failure, FailureKind};
use segenc_core::pool::task::Observed;
use segenc_core::work::{SegmentWork, StreamsWork, segment_bias};

use crate::attempt::{Attempt, Made, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::{self, Reading};
use crate::invocation::{Holder, Invocation, output_name};
use crate::observe;

/// Encodes the frames of a segment into a file of their own and compares them with what the plan expects.
///
/// # Errors
/// `segment-not-as-planned` where other frames came out, and whatever ffmpeg meets.
pub async fn encode_segment(
    attempt: &Attempt<'_>,
    source: &MediaInput,
    work: &SegmentWork,
) -> Result<Made, WorkError> {
    let what = format!("encoding segment {}", work.index);
    let invocation = Invocation::segment(work, source, attempt.encode_threads);
    let call = Call { attempt, invocation: &invocation, reading: Reading::Source, what: &what };
    // Whether the source cannot be read at all shows when it is made in one piece.
    let finished = call.run().await.map_err(|error| match error {
        WorkError::Failed(failure) if failure.reason == "source-unreadable" => {
            WorkError::Failed(Failure { kind: FailureKind::Mismatch, ..failure })
        }
        other => other,
    })?;
    if let Some(line) = ffmpeg_log::damage(&finished.log_tail) {
        return Err(WorkError::failed(
            FailureKind::Mismatch,
            "source-damaged",
            format!(
                "{what}: the source is damaged there (ffmpeg said: {})",
                ffmpeg_log::last_lines(line)
            ),
        ));
    }

    let holder = Holder::of_encoder(&work.encoder);
    let path = attempt.scratch.join(holder.segment_name());
    let input = MediaInput::File(path.clone());
    let file = observe::look(attempt, Some(holder.demuxer()), &input).await?;
    let seen = observe::see_packets(attempt, holder.demuxer(), &input, 0).await?;
    let mismatch = |problem: String| {
        WorkError::failed(
            FailureKind::Mismatch,
            "segment-not-as-planned",
            format!("{what}: {problem}"),
        )
    };
    let stream = file.streams.first().ok_or_else(|| mismatch("no stream came out".to_owned()))?;
    let timebase =
        stream.timebase().ok_or_else(|| mismatch("its timebase is unknown".to_owned()))?;
    let frames = observe::frames(
        &seen.packets,
        timebase,
        work.film.timebase,
        segment_bias(work.film.timebase),
    )
    .ok_or_else(|| mismatch(format!("no frames instead of {}", work.expected.count)))?;
    if let Some(difference) = observe::difference(&frames, &work.expected) {
        return Err(mismatch(difference));
    }
    if !seen.packets.first().is_some_and(|packet| packet.key) {
        return Err(mismatch("the first frame is no keyframe".to_owned()));
    }
    let observed = Observed {
        frames: Some(frames),
        extradata_sha256: stream.extradata_sha256(),
        cpu_millis: finished.cpu_millis.saturating_add(seen.cpu_millis),
        checks: Vec::new(),
    };
    Ok(Made { path, observed })
}

/// Encodes the streams beside the film, for the whole title.
///
/// # Errors
/// Whatever ffmpeg meets.
pub async fn encode_other_streams(
    attempt: &Attempt<'_>,
    source: &MediaInput,
    work: &StreamsWork,
) -> Result<Made, WorkError> {
    let invocation = Invocation::other_streams(work, source, attempt.encode_threads);
    encode_streams(attempt, &invocation, work, "encoding the other streams").await
}

/// Makes the whole output as one ffmpeg makes it.
///
/// # Errors
/// Whatever ffmpeg meets.
pub async fn encode_whole(
    attempt: &Attempt<'_>,
    source: &MediaInput,
    work: &StreamsWork,
) -> Result<Made, WorkError> {
    let invocation = Invocation::whole(work, source);
    encode_streams(attempt, &invocation, work, "encoding the title").await
}

async fn encode_streams(
    attempt: &Attempt<'_>,
    invocation: &Invocation,
    work: &StreamsWork,
    what: &str,
) -> Result<Made, WorkError> {
    let finished = Call { attempt, invocation, reading: Reading::Source, what }.run().await?;
    let path = attempt.scratch.join(output_name(&work.container));
    let observed = Observed { cpu_millis: finished.cpu_millis, ..Observed::default() };
    Ok(Made { path, observed })
}
