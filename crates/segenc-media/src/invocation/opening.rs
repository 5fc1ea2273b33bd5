//! The first picture of a later segment: what the encoder is told so that it gets the quality that a keyframe
//! in mid-film gets.
//!
//! Owns what is known of encoders' rate control at their first frame. Must not know where films are cut.

use segenc_core::work::{Pass, SegmentWork};

use super::light::Parameter;
use super::told::Told;

/// How much finer x264 quantises a keyframe than the frames after it (`ipratio`), where nothing is said.
const USUAL_RATIO: &str = "1.4";
/// The same with `-tune grain`.
const GRAIN_RATIO: &str = "1.1";

/// By how much finer x265 quantises a keyframe in mid-film than the first of an encode, as the ratio of a zone:
/// 1.0 to 1.65 steps of the quantiser, in the mean 1.4, over 24 scenes at 25, 30 and 60 frames a second, presets
/// superfast to medium. Six steps double.
const X265_RATIO: &str = "1.18";

/// The parameter for a segment's encoder, if it needs one.
///
/// x264 (0.164, `ratecontrol.c`, `rate_estimate_qscale`) divides the quantiser of a keyframe by `ipratio`, but not
/// that of its very first frame where the macroblock tree is on: at the same CRF the first keyframe of an encode
/// comes out a quarter smaller and up to 3 dB worse than the same picture as a keyframe in mid-film (720p60,
/// CRF 23), and what is predicted from it suffers too. A film made in one go pays that once, one in segments
/// at every join: a minute of film in 12 segments took 4.0 % more bits at equal SSIM, and 2.7 % fewer with a zone of
/// one frame that makes up for it. x265 (3.5) does alike, to a lesser degree; there a zone ends before its last frame.
pub(super) fn parameters(work: &SegmentWork) -> Option<Parameter> {
    let first_of_the_film = work.index == 0;
    if !matches!(work.pass, Pass::Only) {
        return None;
    }
    match work.encoder.as_str() {
        "libx264" if first_of_the_film => None,
        "libx264" => {
            let ratio = forgotten_ratio(&Told::x264(&work.options))?;
            Some(("x264-params", "zones", format!("0,0,b={ratio}")))
        }
        // Also the first: x265 writes its settings, zones among them, into the headers, and those of all segments
        // must be equal. Otherwise the film would go in one piece.
        "libx265" => {
            let ratio = has_unit_tree(&Told::x265(&work.options)).then_some(X265_RATIO)?;
            Some(("x265-params", "zones", format!("0,1,b={ratio}")))
        }
        _ => None,
    }
}

/// The ratio that x264 forgets; `None`: it is not in the mode that forgets it.
fn forgotten_ratio<'a>(told: &Told<'a>) -> Option<&'a str> {
    if !told.x264_weighs_what_follows() || told.says_any(&["i_qfactor"], &["zones"]) {
        return None;
    }
    let usual = if told.tuned("grain") { GRAIN_RATIO } else { USUAL_RATIO };
    Some(told.parameter("ipratio").or_else(|| told.parameter("ip-factor")).unwrap_or(usual))
}

/// Whether x265 works at constant quality, with its tree of coding units on and nothing said of keyframes.
fn has_unit_tree(told: &Told<'_>) -> bool {
    const OTHER_MODES: [&str; 14] = [
        "qp",
        "bitrate",
        "pass",
        "zones",
        "zonefile",
        "cutree",
        "no-cutree",
        "lossless",
        "qcomp",
        "ipratio",
        "hevc-aq",
        "rc-lookahead",
        "tune",
        "vbv-maxrate",
    ];
    !told.says_any(&["qp", "b", "pass", "tune", "maxrate"], &OTHER_MODES)
}

#[cfg(test)]
mod tests {
    use segenc_core::spec::OutputOption;

    use super::*;
    use crate::invocation::sample::option;

    fn ratio(options: &[OutputOption]) -> Option<String> {
        forgotten_ratio(&Told::x264(options)).map(str::to_owned)
    }

    #[test]
    fn constant_quality_makes_up_for_the_ratio() {
        assert_eq!(ratio(&[]).as_deref(), Some("1.4"));
        assert_eq!(
            ratio(&[option("crf", "20"), option("preset:v", "slow")]).as_deref(),
            Some("1.4")
        );
        assert_eq!(ratio(&[option("tune", "film")]).as_deref(), Some("1.4"));
        assert_eq!(ratio(&[option("tune", "grain")]).as_deref(), Some("1.1"));
        let own = [option("x264-params", "ref=4:ipratio=1.3")];
        assert_eq!(ratio(&own).as_deref(), Some("1.3"));
    }

    #[test]
    fn without_the_tree_x264_needs_no_help() {
        for options in [
            [option("preset", "ultrafast")],
            [option("preset", "superfast")],
            [option("tune", "zerolatency")],
            [option("mbtree", "0")],
            [option("x264-params", "no-mbtree")],
            [option("x264opts", "mbtree=0:ref=2")],
            [option("rc-lookahead", "0")],
        ] {
            assert_eq!(ratio(&options), None, "{options:?}");
        }
        let again = [option("preset", "ultrafast"), option("mbtree", "1")];
        assert_eq!(ratio(&again).as_deref(), Some("1.4"));
    }

    #[test]
    fn other_modes_and_own_zones_are_left_alone() {
        for options in [
            [option("qp", "0")],
            [option("b:v", "2M")],
            [option("i_qfactor", "0.7")],
            [option("x264-params", "zones=0,100,q=20")],
            [option("x264-params", "qp=30")],
        ] {
            assert_eq!(ratio(&options), None, "{options:?}");
        }
    }

    #[test]
    fn x265_makes_up_for_less_and_only_in_its_usual_mode() {
        let usual = |options: &[OutputOption]| has_unit_tree(&Told::x265(options));
        assert!(usual(&[]));
        assert!(usual(&[option("crf", "24"), option("x265-params", "ref=4:aq-mode=3")]));
        for options in [
            [option("tune", "grain")],
            [option("qp", "20")],
            [option("x265-params", "no-cutree")],
            [option("x265-params", "zones=0,100,q=20")],
            [option("x265-params", "lossless=1")],
        ] {
            assert!(!usual(&options), "{options:?}");
        }
    }
}
