//! What holds for every plan, whatever the packets.

use proptest::prelude::*;

use super::{packets, planner, segments};
use crate::plan::{Frames, Segment, Unsplittable};
use crate::source::Packet;

/// Drawings of films that may be cut.
fn drawing() -> impl Strategy<Value = String> {
    (1_usize..400, "[Ib.-]{0,400}|[I-]{0,400}|(I[-]{11}){0,30}|[-b]{0,400}")
        .prop_map(|(length, tail)| format!("I-{}", tail.chars().take(length).collect::<String>()))
}

/// Any packets at all.
fn packet() -> impl Strategy<Value = Packet> {
    (
        prop::option::weighted(0.98, 0_i64..300),
        prop::option::of(Just(0_i64)),
        0_u32..5,
        prop::bool::ANY,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(pts, dts, size, key, discarded)| Packet {
            pts,
            dts,
            duration: Some(1),
            size,
            key,
            discarded,
        })
}

fn pushed_in(
    sizes: &[usize],
    wanted: u32,
    packets: &[Packet],
) -> Result<Vec<Segment>, Unsplittable> {
    let mut planner = planner(wanted);
    let mut planned = Vec::new();
    let mut rest = packets;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (batch, later) = rest.split_at((*size).min(rest.len()));
        planned.extend(planner.push(batch)?);
        rest = later;
    }
    planned.extend(planner.finish()?);
    Ok(planned)
}

fn shown_in_order(packets: &[Packet]) -> Vec<i64> {
    let mut pts: Vec<i64> =
        packets.iter().filter(|packet| !packet.discarded).filter_map(|packet| packet.pts).collect();
    pts.sort_unstable();
    pts
}

/// Every frame is in exactly one segment, and every segment says which are its own.
fn assert_tiles(segments: &[Segment], packets: &[Packet]) {
    let shown = shown_in_order(packets);
    for (place, segment) in segments.iter().enumerate() {
        assert_eq!(segment.index as usize, place);
        let own: Vec<i64> =
            shown.iter().copied().filter(|pts| segment.range.contains(*pts)).collect();
        assert_eq!(own.first(), Some(&segment.start));
        assert!(own.iter().all(|pts| (segment.start..segment.end).contains(pts)));
        assert_eq!(Frames::of_sorted(own), Some(segment.expected.clone()));
    }
    for pair in segments.windows(2) {
        assert_eq!(pair[0].range.end, pair[1].range.start);
        assert_eq!(pair[0].end, pair[1].start);
    }
    for segment in segments {
        if let Some(until) = segment.lookahead_end {
            let beyond = |pts: &i64| (segment.end..until).contains(pts);
            assert!(shown.iter().filter(|pts| beyond(pts)).count() >= 8);
        }
    }
    assert_eq!(segments.first().map(|segment| segment.range.start), Some(None));
    assert_eq!(segments.last().map(|segment| segment.range.end), Some(None));
}

proptest! {
    #[test]
    fn segments_tile_the_film(drawing in drawing(), wanted in 1_u32..20) {
        let packets = packets(&drawing);
        let planned = segments(planner(wanted), &packets).expect("the film can be cut");
        assert_tiles(&planned, &packets);
    }

    #[test]
    fn segments_tile_the_film_or_there_are_none(table in prop::collection::vec(packet(), 0..60)) {
        if let Ok(planned) = segments(planner(4), &table) {
            assert_tiles(&planned, &table);
        }
    }

    #[test]
    fn batches_make_no_difference(
        drawing in drawing(),
        wanted in 1_u32..20,
        sizes in prop::collection::vec(1_usize..50, 1..5),
    ) {
        let packets = packets(&drawing);
        let at_once = segments(planner(wanted), &packets);
        prop_assert_eq!(pushed_in(&sizes, wanted, &packets), at_once);
    }

    #[test]
    fn no_segment_is_shorter_than_half_of_the_wish_unless_the_film_is(
        drawing in drawing(),
        wanted in 1_u32..20,
    ) {
        let planned = segments(planner(wanted), &packets(&drawing)).expect("the film can be cut");
        let half = i64::from(wanted) / 2;
        if planned.len() > 1 {
            prop_assert!(planned.iter().all(|segment| segment.end - segment.start >= half));
        }
    }

    #[test]
    fn decoding_starts_at_a_keyframe_that_gives_the_whole_segment(
        drawing in drawing(),
        wanted in 1_u32..20,
    ) {
        let packets = packets(&drawing);
        for segment in segments(planner(wanted), &packets).expect("the film can be cut") {
            let Some(seek) = segment.seek_micros else { continue };
            // Where a demuxer lands that searches by decoding time, and one that searches by
            // presentation time after ffmpeg has subtracted 3/23 s.
            let by_dts = packets.iter().rposition(|packet| {
                packet.key && packet.dts.is_some_and(|dts| dts * 1_000_000 <= seek)
            });
            let by_pts = packets.iter().rposition(|packet| {
                packet.key && packet.pts.is_some_and(|pts| pts * 1_000_000 <= seek - 130_435)
            });
            for from in [by_dts.unwrap_or(0), by_pts.unwrap_or(0)] {
                prop_assert!(packets[from].pts <= Some(segment.start));
                let missed = packets[..from].iter().any(|packet| packet.pts >= Some(segment.start));
                prop_assert!(!missed);
            }
        }
    }
}
