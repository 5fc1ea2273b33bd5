//! The checks that need no file.

use segenc_core::plan::{Film, OutputStream};
use segenc_core::work::JoinedSegment;

use super::*;

fn timebase(den: u32) -> Timebase {
    Timebase::new(1, den).expect("both sides are above zero")
}

fn frames(count: u64, first_pts: i64, last_pts: i64) -> Frames {
    Frames { count, first_pts, last_pts, pts_sha256: String::new() }
}

/// Two segments of three frames at 30000/1001 in ticks of 1/90000.
fn join() -> Join {
    let segment = |frames: Frames| JoinedSegment { input: 1, start: 0, end: 0, frames };
    Join {
        film: Film { stream: 0, timebase: timebase(90_000), shift: 0, rate: None, mastering: None },
        segments: vec![segment(frames(3, 0, 6006)), segment(frames(3, 9009, 15_015))],
        other_streams_input: None,
        options: Vec::new(),
        start_micros: 0,
    }
}

#[test]
fn rounding_to_the_outputs_ticks_is_no_fault() {
    assert!(joins(&[0, 33, 67, 100, 133, 167], timebase(1000), &join()).is_ok());
    assert!(
        joins(&[21, 54, 88, 121, 154, 188], timebase(1000), &join()).is_ok(),
        "moved as a whole"
    );
}

#[test]
fn a_segment_in_the_wrong_place_is_seen() {
    assert!(
        joins(&[0, 33, 67, 102, 135, 169], timebase(1000), &join()).is_err(),
        "the second is late"
    );
    assert!(
        joins(&[0, 33, 67, 100, 133, 165], timebase(1000), &join()).is_err(),
        "its last is early"
    );
    assert!(joins(&[-5, 28, 62, 95, 128, 162], timebase(1000), &join()).is_err(), "all are early");
    assert!(
        joins(&[9000, 9033, 9067, 9100, 9133, 9167], timebase(1000), &join()).is_err(),
        "9 s late"
    );
    assert!(joins(&[0, 33, 67, 100, 133], timebase(1000), &join()).is_err(), "one is missing");
}

#[test]
fn drift_over_many_segments_is_seen() {
    let mut join = join();
    join.segments = (0..1000)
        .map(|index| JoinedSegment {
            input: 1,
            start: 0,
            end: 0,
            frames: frames(1, index * 3003, index * 3003),
        })
        .collect();
    let exact: Vec<i64> =
        (0..1000).map(|index| timebase(90_000).rescale(index * 3003, timebase(1000))).collect();
    assert!(joins(&exact, timebase(1000), &join).is_ok());
    let drifting: Vec<i64> = (0..1000).map(|index| index * 33).collect();
    assert!(joins(&drifting, timebase(1000), &join).is_err());
}

#[test]
fn equal_times_do_not_increase() {
    assert!(increasing(&[0, 1, 2], 3).is_ok());
    assert!(increasing(&[0, 1, 1], 3).is_err());
    assert!(increasing(&[0, 1], 3).is_err());
}

fn merged(kind: StreamKind, dispositions: &[&str]) -> MergedStream {
    MergedStream {
        stream: OutputStream { source_stream: 0, origin: Origin::Copied },
        kind,
        dispositions: dispositions.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn file(json: &str) -> MadeFile {
    serde_json::from_str(json).expect("the test's own text")
}

#[test]
fn a_cover_picture_at_the_end_is_not_taken_for_the_film() {
    let expected = [merged(StreamKind::Video, &["attached_pic"]), merged(StreamKind::Video, &[])];
    let file = file(
        r#"{"streams":[{"index":0,"codec_type":"video"},
           {"index":1,"codec_type":"video","disposition":{"attached_pic":1}}]}"#,
    );
    assert!(streams(&file, &expected).passed);
    assert_eq!(counterpart(&file, &expected, 1).map(|stream| stream.index), Some(0));
    assert_eq!(counterpart(&file, &expected, 0).map(|stream| stream.index), Some(1));
}

#[test]
fn a_missing_stream_is_seen_and_an_added_data_stream_is_not() {
    let expected = [merged(StreamKind::Video, &[]), merged(StreamKind::Audio, &[])];
    let with = |kind: &str| {
        file(&format!(
            r#"{{"streams":[{{"index":0,"codec_type":"video"}},{{"index":1,"codec_type":"{kind}"}}]}}"#
        ))
    };
    assert!(streams(&with("audio"), &expected).passed);
    assert_eq!(streams(&with("data"), &expected).detail, "0 audio streams instead of 1");
    let film_only = [merged(StreamKind::Video, &[])];
    assert!(streams(&with("data"), &film_only).passed);
}

#[test]
fn details_are_written_for_people() {
    assert_eq!(seconds(20_038_000), "20.038 s");
    assert_eq!(seconds(-1_500), "-0.001500 s");
    assert_eq!(counted(1, "stream"), "1 stream");
    assert_eq!(counted(2, "stream"), "2 streams");
}
