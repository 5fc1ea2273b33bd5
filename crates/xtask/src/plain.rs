//! How plain ffmpeg is told to keep the times of its source, in the words of the version that is there.

use std::process::Command;
use std::sync::LazyLock;

/// Every frame with its own time, in the source's ticks. They have another name from FFmpeg 7 on; 9 no longer knows
/// the old one.
pub(crate) fn same_clock() -> [&'static str; 4] {
    static TICKS: LazyLock<&str> =
        LazyLock::new(
            || if major_version().is_some_and(|major| major < 7) { "-1" } else { "demux" },
        );
    ["-fps_mode", "passthrough", "-enc_time_base", *TICKS]
}

/// The first number of `ffmpeg version 5.1.9-…`; builds from a day's sources have none, and are new.
fn major_version() -> Option<u32> {
    let said = Command::new("ffmpeg").arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let version = text.split_whitespace().nth(2)?;
    version.trim_start_matches('n').split(['.', '-']).next()?.parse().ok()
}
