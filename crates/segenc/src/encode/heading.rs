//! What is told before the work: the source, what becomes of it, and how.
//!
//! Only words: what is in the source was looked up before.

use segenc_core::plan::{DecodedFrom, PlanHeader, Planner, Way, codec_of};
use segenc_core::source::{SourceFacts, StreamFacts, StreamKind};
use segenc_core::spec::VideoSpec;

use super::Wish;
use crate::halt::Halt;
use crate::inspection;
use crate::places::name_of;
use crate::quantities::{bytes, clock, counted};
use crate::terminal;

/// Says what will happen. Refuses what cannot be made of this source.
pub(crate) fn tell(wish: &Wish, facts: &SourceFacts) -> Result<(), Halt> {
    let planner =
        Planner::new(&wish.spec, facts).map_err(|error| inspection::plan_refused(&error))?;
    let encoder = match &wish.spec.video {
        VideoSpec::Encode(video) => video.encoder.clone(),
        VideoSpec::Copy => "video copied".to_owned(),
        VideoSpec::Drop => "no video".to_owned(),
    };
    if wish.voice.json {
        let line = serde_json::json!({
            "event": "source",
            "name": name_of(&wish.source),
            "size": facts.size,
            "container": facts.demuxer,
            "duration_millis": facts.duration_micros.map(|micros| micros / 1000),
            "streams": facts.streams,
            "encoder": encoder,
        });
        terminal::result(&line.to_string());
    }
    if wish.voice.json || wish.voice.quiet {
        return Ok(());
    }
    terminal::say(&format!("source   {}: {}", name_of(&wish.source), describe(facts)));
    let way = match &planner.header().way {
        Way::Segments => {
            let length = planner.header().target_millis / 1000;
            match &planner.header().decoded_from {
                DecodedFrom::Source => format!("in segments of about {length} s"),
                DecodedFrom::Copy { reason } => {
                    format!("in segments of about {length} s of a copy: {reason}")
                }
            }
        }
        Way::Whole { reason } => format!("in one piece: {reason}"),
    };
    let name = name_of(wish.output.path());
    terminal::say(&format!("output   {name}: {}, {encoder}, {way}", wish.spec.container));
    if let Some(note) = converted_subtitles(wish, facts, planner.header()) {
        terminal::say(&note);
    }
    Ok(())
}

/// Subtitles that nobody asked to convert, but that the container does not hold as they are.
fn converted_subtitles(wish: &Wish, facts: &SourceFacts, header: &PlanHeader) -> Option<String> {
    let spec = &wish.spec;
    let unasked = spec.codecs.iter().all(|choice| choice.kind != StreamKind::Subtitle);
    let subtitles = header.layout.iter().filter_map(|output| {
        facts.streams.iter().find(|stream| stream.index == output.source_stream)
    });
    let converted = subtitles
        .filter(|stream| unasked && stream.kind == StreamKind::Subtitle)
        .find_map(|stream| Some((&stream.codec, codec_of(spec, stream, 0)?)))?;
    let (from, to) = converted;
    Some(format!("note     {} holds no {from}: such subtitles become {to}", spec.container))
}

/// A source in one line: `mkv, 1:30:00, 4.2 GB, h264 1920x1080, 2 audio, 3 subtitle`.
fn describe(facts: &SourceFacts) -> String {
    let container = facts.demuxer.split(',').next().unwrap_or(&facts.demuxer);
    let mut parts = vec![container.to_owned()];
    if let Some(micros) = facts.duration_micros.and_then(|micros| u64::try_from(micros).ok()) {
        // Whole seconds, as players show them.
        parts.push(clock(micros / 1_000_000 * 1000));
    }
    parts.push(bytes(facts.size));
    parts.extend(facts.streams.iter().filter_map(describe_film));
    for (kind, noun) in [
        (StreamKind::Audio, "audio stream"),
        (StreamKind::Subtitle, "subtitle"),
        (StreamKind::Attachment, "attachment"),
        (StreamKind::Data, "data stream"),
    ] {
        let count = facts.streams.iter().filter(|stream| stream.kind == kind).count();
        if count > 0 {
            parts.push(counted(u64::try_from(count).unwrap_or(u64::MAX), noun));
        }
    }
    if facts.chapters > 0 {
        parts.push(counted(u64::from(facts.chapters), "chapter"));
    }
    parts.join(", ")
}

fn describe_film(stream: &StreamFacts) -> Option<String> {
    let video = stream.video.as_ref().filter(|_| !stream.attached_picture())?;
    Some(format!("{} {}x{} {}", stream.codec, video.width, video.height, video.pixel_format))
}
