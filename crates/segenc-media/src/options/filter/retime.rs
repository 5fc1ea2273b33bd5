//! Filters that change which frames there are, by a clock that a segment can keep without the rest of the film.
//!
//! A rate is understood only where ffmpeg, which reckons in floating point, certainly makes the same fraction of it.

use segenc_core::source::Rational;
use segenc_core::spec::{LastField, Retiming, Rounding};

use super::super::error::OptionError;
use super::{Filter, FilterClass, whole};

/// The largest term of a frame rate. Up to here ffmpeg's way through a floating-point number gives the fraction
/// back: the next better approximations have terms beyond those that it allows.
const MAX_TERM: u64 = 1_000_000;

/// The names that ffmpeg has for rates.
const NAMED_RATES: &[(&str, Rational)] = &[
    ("ntsc", Rational { num: 30_000, den: 1001 }),
    ("pal", Rational { num: 25, den: 1 }),
    ("film", Rational { num: 24, den: 1 }),
    ("ntsc_film", Rational { num: 24_000, den: 1001 }),
];

/// The rate of `fps` without arguments.
const USUAL_RATE: &str = "25";

/// `fps`: one frame at every tick of a clock.
pub(super) fn fps(filter: &Filter) -> Result<FilterClass, OptionError> {
    if filter.argument(&["start_time"], Some(1)).is_some() {
        return Ok(whole(filter, "begins at a time of its own (start_time)"));
    }
    let asked = filter.argument(&["fps"], Some(0)).unwrap_or(USUAL_RATE);
    let Some(rate) = rate(asked) else {
        return Ok(whole(
            filter,
            "has a rate that is no number or fraction such as 25 or 24000/1001",
        ));
    };
    let Some(rounding) = rounding(filter.argument(&["round"], Some(2))) else {
        return Ok(whole(filter, "rounds in a way that is not known"));
    };
    let end = match filter.argument(&["eof_action"], Some(3)) {
        None | Some("round" | "0") => rounding,
        Some("pass" | "1") => Rounding::Up,
        Some(_) => return Ok(whole(filter, "ends in a way that is not known")),
    };
    Ok(FilterClass::Retimes(Retiming::Rate { rate, rounding, end }))
}

/// Numbers are those of ffmpeg's `AVRounding`.
fn rounding(word: Option<&str>) -> Option<Rounding> {
    match word {
        None | Some("near" | "5") => Some(Rounding::Near),
        Some("zero" | "0") => Some(Rounding::Zero),
        Some("inf" | "1") => Some(Rounding::Away),
        Some("down" | "2") => Some(Rounding::Down),
        Some("up" | "3") => Some(Rounding::Up),
        Some(_) => None,
    }
}

/// A rate as people write it: `25`, `23.976`, `24000/1001`, `ntsc`.
fn rate(text: &str) -> Option<Rational> {
    let text = text.trim();
    if let Some((_, rate)) = NAMED_RATES.iter().find(|(name, _)| *name == text) {
        return Some(*rate);
    }
    let (num, den) = match text.split_once('/') {
        Some((num, den)) => (whole_number(num)?, whole_number(den)?),
        None => decimal(text)?,
    };
    let common = greatest_divisor(num, den);
    let (num, den) = (num.checked_div(common)?, den.checked_div(common)?);
    let term = |term: u64| u32::try_from(term).ok().filter(|_| (1..=MAX_TERM).contains(&term));
    Some(Rational { num: term(num)?, den: term(den)? })
}

/// Digits only: others, such as `1k` and `0x19`, mean something to ffmpeg too.
fn whole_number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

fn decimal(text: &str) -> Option<(u64, u64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let den = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let num = whole_number(whole)?.checked_mul(den)?.checked_add(whole_number(fraction)?)?;
    Some((num, den))
}

const fn greatest_divisor(mut one: u64, mut other: u64) -> u64 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// A deinterlacer that makes a frame of each field.
pub(super) fn fields(filter: &Filter, last: LastField) -> FilterClass {
    if filter.argument(&["enable"], None).is_some() {
        return whole(filter, "makes two frames of some and one of others (enable)");
    }
    // Which frames are marked as interlaced is known only when they are decoded.
    match filter.argument(&["deint"], Some(2)) {
        None | Some("all" | "0") => FilterClass::Retimes(Retiming::Fields { last }),
        Some(_) => {
            whole(filter, "makes two frames of some and one of others; deint=all can be split")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_ffmpeg_reads_them() {
        let read = |text: &str| rate(text).map(|rate| (rate.num, rate.den));
        for (text, expected) in [
            ("25", (25, 1)),
            ("24000/1001", (24_000, 1001)),
            ("23.976", (2997, 125)),
            ("29.97", (2997, 100)),
            ("50/2", (25, 1)),
            ("1/10", (1, 10)),
            ("0.5", (1, 2)),
            ("ntsc_film", (24_000, 1001)),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for text in
            ["", "0", "0/1", "1/0", "source_fps", "-1", "25k", "1e2", "2*25", "23.976023976", ".5"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
