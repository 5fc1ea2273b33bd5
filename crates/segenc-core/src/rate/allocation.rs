//! From what each segment took at one quality to the bits that each gets, so that all have the same quality
//! and the film its wished size; and which segments are made again because they missed theirs.
//!
//! Integers only: the same measurements give the same bits on every machine, in whatever order they came.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::quality::sixteenths;
use super::{BufferLimit, Overshoot, RateAim};

/// The smallest bitrate that a segment is to have: encoders refuse less, and nothing is won by it.
const LEAST_BITS_PER_SECOND: u64 = 2_000;

/// A film this near to its wish, in thousandths, is left as it is. Two per cent are promised; the rest is for
/// what containers add and what was only estimated.
const NEAR_ENOUGH_PERMILLE: u64 = 12;

/// So near to its wish a film is expected to come by the segments that are made again, in thousandths.
const AIMED_PERMILLE: u64 = 4;

/// No encoder is believed to be further off than this, in thousandths: beyond it something else is wrong.
const OVERSHOOT_MAX: i64 = 250;

const MICROS_PER_SECOND: u128 = 1_000_000;

/// One segment as it was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Its size at the measuring quality, in bytes.
    pub bytes: u64,
    /// Its duration, in microseconds.
    pub micros: u64,
}

/// The bits of all segments, by index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// What each is to have.
    pub due: Vec<u64>,
    /// What its encoder is asked for, so that it comes out with what is due.
    pub asked: Vec<u64>,
}

/// A segment that is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retake {
    /// Its index.
    pub segment: u32,
    /// The bits that its encoder is asked for this time.
    pub asked: u64,
}

/// A wish that cannot be fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AllocationError {
    /// Everything beside the film takes what the file may have.
    #[error(
        "everything beside the film takes {others} of the {wished} bytes that the file may have; \
         what is left is less than any film of {seconds} s needs"
    )]
    NothingLeft {
        /// Bytes of the other streams and the container.
        others: u64,
        /// Bytes wished.
        wished: u64,
        /// The film's duration.
        seconds: u64,
    },
}

/// The film's bits, where everything else in the file takes `others` bytes.
///
/// # Errors
/// If nothing worth mentioning is left for the film.
pub fn film_bits(aim: RateAim, others: u64, micros: u64) -> Result<u64, AllocationError> {
    match aim {
        RateAim::BitsPerSecond(bits) => Ok(over(bits, micros)),
        RateAim::FileBytes(wished) => {
            let bits = wished.saturating_sub(others).saturating_mul(8);
            if bits <= over(LEAST_BITS_PER_SECOND, micros) {
                let seconds = micros / 1_000_000;
                return Err(AllocationError::NothingLeft { others, wished, seconds });
            }
            Ok(bits)
        }
    }
}

/// Shares the film's bits among its segments in proportion to their measured sizes: what took the same quality
/// then takes the same quality again. No segment gets more than its time at `limit` lets through.
#[must_use]
pub fn allocate(
    film_bits: u64,
    shares: &[Share],
    limit: Option<BufferLimit>,
    overshoot: Overshoot,
) -> Allocation {
    let bounds: Vec<Bounds> = shares.iter().map(|share| Bounds::of(share, limit)).collect();
    let mut due: Vec<Option<u64>> = vec![None; shares.len()];
    // Whoever would get less than the least or more than the most gets just that, and the others share what
    // is left; each round settles one segment at least.
    loop {
        let settled: u64 = due.iter().flatten().copied().fold(0, u64::saturating_add);
        let open: Vec<usize> = (0..shares.len()).filter(|index| due[*index].is_none()).collect();
        let weights: Vec<u64> = open.iter().map(|index| shares[*index].bytes.max(1)).collect();
        let parts = divide(film_bits.saturating_sub(settled), &weights);
        let parts: Vec<(usize, u64)> = open.into_iter().zip(parts).collect();
        let sum = |by: fn(&Bounds, u64) -> u64| -> u128 {
            parts.iter().map(|(index, part)| u128::from(by(&bounds[*index], *part))).sum()
        };
        let (above, below) = (sum(Bounds::above), sum(Bounds::below));
        for (index, part) in &parts {
            let bounds = &bounds[*index];
            if above == 0 && below == 0 {
                due[*index] = Some(*part);
            } else if above >= below && bounds.above(*part) > 0 {
                due[*index] = Some(bounds.most);
            } else if below > above && bounds.below(*part) > 0 {
                due[*index] = Some(bounds.least);
            }
        }
        if above == 0 && below == 0 {
            break;
        }
    }
    let due: Vec<u64> = due.into_iter().map(Option::unwrap_or_default).collect();
    let overshoot = overshoot_of(&due, shares, overshoot);
    let asked = due.iter().map(|bits| without(*bits, overshoot)).collect();
    Allocation { due, asked }
}

/// What one segment may have.
struct Bounds {
    least: u64,
    most: u64,
}

impl Bounds {
    fn of(share: &Share, limit: Option<BufferLimit>) -> Self {
        let most = limit.map_or(u64::MAX, |limit| over(limit.bits_per_second, share.micros));
        Self { least: over(LEAST_BITS_PER_SECOND, share.micros).min(most), most }
    }

    fn above(&self, bits: u64) -> u64 {
        bits.saturating_sub(self.most)
    }

    fn below(&self, bits: u64) -> u64 {
        self.least.saturating_sub(bits)
    }
}

/// The overshoot to be expected, in thousandths.
fn overshoot_of(due: &[u64], shares: &[Share], overshoot: Overshoot) -> i64 {
    let wished: u128 = due.iter().map(|bits| u128::from(*bits)).sum();
    let measured: u128 = shares.iter().map(|share| u128::from(share.bytes) * 8).sum();
    let doublings = sixteenths(wished, measured);
    let expected = i64::from(overshoot.usual) + i64::from(overshoot.per_doubling) * doublings / 16;
    expected.clamp(-OVERSHOOT_MAX, OVERSHOOT_MAX)
}

fn without(bits: u64, overshoot: i64) -> u64 {
    let whole = u128::try_from(1000 + overshoot).unwrap_or(1000);
    u64::try_from(u128::from(bits) * 1000 / whole).unwrap_or(u64::MAX)
}

/// Divides a number in proportion to weights; the parts sum up to it exactly, unless there are none.
fn divide(number: u64, weights: &[u64]) -> Vec<u64> {
    let all: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let (mut before, mut given) = (0_u128, 0_u64);
    let mut parts = Vec::with_capacity(weights.len());
    for weight in weights {
        before += u128::from(*weight);
        // The place where this part ends, so that roundings never add up.
        let product = u128::from(number).saturating_mul(before);
        let end = u64::try_from(product / all.max(1)).unwrap_or(u64::MAX);
        parts.push(end - given);
        given = end;
    }
    parts
}

/// Which segments are made again after all came out with these bits, of which `asked` were asked for: those that
/// missed theirs most, until the film is near to its wish. Empty if it is already.
#[must_use]
pub fn retakes(due: &[u64], asked: &[u64], came_out: &[u64]) -> Vec<Retake> {
    let sum = |bits: &[u64]| -> i128 { bits.iter().map(|bits| i128::from(*bits)).sum() };
    let wished = sum(due);
    let mut off = sum(came_out) - wished;
    let within = |off: i128, permille: u64| {
        off.unsigned_abs() * 1000 <= wished.unsigned_abs() * u128::from(permille)
    };
    if within(off, NEAR_ENOUGH_PERMILLE) {
        return Vec::new();
    }
    let side = off.signum();
    let all = due.iter().zip(asked).zip(came_out).zip(0_u32..);
    let mut missed: Vec<Missed> = all
        .map(|(((due, asked), came), segment)| {
            let by = side * (i128::from(*came) - i128::from(*due));
            Missed { by, segment, asked: *asked, came: *came }
        })
        .filter(|missed| missed.by > 0)
        .collect();
    missed.sort_by_key(|missed| (-missed.by, missed.segment));
    let mut again = Vec::new();
    for missed in missed {
        if within(off, AIMED_PERMILLE) {
            break;
        }
        // Not further than the film needs: the others may have missed theirs to the other side.
        let by = side * missed.by.min(off.abs());
        again.push(missed.again(i128::from(missed.came) - by));
        off -= by;
    }
    again.sort_by_key(|retake| retake.segment);
    again
}

/// A segment that did not come out with what was due.
struct Missed {
    /// By so much, counted towards the side on which the film is off.
    by: i128,
    segment: u32,
    asked: u64,
    came: u64,
}

impl Missed {
    /// What it is asked for to come out with so many bits.
    fn again(&self, bits: i128) -> Retake {
        let asked = u128::from(self.asked) * bits.unsigned_abs() / u128::from(self.came).max(1);
        Retake { segment: self.segment, asked: u64::try_from(asked).unwrap_or(u64::MAX) }
    }
}

/// The bits of a rate over some time.
fn over(bits_per_second: u64, micros: u64) -> u64 {
    let bits = u128::from(bits_per_second) * u128::from(micros) / MICROS_PER_SECOND;
    u64::try_from(bits).unwrap_or(u64::MAX)
}

/// The rate that bits are over some time.
#[must_use]
pub fn bits_per_second(bits: u64, micros: u64) -> u64 {
    let rate = u128::from(bits) * MICROS_PER_SECOND / u128::from(micros).max(1);
    u64::try_from(rate).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
