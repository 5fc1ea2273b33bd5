//! A worker as the server knows it.

use serde::{Deserialize, Serialize};

/// What a worker tells of itself when it registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerProfile {
    /// Name for people.
    pub name: String,
    /// Version of the worker program.
    pub version: String,
    /// How many tasks it runs side by side.
    pub slots: u32,
    /// Logical processors.
    pub cores: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Video and audio encoders that were tried and work, by ffmpeg's names, sorted.
    pub encoders: Vec<String>,
    /// What `ffmpeg -version` says in its first line, without the copyright.
    pub ffmpeg_version: String,
    /// Operating system and processor, such as `linux x86_64`.
    pub platform: String,
}

/// A state of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum WorkerState {
    /// Takes tasks.
    Active,
    /// Finishes what it has and takes no more, by the user's wish.
    Draining,
    /// Taken out after failing again and again, until put back.
    TakenOut {
        /// Why, for people.
        reason: String,
    },
    /// Has signed off; it may come back with its token.
    SignedOff,
}
