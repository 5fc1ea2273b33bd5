//! Wall clock and processor time of a program with all that it started.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// What a run cost, in seconds.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Cost {
    /// Wall clock.
    pub(crate) wall: f64,
    /// User and system time of the program and its waited-for descendants.
    pub(crate) cpu: f64,
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Result<Cost> {
    let cpu_before = children_cpu_seconds()?;
    let begin = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("could not run {:?}", command.get_program()))?;
    let wall = begin.elapsed().as_secs_f64();
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(Cost { wall, cpu: children_cpu_seconds()? - cpu_before })
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Fields 16 and 17 of /proc/self/stat (proc(5)): clock ticks of waited-for children, 100 a second on
/// every Linux that this is run on.
fn children_cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")
        .context("processor time of children is only known on Linux, from /proc/self/stat")?;
    let after_name =
        stat.rsplit_once(')').map(|(_, rest)| rest).context("/proc/self/stat is unreadable")?;
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(13)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap_or(0))
        .sum();
    Ok(ticks as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
    }
}
