//! A wished size: which options ask for one, and how the encoder's two passes over a segment are spelled.
//!
//! Only encoders whose passes were tried over segments are here; the others make the film in one piece. Must not
//! know how bits are shared among segments.

use segenc_core::rate::{
    BufferLimit, BufferWish, Notes, Overshoot, Passes, QualityScale, RateAim, RateWish,
};
use segenc_core::spec::OutputOption;
use segenc_core::work::NOTES;

use super::encoder::{Encoder, Rate};
use super::error::{OptionError, OptionErrorKind};
use super::split::Options;

/// Options that say how large the film gets or how good: no two of them make sense together with a size.
const ABOUT_SIZE: &[&str] = &[
    "b",
    "crf",
    "crf_max",
    "qp",
    "q",
    "qscale",
    "global_quality",
    "cq",
    "minrate",
    "maxrate",
    "bufsize",
    "rc_init_occupancy",
];

/// How an encoder measures, and is told of its passes.
struct Style {
    encoders: &'static [&'static str],
    quality: (&'static str, [u32; 4]),
    overshoot: Overshoot,
    passes: Spelling,
    /// What makes the parameter sets of all segments equal although their bitrates differ: in the list of the
    /// library's own options, and as a bitstream filter.
    uniform: [Option<(&'static str, &'static str)>; 2],
}

/// How passes are spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// By ffmpeg's own options; the first pass encodes, so that it measures too. It is made fast by this list.
    Pass(&'static str, &'static str),
    /// In the list of the library's options.
    InList(&'static str),
    /// There are none: these options, instead of the user's own, make one that measures.
    Probe(&'static [(&'static str, &'static str)]),
}

/// What was found with FFmpeg 5.1 over segments of six seconds. Quality: the number for a hundred bits per
/// thousand pixels, how much more halves the size, the least and the most. Overshoot: at a first pass of the
/// wished size, and more for each doubling beyond it.
const STYLES: &[Style] = &[
    Style {
        encoders: &["libx264", "libx264rgb"],
        quality: ("crf", [18, 6, 10, 40]),
        overshoot: Overshoot { usual: 10, per_doubling: 25 },
        // Not x264's own fast first pass: its diamond search cost 15 % of the bits on one of six segments tried,
        // and hexagons take no longer.
        passes: Spelling::Pass("x264-params", "ref=1:subme=2:trellis=0"),
        // Otherwise the initial quantizer and the usual numbers of references are those of the first pass, and the
        // level follows the bitrate.
        uniform: [
            Some(("x264-params", "stitchable=1")),
            Some(("bsf:v", "h264_metadata=level=auto")),
        ],
    },
    Style {
        encoders: &["libx265"],
        quality: ("crf", [18, 6, 10, 40]),
        overshoot: Overshoot { usual: 0, per_doubling: 30 },
        passes: Spelling::InList("x265-params"),
        // Otherwise tier and level follow the bitrate, and all options are written beside the parameter sets.
        uniform: [
            Some(("x265-params", "high-tier=0:info=0")),
            Some(("bsf:v", "hevc_metadata=level=auto")),
        ],
    },
    Style {
        encoders: &["libsvtav1"],
        quality: ("crf", [30, 9, 10, 60]),
        overshoot: Overshoot { usual: 0, per_doubling: 0 },
        // Its wrapper knows no passes, but over a few seconds one pass comes near, and a second try nearer.
        passes: Spelling::Probe(&[("preset", "12")]),
        uniform: [None, None],
    },
    // Their own two passes are no help: FFmpeg 5.1 tells them that a frame lasts one tick, a millisecond in
    // Matroska, and the second pass shares out the bits of that time. One pass goes by the distance of frames.
    Style {
        encoders: &["libvpx-vp9"],
        quality: ("crf", [30, 9, 10, 60]),
        overshoot: Overshoot { usual: 0, per_doubling: 0 },
        passes: Spelling::Probe(&[("cpu-used", "5"), ("b:v", "0")]),
        uniform: [None, None],
    },
    Style {
        encoders: &["libaom-av1"],
        quality: ("crf", [30, 9, 10, 60]),
        overshoot: Overshoot { usual: 0, per_doubling: 0 },
        passes: Spelling::Probe(&[("cpu-used", "6"), ("b:v", "0")]),
        uniform: [None, None],
    },
    Style {
        encoders: &["libvpx"],
        quality: ("crf", [20, 8, 4, 60]),
        overshoot: Overshoot { usual: 0, per_doubling: 0 },
        // It aims at a quality only beside a bitrate, which is so high here that it bounds nothing.
        passes: Spelling::Probe(&[("cpu-used", "5"), ("b:v", "200M")]),
        uniform: [None, None],
    },
];

/// The wish that the film's options express, if they name a bitrate that is met over segments.
pub(super) fn of_bitrate(
    encoder: &Encoder,
    options: &[OutputOption],
    rates: &[Rate],
) -> Option<RateWish> {
    let asked = Options(options);
    // What bounds the bitrate may stand beside it, if it can be kept over joins.
    let bounded = ABOUT_BUFFER.iter().any(|name| asked.value(name).is_some());
    let other = ABOUT_SIZE
        .iter()
        .any(|name| !ABOUT_BUFFER.contains(name) && *name != "b" && asked.value(name).is_some());
    let silent = rates.iter().all(|rate| *rate == Rate::Silent);
    let bits = bits(asked.value("b")?)?;
    if other || !silent || bits == 0 || asked.set("lossless") {
        return None;
    }
    let buffer = buffer(encoder, options, rates);
    if bounded && buffer.is_none() {
        return None;
    }
    let options = buffer.as_ref().map_or(options, |buffer| &buffer.segment_options);
    Some(RateWish { aim: RateAim::BitsPerSecond(bits), passes: passes(encoder, options)? })
}

/// Options that bound a bitrate.
const ABOUT_BUFFER: &[&str] = &["maxrate", "minrate", "bufsize"];

/// The buffer that the options name, where it can be kept over joins: by x264 and x265, which begin with as much in
/// it as they are told.
///
/// Each segment is given half of the buffer, half full. A segment during which its half fills up once leaves at
/// least the other half behind, which is more than the next one begins with; one that takes all that comes in
/// ends about as it began. Where that is not enough, the check of the finished film finds it.
pub(super) fn buffer(
    encoder: &Encoder,
    options: &[OutputOption],
    rates: &[Rate],
) -> Option<BufferWish> {
    let asked = Options(options);
    let listed = rates.iter().any(|rate| matches!(rate, Rate::Whole(_)));
    // What a stream says of its own buffer is counted on from its beginning.
    let signalled = asked.value("nal-hrd").is_some_and(|kind| kind != "none")
        || options.iter().any(|option| option.value.as_deref().is_some_and(|v| v.contains("hrd")));
    let begun = asked.value("rc_init_occupancy").is_some();
    if listed || signalled || begun || asked.set("minrate") {
        return None;
    }
    let limit = BufferLimit {
        bits_per_second: bits(asked.value("maxrate")?).filter(|bits| *bits > 0)?,
        bits: bits(asked.value("bufsize")?).filter(|bits| *bits > 0)?,
    };
    let half = limit.bits / 2;
    let mut segment_options = without(options, &["bufsize"]);
    segment_options.push(option("bufsize:v", &half.to_string()));
    match encoder.name {
        "libx264" | "libx264rgb" => {
            segment_options.push(option("rc_init_occupancy:v", &(half / 2).to_string()));
        }
        "libx265" => segment_options = with_list(&segment_options, "x265-params", "vbv-init=0.5"),
        _ => return None,
    }
    Some(BufferWish { limit, segment_options })
}

/// The flag as users know it, for messages.
const TARGET_SIZE: &str = "--target-size";

/// The wish for a finished file of so many bytes.
pub(super) fn of_file(
    encoder: &Encoder,
    options: &[OutputOption],
    rates: &[Rate],
    bytes: u64,
) -> Result<RateWish, OptionError> {
    let said = options.iter().find(|option| ABOUT_SIZE.contains(&base(&option.name)));
    let said = said.map(|option| format!("-{}", option.name));
    let listed = rates.iter().any(|rate| *rate != Rate::Silent);
    if let Some(word) = said.or_else(|| listed.then(|| "the encoder's list".to_owned())) {
        return Err(OptionError::new(
            OptionErrorKind::OptionWithoutEffect,
            &word,
            format!(
                "{word} says how large or how good the film becomes, and so does {TARGET_SIZE}"
            ),
        )
        .hint("give one of them"));
    }
    let Some(passes) = passes(encoder, options) else {
        let able: Vec<&str> = encoders().collect();
        return Err(refused(format!("a size cannot be met with {} yet", encoder.name))
            .hint(format!("encoders with which it can: {}", able.join(", "))));
    };
    Ok(RateWish { aim: RateAim::FileBytes(bytes), passes })
}

/// A size where no film is encoded.
pub(super) fn no_film() -> OptionError {
    refused("a size is met by encoding the film, and it is not encoded".to_owned())
        .hint("choose an encoder with -c:v")
}

/// A size where the film is not cut.
pub(super) fn in_one_piece(reason: &str) -> OptionError {
    refused(format!(
        "a size is met by measuring segments, but the film is made in one piece: {reason}"
    ))
    .hint("leave out what it is made in one piece for, or give a bitrate with -b:v")
}

fn refused(message: String) -> OptionError {
    OptionError::new(OptionErrorKind::RefusedOption, TARGET_SIZE, message)
}

/// The passes of an encoder, where they were tried.
pub(super) fn passes(encoder: &Encoder, options: &[OutputOption]) -> Option<Passes> {
    let style = STYLES.iter().find(|style| style.encoders.contains(&encoder.name))?;
    let (quality, [at_reference, per_halving, least, most]) = style.quality;
    let [list, filter] = style.uniform;
    let mut kept = without(options, &["b"]);
    if let Some((list, keys)) = list {
        kept = with_list(&kept, list, keys);
    }
    // A level that the user names is the same for all anyway.
    let levelled = options.iter().any(|option| {
        let listed = option.value.as_deref().is_some_and(|value| value.contains("level"));
        base(&option.name) == "level"
            || (matches!(base(&option.name), "x264-params" | "x264opts" | "x265-params") && listed)
    });
    if !levelled {
        kept.extend(filter.map(|(name, value)| option(name, value)));
    }
    let bare = without(&kept, ABOUT_SIZE);
    let pass = |options: &[OutputOption], number: u32| match style.passes {
        Spelling::Pass(list, fast) => {
            let mut options = options.to_vec();
            if number == 1 {
                options = with_list(&options, list, fast);
                options.push(option("fastfirstpass", "0"));
            }
            options.push(option("pass", &number.to_string()));
            options.push(option("passlogfile", NOTES));
            options
        }
        Spelling::InList(list) => {
            with_list(options, list, &format!("pass={number}:stats={NOTES}.log"))
        }
        Spelling::Probe(_) => options.to_vec(),
    };
    let (measure, notes) = match style.passes {
        Spelling::Pass(..) | Spelling::InList(_) => (pass(&bare, 1), Notes::Measured),
        Spelling::Probe(fast) => {
            let names: Vec<&str> = fast.iter().map(|(name, _)| *name).collect();
            let mut probe = without(&bare, &names);
            probe.extend(fast.iter().map(|(name, value)| option(name, value)));
            (probe, Notes::None)
        }
    };
    Some(Passes {
        measure,
        quality: QualityScale {
            option: quality.to_owned(),
            at_reference,
            per_halving,
            least,
            most,
        },
        real: pass(&kept, 2),
        bitrate_option: "b:v".to_owned(),
        notes,
        overshoot: style.overshoot,
    })
}

/// The names of the encoders that meet a size.
fn encoders() -> impl Iterator<Item = &'static str> {
    STYLES.iter().flat_map(|style| style.encoders.iter().copied())
}

fn option(name: &str, value: &str) -> OutputOption {
    OutputOption { name: name.to_owned(), value: Some(value.to_owned()) }
}

fn without(options: &[OutputOption], names: &[&str]) -> Vec<OutputOption> {
    let named = |option: &&OutputOption| !names.contains(&base(&option.name));
    options.iter().filter(named).cloned().collect()
}

fn base(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

/// The options with more in a list of the library's own.
fn with_list(options: &[OutputOption], list: &str, more: &str) -> Vec<OutputOption> {
    let mut options = options.to_vec();
    match options.iter_mut().rev().find(|option| base(&option.name) == list) {
        Some(given) => {
            let list = given.value.take().unwrap_or_default();
            given.value =
                Some(if list.is_empty() { more.to_owned() } else { format!("{list}:{more}") });
        }
        None => options.push(option(list, more)),
    }
    options
}

/// A number as ffmpeg reads one (`av_strtod` of libavutil), in whole bits; `None` if it is none, or below zero.
pub(super) fn bits(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (suffix, bytes) = match suffix.strip_suffix('B') {
        Some(suffix) => (suffix, 8),
        None => (suffix, 1),
    };
    let (suffix, base) = match suffix.strip_suffix('i') {
        Some(suffix) => (suffix, 1024),
        None => (suffix, 1000),
    };
    let power = match suffix {
        "" => 0,
        "k" | "K" => 1,
        "M" => 2,
        "G" => 3,
        _ => return None,
    };
    let unit = u128::pow(base, power) * bytes;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    // More digits than these say nothing that could be asked for.
    let part = &part[..part.len().min(9)];
    let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
    let digits: u128 = format!("0{whole}{part}").parse().ok()?;
    u64::try_from(digits.checked_mul(unit)? / scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_ffmpeg_reads_them() {
        let read = |text: &str| bits(text);
        assert_eq!(
            [read("2M"), read("1500k"), read("1.5M")],
            [Some(2_000_000), Some(1_500_000), Some(1_500_000)]
        );
        assert_eq!(
            [read("1Mi"), read("500KB"), read("800")],
            [Some(1 << 20), Some(4_000_000), Some(800)]
        );
        assert_eq!([read("0"), read(".5k"), read("+1")], [Some(0), Some(500), Some(1)]);
        assert_eq!([read("-1"), read("1m"), read(""), read("1.2.3")], [None, None, Some(0), None]);
        assert_eq!(read("99999999999999999999G"), None);
    }
}
