//! A job: one wish, this source into this output.

use serde::{Deserialize, Serialize};

/// Where the source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceLocation {
    /// A file that the server sees, by its absolute path.
    Path(String),
    /// Bytes that a client uploaded, by the upload's name.
    Upload(String),
}

/// The source and what tells it from another that has taken its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRef {
    /// Where it is.
    pub location: SourceLocation,
    /// The file's name for people, without folders.
    pub name: String,
    /// What it was when the job was made.
    pub fingerprint: Fingerprint,
}

/// What tells a file from another that has taken its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change in milliseconds since the epoch; 0 for an upload.
    pub modified: u64,
    /// SHA-256, hex, over the first and the last 64 KiB.
    pub head_and_tail: String,
}

/// A state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// The source is being read; tasks may run already.
    Analyzing,
    /// The plan is complete; segments are encoded.
    Transcoding,
    /// All segments are there; the output is made and checked.
    Merging,
    /// The output is there and verified.
    Completed,
    /// It cannot be done; the failure says why.
    Failed,
    /// By the user.
    Canceled,
    /// By the user, until resumed: nothing new starts.
    Paused,
}

impl JobState {
    /// Whether nothing will happen any more unless the user asks for it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Canceled => true,
            Self::Analyzing | Self::Transcoding | Self::Merging | Self::Paused => false,
        }
    }
}
