//! Encodes: one segment, the streams beside the film, or the whole title; and looks at what came out.
//!
//! Must not know how the parts are joined.

use segenc_core::failure::{Failure, FailureKind};
use segenc_core::pool::task::Observed;
use segenc_core::source::StreamKind;
use segenc_core::spec::OutputOption;
use segenc_core::work::{SegmentWork, StreamsWork, segment_bias};
use tracing::Instrument as _;

use crate::attempt::{Attempt, Made, MediaInput, WorkError};
use crate::calls::Call;
use crate::colours;
use crate::ffmpeg_log::{self, Reading};
use crate::invocation::{self, Holder, Invocation, output_name};
use crate::notes;
use crate::{observe, parameter_sets, probe, spans};

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
    let mut invocation = Invocation::segment(work, source, attempt.encode_threads);
    if let Some(tag) = colours::tag(attempt, source, work).await? {
        invocation = invocation.with_tag(Holder::of_encoder(&work.encoder), colours::TAG, &tag);
    }
    let cpu_millis = run_segment(attempt, &invocation, &what).await?;
    observe_segment(attempt, work, &what, cpu_millis).instrument(spans::verify()).await
}

/// Encodes a segment at the quality of its options to see how large it gets; what it leaves are the encoder's
/// notes, packed.
///
/// # Errors
/// As [`encode_segment`].
pub async fn measure_segment(
    attempt: &Attempt<'_>,
    source: &MediaInput,
    work: &SegmentWork,
) -> Result<Made, WorkError> {
    let what = format!("measuring segment {}", work.index);
    let invocation = Invocation::segment(work, source, attempt.encode_threads);
    let cpu_millis = run_segment(attempt, &invocation, &what).await?;
    let made =
        observe_segment(attempt, work, &what, cpu_millis).instrument(spans::verify()).await?;
    let folder = attempt.scratch.to_owned();
    let packed = blocking(move || notes::pack(&folder)).await;
    let path =
        packed.map_err(|error| WorkError::scratch("pack notes in", attempt.scratch, &error))?;
    Ok(Made { path, ..made })
}

/// Encodes a segment by the second of two passes, with the notes of the first.
///
/// # Errors
/// `notes-unreadable` where the notes are none, otherwise as [`encode_segment`].
pub async fn encode_noted(
    attempt: &Attempt<'_>,
    source: &MediaInput,
    notes: &MediaInput,
    work: &SegmentWork,
) -> Result<Made, WorkError> {
    unpack(attempt, work, notes).await?;
    encode_segment(attempt, source, work).await
}

async fn unpack(
    attempt: &Attempt<'_>,
    work: &SegmentWork,
    notes: &MediaInput,
) -> Result<(), WorkError> {
    let unreadable = |why: String| {
        let message = format!("encoding segment {}: its notes cannot be read: {why}", work.index);
        WorkError::failed(FailureKind::Transient, "notes-unreadable", message)
    };
    let archive = match notes {
        MediaInput::File(path) => path.clone(),
        MediaInput::Url(_) => return Err(unreadable("they were not fetched".to_owned())),
    };
    let folder = attempt.scratch.to_owned();
    let unpacked = blocking(move || notes::unpack(&archive, &folder)).await;
    unpacked.map_err(|error| unreadable(error.to_string()))
}

/// Runs something that reads or writes files beside the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(std::io::Error::other(error)),
    }
}

/// Runs a pass over a segment and answers the processor time it took.
async fn run_segment(
    attempt: &Attempt<'_>,
    invocation: &Invocation,
    what: &str,
) -> Result<u64, WorkError> {
    let call = Call { attempt, invocation, reading: Reading::Source, what };
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
    Ok(finished.cpu_millis)
}

/// Looks at a segment's file, and compares it with what the plan expects.
async fn observe_segment(
    attempt: &Attempt<'_>,
    work: &SegmentWork,
    what: &str,
    cpu_millis: u64,
) -> Result<Made, WorkError> {
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
    let bytes = seen.packets.iter().map(|packet| u64::from(packet.size)).sum();
    let observed = Observed {
        frames: Some(frames),
        extradata_sha256: parameter_sets::digest(attempt, holder.demuxer(), &input, stream).await?,
        media_bytes: Some(bytes),
        cpu_millis: cpu_millis.saturating_add(seen.cpu_millis),
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

/// Finds out how many bytes streams of the source take in a file of their own. Nothing is left of it.
///
/// # Errors
/// Whatever ffmpeg meets.
pub async fn weigh(
    attempt: &Attempt<'_>,
    source: &MediaInput,
    work: &StreamsWork,
) -> Result<Observed, WorkError> {
    let made = encode_other_streams(attempt, source, work).await?;
    let size = tokio::fs::metadata(&made.path).await;
    let size = size.map_err(|error| WorkError::scratch("look at", &made.path, &error))?.len();
    Ok(Observed { media_bytes: Some(size), ..made.observed })
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
    let told = StreamsWork { options: told_of_light(attempt, source, work).await?, ..work.clone() };
    let invocation = Invocation::whole(&told, source);
    encode_streams(attempt, &invocation, work, "encoding the title").await
}

/// The options of a title made in one piece, with what its encoder is told of the film's light.
async fn told_of_light(
    attempt: &Attempt<'_>,
    source: &MediaInput,
    work: &StreamsWork,
) -> Result<Vec<OutputOption>, WorkError> {
    if !invocation::can_be_told_of_light(&work.options) {
        return Ok(work.options.clone());
    }
    let Some(facts) = WorkError::or_nothing(probe::probe(attempt, source).await)? else {
        // Whether the source cannot be read shows when it is encoded.
        return Ok(work.options.clone());
    };
    let film = facts.streams.iter().find(|stream| {
        work.source_streams.contains(&stream.index)
            && stream.kind == StreamKind::Video
            && !stream.attached_picture()
    });
    let mastering = film.and_then(|film| film.video.as_ref()).and_then(|video| video.mastering);
    Ok(invocation::told_of_light(&work.options, mastering))
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
