//! The first picture of a later segment: what the encoder is told so that it gets the quality that a keyframe
//! in mid-film gets.
//!
//! Owns what is known of encoders' rate control at their first frame. Must not know where films are cut.

use segenc_core::spec::OutputOption;
use segenc_core::work::{Pass, SegmentWork};

use super::light::Parameter;

/// How much finer x264 quantises a keyframe than the frames after it (`ipratio`), where nothing is said.
const USUAL_RATIO: &str = "1.4";
/// The same with `-tune grain`.
const GRAIN_RATIO: &str = "1.1";

/// x265's CRF where nothing is said.
const X265_USUAL_CRF: f64 = 28.0;
/// By how much x265 raises the quantiser for what its tree of coding units will take off again: (1 - qcomp) * 13.5.
const X265_TREE_OFFSET: f64 = 5.4;
/// How much finer a keyframe in mid-film is than the first of an encode: 1.0 to 1.65, in the mean 1.4, over 24 scenes
/// at 25, 30 and 60 frames a second, presets superfast to medium.
const X265_KEYFRAME_GAIN: f64 = 1.4;
/// The frame duration for which x265's CRF is meant, in seconds.
const X265_BASE_DURATION: f64 = 0.04;

/// The parameter for a later segment's encoder, if it needs one.
///
/// x264 (0.164, `ratecontrol.c`, `rate_estimate_qscale`) divides the quantiser of a keyframe by `ipratio`, but not
/// that of its very first frame where the macroblock tree is on: at the same CRF the first keyframe of an encode
/// comes out a quarter smaller and up to 3 dB worse than the same picture as a keyframe in mid-film (720p60,
/// CRF 23), and what is predicted from it suffers too. A film made in one go pays that once, one in segments
/// at every join: a minute of film in 12 segments took 4.0 % more bits at equal SSIM, and 2.7 % fewer with a zone of
/// one frame that makes up for it. x265 (3.5) does alike, but hears only zones that name a quantiser.
pub(super) fn parameters(work: &SegmentWork) -> Option<Parameter> {
    let first_of_the_film = work.index == 0;
    let plain = matches!(work.pass, Pass::Only);
    if first_of_the_film || !plain {
        return None;
    }
    match work.encoder.as_str() {
        "libx264" => {
            let ratio = Told::x264(&work.options).ratio()?;
            Some(("x264-params", "zones", format!("0,0,b={ratio}")))
        }
        "libx265" => {
            let rate = work.film.rate.filter(|rate| rate.num > 0 && rate.den > 0)?;
            let a_second = f64::from(rate.num) / f64::from(rate.den);
            let quantiser = Told::x265(&work.options).keyframe_quantiser(a_second)?;
            Some(("x265-params", "zones", format!("0,0,q={quantiser}")))
        }
        _ => None,
    }
}

/// What the user tells an encoder, by ffmpeg's options and by the library's own lists.
struct Told<'a> {
    options: &'a [OutputOption],
    lists: &'static [&'static str],
}

impl<'a> Told<'a> {
    const fn x264(options: &'a [OutputOption]) -> Self {
        Self { options, lists: &["x264-params", "x264opts"] }
    }

    const fn x265(options: &'a [OutputOption]) -> Self {
        Self { options, lists: &["x265-params"] }
    }

    /// The ratio that x264 forgets; `None`: it is not in the mode that forgets it.
    fn ratio(&self) -> Option<&'a str> {
        if self.says_any(&["qp", "b", "pass", "i_qfactor"], &["qp", "bitrate", "pass", "zones"])
            || !self.has_macroblock_tree()
        {
            return None;
        }
        let usual = if self.tuned("grain") { GRAIN_RATIO } else { USUAL_RATIO };
        Some(self.parameter("ipratio").or_else(|| self.parameter("ip-factor")).unwrap_or(usual))
    }

    /// The quantiser that x265 gives a keyframe in mid-film at constant quality, about; `None`: it cannot be told.
    fn keyframe_quantiser(&self, frames_a_second: f64) -> Option<i64> {
        const OTHER_MODES: [&str; 15] = [
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
            "crf-min",
        ];
        if self.says_any(&["qp", "b", "pass", "tune", "maxrate"], &OTHER_MODES) {
            return None;
        }
        let said = self.parameter("crf").or_else(|| self.option("crf"));
        let crf = said.map_or(Some(X265_USUAL_CRF), |crf| crf.parse().ok())?;
        // `CLIP_DURATION` of x265, to the power of 1 - qcomp, as a quantiser: six for each doubling.
        let duration = (1.0 / frames_a_second).clamp(0.01, 1.0);
        let faster = 6.0 * 0.4 * (X265_BASE_DURATION / duration).log2();
        let quantiser = (crf + X265_TREE_OFFSET + faster - X265_KEYFRAME_GAIN).round();
        #[expect(clippy::cast_possible_truncation, reason = "held between 0 and 51")]
        Some(quantiser.clamp(0.0, 51.0) as i64)
    }

    /// Whether x264's macroblock tree is on: two presets and a tune turn it off.
    fn has_macroblock_tree(&self) -> bool {
        let preset_without = matches!(
            self.option("preset").unwrap_or("medium"),
            "ultrafast" | "superfast" | "0" | "1"
        );
        let by_option = self.option("mbtree").or_else(|| self.parameter("mbtree"));
        let said = by_option.map(|value| !matches!(value, "0" | "false" | "no"));
        let off_by_name = self.parameter("no-mbtree").is_some();
        let no_lookahead = [self.option("rc-lookahead"), self.parameter("rc-lookahead")]
            .into_iter()
            .flatten()
            .any(|frames| frames == "0");
        let tuned_off = self.tuned("zerolatency");
        !off_by_name && !no_lookahead && said.unwrap_or(!preset_without && !tuned_off)
    }

    fn says_any(&self, options: &[&str], parameters: &[&str]) -> bool {
        options.iter().any(|name| self.option(name).is_some())
            || parameters.iter().any(|name| self.parameter(name).is_some())
    }

    fn tuned(&self, tune: &str) -> bool {
        self.option("tune").is_some_and(|tunes| tunes.split([',', '+']).any(|one| one == tune))
    }

    /// The last value of an option of ffmpeg, whatever stream it names.
    fn option(&self, name: &str) -> Option<&'a str> {
        let named =
            self.options.iter().rev().find(|option| option.name.split(':').next() == Some(name));
        named.and_then(|option| option.value.as_deref())
    }

    /// The last value of a parameter in the library's own lists; empty where it stands alone.
    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.lists.iter().find_map(|list| {
            let mut parameters = self.option(list)?.split(':').rev();
            parameters.find_map(|parameter| {
                let (found, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                (found == name).then_some(value)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::sample::option;

    fn ratio(options: &[OutputOption]) -> Option<String> {
        Told::x264(options).ratio().map(str::to_owned)
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
    fn x265_is_told_the_quantiser_of_a_keyframe_in_mid_film() {
        let told = |options: &[OutputOption], rate| Told::x265(options).keyframe_quantiser(rate);
        assert_eq!(told(&[option("crf", "24")], 60.0), Some(31));
        assert_eq!(told(&[option("crf", "24")], 25.0), Some(28));
        assert_eq!(told(&[], 25.0), Some(32));
        assert_eq!(told(&[option("x265-params", "crf=20:ref=4")], 25.0), Some(24));
        assert_eq!(told(&[option("tune", "grain")], 25.0), None);
        assert_eq!(told(&[option("x265-params", "no-cutree")], 25.0), None);
        assert_eq!(told(&[option("crf", "good")], 25.0), None);
    }
}
