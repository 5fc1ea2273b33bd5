//! The call that makes the first entry of the list of segments: a file that nothing is read from.
//!
//! A joined film gets the frame rate in its header from the first file of the list (FFmpeg 5.1), where
//! fragments name none. So a few packets are copied into a plain file whose frames stand at exactly
//! that rate. Must not know how the list is read.

use segenc_core::source::Rational;
use segenc_core::work::Join;

use super::Invocation;
use super::holder::Holder;
use super::merge::{LIST_HEADER, SEGMENTS_NAME};

/// The most packets that are copied for it, some hundred megabytes at the worst; a rate that needs more is not
/// told. `29.97` and `23.976` as decimal fractions need 2997.
const PACKETS_MAX: u64 = 3_000;

/// The list of the segments as often as it takes to have that many packets: a short film has fewer.
pub(crate) fn repeated(join: &Join, list: &str) -> String {
    let frames: u64 = join.segments.iter().map(|segment| segment.frames.count).sum();
    let times = PACKETS_MAX.div_ceil(frames.max(1));
    let entries = list.strip_prefix(LIST_HEADER).unwrap_or(list);
    let mut text = LIST_HEADER.to_owned();
    (0..times).for_each(|_| text.push_str(entries));
    text
}

impl Invocation {
    /// Makes the file, in the attempt's folder. `None` where the container needs none, or where the rate
    /// cannot be told by so few packets.
    pub(crate) fn rate_file(join: &Join, holder: Holder) -> Option<(Self, String)> {
        match holder {
            Holder::Mp4 | Holder::Mov => {}
            Holder::Nut => return None,
        }
        let timescale = join.film.timebase.den();
        let (packets, ticks) = pattern(join.film.rate?, timescale)?;
        if packets > PACKETS_MAX {
            return None;
        }
        let name = format!("rate.{}", holder.muxer());
        let mut call = Self::ffmpeg();
        call.segment_list(SEGMENTS_NAME);
        call.words(&["-map", "0:v:0", "-c", "copy"]);
        call.option("-frames:v", packets.to_string());
        let at = |position: &str| format!("floor({position}*{ticks}/{packets})");
        call.option("-bsf:v", format!("setts=ts={}:duration={}-{}", at("N"), at("(N+1)"), at("N")));
        call.option("-video_track_timescale", timescale.to_string());
        call.words(&["-f_strict", "unofficial", "-f", holder.muxer(), &name]);
        Some((call, name))
    }
}

/// The smallest number of packets that takes a whole number of ticks at this rate, and that number.
fn pattern(rate: Rational, timescale: u32) -> Option<(u64, u64)> {
    let packets = u64::from(rate.num);
    let ticks = u64::from(rate.den).checked_mul(u64::from(timescale))?;
    let common = greatest_divisor(packets, ticks);
    (common > 0).then(|| (packets / common, ticks / common))
}

const fn greatest_divisor(mut one: u64, mut other: u64) -> u64 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_becomes_packets_and_ticks() {
        let pattern = |num, den, timescale| pattern(Rational { num, den }, timescale);
        assert_eq!(pattern(30_000, 1001, 1000), Some((30, 1001)));
        assert_eq!(pattern(25, 1, 12_800), Some((1, 512)));
        assert_eq!(pattern(24_000, 1001, 90_000), Some((4, 15_015)));
        assert_eq!(pattern(0, 0, 90_000), None);
    }

    #[test]
    fn a_short_film_is_listed_often_enough() {
        let join = Join {
            film: crate::invocation::sample::film(),
            segments: vec![segenc_core::work::JoinedSegment {
                input: 1,
                frames: crate::invocation::sample::frames(1250, 0, 1249),
                start: 0,
                end: 1250,
            }],
            other_streams_input: None,
            options: Vec::new(),
            start_micros: 0,
        };
        let text = repeated(&join, &format!("{LIST_HEADER}file a\n"));
        assert_eq!(text, format!("{LIST_HEADER}file a\nfile a\nfile a\n"));
    }
}
