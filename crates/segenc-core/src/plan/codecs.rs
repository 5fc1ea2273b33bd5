//! Which codec a stream beside the film gets: the user's choice, or, where nothing was said and the
//! container cannot hold a text subtitle as it is, the container's own format for text.

use crate::source::{StreamFacts, StreamKind};
use crate::spec::{CodecChoice, JobSpec};

/// Subtitles of text, by ffmpeg's names: ffmpeg converts each into each.
const TEXT: [&str; 8] = ["subrip", "srt", "ass", "ssa", "webvtt", "text", "mov_text", "ttml"];

/// Subtitles of pictures: nothing makes text of them.
const PICTURES: [&str; 5] =
    ["hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub", "dvb_teletext"];

/// The codec of a stream beside the film: an encoder's name, `copy`, or `None` where nothing was said and
/// nothing is needed. `position` counts the output's earlier streams of its kind.
#[must_use]
pub fn codec_of<'a>(spec: &'a JobSpec, stream: &StreamFacts, position: u32) -> Option<&'a str> {
    let named = spec.codecs.iter().rev().find(|choice| fits(choice, stream, position));
    match named {
        Some(choice) => Some(&choice.codec),
        None => converted(&spec.container, stream),
    }
}

/// Whether a codec is meant for this stream; cover pictures must be named by their position.
fn fits(choice: &CodecChoice, stream: &StreamFacts, position: u32) -> bool {
    choice.kind == stream.kind
        && match choice.position {
            Some(wanted) => wanted == position,
            None => !stream.attached_picture(),
        }
}

/// The container's own text format for a text that it does not hold as it is.
fn converted(container: &str, stream: &StreamFacts) -> Option<&'static str> {
    if stream.kind != StreamKind::Subtitle || copies(container, &stream.codec) {
        return None;
    }
    let own = match container {
        "mp4" | "mov" | "ipod" => "mov_text",
        "matroska" => "subrip",
        "webm" => "webvtt",
        _ => return None,
    };
    TEXT.contains(&stream.codec.as_str()).then_some(own)
}

/// Whether the container takes a subtitle of this codec as it is, as seen with FFmpeg 5.1; codecs and
/// containers that are not named here are the muxer's to judge.
pub(super) fn copies(container: &str, codec: &str) -> bool {
    let known = TEXT.contains(&codec) || PICTURES.contains(&codec);
    match container {
        "mp4" | "mov" | "ipod" => !known || matches!(codec, "mov_text" | "dvd_subtitle" | "ttml"),
        "matroska" => !matches!(codec, "mov_text" | "ttml" | "xsub" | "dvb_teletext"),
        "webm" => !known || codec == "webvtt",
        _ => true,
    }
}
