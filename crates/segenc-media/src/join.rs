//! Makes the output: joins the segments with the other streams, then has it verified.
//!
//! Must not know how each check is made.

use std::collections::{BTreeMap, BTreeSet};

use segenc_core::failure::FailureKind;
use segenc_core::plan::Origin;
use segenc_core::pool::task::Observed;
use segenc_core::source::StreamKind;
use segenc_core::work::{Join, MergeFrom, MergeWork};
use tracing::Instrument as _;

use crate::attempt::{Attempt, Made, MediaInput, WorkError};
use crate::calls::Call;
use crate::colours;
use crate::ffmpeg_log::Reading;
use crate::invocation::{self, Holder, Invocation, Joined, PartFacts};
use crate::observe::{self, MadeFile, MadeStream};
use crate::spans;
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
            let output = MediaInput::File(path.clone());
            let verified = verify::verify(attempt, inputs.get(&0), &output, work);
            let verified = verified.instrument(spans::verify()).await?;
            let observed =
                Observed { cpu_millis: cpu_millis.saturating_add(verified.cpu_millis), ..verified };
            Ok(Made { path, observed })
        }
        MergeFrom::WholeTitle(number) => {
            let output = input(inputs, *number)?;
            let verified = verify::verify(attempt, inputs.get(&0), output, work);
            let observed = verified.instrument(spans::verify()).await?;
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
    write(attempt, invocation::SEGMENTS_NAME, &invocation::repeated(join, &list)).await?;

    let film = film_of(attempt, &segments).await?;
    let rate_file = rate_file(attempt, join, film.as_ref()).await?;
    let list = rate_file.map_or_else(|| list.clone(), |name| invocation::list_after(&name, &list));
    write(attempt, invocation::JOINED_NAME, &list).await?;

    let facts = part_facts(attempt, work, join, source, film.as_ref(), others).await?;
    let joined = Joined { work, join, source, others, facts: &facts };
    let invocation = joined.invocation();
    let call = Call { attempt, invocation: &invocation, reading: Reading::Made, what: WHAT };
    Ok(call.run().await?.cpu_millis)
}

/// Formats whose parameter sets, which are compared as soon as a segment is there, tell the size of pictures.
const TELL_THEIR_SIZE: [&str; 3] = ["h264", "hevc", "av1"];

/// The film as its first segment has it. A source may change its size in the middle; made in one go, all
/// pictures then get the size of the first.
async fn film_of(
    attempt: &Attempt<'_>,
    segments: &[&MediaInput],
) -> Result<Option<MadeStream>, WorkError> {
    let mut film: Option<MadeStream> = None;
    for (number, segment) in segments.iter().enumerate() {
        let file = observe::look(attempt, None, segment).await?;
        let mut seen = file.streams.into_iter().next();
        if let Some(seen) = &mut seen {
            seen.told = file.format.told.segenc_colours;
        }
        match (&film, seen) {
            (Some(film), Some(seen)) if film.shape() != seen.shape() => {
                let (first, this) = (film.shape(), seen.shape());
                return Err(WorkError::failed(
                    FailureKind::Mismatch,
                    "size-changes",
                    format!("the pictures change from {first} to {this} at segment {number}"),
                ));
            }
            (Some(_), _) => {}
            (None, seen) => film = seen,
        }
        let told = film.as_ref().is_none_or(|f| TELL_THEIR_SIZE.contains(&f.codec_name.as_str()));
        if told {
            break;
        }
    }
    Ok(film)
}

async fn write(attempt: &Attempt<'_>, name: &str, text: &str) -> Result<(), WorkError> {
    let path = attempt.scratch.join(name);
    let written = tokio::fs::write(&path, text).await;
    written.map_err(|error| WorkError::scratch("write", &path, &error))
}

/// Makes the file that tells the frame rate, and answers its name; none where the rate needs none or cannot be told.
///
/// # Errors
/// When it cannot be made: without it the header would name a rate that was guessed, which is another file.
async fn rate_file(
    attempt: &Attempt<'_>,
    join: &Join,
    film: Option<&MadeStream>,
) -> Result<Option<String>, WorkError> {
    let Some(film) = film else { return Ok(None) };
    let holder = Holder::of_codec(&film.codec_name);
    let Some((invocation, name)) = Invocation::rate_file(join, holder) else { return Ok(None) };
    (Call { attempt, invocation: &invocation, reading: Reading::Made, what: WHAT }).run().await?;
    Ok(Some(name))
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
                    let ahead = 1_000_000 * invocation::ahead_seconds(&work.container);
                    let stream = encoded.iter().find(|stream| stream.index == number);
                    if let Some((end, timebase)) =
                        stream.and_then(|stream| stream.end_micros().zip(stream.timebase()))
                    {
                        facts.ends.insert(position, timebase.ticks(end.saturating_sub(ahead)));
                    }
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
    let stream = join.film.stream;
    facts.rounded_sound = rounded_sound(work, &original);
    if !facts.rounded_sound.is_empty() {
        let rounded = seen_rounded(attempt, work, source, stream, &facts.rounded_sound).await?;
        facts.rounded_sound = rounded;
    }
    let original = original.iter().find(|stream| stream.index == join.film.stream);
    if let (Some(film), Some(original)) = (film, original) {
        nothing_lost(&work.container, film, original)?;
    }
    let first = observe::first_picture(attempt, &work.demuxer, source, stream).await?;
    let shown = first.as_ref().or(original.map(|original| &original.picture));
    facts.colours = match film.and_then(|film| film.told.as_ref()) {
        Some(told) => colours::as_told(told),
        None => colours::guessed(film.map(|film| &film.picture), shown),
    };
    Ok(facts)
}

/// What streams say of themselves beside their packets and what their encoders keep of it, but some
/// containers of segments cannot.
const SIDE_DATA: [&str; 5] = [
    "Mastering display metadata",
    "Content light level metadata",
    "Stereo 3D",
    "Spherical Mapping",
    "DOVI configuration record",
];

/// Whether everything that the source says of the film has come through the container of the segments.
fn nothing_lost(
    container: &str,
    film: &MadeStream,
    original: &MadeStream,
) -> Result<(), WorkError> {
    // MP4 takes the others only if it is not strict; then the segments need not have them.
    let kept = if matches!(container, "matroska" | "webm") { SIDE_DATA.len() } else { 2 };
    let lost = SIDE_DATA[..kept].iter().find(|name| original.tells(name) && !film.tells(name));
    match lost {
        None => Ok(()),
        Some(name) => Err(WorkError::failed(
            FailureKind::Mismatch,
            "side-data-lost",
            format!("segments in {} cannot carry the film's {name}", film.codec_name),
        )),
    }
}

/// Copied sound that MP4 would time more finely than its source does.
fn rounded_sound(work: &MergeWork, source: &[MadeStream]) -> BTreeSet<usize> {
    if !matches!(work.container.as_str(), "mp4" | "mov" | "ipod") {
        return BTreeSet::new();
    }
    let copied = work.streams.iter().enumerate().filter(|(_, merged)| {
        merged.kind == StreamKind::Audio && merged.stream.origin == Origin::Copied
    });
    let rounded = copied.filter_map(|(position, merged)| {
        let stream = source.iter().find(|stream| stream.index == merged.stream.source_stream)?;
        let (timebase, samples) = (stream.timebase()?, stream.sample_rate()?);
        let coarse = timebase.num() == 1 && timebase.den() < samples;
        coarse.then_some(position)
    });
    rounded.collect()
}

/// Those of the sounds that plain ffmpeg rounds: it does so (5.1) with streams of which it has seen a packet
/// before the film's first picture was decoded, since its muxer's ticks are not known until then. So that far
/// it is tried.
async fn seen_rounded(
    attempt: &Attempt<'_>,
    work: &MergeWork,
    source: &MediaInput,
    film: u32,
    sounds: &BTreeSet<usize>,
) -> Result<BTreeSet<usize>, WorkError> {
    let source_streams: Vec<u32> = sounds
        .iter()
        .filter_map(|position| work.streams.get(*position))
        .map(|merged| merged.stream.source_stream)
        .collect();
    let (invocation, name) =
        Invocation::begun_like_plain(&work.demuxer, source, film, &source_streams);
    let call = Call { attempt, invocation: &invocation, reading: Reading::Made, what: WHAT };
    if WorkError::or_nothing(call.run().await)?.is_none() {
        // A damaged beginning: most files have sound there.
        return Ok(sounds.clone());
    }
    let begun = MediaInput::File(attempt.scratch.join(name));
    let file = observe::look(attempt, None, &begun).await?;
    let made: Vec<&MadeStream> =
        file.streams.iter().filter(|stream| stream.codec_type == "audio").collect();
    let original = observe::look(attempt, Some(&work.demuxer), source).await?.streams;
    let mut rounded = BTreeSet::new();
    // A sound without a packet so far has no track: which one it is cannot be told any more.
    if made.len() != source_streams.len() {
        return Ok(rounded);
    }
    for ((position, source_stream), stream) in sounds.iter().zip(&source_streams).zip(made) {
        let coarse = original.iter().find(|one| one.index == *source_stream);
        let coarse = coarse.and_then(MadeStream::timebase);
        let (Some(coarse), Some(fine)) = (coarse, stream.timebase()) else { continue };
        let demuxer = &file.format.format_name;
        let seen = observe::see_packets(attempt, demuxer, &begun, stream.index).await?;
        let mut times = seen.packets.iter().filter_map(|packet| packet.pts);
        if times.all(|pts| coarse.rescale(fine.rescale(pts, coarse), fine) == pts) {
            rounded.insert(*position);
        }
    }
    Ok(rounded)
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

fn input(inputs: &BTreeMap<u32, MediaInput>, number: u32) -> Result<&MediaInput, WorkError> {
    inputs.get(&number).ok_or_else(|| {
        let message = format!("merging: input {number} was not handed in");
        WorkError::failed(FailureKind::Worker, "input-missing", message)
    })
}
