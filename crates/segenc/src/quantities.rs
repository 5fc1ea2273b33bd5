//! Sizes, durations and counts as people read them.
//!
//! Only for the screen: nothing is computed from these texts.

use std::time::Duration;

use segenc_proto::rest::ReportView;

/// Bytes with a decimal unit: `30.1 MB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut scaled = to_float(count) / 1000.0;
    let mut unit = 0;
    while scaled >= 999.95 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}

/// A duration as a clock shows it: `0:42`, `1:02:03`.
pub(crate) fn clock(millis: u64) -> String {
    let seconds = millis.div_ceil(1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A short time in words: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A number with its noun: `1 segment`, `7 segments`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// What was made and checked: `300 frames, 7 segments`, or of what has no film the number of checks.
pub(crate) fn made(report: &ReportView) -> String {
    if report.frames == 0 {
        let checks = u64::try_from(report.checks.len()).unwrap_or(u64::MAX);
        return format!("{}, no film in it", counted(checks, "check"));
    }
    let frames = counted(report.frames, "frame");
    if report.way == "segments" {
        format!("{frames}, {}", counted(u64::from(report.segments), "segment"))
    } else {
        format!("{frames}, in one piece")
    }
}

/// How large `part` is of `whole`, in per cent; nothing of nothing is nothing.
pub(crate) fn percent(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(100).min(100)
}

/// `part` / `whole` as a factor for people.
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    to_float(part) / to_float(whole.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "only shown, with two digits")]
fn to_float(count: u64) -> f64 {
    count as f64
}

/// Text cut to a width, with a mark where something is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_change_their_unit_at_a_thousand() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (30_100_000, "30.1 MB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn clocks_round_up_to_the_next_second() {
        assert_eq!(clock(0), "0:00");
        assert_eq!(clock(41_001), "0:42");
        assert_eq!(clock(3_723_000), "1:02:03");
    }

    #[test]
    fn per_cents_neither_divide_by_zero_nor_pass_a_hundred() {
        assert_eq!((percent(0, 0), percent(1, 3), percent(9, 3)), (0, 33, 100));
    }

    #[test]
    fn cutting_counts_characters_not_bytes() {
        assert_eq!(cut("ääää", 4), "ääää");
        assert_eq!(cut("äääää", 4), "äää…");
    }
}
