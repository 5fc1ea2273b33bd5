//! How the pixels of the film are meant, on their way from the encoder into the output's header.
//!
//! Not every format says so itself, and MOV and NUT, which hold segments, do not hold all of it. Filters and
//! conversions change it, so that the source is no witness. So one picture is encoded into Matroska, which
//! holds everything, and what comes out stands as a tag in the first segment. Must not know how segments are
//! joined.

use segenc_core::work::{Pass, SegmentWork};

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::Reading;
use crate::invocation::{HEADER_NAME, Invocation};
use crate::observe::{self, Picture};

/// The tag of a segment's file.
pub(crate) const TAG: &str = "segenc_colours";

type Field = fn(&Picture) -> Option<&String>;

/// ffmpeg's options and where their values stand.
const FIELDS: [(&str, Field); 5] = [
    ("color_range", |picture| picture.color_range.as_ref()),
    ("colorspace", |picture| picture.color_space.as_ref()),
    ("color_trc", |picture| picture.color_transfer.as_ref()),
    ("color_primaries", |picture| picture.color_primaries.as_ref()),
    ("chroma_sample_location", |picture| picture.chroma_location.as_ref()),
];

/// The tag for a segment, where its file would not tell its colours by itself. `None` also where it cannot be
/// found out: the source's colours are taken then.
pub(crate) async fn tag(
    attempt: &Attempt<'_>,
    source: &MediaInput,
    work: &SegmentWork,
) -> Result<Option<String>, WorkError> {
    let only = match work.pass {
        Pass::Only => true,
        // Its notes must not be written over.
        Pass::Measure | Pass::Real { .. } => false,
    };
    if work.index > 0 || !only || (work.filter.is_none() && tells_itself(&work.encoder)) {
        return Ok(None);
    }
    let invocation = Invocation::segment_header(work, source, attempt.encode_threads);
    let what = "encoding the first picture";
    let call = Call { attempt, invocation: &invocation, reading: Reading::Source, what };
    if WorkError::or_nothing(call.run().await)?.is_none() {
        // If it matters, the segment itself fails in the same way.
        return Ok(None);
    }
    let header = MediaInput::File(attempt.scratch.join(HEADER_NAME));
    let file = observe::look(attempt, None, &header).await?;
    Ok(file.streams.first().map(|stream| written(&stream.picture)))
}

/// Whether what an encoder makes says of itself how its pixels are meant.
fn tells_itself(encoder: &str) -> bool {
    let families = ["libx26", "h264_", "hevc_", "av1_", "libsvtav1", "libaom", "librav1e"];
    families.iter().any(|family| encoder.starts_with(family))
}

/// In front of the colours, since a tag without a value is not written.
const MARK: &str = "told";

/// As `told,color_range=tv,colorspace=bt709`.
fn written(picture: &Picture) -> String {
    let known = FIELDS.iter().filter_map(|(name, field)| {
        let value = field(picture).filter(is_known)?;
        Some(format!("{name}={value}"))
    });
    std::iter::once(MARK.to_owned()).chain(known).collect::<Vec<_>>().join(",")
}

/// The options that a tag stands for. It comes from a worker: what is no option of ours is left out.
pub(crate) fn as_told(tag: &str) -> Vec<(String, String)> {
    let pairs = tag.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| FIELDS.iter().any(|(known, _)| known == name))
        .map(|(name, value)| (name.to_owned(), option_value(name, value).to_owned()))
        .collect()
}

fn is_known(value: &&String) -> bool {
    !matches!(value.as_str(), "" | "unknown" | "unspecified" | "reserved")
}

/// The colours of the film as options: as its stream tells them, otherwise as the source's pictures do. Not
/// every format carries them, and the containers of segments do not carry all.
pub(crate) fn guessed(film: Option<&Picture>, source: Option<&Picture>) -> Vec<(String, String)> {
    let full_format = |picture: Option<&Picture>| {
        picture.and_then(|picture| picture.pix_fmt.as_ref()).is_some_and(|f| f.starts_with("yuvj"))
    };
    let mut options = Vec::new();
    for (name, field) in FIELDS {
        let told = |picture: Option<&'_ Picture>| picture.and_then(field).filter(is_known).cloned();
        let value = match told(film) {
            // A format that means the full range became one that does not: the pictures were converted.
            None if name == "color_range" && full_format(source) && !full_format(film) => {
                Some("tv".to_owned())
            }
            None => told(source),
            value => value,
        };
        if let Some(value) = value {
            options.push((name.to_owned(), option_value(name, &value).to_owned()));
        }
    }
    options
}

/// What the option calls a value that ffprobe calls otherwise.
fn option_value<'a>(option: &str, value: &'a str) -> &'a str {
    match (option, value) {
        ("colorspace", "gbr") => "rgb",
        ("color_trc", "bt470m") => "gamma22",
        ("color_trc", "bt470bg") => "gamma28",
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_survive_the_way_through_a_tag() {
        let picture = Picture {
            color_range: Some("pc".to_owned()),
            color_space: Some("gbr".to_owned()),
            color_transfer: Some("unknown".to_owned()),
            ..Picture::default()
        };
        let tag = written(&picture);
        assert_eq!(tag, "told,color_range=pc,colorspace=gbr");
        let options = as_told(&tag);
        assert_eq!(options[1], ("colorspace".to_owned(), "rgb".to_owned()));
        assert_eq!(as_told("f=null,color_range=tv").len(), 1, "only colours are options");
        assert_eq!(as_told(&written(&Picture::default())), [], "nothing told is nothing set");
        assert!(!written(&Picture::default()).is_empty(), "an empty tag would be lost");
    }
}
