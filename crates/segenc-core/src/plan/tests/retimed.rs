//! Films whose frames are made anew on another clock: what comes out of the segments is what comes out of the film.

use proptest::prelude::*;

use super::{facts, film_stream, packets, segments, wish};
use crate::plan::grid::{After, Grid};
use crate::plan::{Film, Frames, Planner, Segment, Unsplittable};
use crate::source::{Packet, Rational, SourceFacts};
use crate::spec::{JobSpec, LastField, Neighbours, Retiming, Rounding, SplitPolicy};
use crate::time::{PtsRange, Timebase};

fn rate(num: u32, den: u32) -> Retiming {
    let (rounding, end) = (Rounding::Near, Rounding::Near);
    Retiming::Rate { rate: Rational { num, den }, rounding, end }
}

fn retimed(retiming: Retiming, before: u32, after: u32) -> JobSpec {
    let around = |frames| Neighbours { run_up: frames, run_out: frames };
    let split = SplitPolicy::Retimed { before: around(before), retiming, after: around(after) };
    JobSpec { split, ..wish(Some(4)) }
}

/// A source of this clock, one frame of which is a second long.
fn source(ticks_a_second: u32) -> SourceFacts {
    let timebase = Timebase::new(1, ticks_a_second).expect("both sides are above zero");
    facts(vec![crate::source::StreamFacts { timebase, ..film_stream(0) }])
}

fn stretched(packets: Vec<Packet>, ticks_a_second: i64) -> Vec<Packet> {
    let ticks = |time: Option<i64>| time.map(|seconds| seconds * ticks_a_second);
    packets
        .into_iter()
        .map(|packet| Packet {
            pts: ticks(packet.pts),
            dts: ticks(packet.dts),
            duration: ticks(packet.duration),
            ..packet
        })
        .collect()
}

fn plan(spec: &JobSpec, drawing: &str) -> Result<Vec<Segment>, Unsplittable> {
    let planner = Planner::new(spec, &source(1000)).expect("there is a film");
    segments(planner, &stretched(packets(drawing), 1000))
}

fn ends(segments: &[Segment]) -> Vec<(i64, i64, u64)> {
    let ends = |frames: &Frames| (frames.first_pts, frames.last_pts, frames.count);
    segments.iter().map(|segment| ends(&segment.expected)).collect()
}

#[test]
fn a_rate_fills_every_tick_up_to_the_next_segment() {
    let planned = plan(&retimed(rate(4, 1), 0, 0), "I---I---").expect("the film can be cut");
    assert_eq!(ends(&planned), [(0, 3750, 16), (4000, 7750, 16)]);
    assert_eq!((planned[1].start, planned[1].end), (4000, 8000));
}

#[test]
fn fields_are_two_of_each_frame_and_the_last_is_as_long_as_the_one_before() {
    for last in [LastField::Mirrored, LastField::ByRate] {
        let spec = retimed(Retiming::Fields { last }, 0, 0);
        let mut source = source(1000);
        let video = source.streams[0].video.as_mut().expect("it is a film");
        video.real_rate = Some(Rational { num: 1, den: 1 });
        let planner = Planner::new(&spec, &source).expect("there is a film");
        let rate = planner.header().film.as_ref().and_then(|film| film.rate);
        assert_eq!(rate, Some(Rational { num: 2, den: 1 }));
        let planned = segments(planner, &stretched(packets("I---I---"), 1000));
        let planned = planned.expect("the film can be cut");
        assert_eq!(ends(&planned), [(0, 3500, 8), (4000, 7500, 8)]);
    }
}

#[test]
fn one_more_frame_than_the_neighbours_ends_the_last_repetition() {
    let planned = plan(&retimed(rate(4, 1), 1, 0), "I---I---I---").expect("the film can be cut");
    let ranges: Vec<PtsRange> = planned.iter().map(|segment| segment.filter_range).collect();
    assert_eq!(
        ranges,
        [
            PtsRange { start: None, end: Some(6000) },
            PtsRange { start: Some(3000), end: Some(10_000) },
            PtsRange { start: Some(7000), end: None },
        ]
    );
}

#[test]
fn neighbours_behind_a_rate_are_counted_in_its_ticks() {
    // Two ticks and two to spare are one second.
    let planned = plan(&retimed(rate(4, 1), 0, 2), "I---I---I---").expect("the film can be cut");
    let ranges: Vec<PtsRange> = planned.iter().map(|segment| segment.filter_range).collect();
    assert_eq!(
        ranges,
        [
            PtsRange { start: None, end: Some(6000) },
            PtsRange { start: Some(3000), end: Some(10_000) },
            PtsRange { start: Some(7000), end: None },
        ]
    );
}

#[test]
fn segments_are_long_enough_for_a_slow_rate() {
    let planned = plan(&retimed(rate(1, 2), 0, 0), &"I---".repeat(30)).expect("it can be cut");
    assert!(planned.len() > 1);
    assert!(planned.iter().all(|segment| segment.expected.count >= 7));
}

#[test]
fn films_whose_frames_cannot_be_told_are_not_cut() {
    let refusal = |spec: &JobSpec, packets: &[Packet]| {
        let planner = Planner::new(spec, &source(1000)).expect("there is a film");
        segments(planner, packets).expect_err("the film must not be cut").reason
    };
    let mut timeless = stretched(packets("I---I---"), 1000);
    timeless[7].duration = None;
    assert!(refusal(&retimed(rate(4, 1), 0, 0), &timeless).contains("its last frame"));
    let film = stretched(packets("I---I---"), 1000);
    assert!(refusal(&retimed(rate(2000, 1), 0, 0), &film).contains("the same time"));
    let fields = |last| retimed(Retiming::Fields { last }, 0, 0);
    assert!(refusal(&fields(LastField::Mirrored), &film[..1]).contains("single frame"));
    assert!(refusal(&fields(LastField::ByRate), &film).contains("no frame rate"));
    let mut gap = film;
    gap[7].pts = Some(1_000_000_000_000);
    assert!(refusal(&retimed(rate(25, 1), 0, 0), &gap).contains("more than"));
}

/// What `fps` of FFmpeg does, frame by frame, in the words of its documentation: a frame is given out at each tick
/// until the next one is due.
fn filtered(times: &[i64], duration: i64, film: Timebase, clock: Timebase) -> Vec<i64> {
    let mut out = Vec::new();
    let mut next = None;
    for (place, time) in times.iter().enumerate() {
        let due = match times.get(place + 1) {
            Some(following) => film.rescale(*following, clock),
            None => film.rescale(time + duration, clock),
        };
        let mut tick = next.unwrap_or_else(|| film.rescale(*time, clock));
        while tick < due {
            out.push(tick);
            tick += 1;
        }
        next = Some(tick);
    }
    out
}

fn retiming() -> impl Strategy<Value = Retiming> {
    let rounding = prop_oneof![
        Just(Rounding::Near),
        Just(Rounding::Zero),
        Just(Rounding::Away),
        Just(Rounding::Down),
        Just(Rounding::Up),
    ];
    let rate = (1_u32..120, 1_u32..1002, rounding).prop_map(|(num, den, rounding)| {
        let rate = Rational { num: num * den / 10 + 1, den };
        Retiming::Rate { rate, rounding, end: rounding }
    });
    let fields = prop_oneof![Just(LastField::Mirrored), Just(LastField::ByRate)]
        .prop_map(|last| Retiming::Fields { last });
    prop_oneof![3 => rate, 1 => fields]
}

fn film(timebase: u32, shift: i64) -> Film {
    Film {
        stream: 0,
        timebase: Timebase::new(1, timebase).expect("both sides are above zero"),
        shift,
        rate: Some(Rational { num: 50, den: 1 }),
        mastering: None,
    }
}

proptest! {
    #[test]
    fn the_frames_of_all_segments_are_those_of_the_film(
        retiming in retiming(),
        distances in prop::collection::vec(1_i64..6000, 2..120),
        cuts in prop::collection::btree_set(1_usize..119, 0..8),
        shift in -50_000_i64..50_000,
        timebase in prop_oneof![Just(1000_u32), Just(12_800), Just(30_000), Just(90_000)],
    ) {
        let around = Neighbours::default();
        let split = SplitPolicy::Retimed { before: around, retiming, after: around };
        let grid = Grid::of(&split, &film(timebase, shift)).expect("there is a clock");
        let times: Vec<i64> =
            distances.iter().scan(shift, |time, step| { *time += step; Some(*time) }).collect();
        let end = After::End(Some(40));
        let at_once = grid.frames(None, &times, end).expect("the times are plain");
        let mut starts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < times.len()).collect();
        starts.insert(0, 0);
        let mut in_parts = Vec::new();
        for (place, start) in starts.iter().enumerate() {
            let next = starts.get(place + 1).copied().unwrap_or(times.len());
            let after = times.get(next).map_or(end, |pts| After::Frame(*pts));
            let earlier = start.checked_sub(1).map(|before| times[before]);
            in_parts.extend(grid.frames(earlier, &times[*start..next], after).expect("plain"));
        }
        prop_assert_eq!(in_parts, at_once);
    }

    #[test]
    fn a_rate_gives_what_ffmpegs_filter_gives(
        distances in prop::collection::vec(1_i64..6000, 2..120),
        num in 1_u32..60,
        duration in 1_i64..4000,
    ) {
        // Ticks that a clock of whole frames a second meets, so that the encoder's rounding is none.
        let film = film(num * 1000, 0);
        let spec = retimed(rate(num, 1), 0, 0);
        let grid = Grid::of(&spec.split, &film).expect("there is a clock");
        let times: Vec<i64> =
            distances.iter().scan(0, |time, step| { *time += step; Some(*time) }).collect();
        let clock = Timebase::new(1, num).expect("both sides are above zero");
        let expected: Vec<i64> =
            filtered(&times, duration, film.timebase, clock).iter().map(|tick| tick * 1000).collect();
        // Microseconds are coarser than some of these ticks, which only shows where a tick is met exactly.
        prop_assume!(film.timebase.ticks(film.timebase.micros(duration)) == duration);
        let frames = grid.frames(None, &times, After::End(Some(duration)));
        prop_assert_eq!(frames, Ok(expected));
    }

    #[test]
    fn planned_frames_tile_the_film(retiming in retiming(), seconds in 20_usize..80) {
        let drawing: String = "I---".chars().cycle().take(seconds).collect();
        let mut source = source(90_000);
        let video = source.streams[0].video.as_mut().expect("it is a film");
        video.real_rate = Some(Rational { num: 1, den: 1 });
        let packets = stretched(packets(&drawing), 90_000);
        let spec = retimed(retiming, 0, 3);
        let planner = Planner::new(&spec, &source).expect("there is a film");
        let film = planner.header().film.clone().expect("it is encoded");
        let planned = segments(planner, &packets).expect("the film can be cut");
        let times: Vec<i64> = packets.iter().filter_map(|packet| packet.pts).collect();
        let grid = Grid::of(&spec.split, &film).expect("there is a clock");
        let all = grid.frames(None, &times, After::End(Some(90_000))).expect("plain");
        let mut rest = all.as_slice();
        for segment in &planned {
            let count = usize::try_from(segment.expected.count).expect("a film is short");
            let (own, later) = rest.split_at(count);
            prop_assert_eq!(Frames::of_sorted(own.iter().copied()), Some(segment.expected.clone()));
            rest = later;
        }
        prop_assert!(rest.is_empty());
    }
}
