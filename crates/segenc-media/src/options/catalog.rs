//! The options that are accepted whatever encoder and container are chosen, and what each is for.
//!
//! Must not know encoders' and containers' own options; these have tables of their own.

use segenc_core::source::StreamKind::{self, Audio, Subtitle, Video};

use super::error::{OptionError, OptionErrorKind, shown};
use super::table::Names;

/// What an option is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Chooses codecs.
    Codec,
    /// A filter chain.
    Filter,
    /// Chooses streams.
    Map,
    /// Drops all streams of a kind.
    Drop(StreamKind),
    /// Names the container.
    Format,
    /// Sets a tag.
    Metadata,
    /// Sets dispositions, fourcc and the like of output streams.
    StreamMuxing,
    /// Keeps or drops tags or chapters.
    KeepOrDrop,
    /// For the muxer, whatever it is.
    Muxing,
    /// For encoders of these kinds.
    Encoding(&'static [StreamKind]),
    /// For encoders of these kinds and the muxer.
    EncodingAndMuxing(&'static [StreamKind]),
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing.
    Nothing,
    /// A number, possibly with `k`, `M` and the like.
    Number,
    /// A number, or `auto`.
    NumberOrAuto,
    /// A rate: a number, a fraction, or a name such as `ntsc`.
    Rate,
    /// Numbers with commas.
    Numbers,
    /// Some of these words, each with `+` or `-` in front.
    Flags(Names),
    /// Any text.
    Text,
}

/// An accepted option.
#[derive(Debug)]
pub(super) struct Known {
    /// Its name without specifier.
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) role: Role,
    /// What it takes.
    pub(super) takes: Takes,
}

const V: &[StreamKind] = &[Video];
const A: &[StreamKind] = &[Audio];
const VA: &[StreamKind] = &[Video, Audio];
const VAS: &[StreamKind] = &[Video, Audio, Subtitle];

/// Flags of `-flags` that mean the same in every segment.
const CODEC_FLAGS: Names = Names(
    "\
     cgop ilme ildct bitexact mv4 qpel loop gray aic low_delay umv obmc drop_changed
     frame_duration",
);

/// Flags of `-movflags` that make one ordinary file.
const MOV_FLAGS: Names = Names(
    "\
     faststart frag_keyframe frag_every_frame empty_moov separate_moof default_base_moof
     disable_chpl omit_tfhd_offset write_colr prefer_icc write_gama use_metadata_tags
     skip_trailer negative_cts_offsets delay_moov global_sidx skip_sidx cmaf dash frag_discont
     hybrid_fragmented",
);

const fn known(name: &'static str, role: Role, takes: Takes) -> Known {
    Known { name, role, takes }
}

const fn video(name: &'static str, takes: Takes) -> Known {
    known(name, Role::Encoding(V), takes)
}

const ABOUT_STREAMS: &[Known] = &[
    known("c", Role::Codec, Takes::Text),
    known("filter", Role::Filter, Takes::Text),
    known("map", Role::Map, Takes::Text),
    known("vn", Role::Drop(Video), Takes::Nothing),
    known("an", Role::Drop(Audio), Takes::Nothing),
    known("sn", Role::Drop(Subtitle), Takes::Nothing),
    known("dn", Role::Drop(StreamKind::Data), Takes::Nothing),
    known("f", Role::Format, Takes::Text),
    known("metadata", Role::Metadata, Takes::Text),
    known("disposition", Role::StreamMuxing, Takes::Text),
    known("tag", Role::StreamMuxing, Takes::Text),
    known("map_metadata", Role::KeepOrDrop, Takes::Text),
    known("map_chapters", Role::KeepOrDrop, Takes::Text),
    known("max_muxing_queue_size", Role::StreamMuxing, Takes::Number),
    known("timecode", Role::Muxing, Takes::Text),
    known("max_interleave_delta", Role::Muxing, Takes::Number),
    known("metadata_header_padding", Role::Muxing, Takes::Number),
    known("fflags", Role::Muxing, Takes::Flags(Names("bitexact flush_packets"))),
    known("bitexact", Role::EncodingAndMuxing(VAS), Takes::Nothing),
    known("strict", Role::EncodingAndMuxing(VAS), Takes::Text),
];

const FOR_ENCODERS: &[Known] = &[
    known("b", Role::Encoding(VA), Takes::Number),
    known("q", Role::Encoding(VA), Takes::Number),
    known("qscale", Role::Encoding(VA), Takes::Number),
    known("global_quality", Role::Encoding(VA), Takes::Number),
    known("maxrate", Role::Encoding(VA), Takes::Number),
    known("minrate", Role::Encoding(VA), Takes::Number),
    known("bufsize", Role::Encoding(VA), Takes::Number),
    known("profile", Role::Encoding(VA), Takes::Text),
    known("level", Role::Encoding(VA), Takes::Text),
    known("compression_level", Role::Encoding(VA), Takes::Number),
    known("trellis", Role::Encoding(VA), Takes::Number),
    known("flags", Role::Encoding(VAS), Takes::Flags(CODEC_FLAGS)),
    known("threads", Role::Encoding(VA), Takes::NumberOrAuto),
    known("ac", Role::Encoding(A), Takes::Number),
    known("ar", Role::Encoding(A), Takes::Number),
    known("sample_fmt", Role::Encoding(A), Takes::Text),
    known("channel_layout", Role::Encoding(A), Takes::Text),
    known("ch_layout", Role::Encoding(A), Takes::Text),
    known("cutoff", Role::Encoding(A), Takes::Number),
    known("frame_size", Role::Encoding(A), Takes::Number),
    known("audio_service_type", Role::Encoding(A), Takes::Text),
    known("bits_per_raw_sample", Role::Encoding(VA), Takes::Number),
    video("r", Takes::Rate),
    video("s", Takes::Text),
    video("aspect", Takes::Text),
    video("pix_fmt", Takes::Text),
    video("sws_flags", Takes::Text),
    video("force_key_frames", Takes::Text),
    video("g", Takes::Number),
    video("keyint_min", Takes::Number),
    video("bf", Takes::Number),
    video("refs", Takes::Number),
    video("qmin", Takes::Number),
    video("qmax", Takes::Number),
    video("qdiff", Takes::Number),
    video("qcomp", Takes::Number),
    video("qblur", Takes::Number),
    video("bt", Takes::Number),
    video("b_qfactor", Takes::Number),
    video("b_qoffset", Takes::Number),
    video("i_qfactor", Takes::Number),
    video("i_qoffset", Takes::Number),
    video("subq", Takes::Number),
    video("me_range", Takes::Number),
    video("dia_size", Takes::Number),
    video("pre_dia_size", Takes::Number),
    video("last_pred", Takes::Number),
    video("mbd", Takes::Text),
    video("cmp", Takes::Text),
    video("subcmp", Takes::Text),
    video("mbcmp", Takes::Text),
    video("ildctcmp", Takes::Text),
    video("precmp", Takes::Text),
    video("dct", Takes::Text),
    video("idct", Takes::Text),
    video("lumi_mask", Takes::Number),
    video("dark_mask", Takes::Number),
    video("scplx_mask", Takes::Number),
    video("tcplx_mask", Takes::Number),
    video("p_mask", Takes::Number),
    video("mblmin", Takes::Number),
    video("mblmax", Takes::Number),
    video("bidir_refine", Takes::Number),
    video("dc", Takes::Number),
    video("nssew", Takes::Number),
    video("rc_init_occupancy", Takes::Number),
    video("rc_max_vbv_use", Takes::Number),
    video("rc_min_vbv_use", Takes::Number),
    video("intra_matrix", Takes::Numbers),
    video("inter_matrix", Takes::Numbers),
    video("chroma_intra_matrix", Takes::Numbers),
    video("top", Takes::Number),
    video("slices", Takes::Number),
    video("thread_type", Takes::Text),
    video("field_order", Takes::Text),
    video("color_primaries", Takes::Text),
    video("color_trc", Takes::Text),
    video("colorspace", Takes::Text),
    video("color_range", Takes::Text),
    video("chroma_sample_location", Takes::Text),
];

/// Other spellings: name, option, and the kind of stream that the spelling implies.
const ALIASES: &[(&str, &str, Option<&str>)] = &[
    ("codec", "c", None),
    ("vcodec", "c", Some("v")),
    ("acodec", "c", Some("a")),
    ("scodec", "c", Some("s")),
    ("dcodec", "c", Some("d")),
    ("vf", "filter", Some("v")),
    ("af", "filter", Some("a")),
    ("ab", "b", Some("a")),
    ("vb", "b", Some("v")),
    ("aq", "q", Some("a")),
    ("vtag", "tag", Some("v")),
    ("atag", "tag", Some("a")),
    ("stag", "tag", Some("s")),
];

/// Finds an accepted option by its name.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    ABOUT_STREAMS.iter().chain(FOR_ENCODERS).find(|known| known.name == name)
}

/// What a spelling stands for: the option and the specifier it implies.
pub(super) fn alias(name: &str) -> Option<(&'static str, Option<&'static str>)> {
    ALIASES.iter().find(|(spelling, ..)| *spelling == name).map(|&(_, option, kind)| (option, kind))
}

/// All names, to find near ones.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let known = ABOUT_STREAMS.iter().chain(FOR_ENCODERS).map(|known| known.name);
    known.chain(ALIASES.iter().map(|(name, ..)| *name))
}

/// Checks a value against what its option takes.
pub(super) fn check_value(word: &str, takes: Takes, value: &str) -> Result<(), OptionError> {
    let error = |what: &str| {
        OptionError::new(
            OptionErrorKind::BadValue,
            word,
            format!("{} takes {what}, not {:?}", shown(word), shown(value)),
        )
    };
    match takes {
        Takes::Nothing | Takes::Text => Ok(()),
        Takes::Number => is_number(value).then_some(()).ok_or_else(|| error("a number")),
        Takes::NumberOrAuto if value == "auto" => Ok(()),
        Takes::NumberOrAuto => {
            is_number(value).then_some(()).ok_or_else(|| error("a number or auto"))
        }
        Takes::Rate => {
            let named = ["ntsc", "pal", "qntsc", "qpal", "sntsc", "spal", "film", "ntsc-film"]
                .contains(&value);
            let fraction =
                value.split(['/', ':']).count() <= 2 && value.split(['/', ':']).all(is_number);
            (named || fraction)
                .then_some(())
                .ok_or_else(|| error("a frame rate, such as 25 or 30000/1001"))
        }
        Takes::Numbers => value
            .split(',')
            .all(is_number)
            .then_some(())
            .ok_or_else(|| error("numbers with commas between them")),
        Takes::Flags(allowed) => {
            for flag in value.split(['+', '-']).filter(|flag| !flag.is_empty()) {
                if !allowed.has(flag) {
                    return Err(OptionError::new(
                        OptionErrorKind::BadValue,
                        word,
                        format!("{} with {} cannot be carried over", shown(word), shown(flag)),
                    )
                    .hint(format!("flags that can: {}", allowed.listed())));
                }
            }
            Ok(())
        }
    }
}

/// The flags of `-movflags`.
pub(super) const MOVFLAGS: Takes = Takes::Flags(MOV_FLAGS);

/// Whether this is a number as ffmpeg reads one, possibly with a unit prefix (`128k`, `2.5M`, `1Mi`, `500KB`).
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = digits.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(digits.len());
    let (number, suffix) = digits.split_at(end);
    let has_digit = number.bytes().any(|byte| byte.is_ascii_digit());
    let suffix = suffix.strip_suffix('B').unwrap_or(suffix);
    let suffix = suffix.strip_suffix('i').unwrap_or(suffix);
    has_digit
        && number.matches('.').count() <= 1
        && matches!(suffix, "" | "k" | "K" | "M" | "G" | "m")
}
