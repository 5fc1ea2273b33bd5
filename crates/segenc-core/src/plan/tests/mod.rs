//! Plans drawn as text, and the plans' properties.
//!
//! A drawing shows a film in the order in which it is shown, one letter a second: `I` a keyframe, `-` an
//! ordinary frame, `b` a frame that is decoded after the next `I` or `-`, `x` and `X` a frame and a
//! keyframe that are decoded but not shown, `.` a second without a frame. In a plan, `|` stands before
//! the first frame of each segment but the first.

mod cases;
mod header;
mod properties;
mod retimed;
mod scenes;
mod stream;

use super::{Planner, Segment, Unsplittable};
use crate::source::{Packet, SourceFacts, StreamFacts, StreamKind, VideoFacts};
use crate::spec::{JobSpec, SplitPolicy, Verify, VideoEncode, VideoSpec};
use crate::time::Timebase;

/// One second a tick, so that drawings and wishes speak of the same thing.
fn seconds() -> Timebase {
    Timebase::new(1, 1).expect("both sides are above zero")
}

fn stream(index: u32, kind: StreamKind, codec: &str) -> StreamFacts {
    StreamFacts {
        index,
        kind,
        codec: codec.into(),
        timebase: seconds(),
        language: None,
        title: None,
        dispositions: Vec::new(),
        video: None,
    }
}

fn film_stream(index: u32) -> StreamFacts {
    let video = VideoFacts {
        width: 640,
        height: 360,
        pixel_format: "yuv420p".into(),
        field_order: "progressive".into(),
        average_rate: None,
        real_rate: None,
        color_transfer: String::new(),
        has_b_frames: 2,
        mastering: None,
        dynamic_hdr: String::new(),
    };
    StreamFacts { video: Some(video), ..stream(index, StreamKind::Video, "h264") }
}

fn facts(streams: Vec<StreamFacts>) -> SourceFacts {
    SourceFacts {
        demuxer: "matroska,webm".into(),
        start_micros: 0,
        duration_micros: None,
        size: 1,
        streams,
        chapters: 0,
    }
}

fn wish(segment_seconds: Option<u32>) -> JobSpec {
    JobSpec {
        container: "matroska".into(),
        args: Vec::new(),
        maps: Vec::new(),
        video: VideoSpec::Encode(VideoEncode {
            encoder: "libx264".into(),
            options: Vec::new(),
            filter: None,
        }),
        codecs: Vec::new(),
        stream_options: Vec::new(),
        mux_options: Vec::new(),
        dropped_kinds: Vec::new(),
        split: SplitPolicy::Segments { run_up: 0, run_out: 0 },
        verify: Verify::Full,
        segment_seconds,
        dynamic_hdr: crate::spec::DynamicHdr::Refuse,
        rate: None,
        buffer: None,
    }
}

/// A planner for a film alone in its file, with segments of this many seconds wished.
fn planner(wanted: u32) -> Planner {
    Planner::new(&wish(Some(wanted)), &facts(vec![film_stream(0)])).expect("there is a film")
}

/// The packets of a drawing, in decoding order.
fn packets(drawing: &str) -> Vec<Packet> {
    let mut order = Vec::new();
    let mut waiting = Vec::new();
    for (second, letter) in (0_i64..).zip(drawing.chars()) {
        match letter {
            'b' => waiting.push((second, letter)),
            'I' | '-' | 'x' | 'X' => {
                order.push((second, letter));
                order.append(&mut waiting);
            }
            '.' => {}
            other => panic!("{other} means nothing in a drawing"),
        }
    }
    order.append(&mut waiting);
    let mut times: Vec<i64> = order.iter().map(|(second, _)| *second).collect();
    times.sort_unstable();
    order
        .into_iter()
        .zip(times)
        .map(|((second, letter), dts)| Packet {
            pts: Some(second),
            dts: Some(dts - 2),
            duration: Some(1),
            size: 10,
            key: matches!(letter, 'I' | 'X'),
            discarded: matches!(letter, 'x' | 'X'),
        })
        .collect()
}

fn segments(mut planner: Planner, packets: &[Packet]) -> Result<Vec<Segment>, Unsplittable> {
    let mut segments = planner.push(packets)?;
    segments.extend(planner.finish()?);
    Ok(segments)
}

/// The drawing with its cuts.
fn draw(drawing: &str, segments: &[Segment]) -> String {
    let mut drawn = String::new();
    for (second, letter) in (0_i64..).zip(drawing.chars()) {
        if segments.iter().any(|segment| segment.range.start == Some(second)) {
            drawn.push('|');
        }
        drawn.push(letter);
    }
    drawn
}

#[track_caller]
fn check(drawing: &str, wanted: u32, expected: &str) -> Vec<Segment> {
    let segments = segments(planner(wanted), &packets(drawing)).expect("the film can be cut");
    assert_eq!(draw(drawing, &segments), expected);
    segments
}

#[track_caller]
fn check_refused(packets: &[Packet], expected: &str) {
    let refusal = segments(planner(4), packets).expect_err("the film must not be cut");
    assert_eq!(refusal.reason, expected);
}
