//! Reads what ffmpeg writes with `-progress`: lines of `key=value`, a block every half second.
//!
//! Must not know where the lines come from.

use crate::attempt::Progress;

/// Collects the lines of a block.
#[derive(Debug, Default)]
pub(crate) struct ProgressLines {
    current: Progress,
}

impl ProgressLines {
    /// Takes a line; answers the progress when it ends a block. Lines that are not understood are
    /// passed over: newer versions add keys.
    pub(crate) fn line(&mut self, line: &str) -> Option<Progress> {
        let (key, value) = line.trim().split_once('=')?;
        let value = value.trim();
        match key {
            "frame" => self.current.frames = value.parse().unwrap_or(self.current.frames),
            "fps" => self.current.speed_millifps = thousandths(value).unwrap_or(0),
            "progress" => return Some(self.current),
            _ => {}
        }
        None
    }
}

/// Reads a decimal number as thousandths, without the detour through a float.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(digits.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str) -> Vec<Progress> {
        let mut lines = ProgressLines::default();
        text.lines().filter_map(|line| lines.line(line)).collect()
    }

    #[test]
    fn a_block_ends_with_its_progress_line() {
        let text = "frame=12\nfps=23.97\nstream_0_0_q=28.0\nprogress=continue\nframe=30\nfps=25\nprogress=end\n";
        assert_eq!(
            blocks(text),
            [
                Progress { frames: 12, speed_millifps: 23_970 },
                Progress { frames: 30, speed_millifps: 25_000 },
            ]
        );
    }

    #[test]
    fn nonsense_is_passed_over() {
        assert_eq!(blocks("frame= N/A\nfps=-1\nfoo\n=\nprogress=end"), [Progress::default()]);
        assert_eq!(blocks("fps=99999999999999999999.0\nprogress=end"), [Progress::default()]);
    }
}
