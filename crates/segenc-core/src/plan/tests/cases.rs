//! Where the cuts fall, case by case.

use super::{check, planner, segments};
use crate::plan::Cut;
use crate::plan::tests::packets;

fn cuts(drawing: &str, wanted: u32) -> Vec<Cut> {
    let segments = segments(planner(wanted), &packets(drawing)).expect("the film can be cut");
    segments.into_iter().map(|segment| segment.cut).collect()
}

#[test]
fn keyframes_near_the_wished_length_are_cut_at() {
    check("I--I----I-I", 4, "I--|I----|I-I");
    check("I---I---I---I---", 4, "I---|I---|I---|I---");
    check("I-----I-----I-----I-----", 4, "I-----|I-----|I-----|I-----");
}

#[test]
fn short_gops_are_collected_up_to_the_wished_length() {
    check("IIIIIIIIIIIIIIII", 4, "IIII|IIII|IIII|IIII");
    check("I-I-I-I-I-I-I-I-", 4, "I-I-|I-I-|I-I-|I-I-");
}

#[test]
fn of_two_keyframes_equally_near_the_earlier_is_cut_at() {
    check("I---I---I-----", 6, "I---|I---|I-----");
}

#[test]
fn a_keyframe_off_the_grid_is_preferred_to_one_of_the_grid() {
    // The grid is 8 wide; the keyframe at 13 came early, so the picture changed there.
    check("I-------I----I-------I-------", 8, "I-------|I----|I-------|I-------");
    // At 10 the grid lies exactly at the wish, at 13 the picture changes.
    let drawing = "I---------I--I---------I---------I---------";
    check(drawing, 10, "I---------I--|I---------|I---------|I---------");
    assert_eq!(cuts(drawing, 10), [Cut::SceneKeyframe, Cut::Keyframe, Cut::Keyframe, Cut::End]);
}

#[test]
fn a_grid_that_wavers_by_a_tenth_is_still_a_grid() {
    let drawing = "I---------I---------I--------I---------I---------";
    assert!(!cuts(drawing, 10).contains(&Cut::SceneKeyframe));
}

#[test]
fn without_a_keyframe_near_an_ordinary_frame_is_cut_at() {
    check("I---------I---------", 4, "I---|------|I---|------");
    assert_eq!(cuts("I--------", 4), [Cut::Frame, Cut::End]);
}

#[test]
fn a_keyframe_twice_as_far_as_wished_is_better_than_an_ordinary_frame() {
    check("I-------I--------I---------I---", 4, "I-------|I--------|I---|------|I---");
    assert_eq!(cuts("I-------I-------I---", 4), [Cut::Keyframe, Cut::Keyframe, Cut::End]);
}

#[test]
fn a_segment_goes_on_to_the_next_keyframe_when_decoding_up_to_a_cut_takes_too_long() {
    check("I---------------------------I---", 4, "I---|----|----|----------------|I---");
    check("I-----------------------", 4, "I---|----|----|------------");
}

#[test]
fn the_end_of_the_film_makes_no_short_segment() {
    check("I---I-", 4, "I---I-");
    check("I---I---I-", 4, "I---|I---I-");
    check("I-----", 4, "I-----");
    check("I", 4, "I");
}

#[test]
fn the_last_two_segments_are_even() {
    check("IIIIIIIIIII", 4, "IIII|III|IIII");
}

#[test]
fn leading_pictures_of_an_open_gop_stay_before_the_cut() {
    let segments = check("I--bbI--bbI--bb", 4, "I--bb|I--bb|I--bb");
    let counts: Vec<u64> = segments.iter().map(|segment| segment.expected.count).collect();
    assert_eq!(counts, [5, 5, 5]);
}

#[test]
fn a_gap_between_frames_is_no_reason_for_an_empty_segment() {
    check("I......I......I......I", 4, "I......|I......|I......|I");
    check("I............-....-.-", 4, "I............-....-.-");
    check("I...-.-....-.-.-.", 4, "I...|-.|-....|-.-.-.");
}

#[test]
fn an_encoder_may_look_eight_frames_beyond_a_cut_in_mid_scene() {
    let looks = |drawing: &str, wanted: u32| -> Vec<_> {
        let planned = segments(planner(wanted), &packets(drawing)).expect("the film can be cut");
        planned.iter().map(|it| it.lookahead_end.map(|until| until - it.end)).collect()
    };
    assert_eq!(looks("I-----I-----I-----I-----I-----I-----I-", 12), [Some(8), Some(8), None]);
    // Counted in frames, not in time.
    assert_eq!(looks("I-----I-...-..-I-----I-----I-----", 6)[0], Some(13));
    // So many are not left behind the last cut.
    assert_eq!(looks("I-----I-----I----", 6), [Some(8), None, None]);
    // At a change of scene there is nothing to be seen.
    let scene = "I---------I--I---------I---------I---------";
    assert_eq!(looks(scene, 10), [None, Some(8), Some(8), None]);
}
