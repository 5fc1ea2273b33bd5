//! The command line's shape for what is encoded: `encode`, and `plan`, which only shows where.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Connection;

/// Encode a film: on this machine, or with --server on a farm.
///
/// Everything after `--` is ffmpeg's own output options with ffmpeg's meaning. Without any: all streams
/// are kept, audio and subtitles are copied, video becomes `libx264 -crf 20 -preset medium`, and the
/// container follows OUTPUT's extension.
///
/// If it is interrupted in any way, the same command again goes on where it was, unless that was more than
/// 30 days ago. OUTPUT appears only when it is complete and verified.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  segenc encode film.mkv small.mkv\n  \
    segenc encode --preset small-av1 film.mkv small.mkv\n  \
    segenc encode 'films/**/*.mkv' --output-dir small --preset small-av1\n  \
    segenc encode in.mkv out.mkv -- -c:v libx265 -preset slow -crf 20 -c:a libopus -b:a 128k\n  \
    segenc encode --server URL --token @FILE in.mkv out.mp4 -- -c:v libx264 -crf 22")]
pub(crate) struct Encode {
    /// The film to encode, which is never changed, and the file to make, whose extension names the container. With
    /// --output-dir: films to encode, also by patterns such as `films/**/*.mkv`.
    #[arg(required = true, num_args = 1.., value_names = ["INPUT", "OUTPUT"])]
    pub(crate) files: Vec<PathBuf>,
    /// The film of this job.
    #[arg(skip)]
    pub(crate) input: PathBuf,
    /// The file of this job.
    #[arg(skip)]
    pub(crate) output: PathBuf,
    /// Which of many it is, for people.
    #[arg(skip)]
    pub(crate) place: Option<String>,
    /// Encode several films into this folder; results that are there already are left alone.
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// How results are named below --output-dir: {dir}, {name}, {ext}, {preset}, {codec}, {encoder}.
    #[arg(long, value_name = "TEMPLATE", default_value = segenc_core::naming::OUTPUT_TEMPLATE, requires = "output_dir")]
    pub(crate) name: String,
    /// Container of results in --output-dir by its usual extension, which {ext} stands for.
    #[arg(long, value_name = "EXT", default_value = "mkv", requires = "output_dir")]
    pub(crate) container: String,
    /// ffmpeg output options.
    #[arg(last = true, value_name = "FFMPEG OPTIONS")]
    pub(crate) options: Vec<String>,
    /// Options under a name (see `segenc presets`); what stands after `--` is added and wins.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Replace OUTPUT if it exists.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Let the computer go to sleep by itself meanwhile; otherwise it is kept awake as far as the system allows.
    #[arg(long, env = "SEGENC_ALLOW_SLEEP")]
    pub(crate) allow_sleep: bool,
    /// How far the finished file is checked.
    #[arg(long, value_enum, default_value_t = VerifyFlag::Auto)]
    pub(crate) verify: VerifyFlag,
    /// Wished length of a segment in seconds; by default it follows the film's length.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) segment_seconds: Option<u32>,
    /// Size that OUTPUT is to have, met within two per cent, such as 700M (1000 bytes are 1k, 1024 are 1Ki); instead
    /// of a quality or a bitrate.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) target_size: Option<u64>,
    /// Encode films with Dolby Vision or HDR10+ without it: no encoder takes it over.
    #[arg(long)]
    pub(crate) drop_dynamic_hdr: bool,
    /// Encodes side by side on this machine; by default as many as fit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256), conflicts_with = "server")]
    pub(crate) slots: Option<u32>,
    /// The farm to encode on.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Reads a size in bytes: `700M`, `4.4GiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let unreadable = || "a size is a number with k, M, G or Ki, Mi, Gi behind it".to_owned();
    let plain = text.strip_suffix('B').unwrap_or(text);
    let (plain, step) = match plain.strip_suffix('i') {
        Some(plain) => (plain, 1024_u64),
        None => (plain, 1000),
    };
    let end = plain.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(plain.len());
    let (number, prefix) = plain.split_at(end);
    let unit = match prefix {
        "" if step == 1000 => 1,
        "k" | "K" => step,
        "M" => step.pow(2),
        "G" => step.pow(3),
        _ => return Err(unreadable()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits: u128 = format!("{whole}{part}").parse().map_err(|_| unreadable())?;
    let scale = u32::try_from(part.len()).ok().and_then(|digits| 10_u128.checked_pow(digits));
    let bytes = scale.and_then(|scale| Some(digits.checked_mul(u128::from(unit))? / scale));
    match bytes.and_then(|bytes| u64::try_from(bytes).ok()) {
        None => Err("so large a file is not possible".to_owned()),
        Some(0) => Err("a file of no size holds no film".to_owned()),
        Some(bytes) => Ok(bytes),
    }
}

/// How far the finished file is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFlag {
    /// Structure, and a decode of every frame unless that costs more than 5 % of the job.
    Auto,
    /// Structure, and a decode of every frame.
    Full,
    /// Structure only.
    Quick,
}

impl VerifyFlag {
    /// The word on the wire.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Full => "full",
            Self::Quick => "quick",
        }
    }
}

/// Print where a film would be cut, and why, without encoding anything.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The film.
    pub(crate) input: PathBuf,
    /// ffmpeg output options.
    #[arg(last = true, value_name = "FFMPEG OPTIONS")]
    pub(crate) options: Vec<String>,
    /// Options under a name (see `segenc presets`); what stands after `--` is added and wins.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Container of the output by its usual extension.
    #[arg(long, value_name = "NAME", default_value = "mkv")]
    pub(crate) container: String,
    /// Wished length of a segment in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) segment_seconds: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_unless_an_i_says_otherwise() {
        assert_eq!(
            [size("700M"), size("4.4G"), size("12")],
            [Ok(700_000_000), Ok(4_400_000_000), Ok(12)]
        );
        assert_eq!(
            [size("1KiB"), size("1.5MB"), size("2Mi")],
            [Ok(1024), Ok(1_500_000), Ok(2 << 20)]
        );
        for bad in
            ["", "M", "-1M", "0", "1i", "1.2.3M", "1T", "99999999999999999999999999999999999999G"]
        {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
