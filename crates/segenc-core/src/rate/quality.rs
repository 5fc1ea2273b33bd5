//! The quality at which segments are measured: near the one that the wished size will have.
//!
//! The nearer it is, the better the measured sizes tell how bits should be shared; it needs no precision.

use serde::{Deserialize, Serialize};

use crate::spec::OutputOption;

/// The bits per thousand pixels at which [`QualityScale::at_reference`] holds.
const REFERENCE: u64 = 100;

/// An encoder's scale of constant quality, where larger numbers are smaller files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityScale {
    /// The option that takes it.
    pub option: String,
    /// What gives about a hundred bits per thousand pixels.
    pub at_reference: u32,
    /// How much more halves the size.
    pub per_halving: u32,
    /// The smallest number worth measuring at.
    pub least: u32,
    /// The largest.
    pub most: u32,
}

impl QualityScale {
    /// The option for a film of so many pixels per second that is to have so many bits per second.
    #[must_use]
    pub fn option(&self, bits_per_second: u64, pixels_per_second: u64) -> OutputOption {
        let wanted = u128::from(pixels_per_second) * u128::from(REFERENCE) / 1000;
        let halvings = sixteenths(wanted, u128::from(bits_per_second));
        let offset = i64::from(self.per_halving) * halvings / 16;
        let number = (i64::from(self.at_reference) + offset)
            .clamp(i64::from(self.least), i64::from(self.most));
        OutputOption { name: self.option.clone(), value: Some(number.to_string()) }
    }
}

/// How often one number is twice the other, in sixteenths, straight between powers of two; below zero where it
/// is the smaller one.
pub(super) fn sixteenths(one: u128, other: u128) -> i64 {
    let (one, other) = (one.max(1), other.max(1));
    if one < other {
        return -sixteenths(other, one);
    }
    let floor = (one / other).ilog2();
    // The numbers are rates and sizes of 64 bits: shifted by four more they fit.
    let part = (one >> floor) * 16 / other;
    i64::from(floor) * 16 + i64::try_from(part).unwrap_or(16).clamp(16, 31) - 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(bits_per_second: u64, pixels_per_second: u64) -> String {
        let scale = QualityScale {
            option: "crf".to_owned(),
            at_reference: 20,
            per_halving: 6,
            least: 10,
            most: 40,
        };
        scale.option(bits_per_second, pixels_per_second).value.unwrap_or_default()
    }

    #[test]
    fn half_the_bits_are_one_step_further() {
        let pixels = 1920 * 1080 * 24;
        let reference = pixels / 10;
        let at = |bits| quality(bits, pixels);
        assert_eq!([at(reference), at(reference / 2), at(reference / 4)], ["20", "26", "32"]);
        assert_eq!([at(reference * 2), at(reference * 3 / 2)], ["14", "17"]);
    }

    #[test]
    fn extremes_stay_on_the_scale() {
        assert_eq!([quality(0, 0), quality(1, u64::MAX)], ["20", "40"]);
        assert_eq!([quality(u64::MAX, 0), quality(u64::MAX, 1)], ["10", "10"]);
    }
}
