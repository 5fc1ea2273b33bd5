//! Makes the output: joins the segments with the other streams, then has it verified.
//!
//! Must not know how each check is made.

use std::collections::BTreeMap;

use segenc_core::failure::FailureKind;
use segenc_core::plan::Origin;
use segenc_core::pool::task::Observed;
use segenc_core::work::{Join, MergeFrom, MergeWork};

use crate::attempt::{Attempt, Made, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::Reading;
use crate::invocation::{self, Holder, Invocation, Joined, PartFacts};
use crate::observe::{self, MadeFile, MadeStream};
use crate::verify;

const WHAT: &str = "merging";

/// Makes the output from its parts and verifies it; what was made in one go is only verified, and the
/// answer names the input itself.
///
/// # Errors
/// `output-not-verified` where a check fails, and whatever ffmpeg meets.
pub async fn merge(
    attempt: &Attempt<'_>,
    inputs: &BTreeMap<u32, MediaInput>,
    work: &MergeWork,
) -> Result<Made, WorkError> {
    match &work.from {
        MergeFrom::Parts(join) => {
            let cpu_millis = mux(attempt, inputs, work, join).await?;
            let path = attempt.scratch.join(invocation::output_name(&work.container));
            let verified = verify::verify(attempt, &MediaInput::File(path.clone()), work).await?;
            let observed =
                Observed { cpu_millis: cpu_millis.saturating_add(verified.cpu_millis), ..verified };
            Ok(Made { path, observed })
        }
        MergeFrom::WholeTitle(number) => {
            let output = input(inputs, *number)?;
            let observed = verify::verify(attempt, output, work).await?;
            let path = match output {
                MediaInput::File(path) => path.clone(),
                MediaInput::Url(url) => url.into(),
            };
            Ok(Made { path, observed })
        }
    }
}

/// Writes the output and answers the processor time it took.
async fn mux(
    attempt: &Attempt<'_>,
    inputs: &BTreeMap<u32, MediaInput>,
    work: &MergeWork,
    join: &Join,
) -> Result<u64, WorkError> {
    let source = input(inputs, 0)?;
    let segments = join.segments.iter().map(|segment| input(inputs, segment.input));
    let segments: Vec<&MediaInput> = segments.collect::<Result<_, _>>()?;
    let others = join.other_streams_input.map(|number| input(inputs, number)).transpose()?;
    let list = invocation::list(join, &segments).ok_or_else(|| {
        let message =
            "merging: the path of a segment has a line break in it; choose another scratch folder";
        WorkError::failed(FailureKind::Worker, "scratch-unusable", message)
    })?;
    write(attempt, invocation::SEGMENTS_NAME, &list).await?;

    let film = match segments.first() {
        Some(segment) => observe::look(attempt, None, segment).await?.streams.into_iter().next(),
        None => None,
    };
    let rate_file = rate_file(attempt, join, film.as_ref()).await?;
    let list = rate_file.map_or_else(|| list.clone(), |name| invocation::list_after(&name, &list));
    write(attempt, invocation::JOINED_NAME, &list).await?;

    let facts = part_facts(attempt, work, join, source, film.as_ref(), others).await?;
    let joined = Joined { work, join, source, others, facts: &facts };
    let invocation = joined.invocation();
    let call = Call { attempt, invocation: &invocation, reading: Reading::Made, what: WHAT };
    Ok(call.run().await?.cpu_millis)
}

async fn write(attempt: &Attempt<'_>, name: &str, text: &str) -> Result<(), WorkError> {
    let path = attempt.scratch.join(name);
    let written = tokio::fs::write(&path, text).await;
    written.map_err(|error| WorkError::scratch("write", &path, &error))
}

/// Makes the file that tells the frame rate, and answers its name. Without it the output is as exact, but
/// its header names a rate that was guessed.
async fn rate_file(
    attempt: &Attempt<'_>,
    join: &Join,
    film: Option<&MadeStream>,
) -> Result<Option<String>, WorkError> {
    let Some(film) = film else { return Ok(None) };
    let holder = Holder::of_codec(&film.codec_name);
    let Some((invocation, name)) = Invocation::rate_file(join, holder) else { return Ok(None) };
    match (Call { attempt, invocation: &invocation, reading: Reading::Made, what: WHAT })
        .run()
        .await
    {
        Ok(_) => Ok(Some(name)),
        Err(WorkError::Canceled) => Err(WorkError::Canceled),
        Err(WorkError::Failed(failure)) => {
            tracing::warn!(
                reason = failure.reason,
                message = failure.message,
                "no frame rate for the header"
            );
            Ok(None)
        }
    }
}

/// Reads from the parts what their packets do not carry into the output.
async fn part_facts(
    attempt: &Attempt<'_>,
    work: &MergeWork,
    join: &Join,
    source: &MediaInput,
    film: Option<&MadeStream>,
    others: Option<&MediaInput>,
) -> Result<PartFacts, WorkError> {
    let mut facts = PartFacts::default();
    let mut lost = BTreeMap::new();
    let encoded = match others {
        Some(others) => {
            let file = observe::look(attempt, None, others).await?;
            lost = lost_ticks(attempt, &work.container, others, &file).await?;
            facts.others_demuxer = file.format.format_name;
            file.streams
        }
        None => Vec::new(),
    };
    for (position, merged) in work.streams.iter().enumerate() {
        let part = match merged.stream.origin {
            Origin::Film => film,
            Origin::Encoded(number) => {
                if let Some(ticks) = lost.get(&number) {
                    facts.lost_ticks.insert(position, *ticks);
                }
                encoded.iter().find(|stream| stream.index == number)
            }
            Origin::Copied => None,
        };
        if let Some(encoder) = part.and_then(MadeStream::encoder) {
            facts.encoders.insert(position, encoder.to_owned());
        }
    }
    let original = observe::look(attempt, Some(&work.demuxer), source).await?.streams;
    let original = original.iter().find(|stream| stream.index == join.film.stream);
    facts.colours = colours(film, original);
    Ok(facts)
}

/// What the times of sound lose on their way through the output's container, in ticks, by stream. Matroska's
/// demuxer takes the codec's delay away from them, which its muxer has not added (Opus, FFmpeg 5.1); the
/// file of other streams has lost it once already, where a title made in one go loses it only once.
async fn lost_ticks(
    attempt: &Attempt<'_>,
    container: &str,
    others: &MediaInput,
    file: &MadeFile,
) -> Result<BTreeMap<u32, i64>, WorkError> {
    let mut lost = BTreeMap::new();
    let demuxer = &file.format.format_name;
    for stream in file.streams.iter().filter(|stream| stream.codec_type == "audio") {
        let (invocation, name) =
            Invocation::first_packets(demuxer, others, stream.index, container);
        Call { attempt, invocation: &invocation, reading: Reading::Made, what: WHAT }.run().await?;
        let copy = MediaInput::File(attempt.scratch.join(name));
        let copied = observe::look(attempt, None, &copy).await?;
        let copied_timebase = copied.streams.first().and_then(MadeStream::timebase);
        let (Some(timebase), Some(copied_timebase)) = (stream.timebase(), copied_timebase) else {
            continue;
        };
        let before = observe::first_pts(attempt, demuxer, others, stream.index).await?;
        let after = observe::first_pts(attempt, &copied.format.format_name, &copy, 0).await?;
        if let (Some(before), Some(after)) = (before, after) {
            let ticks = before.saturating_sub(copied_timebase.rescale(after, timebase));
            if ticks != 0 {
                lost.insert(stream.index, ticks);
            }
        }
    }
    Ok(lost)
}

/// The colours of the film as options: as its stream tells them, otherwise as the source does. Not every
/// format carries them, and the containers of segments do not carry all.
fn colours(film: Option<&MadeStream>, original: Option<&MadeStream>) -> Vec<(String, String)> {
    type Field = fn(&MadeStream) -> Option<&String>;
    let all: [(&str, Field); 5] = [
        ("color_range", |stream| stream.color_range.as_ref()),
        ("colorspace", |stream| stream.color_space.as_ref()),
        ("color_trc", |stream| stream.color_transfer.as_ref()),
        ("color_primaries", |stream| stream.color_primaries.as_ref()),
        ("chroma_sample_location", |stream| stream.chroma_location.as_ref()),
    ];
    let mut options = Vec::new();
    for (name, field) in all {
        let known = |value: &&String| {
            !matches!(value.as_str(), "" | "unknown" | "unspecified" | "reserved")
        };
        let told = |stream: Option<&'_ MadeStream>| stream.and_then(field).filter(known).cloned();
        if let Some(value) = told(film).or_else(|| told(original)) {
            // ffprobe and the option call this one differently.
            let value = if value == "gbr" { "rgb".to_owned() } else { value };
            options.push((name.to_owned(), value));
        }
    }
    options
}

fn input(inputs: &BTreeMap<u32, MediaInput>, number: u32) -> Result<&MediaInput, WorkError> {
    inputs.get(&number).ok_or_else(|| {
        let message = format!("merging: input {number} was not handed in");
        WorkError::failed(FailureKind::Worker, "input-missing", message)
    })
}
