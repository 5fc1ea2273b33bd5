//! Changes of scene at ordinary frames: suspected by the sizes of packets, looked at, and cut at.

use proptest::prelude::*;

use super::{facts, film_stream, packets, wish};
use crate::plan::{Cut, Look, Planner, Segment, Unsplittable};
use crate::source::Packet;
use crate::spec::{JobSpec, VideoEncode, VideoSpec};

/// Wished frames of a segment: one frame a second.
const WISHED: u32 = 100;

/// A film with a keyframe every 25 frames, and large frames at these places.
fn film(frames: usize, large: &[usize]) -> Vec<Packet> {
    let drawing: String = (0..frames).map(|at| if at % 25 == 0 { 'I' } else { '-' }).collect();
    let mut packets = packets(&drawing);
    for (at, packet) in packets.iter_mut().enumerate() {
        packet.size = if packet.key { 1000 } else { 20 };
        if large.contains(&at) && !packet.key {
            packet.size = 700;
        }
    }
    packets
}

fn planner_of(spec: &JobSpec) -> Planner {
    let source = facts(vec![film_stream(0)]);
    Planner::new(spec, &source).expect("there is a film").with_looks(spec)
}

fn planner() -> Planner {
    planner_of(&wish(Some(WISHED)))
}

/// Plans, while each look is answered by `sees` when it is the turn of `patience` packets after it was asked for.
fn plan(
    mut planner: Planner,
    packets: &[Packet],
    patience: usize,
    sees: impl Fn(Look) -> Option<i64>,
) -> Result<Vec<Segment>, Unsplittable> {
    let mut segments = Vec::new();
    for (at, packet) in packets.iter().enumerate() {
        segments.extend(planner.push(std::slice::from_ref(packet))?);
        if at % patience == 0 {
            for look in planner.looks() {
                segments.extend(planner.seen(look.until, sees(look))?);
            }
        }
    }
    segments.extend(planner.end_of_packets()?);
    while let Some(look) = planner.looks().last() {
        segments.extend(planner.seen(look.until, sees(*look))?);
    }
    segments.extend(planner.finish()?);
    Ok(segments)
}

fn cuts(segments: &[Segment]) -> Vec<(i64, Cut)> {
    segments.iter().map(|segment| (segment.end, segment.cut)).collect()
}

#[test]
fn a_film_is_cut_where_a_scene_was_seen() {
    let film = film(400, &[113]);
    let segments = plan(planner(), &film, 1, |look| Some(look.until - 2)).expect("a film");
    let expected = [(111, Cut::Scene), (200, Cut::Keyframe), (300, Cut::Keyframe), (400, Cut::End)];
    assert_eq!(cuts(&segments), expected);
    assert_eq!(segments[1].seek_micros, Some(100_200_000));
}

#[test]
fn a_look_begins_a_few_pictures_before_the_suspect_and_seeks_its_keyframe() {
    let mut planner = planner();
    planner.push(&film(400, &[128])).expect("a film");
    assert_eq!(planner.looks(), [Look { from: 119, until: 128, seek_micros: Some(100_200_000) }]);
}

#[test]
fn nothing_is_cut_before_somebody_has_looked() {
    let mut planner = planner();
    let early = planner.push(&film(600, &[113])).expect("a film");
    assert_eq!(early, []);
    let told = planner.seen(113, None).expect("a film");
    assert_eq!(cuts(&told)[0], (100, Cut::Keyframe));
    assert_eq!(planner.looks(), []);
}

#[test]
fn what_nobody_looks_at_is_cut_at_keyframes() {
    let film = film(400, &[113, 190]);
    let mut planner = planner();
    let mut segments = planner.push(&film).expect("a film");
    segments.extend(planner.finish().expect("a film"));
    let expected =
        [(100, Cut::Keyframe), (200, Cut::Keyframe), (300, Cut::Keyframe), (400, Cut::End)];
    assert_eq!(cuts(&segments), expected);
}

#[test]
fn the_next_suspect_is_looked_at_when_the_first_is_none() {
    let film = film(400, &[97, 113]);
    let sees = |look: Look| (look.until == 113).then_some(113);
    let segments = plan(planner(), &film, 1, sees).expect("a film");
    assert_eq!(cuts(&segments)[0], (113, Cut::Scene));
}

#[test]
fn where_a_keyframe_tells_the_scene_nobody_has_to_look() {
    let mut film = film(400, &[113]);
    film[90].key = true;
    let mut planner = planner();
    planner.push(&film).expect("a film");
    assert_eq!(planner.looks(), []);
}

#[test]
fn encoders_of_keyframes_only_need_no_scenes() {
    let encode = VideoEncode { encoder: "ffv1".to_owned(), options: Vec::new(), filter: None };
    let spec = JobSpec { video: VideoSpec::Encode(encode), ..wish(Some(WISHED)) };
    let mut planner = planner_of(&spec);
    planner.push(&film(400, &[113])).expect("a film");
    assert_eq!(planner.looks(), []);
}

#[test]
fn a_second_analysis_cuts_where_the_first_did_and_looks_again_only_behind() {
    let film = film(800, &[113, 310, 555]);
    let all = plan(planner(), &film, 1, |look| Some(look.until)).expect("a film");
    let stored = &all[..2];
    let again = plan(planner().following(stored), &film, 1, |look| {
        if look.until == 113 { None } else { Some(look.until) }
    });
    assert_eq!(again, Ok(all));
}

#[test]
fn a_frame_that_is_not_there_is_no_scene() {
    let film = film(400, &[113]);
    for nonsense in [i64::MIN, 3, 103, 114, i64::MAX] {
        let segments = plan(planner(), &film, 1, |_| Some(nonsense)).expect("a film");
        assert_eq!(cuts(&segments)[0], (100, Cut::Keyframe), "{nonsense}");
    }
}

/// Any packets at all, with sizes that make suspects.
fn packet() -> impl Strategy<Value = Packet> {
    (0_i64..2000, prop::sample::select(vec![1_u32, 2, 500, u32::MAX]), prop::bool::weighted(0.05))
        .prop_map(|(pts, size, key)| Packet {
            pts: Some(pts),
            dts: None,
            duration: Some(1),
            size,
            key,
            discarded: false,
        })
}

proptest! {
    #[test]
    fn when_somebody_looks_makes_no_difference(
        large in prop::collection::vec(0_usize..900, 0..30),
        patience in 1_usize..900,
    ) {
        let film = film(900, &large);
        let sees = |look: Look| (look.until % 3 > 0).then_some(look.until - look.until % 5);
        let at_once = plan(planner(), &film, 1, sees);
        prop_assert_eq!(plan(planner(), &film, patience, sees), at_once);
    }

    #[test]
    fn no_packets_and_no_answers_do_harm(
        table in prop::collection::vec(packet(), 0..400),
        sorted in prop::bool::weighted(0.8),
        patience in 1_usize..50,
    ) {
        let mut table = table;
        if sorted {
            table.sort_by_key(|packet| packet.pts);
            table.dedup_by_key(|packet| packet.pts);
        }
        if let Ok(segments) = plan(planner(), &table, patience, |look| Some(look.from)) {
            let frames: u64 = segments.iter().map(|segment| segment.expected.count).sum();
            prop_assert_eq!(frames, table.len() as u64);
        }
    }
}
