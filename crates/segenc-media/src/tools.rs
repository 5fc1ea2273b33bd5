//! Finds ffmpeg and ffprobe and knows their version.
//!
//! Must not know what they are used for.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::invocation::{Invocation, Program};
use crate::runner::{self, RunError};

/// The oldest version whose options the invocations use (`-fps_mode`, the `setts` filter's variables).
const OLDEST: (u32, u32) = (5, 1);

/// Where the two programs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// ffmpeg.
    pub ffmpeg: PathBuf,
    /// ffprobe.
    pub ffprobe: PathBuf,
    /// ffmpeg's version.
    pub version: FfmpegVersion,
    /// ffprobe's, which should be the same: another one can read a source's times otherwise (FFmpeg 9 puts the start
    /// of a WebM film 7 ms from where ffprobe 5.1 says).
    pub ffprobe_version: FfmpegVersion,
}

/// A version of ffmpeg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FfmpegVersion {
    /// As it says itself, such as `5.1.9-0+deb12u1`.
    pub text: String,
    /// The first two numbers; `None` for builds from the development branch, which have none.
    pub number: Option<(u32, u32)>,
}

impl fmt::Display for FfmpegVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Why the tools cannot be used.
#[derive(Debug, Error)]
pub enum ToolsError {
    /// One of them is not there.
    #[error("{program} was not found in PATH; install ffmpeg or name the program in {variable}")]
    NotFound {
        /// Which.
        program: &'static str,
        /// The variable that may name it.
        variable: &'static str,
    },
    /// The variable names something that is no program.
    #[error("{variable} names {path}, where no program is")]
    NotThere {
        /// The variable.
        variable: &'static str,
        /// What it says.
        path: PathBuf,
    },
    /// It does not run or does not tell its version.
    #[error("cannot ask {path} for its version: {problem}")]
    Unusable {
        /// The program.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// It is too old.
    #[error("{path} is version {version}, but 5.1 or newer is needed")]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        version: String,
    },
}

impl Tools {
    /// Finds both: where `SEGENC_FFMPEG` and `SEGENC_FFPROBE` say, otherwise in `PATH`.
    ///
    /// # Errors
    /// When one is missing, does not run, or is older than 5.1.
    pub async fn find() -> Result<Self, ToolsError> {
        let ffmpeg = locate("ffmpeg", "SEGENC_FFMPEG")?;
        let ffprobe = locate("ffprobe", "SEGENC_FFPROBE")?;
        let (version, ffprobe_version) = tokio::join!(
            version_of(&ffmpeg, Program::Ffmpeg),
            version_of(&ffprobe, Program::Ffprobe)
        );
        Ok(Self { ffmpeg, ffprobe, version: version?, ffprobe_version: ffprobe_version? })
    }

    /// Whether ffmpeg and ffprobe are of the same version, as they should be.
    pub fn are_of_one_version(&self) -> bool {
        self.version == self.ffprobe_version
    }

    /// The path of a program.
    pub(crate) fn path(&self, program: Program) -> &Path {
        match program {
            Program::Ffmpeg => &self.ffmpeg,
            Program::Ffprobe => &self.ffprobe,
        }
    }
}

fn locate(program: &'static str, variable: &'static str) -> Result<PathBuf, ToolsError> {
    if let Some(named) = env::var_os(variable).filter(|value| !value.is_empty()) {
        let path = PathBuf::from(named);
        // Processes are started in their own folder, so a relative name must be resolved now.
        return match path.canonicalize() {
            Ok(found) if found.is_file() => Ok(found),
            Ok(_) | Err(_) => Err(ToolsError::NotThere { variable, path }),
        };
    }
    runner::in_path(program).ok_or(ToolsError::NotFound { program, variable })
}

async fn version_of(path: &Path, program: Program) -> Result<FfmpegVersion, ToolsError> {
    let unusable = |problem: String| ToolsError::Unusable { path: path.to_owned(), problem };
    let invocation = Invocation::version(program);
    let (finished, text) = runner::capture(path, &invocation, &env::temp_dir())
        .await
        .map_err(|error: RunError| unusable(error.to_string()))?;
    if !finished.exit.is_success() {
        return Err(unusable(format!("it {}", finished.exit)));
    }
    let version =
        parse_version(&text).ok_or_else(|| unusable("its answer is not understood".to_owned()))?;
    if version.number.is_some_and(|number| number < OLDEST) {
        return Err(ToolsError::TooOld { path: path.to_owned(), version: version.text });
    }
    Ok(version)
}

/// Reads the first line of `-version`: `ffmpeg version 5.1.9-0+deb12u1 Copyright …`. Release builds
/// begin with a number, also behind an `n` (`n6.0`); builds of the development branch (`N-109…`,
/// `git-2024-…`, `2024-01-04-git-…`) have none and are taken to be new.
pub(crate) fn parse_version(text: &str) -> Option<FfmpegVersion> {
    let mut words = text.lines().next()?.split_whitespace();
    let version = words.by_ref().skip_while(|word| *word != "version").nth(1)?;
    let digits = version.strip_prefix('n').unwrap_or(version);
    let mut numbers = digits.split(|c: char| !c.is_ascii_digit());
    let major = numbers.next().and_then(|number| number.parse::<u32>().ok());
    let minor = numbers.next().and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
    // A year is no major version.
    let number = major.filter(|major| *major < 1000).map(|major| (major, minor));
    Some(FfmpegVersion { text: version.to_owned(), number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_releases_and_snapshots() {
        let number = |text: &str| {
            parse_version(&format!("ffmpeg version {text} Copyright (c) 2000"))
                .map(|version| version.number)
        };
        assert_eq!(number("5.1.9-0+deb12u1"), Some(Some((5, 1))));
        assert_eq!(number("n6.0"), Some(Some((6, 0))));
        assert_eq!(number("7"), Some(Some((7, 0))));
        assert_eq!(number("N-109468-gd39b34123d"), Some(None));
        assert_eq!(number("2024-01-04-git-4a6a"), Some(None));
        assert_eq!(parse_version("something else"), None);
        assert_eq!(parse_version(""), None);
    }

    #[tokio::test]
    async fn the_installed_tools_are_found() {
        let tools = Tools::find().await.expect("the tests need ffmpeg 5.1 or newer");
        assert!(tools.ffmpeg.is_absolute() && tools.ffprobe.is_absolute());
        assert!(!tools.version.text.is_empty());
    }
}
