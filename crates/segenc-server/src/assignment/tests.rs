//! What workers are told, for small wishes.

use segenc_core::plan::Planner;
use segenc_core::source::VideoFacts;
use segenc_core::spec::CodecChoice;
use segenc_core::spec::{SplitPolicy, Verify};
use segenc_core::time::Timebase;

use super::*;

fn stream(index: u32, kind: StreamKind) -> StreamFacts {
    StreamFacts {
        index,
        kind,
        codec: "any".to_owned(),
        timebase: Timebase::new(1, 1000).expect("both sides are above zero"),
        language: None,
        title: None,
        dispositions: Vec::new(),
        video: (kind == StreamKind::Video).then(|| VideoFacts {
            width: 320,
            height: 180,
            pixel_format: "yuv420p".to_owned(),
            field_order: String::new(),
            average_rate: None,
            real_rate: None,
            color_transfer: String::new(),
            has_b_frames: 0,
            mastering: None,
            dynamic_hdr: String::new(),
        }),
    }
}

fn facts() -> SourceFacts {
    let kinds = [StreamKind::Video, StreamKind::Audio, StreamKind::Audio, StreamKind::Subtitle];
    SourceFacts {
        demuxer: "matroska,webm".to_owned(),
        start_micros: 0,
        duration_micros: Some(60_000_000),
        size: 1000,
        streams: (0..).zip(kinds).map(|(index, kind)| stream(index, kind)).collect(),
        chapters: 0,
    }
}

fn plain(name: &str, value: &str) -> OutputOption {
    OutputOption { name: name.to_owned(), value: Some(value.to_owned()) }
}

fn spec() -> JobSpec {
    JobSpec {
        container: "matroska".to_owned(),
        args: Vec::new(),
        maps: Vec::new(),
        video: VideoSpec::Encode(VideoEncode {
            encoder: "libx264".to_owned(),
            options: vec![plain("crf", "20"), plain("profile:v", "high")],
            filter: Some("hflip".to_owned()),
        }),
        codecs: vec![CodecChoice {
            kind: StreamKind::Audio,
            position: Some(1),
            codec: "libopus".to_owned(),
        }],
        stream_options: vec![plain("b:a:1", "96k"), plain("b:a:0", "64k"), plain("ac:a", "2")],
        mux_options: vec![plain("metadata", "title=x")],
        dropped_kinds: Vec::new(),
        split: SplitPolicy::Segments { run_up: 0, run_out: 0 },
        verify: Verify::Quick,
        segment_seconds: None,
        dynamic_hdr: segenc_core::spec::DynamicHdr::Refuse,
        rate: None,
        buffer: None,
    }
}

fn words(options: &[OutputOption]) -> Vec<String> {
    options
        .iter()
        .map(|option| format!("{}={}", option.name, option.value.as_deref().unwrap_or_default()))
        .collect()
}

#[test]
fn options_follow_a_stream_into_the_file_of_other_streams() {
    let (spec, facts) = (spec(), facts());
    let planner = Planner::new(&spec, &facts).expect("a plan");
    let work = other_streams(&spec, &facts, planner.header());
    assert_eq!(work.source_streams, [2]);
    assert_eq!(words(&work.options), ["c:0=libopus", "b:a:0=96k", "ac:a=2"]);
}

#[test]
fn a_whole_title_gets_every_option_in_order() {
    let (spec, facts) = (spec(), facts());
    let planner = Planner::new(&spec, &facts).expect("a plan");
    let work = whole(&spec, &facts, planner.header());
    assert_eq!(work.source_streams, [0, 1, 2, 3]);
    assert_eq!(
        words(&work.options),
        [
            "c:0=libx264",
            "crf:0=20",
            "profile:v=high",
            "filter:0=hflip",
            "c:1=copy",
            "c:2=libopus",
            "c:3=copy",
            "b:a:1=96k",
            "b:a:0=64k",
            "ac:a=2",
            "metadata=title=x",
        ]
    );
}

#[test]
fn the_users_number_of_threads_counts() {
    let encode = |options| VideoEncode { encoder: "libx264".to_owned(), options, filter: None };
    assert_eq!(threads(&encode(vec![plain("threads:v", "5")])), Some(5));
    assert_eq!(threads(&encode(vec![plain("threads", "0")])), None);
}
