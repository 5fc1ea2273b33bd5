//! What to ask a demuxer for so that it lands on a certain keyframe. The only place that knows how
//! ffmpeg's seeking errs; it knows nothing of segments.

use crate::time::Timebase;

/// Added to the wanted keyframe's PTS: ffmpeg (5.1, `ffmpeg_opt.c`) subtracts 3/23 s, which is 131 ms,
/// from what it is asked for where the demuxer does not seek by PTS (Matroska), and then searches
/// backward.
const LEAD_MICROS: i64 = 200_000;

/// Room for rounding between ticks, milliseconds and microseconds.
const ROUNDING_MICROS: i64 = 1_000;

/// A keyframe as a demuxer's index may have it: by PTS (Matroska) or by DTS (MP4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) pts: i64,
    pub(super) dts: Option<i64>,
}

impl IndexEntry {
    /// The earliest request, in ticks, that may land here.
    fn earliest(self) -> i64 {
        self.dts.map_or(self.pts, |dts| dts.min(self.pts))
    }
}

/// What to ask the demuxer to seek to, in microseconds of the source's clock, so that it lands on
/// `keyframe` or, where keyframes stand close together, on an earlier one. It must never land on `next`.
pub(super) fn seek_target(
    keyframe: IndexEntry,
    next: Option<IndexEntry>,
    timebase: Timebase,
) -> i64 {
    let wanted = timebase.micros(keyframe.pts);
    let ahead = wanted.saturating_add(LEAD_MICROS);
    let Some(next) = next.map(|next| timebase.micros(next.earliest())) else {
        return ahead;
    };
    let middle = wanted.midpoint(next);
    ahead.min(middle).min(next.saturating_sub(ROUNDING_MICROS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds() -> Timebase {
        Timebase::new(1, 1000).expect("both sides are above zero")
    }

    fn entry(pts: i64, dts: i64) -> IndexEntry {
        IndexEntry { pts, dts: Some(dts) }
    }

    #[test]
    fn the_request_survives_what_ffmpeg_subtracts() {
        let target = seek_target(entry(5_000, 4_920), Some(entry(9_000, 8_920)), milliseconds());
        assert_eq!(target, 5_200_000);
        assert!(target - 131_000 > 5_000_000);
    }

    #[test]
    fn the_request_stays_below_a_close_keyframe() {
        let next = entry(5_100, 5_020);
        let target = seek_target(entry(5_000, 4_920), Some(next), milliseconds());
        assert!(target < 5_020_000 && target > 4_920_000);
    }

    #[test]
    fn the_request_stays_below_a_keyframe_decoded_before_the_wanted_one_is_shown() {
        let next = entry(5_040, 4_960);
        let target = seek_target(entry(5_000, 4_920), Some(next), milliseconds());
        assert!(target < 4_960_000);
    }
}
