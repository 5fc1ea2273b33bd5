//! What a segment says beside its range, and which packets show that a film must not be cut.

use super::{check, check_refused, facts, film_stream, packets, planner, segments, wish};
use crate::plan::{Frames, Planner, Segment};
use crate::source::Packet;
use crate::spec::SplitPolicy;
use crate::time::PtsRange;

fn filtered(drawing: &str, run_up: u32, run_out: u32) -> Vec<Segment> {
    let mut wish = wish(Some(4));
    wish.split = SplitPolicy::Segments { run_up, run_out };
    let planner = Planner::new(&wish, &facts(vec![film_stream(0)])).expect("there is a film");
    segments(planner, &packets(drawing)).expect("the film can be cut")
}

#[test]
fn segments_say_which_frames_come_out() {
    let source = facts(vec![film_stream(0)]);
    let source = crate::source::SourceFacts { start_micros: -3_000_000, ..source };
    let planner = Planner::new(&wish(Some(4)), &source).expect("there is a film");
    let segments = segments(planner, &packets("I---I---")).expect("the film can be cut");
    assert_eq!(Frames::of_sorted([3, 4, 5, 6]), Some(segments[0].expected.clone()));
    assert_eq!(Frames::of_sorted([7, 8, 9, 10]), Some(segments[1].expected.clone()));
    assert_eq!((segments[1].start, segments[1].end, segments[1].source_bytes), (4, 8, 40));
}

#[test]
fn frames_that_are_not_shown_do_not_count() {
    let segments = check("Xxx-----I---xx", 4, "Xxx-----|I---xx");
    assert_eq!((segments[0].start, segments[0].expected.count), (3, 5));
    assert_eq!(segments[1].expected.count, 4);
}

#[test]
fn the_end_of_the_film_is_its_last_frame_and_the_usual_distance() {
    let segments = check("I..-..-..-", 4, "I..|-..|-..-");
    assert_eq!(segments.last().map(|segment| segment.end), Some(12));
}

#[test]
fn a_segment_is_decoded_from_the_keyframe_at_or_before_its_start() {
    let drawing = "I-------------I-------------";
    let segments = check(drawing, 4, "I---|----|------|I---|----|------");
    let seeks: Vec<Option<i64>> = segments.iter().map(|segment| segment.seek_micros).collect();
    let second = Some(14_200_000);
    assert_eq!(seeks, [None, None, None, second, second, second]);
}

#[test]
fn the_longer_run_up_begins_two_keyframes_and_five_seconds_earlier() {
    let segments = check("I---I---I---I---I---", 4, "I---|I---|I---|I---|I---");
    let longer: Vec<Option<i64>> =
        segments.iter().map(|segment| segment.longer_seek_micros).collect();
    assert_eq!(longer, [None, None, None, Some(4_200_000), Some(8_200_000)]);
}

#[test]
fn a_keyframe_that_later_frames_were_decoded_before_is_no_place_to_start() {
    // The frame at 9 is decoded before the keyframe at 8, so who starts at 8 misses it.
    let mut packets = packets("I-------I-------");
    packets[8] = Packet { pts: Some(9), key: false, ..packets[8] };
    packets[9] = Packet { pts: Some(8), key: true, ..packets[9] };
    let segments = segments(planner(4), &packets).expect("the film can be cut");
    assert!(segments.iter().all(|segment| segment.seek_micros.is_none()));
}

#[test]
fn filters_get_their_neighbours_and_decoding_starts_before_those() {
    let segments = filtered("I---I---I---", 1, 2);
    let ranges: Vec<PtsRange> = segments.iter().map(|segment| segment.filter_range).collect();
    assert_eq!(
        ranges,
        [
            PtsRange { start: None, end: Some(6) },
            PtsRange { start: Some(3), end: Some(10) },
            PtsRange { start: Some(7), end: None },
        ]
    );
    let seeks: Vec<Option<i64>> = segments.iter().map(|segment| segment.seek_micros).collect();
    assert_eq!(seeks, [None, None, Some(4_200_000)]);
}

#[test]
fn a_filter_that_reaches_over_the_films_end_gets_all_there_is() {
    let segments = filtered("I---I---I---", 9, 9);
    let ranges: Vec<PtsRange> = segments.iter().map(|segment| segment.filter_range).collect();
    assert_eq!(ranges, [PtsRange { start: None, end: None }; 3]);
}

#[test]
fn without_filters_only_the_range_itself_is_filtered() {
    for segment in filtered("I---I---I---", 0, 0) {
        assert_eq!(segment.filter_range, segment.range);
    }
}

#[test]
fn the_first_segments_are_known_long_before_the_end() {
    let mut planner = planner(4);
    let packets = packets(&"I---".repeat(100));
    let early = planner.push(&packets[..40]).expect("the film can be cut");
    assert_eq!(early.len(), 4);
}

#[test]
fn an_unknown_decoding_time_is_no_flaw() {
    let mut packets = packets("I--bbI--bb");
    packets[0].dts = None;
    packets[1].dts = None;
    assert_eq!(segments(planner(4), &packets).map(|segments| segments.len()), Ok(2));
}

#[test]
fn films_whose_packets_tell_no_order_are_not_cut() {
    check_refused(&[], "it has no frames");
    check_refused(&packets("Xxx"), "it has no frames");
    check_refused(&packets("---I---"), "it does not begin with a keyframe");
    check_refused(&packets("bbI---"), "its first frames need frames that are not in the source");

    let mut timeless = packets("I---I---");
    timeless[5].pts = None;
    check_refused(&timeless, "some of its packets have no time");

    let mut double = packets("I---I---");
    double[6].pts = Some(5);
    check_refused(&double, "two of its frames have the same time");

    let mut backwards = packets("I---I---");
    backwards[6].dts = Some(0);
    check_refused(&backwards, "its decoding times run backwards");

    let mut jump = packets(&"I---".repeat(10));
    jump[39].pts = Some(2);
    check_refused(&jump, "its times jump back");
}

#[test]
fn times_at_the_ends_of_their_range_do_no_harm() {
    let mut packets = packets(&"I---".repeat(10));
    for packet in &mut packets {
        packet.dts = None;
    }
    packets[0].pts = Some(i64::MIN);
    packets[39].pts = Some(i64::MAX);
    let refusal = segments(planner(4), &packets[1..]);
    assert!(refusal.is_err(), "the film does not begin with a keyframe");
    let segments = segments(planner(4), &packets).expect("times ascend");
    assert_eq!(segments.last().map(|segment| segment.end), Some(i64::MAX));
}
