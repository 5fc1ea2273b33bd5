//! The encoders that are known, their private options, and which of them aim at a quality.
//!
//! One file a family. ffmpeg is not asked: the server has none, and a table says which options were looked
//! at. Must not know a job's other options.

mod av1;
mod h26x;
mod hardware;
mod intra;
mod mpeg;
mod params;
mod sound;
mod text;

use segenc_core::source::StreamKind;

use super::error::{OptionError, OptionErrorKind, shown};
use super::table::Names;

pub(super) use params::{Rate, check as check_params};

/// An encoder.
#[derive(Debug)]
pub(super) struct Encoder {
    /// ffmpeg's name.
    pub(super) name: &'static str,
    /// What it encodes.
    pub(super) kind: StreamKind,
    /// Its private options; all take a value.
    pub(super) options: Names,
    /// Options that make it aim at a quality (or a size of each frame) instead of a bitrate over time.
    pub(super) quality: &'static [&'static str],
    /// What it aims at when nothing is said.
    pub(super) by_default: Aim,
    /// The option that takes a list of its library's own options.
    pub(super) list: Option<(List, Names)>,
}

/// What rate control aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// A quality: every segment can be encoded by itself.
    Quality,
    /// A bitrate: one rate control has to see the whole film.
    Bitrate,
}

/// Whose options a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// libx264's.
    X264,
    /// libx265's.
    X265,
    /// SVT-AV1's.
    SvtAv1,
    /// libaom's.
    Aom,
    /// rav1e's.
    Rav1e,
}

/// All tables.
fn all() -> impl Iterator<Item = &'static Encoder> {
    [
        h26x::ENCODERS,
        av1::ENCODERS,
        mpeg::ENCODERS,
        intra::ENCODERS,
        hardware::ENCODERS,
        sound::ENCODERS,
        text::ENCODERS,
    ]
    .into_iter()
    .flatten()
}

/// What people write for an encoder, and the encoder they most likely mean.
const FORMATS: &[(&str, &str)] = &[
    ("h264", "libx264"),
    ("x264", "libx264"),
    ("avc", "libx264"),
    ("h265", "libx265"),
    ("hevc", "libx265"),
    ("x265", "libx265"),
    ("av1", "libsvtav1"),
    ("svtav1", "libsvtav1"),
    ("svt-av1", "libsvtav1"),
    ("aom", "libaom-av1"),
    ("libaom", "libaom-av1"),
    ("rav1e", "librav1e"),
    ("vp9", "libvpx-vp9"),
    ("vp8", "libvpx"),
    ("theora", "libtheora"),
    ("xvid", "libxvid"),
    ("opus", "libopus"),
    ("mp3", "libmp3lame"),
    ("lame", "libmp3lame"),
    ("vorbis", "libvorbis"),
    ("libfdk_aac", "aac"),
    ("dts", "ac3"),
];

/// Finds an encoder for streams of a kind.
pub(super) fn find(
    word: &str,
    name: &str,
    kind: StreamKind,
) -> Result<&'static Encoder, OptionError> {
    if let Some(found) = all().find(|encoder| encoder.name == name) {
        if found.kind == kind {
            return Ok(found);
        }
        return Err(OptionError::new(
            OptionErrorKind::BadValue,
            word,
            format!("encoder {name} does not encode {} streams", kind_name(kind)),
        ));
    }
    if name.ends_with("_vaapi") || name.ends_with("_vulkan") {
        return Err(OptionError::new(
            OptionErrorKind::RefusedOption,
            word,
            format!("encoder {} needs a device and frames uploaded to it", shown(name)),
        )
        .hint(
            "hardware encoders that take frames as they are: _nvenc, _qsv, _amf, _videotoolbox",
        ));
    }
    let error = OptionError::new(
        OptionErrorKind::UnknownEncoder,
        word,
        format!("{} encoder {} is not known here", kind_name(kind), shown(name)),
    );
    if let Some((_, meant)) = FORMATS.iter().find(|(format, _)| *format == name) {
        return Err(error.hint(format!("name an encoder, such as {meant}")));
    }
    let known = || all().filter(|encoder| encoder.kind == kind).map(|encoder| encoder.name);
    let error = error.near(name, known(), "");
    if error.hint.is_some() {
        return Err(error);
    }
    let names: Vec<&str> = known().collect();
    Err(error.hint(format!("choose one of {}", names.join(", "))))
}

/// The encoders that have a private option of this name.
pub(super) fn owners(option: &str) -> Vec<&'static str> {
    all().filter(|encoder| encoder.has(option)).map(|encoder| encoder.name).collect()
}

/// The names of all private options.
pub(super) fn option_names() -> impl Iterator<Item = &'static str> {
    all().flat_map(|encoder| {
        encoder.options.iter().chain(encoder.list.iter().flat_map(|(_, names)| names.iter()))
    })
}

impl Encoder {
    /// Whether the option is one of its private ones.
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.has(option) || self.list_of(option).is_some()
    }

    /// Whose list the option takes, if it takes one.
    pub(super) fn list_of(&self, option: &str) -> Option<List> {
        self.list.filter(|(_, names)| names.has(option)).map(|(list, _)| list)
    }
}

/// The word for a kind in messages.
pub(super) fn kind_name(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Video => "video",
        StreamKind::Audio => "audio",
        StreamKind::Subtitle => "subtitle",
        StreamKind::Attachment => "attachment",
        StreamKind::Data => "data",
    }
}
