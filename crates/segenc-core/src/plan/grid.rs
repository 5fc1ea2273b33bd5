//! Which frames come out where a filter changes them: their times for any range of the source's frames, without
//! any other. Knows nothing of packets, cuts or filters' names.
//!
//! Written after what FFmpeg 5.1 does (`libavfilter/vf_fps.c`, `yadif_common.c`, `vf_estdif.c`, and
//! `adjust_frame_pts_to_encoder_tb` in `fftools/ffmpeg.c`), and measured against it.

use super::{Film, Unsplittable};
use crate::source::Rational;
use crate::spec::{LastField, Neighbours, Retiming, Rounding, SplitPolicy};
use crate::time::Timebase;

/// The most frames that one segment may come out as: an hour of 120 frames a second. More than that is a gap in
/// the source that is filled with copies of one frame.
const MAX_FRAMES: i64 = 432_000;

/// A deinterlacer sees one frame on each side, and treats the first that it gets apart.
const FIELD_NEIGHBOURS: u32 = 2;

/// Ticks of the new clock that are decoded beyond what the filters behind it look at: one for the rounding at each end.
const SPARE_TICKS: u32 = 2;

/// No segment is wished shorter than this many ticks of the new clock, so that none comes out empty.
const LEAST_TICKS: i64 = 16;

/// FFmpeg divides an encoder's ticks into this many parts (as a power of two) before it rounds to whole ones, …
const FINE_BITS: u32 = 16;

/// … or into fewer, where the parts of a second would need more bits than this.
const SECOND_BITS: u32 = 29;

/// Bits by which ffmpeg's times are finer than the ticks of the encoder that it rounds them to.
#[must_use]
pub const fn fine_bits(timebase: Timebase) -> u32 {
    let bits = SECOND_BITS.saturating_sub(timebase.den().ilog2());
    if bits < FINE_BITS { bits } else { FINE_BITS }
}

/// How far filters look to one side of a segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// So many ticks, …
    pub(super) ticks: i64,
    /// … and from there so many frames more.
    pub(super) frames: usize,
}

/// How far the filters look before and after a segment.
pub(super) fn reaches(split: &SplitPolicy, film: &Film) -> (Reach, Reach) {
    let frames = |frames: u32| Reach { ticks: 0, frames: frames as usize };
    match split {
        SplitPolicy::Whole { .. } => (Reach::default(), Reach::default()),
        SplitPolicy::Segments { run_up, run_out } => (frames(*run_up), frames(*run_out)),
        SplitPolicy::Retimed { before, retiming, after } => match retiming {
            Retiming::Rate { rate, .. } => at_rate(*rate, film.timebase, *before, *after),
            Retiming::Fields { .. } => {
                let fields = |near: u32, fields: u32| {
                    frames(near.saturating_add(fields.div_ceil(2)).saturating_add(FIELD_NEIGHBOURS))
                };
                (fields(before.run_up, after.run_up), fields(before.run_out, after.run_out))
            }
        },
    }
}

fn at_rate(
    rate: Rational,
    timebase: Timebase,
    before: Neighbours,
    after: Neighbours,
) -> (Reach, Reach) {
    let distance = distance(rate, timebase);
    let ticks = |count: u32| match count {
        0 => 0,
        count => distance.saturating_mul(i64::from(count.saturating_add(SPARE_TICKS))),
    };
    // A frame is repeated until the next is seen, and so one is needed behind the last.
    let run_out = Reach { ticks: ticks(after.run_out), frames: before.run_out as usize + 1 };
    (Reach { ticks: ticks(after.run_up), frames: before.run_up as usize }, run_out)
}

/// Ticks of `timebase` from one frame to the next at this rate, rounded up.
fn distance(rate: Rational, timebase: Timebase) -> i64 {
    match Timebase::new(rate.den, rate.num) {
        Ok(clock) => rescale(1, clock, timebase, Rounding::Up),
        Err(_) => i64::MAX,
    }
}

/// The shortest length that may be wished for a segment, in ticks of the film.
pub(super) fn least_target(split: &SplitPolicy, timebase: Timebase) -> i64 {
    match split {
        SplitPolicy::Retimed { retiming: Retiming::Rate { rate, .. }, .. } => {
            distance(*rate, timebase).saturating_mul(LEAST_TICKS)
        }
        SplitPolicy::Retimed { retiming: Retiming::Fields { .. }, .. }
        | SplitPolicy::Segments { .. }
        | SplitPolicy::Whole { .. } => 0,
    }
}

/// The rate that the output's header names, for a film of this rate.
pub(super) fn rate_after(split: &SplitPolicy, rate: Option<Rational>) -> Option<Rational> {
    match split {
        SplitPolicy::Segments { .. } | SplitPolicy::Whole { .. } => rate,
        SplitPolicy::Retimed { retiming, .. } => match retiming {
            Retiming::Rate { rate, .. } => Some(*rate),
            Retiming::Fields { .. } => {
                let rate = rate?;
                match rate.den % 2 {
                    0 => Some(Rational { num: rate.num, den: rate.den / 2 }),
                    _ => Some(Rational { num: rate.num.checked_mul(2)?, den: rate.den }),
                }
            }
        },
    }
}

/// The clock of the frames that come out of a film with this one; `None`: there is no such clock.
pub(super) fn clock(retiming: Retiming, film: Timebase) -> Option<Timebase> {
    match retiming {
        Retiming::Rate { rate, .. } => Timebase::new(rate.den, rate.num).ok(),
        Retiming::Fields { .. } => finer(film, 1),
    }
}

/// What comes after some frames of the source.
#[derive(Debug, Clone, Copy)]
pub(super) enum After {
    /// A frame with this PTS.
    Frame(i64),
    /// Nothing: the film ends, and the last frame is shown for so long.
    End(Option<i64>),
}

/// The clock of the frames that come out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    retiming: Retiming,
    clock: Timebase,
    film: Timebase,
    /// Subtracted from the source's PTS to get those that the filters see.
    shift: i64,
    /// Of the output.
    rate: Option<Rational>,
}

impl Grid {
    /// `None` where no filter changes which frames there are.
    pub(super) fn of(split: &SplitPolicy, film: &Film) -> Option<Self> {
        let retiming = match split {
            SplitPolicy::Retimed { retiming, .. } => retiming,
            SplitPolicy::Segments { .. } | SplitPolicy::Whole { .. } => return None,
        };
        let clock = clock(*retiming, film.timebase)?;
        let (film, shift, rate) = (film.timebase, film.shift, film.rate);
        Some(Self { retiming: *retiming, clock, film, shift, rate })
    }

    /// The PTS, on the output's clock in the film's timebase, of the frames that are made of these of the source.
    /// `earlier` is the frame before them.
    pub(super) fn frames(
        &self,
        earlier: Option<i64>,
        own: &[i64],
        after: After,
    ) -> Result<Vec<i64>, Unsplittable> {
        let seen = |pts: i64| pts.saturating_sub(self.shift);
        let (Some(&first), Some(&last)) = (own.first(), own.last()) else { return Ok(Vec::new()) };
        let ticks: Vec<i64> = match self.retiming {
            Retiming::Rate { rounding, end, .. } => {
                let tick = |pts| rescale(seen(pts), self.film, self.clock, rounding);
                let (from, to) = match after {
                    After::Frame(next) => (tick(first), tick(next)),
                    After::End(duration) => {
                        (tick(first), tick(last).max(self.film_end(seen(last), duration, end)?))
                    }
                };
                let count = to.saturating_sub(from);
                if count > MAX_FRAMES {
                    return Err(Unsplittable::because(format!(
                        "a segment of it would have more than {MAX_FRAMES} frames"
                    )));
                }
                (from..to).collect()
            }
            Retiming::Fields { last: field } => {
                let next = match after {
                    After::Frame(next) => seen(next),
                    After::End(_) => {
                        let before = own.iter().rev().nth(1).copied().or(earlier);
                        self.imagined(before.map(seen), seen(last), field)?
                    }
                };
                let nexts = own.iter().skip(1).map(|pts| seen(*pts)).chain([next]);
                let pairs = own.iter().map(|pts| seen(*pts)).zip(nexts);
                pairs
                    .flat_map(|(pts, next)| [pts.saturating_mul(2), pts.saturating_add(next)])
                    .collect()
            }
        };
        Ok(ticks.into_iter().map(|tick| self.encoder_tick(tick)).collect())
    }

    /// The tick at which the last frame ends. ffmpeg reckons it in microseconds.
    fn film_end(
        &self,
        last: i64,
        duration: Option<i64>,
        end: Rounding,
    ) -> Result<i64, Unsplittable> {
        let Some(duration) = duration.filter(|ticks| *ticks > 0) else {
            return Err(Unsplittable::because(
                "it is not known how long its last frame is shown, which the frame rate asked for depends on",
            ));
        };
        let micros = self.film.micros(last).saturating_add(self.film.micros(duration));
        Ok(rescale(self.film.ticks(micros), self.film, self.clock, end))
    }

    /// The frame that a deinterlacer imagines after the last one.
    fn imagined(
        &self,
        before: Option<i64>,
        last: i64,
        field: LastField,
    ) -> Result<i64, Unsplittable> {
        match field {
            LastField::Mirrored => {
                let before = before.ok_or_else(|| {
                    Unsplittable::because("it has a single frame, which has no next field")
                })?;
                Ok(last.saturating_mul(2).saturating_sub(before))
            }
            LastField::ByRate => {
                let frame = self.rate.and_then(|rate| Timebase::new(rate.den, rate.num).ok());
                let frame = frame.ok_or_else(|| {
                    Unsplittable::because("it has no frame rate, which its last field depends on")
                })?;
                Ok(last.saturating_add(frame.rescale(1, self.clock)))
            }
        }
    }

    /// A tick of this clock as the encoder gets it: to the nearest of the film's, by way of finer ones.
    fn encoder_tick(&self, tick: i64) -> i64 {
        let bits = fine_bits(self.film);
        let Some(fine) = finer(self.film, bits) else { return self.clock.rescale(tick, self.film) };
        let fine = i128::from(self.clock.rescale(tick, fine));
        let half = (1_i128 << bits) / 2;
        let whole = if fine >= 0 { (fine + half) >> bits } else { -((half - fine) >> bits) };
        i64::try_from(whole).unwrap_or(if whole > 0 { i64::MAX } else { i64::MIN })
    }
}

/// Ticks that are finer by so many bits.
#[must_use]
pub fn finer(timebase: Timebase, bits: u32) -> Option<Timebase> {
    let den = timebase.den().checked_mul(1_u32.checked_shl(bits)?)?;
    Timebase::new(timebase.num(), den).ok()
}

/// Converts ticks of `from` into ticks of `to`. Saturates at the ends of `i64`.
fn rescale(ticks: i64, from: Timebase, to: Timebase, rounding: Rounding) -> i64 {
    let up = i128::from(ticks) * i128::from(from.num()) * i128::from(to.den());
    let down = i128::from(from.den()) * i128::from(to.num());
    let floor = || up.div_euclid(down);
    let ceiling = || -((-up).div_euclid(down));
    let whole = match rounding {
        Rounding::Near => return from.rescale(ticks, to),
        Rounding::Zero => up / down,
        Rounding::Away if up >= 0 => ceiling(),
        Rounding::Away | Rounding::Down => floor(),
        Rounding::Up => ceiling(),
    };
    i64::try_from(whole).unwrap_or(if whole > 0 { i64::MAX } else { i64::MIN })
}
