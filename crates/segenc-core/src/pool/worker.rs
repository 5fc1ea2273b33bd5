//! A worker as the server knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{AttemptId, WorkerId};
use crate::pool::limits::{PREFETCHED_ATTEMPTS, SLOTS_MAX};
use crate::time::Millis;

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
    /// Whether it can suspend the programs that it runs.
    #[serde(default)]
    pub can_pause: bool,
    /// What parameter sets its video encoders wrote when they were tried: a digest of them by the encoder's name, empty
    /// where it wrote none. Those of two workers that differ make segments that cannot stand in one film. An encoder
    /// that is not named here may agree with every other.
    #[serde(default)]
    pub trial_sets: BTreeMap<String, String>,
}

/// A state of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum WorkerState {
    /// Takes tasks.
    Active,
    /// Finishes what it has and takes no more, by the user's wish.
    Draining,
    /// Stands still with what it has, by the user's wish, and takes nothing.
    Paused,
    /// Taken out after failing again and again, until put back.
    TakenOut {
        /// Why, for people.
        reason: String,
    },
    /// Has signed off; it may come back with its token.
    SignedOff,
}

/// A process that runs tasks, kept over its restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its identity.
    pub id: WorkerId,
    /// What it says of itself.
    pub profile: Arc<WorkerProfile>,
    /// Whether it takes tasks.
    pub state: WorkerState,
    /// When it registered last.
    pub registered_at: Millis,
    /// The attempts whose lease it holds.
    pub running: BTreeSet<AttemptId>,
    /// Attempts that failed by its fault or by bad luck since the last one that succeeded.
    pub failures_in_a_row: u32,
    /// Attempts that succeeded since it first joined.
    pub succeeded: u64,
    /// Attempts that failed since it first joined.
    pub failed: u64,
}

impl Worker {
    /// Whether it takes tasks.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        match self.state {
            WorkerState::Active => true,
            WorkerState::Draining
            | WorkerState::Paused
            | WorkerState::TakenOut { .. }
            | WorkerState::SignedOff => false,
        }
    }

    /// Whether it has all these encoders.
    #[must_use]
    pub fn can(&self, needs: &[String]) -> bool {
        needs.iter().all(|need| self.profile.encoders.contains(need))
    }

    /// How many tasks it runs side by side, as far as that is believed.
    #[must_use]
    pub fn slots(&self) -> usize {
        usize::try_from(self.profile.slots.min(SLOTS_MAX)).unwrap_or(usize::MAX)
    }

    /// The same, while it takes tasks.
    pub(super) fn open_slots(&self) -> usize {
        if self.is_active() { self.slots() } else { 0 }
    }

    /// How many attempts it may hold at once. One without slots gets nothing.
    #[must_use]
    pub fn capacity(&self) -> usize {
        match self.slots() {
            0 => 0,
            slots => slots.saturating_add(PREFETCHED_ATTEMPTS),
        }
    }
}
