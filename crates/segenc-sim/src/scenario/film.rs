//! The films of a scenario: what is wished, what is planned, and what their segments really are.

use segenc_core::plan::{
    Cut, DecodedFrom, Film, Frames, Origin, OutputStream, PlanHeader, Segment, Way,
};
use segenc_core::pool::command::NewJob;
use segenc_core::pool::job::{Fingerprint, SourceLocation, SourceRef, Start};
use segenc_core::rate::{Notes, Overshoot, Passes, QualityScale, RateAim, RateWish};
use segenc_core::source::SourceFacts;
use segenc_core::spec::{JobSpec, SplitPolicy, Verify, VideoEncode, VideoSpec};
use segenc_core::time::{MICROSECONDS, PtsRange};

use super::{ENCODER, Rungs, Wish};
use crate::random::Random;

/// Frames of every segment: their number plays no part, only whether it is the planned one.
pub(crate) const FRAMES: u64 = 240;
/// Bitrate of jobs that wish one: segments last a millisecond.
const BITS_PER_SECOND: u64 = 1_000_000_000;
/// What is weighed beside the film, in bytes.
pub(crate) const WEIGHT: u64 = 100_000;
/// Size of files that are to have one.
const FILE_BYTES: u64 = 10_000_000;

pub(super) fn draw_wish(random: &mut Random, calm: bool) -> Wish {
    let whole = !calm && random.chance(80);
    let count = if whole { 0 } else { random.between(1, 30) };
    let count = if calm { random.between(50, 60) } else { count };
    let least = if calm { 1_000 } else { 200 };
    let segments: Vec<Segment> = (0..count)
        .map(|index| draw_segment(index, index + 1 == count, random.between(least, 3_000)))
        .collect();
    let stubborn = if calm { Vec::new() } else { draw_stubborn(random, &segments) };
    let fat = segments.iter().filter(|_| random.chance(100)).map(|segment| segment.index).collect();
    let way = if whole {
        Way::Whole { reason: "a filter sees the whole title".to_owned() }
    } else {
        Way::Segments
    };
    let mut spec = spec();
    let mut layout = Vec::new();
    if !calm && random.chance(350) {
        let file = random.chance(400);
        // A size of the whole file that is too small fails the job, as it should.
        let too_small = random.chance(100);
        let aim = match (file, too_small) {
            (false, _) => RateAim::BitsPerSecond(BITS_PER_SECOND),
            (true, false) => RateAim::FileBytes(FILE_BYTES),
            (true, true) => RateAim::FileBytes(WEIGHT),
        };
        spec.rate = Some(rate(aim));
        layout.push(OutputStream { source_stream: 1, origin: Origin::Copied });
    }
    // A calm run tells of the order alone; elsewhere the plan guesses badly.
    let true_work: Vec<u64> = segments
        .iter()
        .map(|it| {
            it.source_bytes
                * random.between(if calm { 100 } else { 60 }, if calm { 100 } else { 160 })
                / 100
        })
        .collect();
    let work = true_work.iter().sum::<u64>().max(5_000);
    Wish {
        at: if calm { 0 } else { random.between(0, 15_000) },
        job: NewJob {
            priority: i32::try_from(random.between(0, 2)).unwrap_or_default(),
            start: if !calm && random.chance(40) { Start::Held } else { Start::AtOnce },
            ..new_job(spec)
        },
        header: PlanHeader { layout, other_streams: !calm && random.chance(500), ..header(way) },
        segments,
        true_work,
        stubborn,
        fat,
        work,
    }
}

fn draw_stubborn(random: &mut Random, segments: &[Segment]) -> Vec<(u32, Rungs)> {
    let mut stubborn = Vec::new();
    for segment in segments {
        if random.chance(20) {
            let rungs = if random.chance(150) { Rungs::Three } else { Rungs::Two };
            stubborn.push((segment.index, rungs));
        }
    }
    stubborn
}

/// A wish for a film with these options.
pub(crate) fn new_job(spec: JobSpec) -> NewJob {
    NewJob {
        name: "film".to_owned(),
        spec,
        source: source(),
        output_path: None,
        priority: 0,
        start: Start::AtOnce,
    }
}

/// The fixed part of a plan with nothing but a film.
pub(crate) const fn header(way: Way) -> PlanHeader {
    PlanHeader {
        way,
        decoded_from: DecodedFrom::Source,
        film: Some(Film {
            stream: 0,
            timebase: MICROSECONDS,
            shift: 0,
            rate: None,
            mastering: None,
        }),
        layout: Vec::new(),
        other_streams: false,
        target_millis: 6_000,
        encoder_threads: 1,
    }
}

pub(crate) fn draw_segment(index: u64, last: bool, work: u64) -> Segment {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    let start = i64::from(index) * 1000;
    let end = start + 1000;
    Segment {
        index,
        range: PtsRange { start: Some(start), end: Some(end) },
        filter_range: PtsRange { start: Some(start), end: Some(end) },
        lookahead_end: None,
        start,
        end,
        seek_micros: None,
        longer_seek_micros: None,
        expected: Frames {
            count: FRAMES,
            first_pts: start,
            last_pts: end - 1,
            pts_sha256: String::new(),
        },
        source_bytes: work,
        cut: if last { Cut::End } else { Cut::Frame },
    }
}

pub(crate) fn spec() -> JobSpec {
    JobSpec {
        container: "matroska".to_owned(),
        args: Vec::new(),
        maps: Vec::new(),
        video: VideoSpec::Encode(VideoEncode {
            encoder: ENCODER.to_owned(),
            options: Vec::new(),
            filter: None,
        }),
        codecs: Vec::new(),
        stream_options: Vec::new(),
        mux_options: Vec::new(),
        dropped_kinds: Vec::new(),
        split: SplitPolicy::Segments { run_up: 0, run_out: 0 },
        verify: Verify::Quick,
        segment_seconds: None,
        dynamic_hdr: segenc_core::spec::DynamicHdr::Refuse,
        rate: None,
        buffer: None,
    }
}

/// A wish whose options play no part: only what is asked for and what comes out.
fn rate(aim: RateAim) -> RateWish {
    RateWish {
        aim,
        passes: Passes {
            measure: Vec::new(),
            quality: QualityScale {
                option: "crf".to_owned(),
                at_reference: 20,
                per_halving: 6,
                least: 10,
                most: 40,
            },
            real: Vec::new(),
            bitrate_option: "b:v".to_owned(),
            notes: Notes::Measured,
            overshoot: Overshoot { usual: 0, per_doubling: 0 },
        },
    }
}

fn source() -> SourceRef {
    SourceRef {
        location: SourceLocation::Upload("film".to_owned()),
        name: "film.mkv".to_owned(),
        fingerprint: Fingerprint { size: 0, modified: 0, head_and_tail: String::new() },
    }
}

/// What every analysis sees of every source.
pub(crate) fn facts() -> SourceFacts {
    SourceFacts {
        demuxer: "matroska,webm".to_owned(),
        start_micros: 0,
        duration_micros: None,
        size: 0,
        streams: Vec::new(),
        chapters: 0,
    }
}
