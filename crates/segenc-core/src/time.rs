//! Media time: integer ticks in a rational timebase. No float seconds anywhere.
//!
//! Wall-clock time is [`Millis`], handed in by whoever owns a clock.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Wall-clock milliseconds since the Unix epoch.
pub type Millis = u64;

/// Microseconds of media time: the unit of ffmpeg's own `AV_TIME_BASE`.
pub const MICROSECONDS: Timebase = Timebase { num: 1, den: 1_000_000 };

/// The length of one tick in seconds, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u32, u32)", into = "(u32, u32)")]
pub struct Timebase {
    num: u32,
    den: u32,
}

/// A fraction that cannot be a timebase: one side of it is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{num}/{den} is not a timebase: both sides must be above zero")]
pub struct BadTimebase {
    num: u32,
    den: u32,
}

impl Timebase {
    /// Makes a timebase of `num`/`den` seconds per tick.
    ///
    /// # Errors
    /// When one of the two is zero.
    pub const fn new(num: u32, den: u32) -> Result<Self, BadTimebase> {
        if num == 0 || den == 0 {
            return Err(BadTimebase { num, den });
        }
        Ok(Self { num, den })
    }

    /// Numerator: seconds.
    #[must_use]
    pub const fn num(self) -> u32 {
        self.num
    }

    /// Denominator: ticks.
    #[must_use]
    pub const fn den(self) -> u32 {
        self.den
    }

    /// Converts `ticks` of this timebase into ticks of `to`, to the nearest, halves away from zero:
    /// what `av_rescale_q` does (libavutil/mathematics.c, `AV_ROUND_NEAR_INF`). Saturates at the ends
    /// of `i64`.
    #[must_use]
    pub fn rescale(self, ticks: i64, to: Self) -> i64 {
        let up = i128::from(ticks) * i128::from(self.num) * i128::from(to.den);
        let down = i128::from(self.den) * i128::from(to.num);
        let half = down / 2;
        let rounded = if up >= 0 { (up + half) / down } else { -((-up + half) / down) };
        i64::try_from(rounded).unwrap_or(if rounded > 0 { i64::MAX } else { i64::MIN })
    }

    /// Converts `ticks` into microseconds, to the nearest.
    #[must_use]
    pub fn micros(self, ticks: i64) -> i64 {
        self.rescale(ticks, MICROSECONDS)
    }

    /// Converts microseconds into ticks of this timebase, to the nearest.
    #[must_use]
    pub fn ticks(self, micros: i64) -> i64 {
        MICROSECONDS.rescale(micros, self)
    }
}

impl TryFrom<(u32, u32)> for Timebase {
    type Error = BadTimebase;

    fn try_from((num, den): (u32, u32)) -> Result<Self, Self::Error> {
        Self::new(num, den)
    }
}

impl From<Timebase> for (u32, u32) {
    fn from(timebase: Timebase) -> Self {
        (timebase.num, timebase.den)
    }
}

/// A half-open range of PTS, in ticks: `start <= pts < end`. An end left open takes everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PtsRange {
    /// First PTS inside; `None`: from the beginning.
    pub start: Option<i64>,
    /// First PTS outside; `None`: to the end.
    pub end: Option<i64>,
}

impl PtsRange {
    /// Whether `pts` lies inside.
    #[must_use]
    pub fn contains(self, pts: i64) -> bool {
        self.start.is_none_or(|start| start <= pts) && self.end.is_none_or(|end| pts < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timebase(num: u32, den: u32) -> Timebase {
        Timebase::new(num, den).expect("both sides are above zero")
    }

    #[test]
    fn rescaling_rounds_halves_away_from_zero() {
        let milliseconds = timebase(1, 1000);
        let half = timebase(1, 2000);
        assert_eq!(half.rescale(1, milliseconds), 1);
        assert_eq!(half.rescale(-1, milliseconds), -1);
        assert_eq!(half.rescale(3, milliseconds), 2);
    }

    #[test]
    fn ticks_survive_the_way_through_microseconds() {
        for timebase in [timebase(1, 90_000), timebase(1001, 30_000), timebase(1, 1000)] {
            for tick in [0_i64, 1, 7, 123_456_789, -5] {
                assert_eq!(timebase.ticks(timebase.micros(tick)), tick);
            }
        }
    }

    #[test]
    fn a_zero_side_is_no_timebase() {
        assert!(Timebase::new(0, 1).is_err());
        assert!(Timebase::new(1, 0).is_err());
    }

    #[test]
    fn ranges_are_half_open() {
        let range = PtsRange { start: Some(10), end: Some(20) };
        assert!(range.contains(10) && range.contains(19));
        assert!(!range.contains(9) && !range.contains(20));
    }
}
