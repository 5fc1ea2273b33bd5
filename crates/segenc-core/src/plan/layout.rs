//! Which streams the output has, in which order, and who makes each: ffmpeg's `-map`, `-c` and `-an`
//! applied to the source's streams. Knows nothing of packets and segments.

use super::codecs::{codec_of, copies};
use super::error::kind_word;
use super::{Origin, OutputStream, PlanError};
use crate::source::{SourceFacts, StreamFacts, StreamKind};
use crate::spec::{JobSpec, StreamMap, StreamSelector, VideoSpec};

/// Streams named in a message: enough to see what is there, few enough to be read.
const LISTED_STREAMS: usize = 12;

/// The streams of the output.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) streams: Vec<OutputStream>,
    /// The first film's index in the source.
    pub(super) film: Option<u32>,
    /// How many films are encoded, the first one included.
    pub(super) encoded_films: u32,
    /// How many streams are encoded beside the first film.
    pub(super) encoded_others: u32,
}

/// Lays out the streams of the output.
pub(super) fn lay_out(spec: &JobSpec, facts: &SourceFacts) -> Result<Layout, PlanError> {
    let mut chosen = if spec.maps.is_empty() {
        by_default(&spec.container, facts)
    } else {
        by_maps(spec, facts)?
    };
    chosen.retain(|stream| !is_dropped(spec, stream.kind));
    if chosen.is_empty() {
        return Err(PlanError::NothingLeft { streams: list(facts) });
    }
    if let Some(refused) = chosen.iter().find(|stream| !holds(&spec.container, stream)) {
        return Err(PlanError::ContainerRefuses {
            container: spec.container.clone(),
            stream: refused.index,
            kind: kind_word(refused.kind),
        });
    }
    let layout = assign(spec, &chosen);
    let copied = chosen.iter().zip(&layout.streams);
    for (stream, _) in copied.filter(|(_, output)| output.origin == Origin::Copied) {
        if stream.kind == StreamKind::Subtitle && !copies(&spec.container, &stream.codec) {
            return Err(PlanError::SubtitleRefused {
                container: spec.container.clone(),
                stream: stream.index,
                codec: stream.codec.clone(),
            });
        }
    }
    Ok(layout)
}

/// All streams that the container can hold, in the source's order.
fn by_default<'a>(container: &str, facts: &'a SourceFacts) -> Vec<&'a StreamFacts> {
    facts
        .streams
        .iter()
        .filter(|stream| stream.kind != StreamKind::Data && holds(container, stream))
        .collect()
}

/// Whether the container can hold a stream of this kind at all; which codecs it takes is the muxer's
/// to say.
fn holds(container: &str, stream: &StreamFacts) -> bool {
    match stream.kind {
        StreamKind::Video => container != "webm" || !stream.attached_picture(),
        StreamKind::Audio | StreamKind::Subtitle => true,
        StreamKind::Attachment => !matches!(container, "mp4" | "mov" | "ipod" | "webm"),
        StreamKind::Data => !matches!(container, "matroska" | "webm"),
    }
}

fn is_dropped(spec: &JobSpec, kind: StreamKind) -> bool {
    spec.dropped_kinds.contains(&kind)
        || (kind == StreamKind::Video && spec.video == VideoSpec::Drop)
}

/// Applies the maps in order, as ffmpeg does: one that adds appends its streams, even a second time;
/// one that takes away undoes what earlier ones added.
fn by_maps<'a>(spec: &JobSpec, facts: &'a SourceFacts) -> Result<Vec<&'a StreamFacts>, PlanError> {
    let mut chosen: Vec<&StreamFacts> = Vec::new();
    let mut added = false;
    for map in &spec.maps {
        let fitting = fitting(&map.selector, facts);
        if map.negative {
            if !added && !map.optional {
                return Err(PlanError::NothingToTakeAway { map: spell(map) });
            }
            chosen.retain(|stream| fitting.iter().all(|fits| fits.index != stream.index));
        } else if fitting.is_empty() && !map.optional {
            return Err(PlanError::NoSuchStream { map: spell(map), streams: list(facts) });
        } else {
            chosen.extend(fitting);
            added = true;
        }
    }
    Ok(chosen)
}

/// The streams that a selector names, in the source's order.
fn fitting<'a>(selector: &StreamSelector, facts: &'a SourceFacts) -> Vec<&'a StreamFacts> {
    let streams = facts.streams.iter();
    match selector {
        StreamSelector::All => streams.collect(),
        StreamSelector::Index(index) => streams.filter(|stream| stream.index == *index).collect(),
        StreamSelector::Kind(kind, position) => {
            pick(streams.filter(|stream| stream.kind == *kind), *position)
        }
        StreamSelector::Film(position) => pick(streams.filter(|stream| is_film(stream)), *position),
        StreamSelector::Tag(key, value) => {
            streams.filter(|stream| has_tag(stream, key, value.as_deref())).collect()
        }
    }
}

/// All of them, or the one at the position.
fn pick<'a>(
    streams: impl Iterator<Item = &'a StreamFacts>,
    position: Option<u32>,
) -> Vec<&'a StreamFacts> {
    match position {
        None => streams.collect(),
        Some(position) => streams.skip(position as usize).take(1).collect(),
    }
}

fn is_film(stream: &StreamFacts) -> bool {
    stream.kind == StreamKind::Video && !stream.attached_picture()
}

/// Only the two tags that the analysis reports can fit.
fn has_tag(stream: &StreamFacts, key: &str, value: Option<&str>) -> bool {
    let tag = if key.eq_ignore_ascii_case("language") {
        &stream.language
    } else if key.eq_ignore_ascii_case("title") {
        &stream.title
    } else {
        &None
    };
    tag.as_deref().is_some_and(|tag| value.is_none_or(|value| value == tag))
}

/// Says for each chosen stream who makes its packets.
fn assign(spec: &JobSpec, chosen: &[&StreamFacts]) -> Layout {
    let mut layout = Layout {
        streams: Vec::with_capacity(chosen.len()),
        film: None,
        encoded_films: 0,
        encoded_others: 0,
    };
    for (place, stream) in chosen.iter().enumerate() {
        let earlier = chosen[..place].iter().filter(|other| other.kind == stream.kind).count();
        let encoded = is_encoded(spec, stream, earlier);
        let first_film = is_film(stream) && layout.film.is_none();
        if first_film {
            layout.film = Some(stream.index);
        }
        let encodes_film = match &spec.video {
            VideoSpec::Encode(_) => true,
            VideoSpec::Copy | VideoSpec::Drop => false,
        };
        let origin = if first_film && encodes_film {
            Origin::Film
        } else if encoded && !first_film {
            layout.encoded_others += 1;
            Origin::Encoded(layout.encoded_others - 1)
        } else {
            Origin::Copied
        };
        if is_film(stream) && origin != Origin::Copied {
            layout.encoded_films += 1;
        }
        layout.streams.push(OutputStream { source_stream: stream.index, origin });
    }
    layout
}

/// Whether a stream beside the first film is encoded. `position` counts the output's earlier streams
/// of its kind.
fn is_encoded(spec: &JobSpec, stream: &StreamFacts, position: usize) -> bool {
    let position = u32::try_from(position).unwrap_or(u32::MAX);
    match (codec_of(spec, stream, position), stream.kind) {
        (_, StreamKind::Attachment | StreamKind::Data) => false,
        (Some(codec), StreamKind::Video | StreamKind::Audio | StreamKind::Subtitle) => {
            codec != "copy"
        }
        // What is said of the film holds for every film; cover pictures stay as they are.
        (None, StreamKind::Video) => {
            is_film(stream)
                && match &spec.video {
                    VideoSpec::Encode(_) => true,
                    VideoSpec::Copy | VideoSpec::Drop => false,
                }
        }
        (None, StreamKind::Audio | StreamKind::Subtitle) => false,
    }
}

/// A map as ffmpeg spells it.
fn spell(map: &StreamMap) -> String {
    let letter = |kind| match kind {
        StreamKind::Video => "v",
        StreamKind::Audio => "a",
        StreamKind::Subtitle => "s",
        StreamKind::Attachment => "t",
        StreamKind::Data => "d",
    };
    let at = |position: &Option<u32>| position.map_or(String::new(), |place| format!(":{place}"));
    let selector = match &map.selector {
        StreamSelector::All => String::new(),
        StreamSelector::Index(index) => format!(":{index}"),
        StreamSelector::Kind(kind, position) => format!(":{}{}", letter(*kind), at(position)),
        StreamSelector::Film(position) => format!(":V{}", at(position)),
        StreamSelector::Tag(key, None) => format!(":m:{key}"),
        StreamSelector::Tag(key, Some(value)) => format!(":m:{key}:{value}"),
    };
    format!("{}0{selector}", if map.negative { "-" } else { "" })
}

/// The source's streams for a message: `0 video h264, 1 audio aac (eng)`.
fn list(facts: &SourceFacts) -> String {
    if facts.streams.is_empty() {
        return "no streams".into();
    }
    let mut words: Vec<String> = facts
        .streams
        .iter()
        .take(LISTED_STREAMS)
        .map(|stream| {
            let kind = if stream.attached_picture() { "cover" } else { kind_word(stream.kind) };
            let language =
                stream.language.as_ref().map_or(String::new(), |code| format!(" ({code})"));
            format!("{} {kind} {}{language}", stream.index, stream.codec)
        })
        .collect();
    if facts.streams.len() > LISTED_STREAMS {
        words.push(format!("{} more", facts.streams.len() - LISTED_STREAMS));
    }
    words.join(", ")
}
