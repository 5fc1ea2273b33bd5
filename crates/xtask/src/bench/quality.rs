//! How much better one way of cutting is than another: SSIM of every frame, and bits at equal SSIM.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// SSIM of every frame of `made` against the source's frame of the same number, in decibels.
pub(crate) fn ssim_of_frames(made: &Path, source: &Path, scratch: &Path) -> Result<Vec<f64>> {
    let stats = scratch.join("ssim.txt");
    let stats_name = stats.to_string_lossy().replace(['\\', ':', '\''], "_");
    // The clock first: numbers on the clock of a container would be rounded to it, and frames paired anyhow.
    let graph = format!(
        "[0:v:0]settb=1/25,setpts=N[a];[1:v:0]settb=1/25,setpts=N[b];[a][b]ssim=stats_file={stats_name}"
    );
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(made)
        .arg("-i")
        .arg(source)
        .args(["-filter_complex", &graph, "-fps_mode", "passthrough", "-f", "null", "-"])
        .output()
        .context("could not run ffmpeg")?;
    if !output.status.success() {
        bail!("ffmpeg could not compare: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = std::fs::read_to_string(&stats).context("ffmpeg wrote no SSIM")?;
    text.lines().map(decibels).collect()
}

/// `n:1 Y:0.98 U:0.99 V:0.99 All:0.985 (18.2)`: the luma's, as -10 log10(1 - SSIM).
fn decibels(line: &str) -> Result<f64> {
    let luma = line.split_whitespace().find_map(|word| word.strip_prefix("Y:"));
    let ssim: f64 = luma.and_then(|word| word.parse().ok()).context("an SSIM line without luma")?;
    Ok(-10.0 * (1.0 - ssim.min(0.999_999)).log10())
}

/// The middle of some values.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// One encode: its bits, and its mean SSIM in decibels.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(crate) struct Point {
    pub(crate) bits: f64,
    pub(crate) decibels: f64,
}

/// Bits of `ours` over bits of `peer` at the same SSIM, averaged (in the logarithm) over the range of SSIM that
/// both have. Straight lines between the points of log(bits) over SSIM; `None`: no common range.
///
/// The idea is G. Bjøntegaard's (VCEG-M33, 2001), with lines in place of a polynomial.
pub(crate) fn bits_at_equal_quality(ours: &[Point], peer: &[Point]) -> Option<f64> {
    const STEPS: u32 = 200;
    let low = lowest(ours)?.max(lowest(peer)?);
    let high = highest(ours)?.min(highest(peer)?);
    if low >= high {
        return None;
    }
    let mut sum = 0.0;
    for step in 0..=STEPS {
        let at = low + (high - low) * f64::from(step) / f64::from(STEPS);
        sum += log_bits(ours, at)? - log_bits(peer, at)?;
    }
    Some((sum / f64::from(STEPS + 1)).exp())
}

fn lowest(points: &[Point]) -> Option<f64> {
    points.iter().map(|point| point.decibels).min_by(f64::total_cmp)
}

fn highest(points: &[Point]) -> Option<f64> {
    points.iter().map(|point| point.decibels).max_by(f64::total_cmp)
}

fn log_bits(points: &[Point], at: f64) -> Option<f64> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.decibels.total_cmp(&b.decibels));
    let pair = sorted
        .windows(2)
        .find(|pair| pair[0].decibels <= at && at <= pair[1].decibels)
        .or_else(|| sorted.windows(2).last())?;
    let along = (at - pair[0].decibels) / (pair[1].decibels - pair[0].decibels);
    Some(pair[0].bits.ln() * (1.0 - along) + pair[1].bits.ln() * along)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(scale: f64) -> Vec<Point> {
        let point = |bits: f64, decibels| Point { bits: bits * scale, decibels };
        vec![point(1000.0, 12.0), point(2000.0, 15.0), point(4000.0, 17.0)]
    }

    #[test]
    fn a_tenth_more_bits_at_every_quality_is_a_tenth_more() {
        let ratio = bits_at_equal_quality(&curve(1.1), &curve(1.0)).expect("they overlap");
        assert!((ratio - 1.1).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn curves_without_a_common_quality_are_not_compared() {
        let high = [Point { bits: 1.0, decibels: 30.0 }, Point { bits: 2.0, decibels: 31.0 }];
        assert_eq!(bits_at_equal_quality(&high, &curve(1.0)), None);
    }

    #[test]
    fn luma_counts() {
        let line = "n:1 Y:0.990000 U:0.999000 V:0.999000 All:0.993000 (21.5)";
        assert!((decibels(line).expect("it has luma") - 20.0).abs() < 1e-9);
    }
}
