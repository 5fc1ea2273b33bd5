//! Whether a film is cut into segments at all, and how long they should be. Decided from the facts of
//! the source, before its first packet.

use super::DecodedFrom;
use super::grid;
use super::layout::Layout;
use crate::source::{SourceFacts, StreamFacts};
use crate::spec::{JobSpec, SplitPolicy, VideoSpec};

/// Containers whose index can be trusted to lead to the keyframe that was asked for, as they show in
/// the names of ffmpeg's demuxers.
const TRUSTED_DEMUXERS: [&str; 2] = ["matroska", "mov"];

/// Containers whose packets ffmpeg tells well, but that lead nowhere for sure: their films are split after their
/// packets were copied into a container with an index.
const COPIED_DEMUXERS: [&str; 7] = ["mpegts", "mpeg", "avi", "flv", "nut", "mxf", "ivf"];

/// Formats in which a key packet is known to be one that decoding can start at. In others the mark may only
/// stand at regular distances (seen in 3GP with H.263).
const TRUSTED_CODECS: [&str; 24] = [
    "h264",
    "hevc",
    "av1",
    "vp8",
    "vp9",
    "mpeg1video",
    "mpeg2video",
    "mpeg4",
    "prores",
    "dnxhd",
    "ffv1",
    "mjpeg",
    "jpeg2000",
    "huffyuv",
    "ffvhuff",
    "utvideo",
    "magicyuv",
    "cfhd",
    "hap",
    "v210",
    "v410",
    "rawvideo",
    "dvvideo",
    "png",
];

/// Encoders of which every frame is a keyframe, by ffmpeg's names.
const INTRA_ONLY: [&str; 17] = [
    "ffv1",
    "prores",
    "prores_aw",
    "prores_ks",
    "prores_videotoolbox",
    "dnxhd",
    "mjpeg",
    "jpeg2000",
    "libopenjpeg",
    "huffyuv",
    "ffvhuff",
    "utvideo",
    "magicyuv",
    "cfhd",
    "rawvideo",
    "v210",
    "dvvideo",
];

/// Outputs that segments are joined into; others are written in one go.
const JOINED_CONTAINERS: [&str; 5] = ["matroska", "webm", "mp4", "mov", "ipod"];

/// Frames that filters may want around a segment: more would make the run-up the larger part of the
/// work, and it bounds what the planner remembers.
const MAX_NEIGHBOURS: u32 = 1_000;

/// No segment is wished shorter than this, so that none gets shorter than half of it: starting a
/// process costs 0.15 s, and every join costs some bits.
const SHORTEST_TARGET_MILLIS: u64 = 4_000;

/// Targets for films without a wish of the user: short films are spread over a few computers, long
/// ones give enough segments for many even if each is long, and long ones compress better.
const SMALLEST_USUAL_MILLIS: u64 = 5_000;
const LARGEST_USUAL_MILLIS: u64 = 30_000;
const UNKNOWN_DURATION_MILLIS: u64 = 10_000;

/// A clip is cut into this many segments, if they do not get too short.
const WISHED_SEGMENTS: u64 = 5;

/// What a user may wish, in seconds: an hour is as good as whole.
const LARGEST_WISH_SECONDS: u32 = 3_600;

/// More segments than this help no farm, but make joining and showing them slow.
const USEFUL_SEGMENTS: u64 = 5_000;

/// The wished length of a segment: a function of the source and the user's wish alone, so that plan
/// and bits do not depend on the farm.
///
/// Without a wish: 4 s + 1/300 of the duration, between 5 s and 30 s; below 25 s a fifth of the
/// duration, but at least 4 s.
pub(super) fn target_millis(spec: &JobSpec, facts: &SourceFacts) -> u64 {
    let duration = duration_millis(facts);
    let least = duration.map_or(0, |duration| duration / USEFUL_SEGMENTS);
    let target = match (spec.segment_seconds, duration) {
        (Some(wish), _) => u64::from(wish.clamp(1, LARGEST_WISH_SECONDS)) * 1000,
        (None, None) => UNKNOWN_DURATION_MILLIS,
        (None, Some(duration)) => {
            let usual = (SHORTEST_TARGET_MILLIS + duration / 300)
                .clamp(SMALLEST_USUAL_MILLIS, LARGEST_USUAL_MILLIS);
            usual.min((duration / WISHED_SEGMENTS).max(SHORTEST_TARGET_MILLIS))
        }
    };
    target.max(least)
}

fn duration_millis(facts: &SourceFacts) -> Option<u64> {
    facts.duration_micros.and_then(|micros| u64::try_from(micros).ok()).map(|micros| micros / 1000)
}

/// Why the output must be made in one piece; `None`: it can be cut.
pub(super) fn why_whole(
    spec: &JobSpec,
    facts: &SourceFacts,
    layout: &Layout,
    target_millis: u64,
) -> Option<String> {
    match &spec.video {
        VideoSpec::Encode(_) => {}
        VideoSpec::Copy => return Some("the video is copied, not encoded".into()),
        VideoSpec::Drop => return Some("the output has no video".into()),
    }
    let Some(film) = layout.film.and_then(|index| facts.streams.iter().find(|s| s.index == index))
    else {
        return Some("the output has no film".into());
    };
    match &spec.split {
        SplitPolicy::Whole { reason } => return Some(reason.clone()),
        SplitPolicy::Segments { run_up, run_out } => {
            if (*run_up).max(*run_out) > MAX_NEIGHBOURS {
                return Some(format!("its filters need more than {MAX_NEIGHBOURS} frames around"));
            }
        }
        SplitPolicy::Retimed { before, retiming, after } => {
            let most =
                [before.run_up, before.run_out, after.run_up, after.run_out].into_iter().max();
            if most.unwrap_or(0) > MAX_NEIGHBOURS {
                return Some(format!("its filters need more than {MAX_NEIGHBOURS} frames around"));
            }
            if grid::clock(*retiming, film.timebase).is_none() {
                return Some("its filters need a clock that cannot be had".into());
            }
        }
    }
    if layout.encoded_films > 1 {
        return Some(format!("{} films are encoded into one output", layout.encoded_films));
    }
    why_untrusted(facts, film)
        .or_else(|| {
            let joined = JOINED_CONTAINERS.contains(&spec.container.as_str());
            (!joined).then(|| format!("{} outputs are written in one go", spec.container))
        })
        .or_else(|| {
            let short = duration_millis(facts).is_some_and(|duration| duration < target_millis);
            short.then(|| "it is too short to be worth cutting".into())
        })
}

/// Whether it makes a difference to the film's size where it is cut: not to encoders that make keyframes only.
pub(super) fn is_better_cut_at_scenes(spec: &JobSpec) -> bool {
    match &spec.video {
        VideoSpec::Encode(encode) => !INTRA_ONLY.contains(&encode.encoder.as_str()),
        VideoSpec::Copy | VideoSpec::Drop => false,
    }
}

/// What the segments are decoded from.
pub(super) fn decoded_from(facts: &SourceFacts) -> DecodedFrom {
    if is_one_of(&TRUSTED_DEMUXERS, facts) {
        return DecodedFrom::Source;
    }
    let demuxer = &facts.demuxer;
    let reason = format!("sources of the kind {demuxer} have no index that can be trusted");
    DecodedFrom::Copy { reason }
}

/// A demuxer may have several names, of which ffmpeg tells all.
fn is_one_of(known: &[&str], facts: &SourceFacts) -> bool {
    facts.demuxer.split(',').any(|name| known.contains(&name))
}

/// Why the packets of the source cannot be taken for its frames.
fn why_untrusted(facts: &SourceFacts, film: &StreamFacts) -> Option<String> {
    if let DecodedFrom::Copy { reason } = decoded_from(facts)
        && !is_one_of(&COPIED_DEMUXERS, facts)
    {
        return Some(reason);
    }
    if !TRUSTED_CODECS.contains(&film.codec.as_str()) {
        return Some(format!("key packets of {} are not known to be true", film.codec));
    }
    None
}
