//! What every piece of work is given and what it gives back.
//!
//! Must not know what the work is.

use std::fmt;
use std::path::{Path, PathBuf};

use segenc_core::failure::{Failure, FailureKind};
use segenc_core::pool::task::Observed;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::confinement::Confinement;
use crate::ffmpeg_log;
use crate::runner::Place;
use crate::tools::Tools;

/// Where ffmpeg reads an input from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaInput {
    /// A file on this machine.
    File(PathBuf),
    /// An address of the worker's own proxy on the loopback interface, plain HTTP with ranges.
    Url(String),
}

/// The surroundings of one attempt.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The programs.
    pub tools: &'a Tools,
    /// A folder of this attempt alone, empty at first. The caller removes it.
    pub scratch: &'a Path,
    /// Ends the attempt early: its processes are killed before the call returns.
    pub cancel: CancellationToken,
    /// Told how far the work is.
    pub progress: watch::Sender<Progress>,
    /// Threads for decoding, and for encoders where the work does not fix their number; 0: as many as
    /// ffmpeg likes.
    pub encode_threads: u32,
    /// Whether its programs stand still; `None`: they never do. Where the system cannot suspend programs, they go on.
    pub suspension: Option<watch::Receiver<Suspension>>,
    /// What its programs may touch; `None`: whatever this process may.
    pub confinement: Option<Confinement>,
}

impl Attempt<'_> {
    /// Where its programs run.
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            folder: self.scratch,
            confinement: self.confinement.as_ref(),
            suspension: self.suspension.as_ref(),
        }
    }
}

/// Whether the programs of an attempt run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Suspension {
    /// They run.
    #[default]
    Runs,
    /// They stand still, with all they have, until they run again.
    Stands,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Frames of video done.
    pub frames: u64,
    /// Frames per second since the start, in thousandths.
    pub speed_millifps: u64,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// What was seen in it.
    pub observed: Observed,
}

/// Why a piece of work ended without its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkError {
    /// It was canceled.
    Canceled,
    /// It failed.
    Failed(Failure),
}

impl WorkError {
    /// A failure without a log.
    pub(crate) fn failed(kind: FailureKind, reason: &str, message: impl Into<String>) -> Self {
        Self::Failed(Failure {
            kind,
            reason: reason.to_owned(),
            message: message.into(),
            log_tail: String::new(),
        })
    }

    /// What a call says that is allowed to fail: nothing where it would fail again, but a call that was killed or cut
    /// off has said nothing yet, and what is made must not depend on such luck.
    ///
    /// # Errors
    /// When it was canceled, or may go better another time.
    pub fn or_nothing<T>(result: Result<T, Self>) -> Result<Option<T>, Self> {
        match result {
            Ok(said) => Ok(Some(said)),
            Err(Self::Failed(failure)) if ffmpeg_log::comes_again(&failure) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The scratch folder could not be used: another worker may have a better disk.
    pub(crate) fn scratch(action: &str, path: &Path, error: &std::io::Error) -> Self {
        let reason = if error.kind() == std::io::ErrorKind::StorageFull {
            "disk-full"
        } else {
            "scratch-unusable"
        };
        Self::failed(
            FailureKind::Worker,
            reason,
            format!("cannot {action} {}: {error}", path.display()),
        )
    }
}

impl fmt::Display for WorkError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canceled => formatter.write_str("canceled"),
            Self::Failed(failure) => write!(formatter, "{}: {}", failure.reason, failure.message),
        }
    }
}

impl std::error::Error for WorkError {}
