//! A job: one wish, this source into this output.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::ids::{JobId, TaskId, WorkerId};
use crate::plan::{PlanHeader, Segment, Way};
use crate::pool::task::{TaskKind, TaskState};
use crate::rate::{Allocation, RateAim, RateWish};
use crate::source::SourceFacts;
use crate::spec::{JobSpec, VideoSpec};
use crate::time::Millis;

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

/// Whether a job goes on by itself once it is planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// As soon as its first segment is planned.
    #[default]
    AtOnce,
    /// Only its analysis runs, until somebody resumes it.
    Held,
    /// The same for a while: somebody looks at the plan, and if nobody resumes it, it is forgotten.
    Draft,
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

impl fmt::Display for JobState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Analyzing => "analyzing",
            Self::Transcoding => "transcoding",
            Self::Merging => "merging",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Paused => "paused",
        })
    }
}

/// One wish: this source into this output, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its identity.
    pub id: JobId,
    /// Name for people.
    pub name: String,
    /// What is wished.
    pub spec: Arc<JobSpec>,
    /// From what.
    pub source: SourceRef,
    /// Where the finished file goes on the server; `None`: it stays in the store.
    pub output_path: Option<String>,
    /// Higher goes first.
    pub priority: i32,
    /// Where it stands.
    pub state: JobState,
    /// Whether its tasks beside the analysis wait for somebody to resume it.
    pub start: Start,
    /// When it was made.
    pub created_at: Millis,
    /// When it was let go: when it was made, or resumed for the first time if it was held.
    pub started_at: Millis,
    /// When it came to its end, if it has.
    pub ended_at: Option<Millis>,
    /// What the analysis saw before the first packet.
    pub facts: Option<Arc<SourceFacts>>,
    /// The fixed part of the plan. Its way turns to whole when the split is abandoned.
    pub header: Option<Arc<PlanHeader>>,
    /// The segments planned so far, by index.
    pub segments: imbl::Vector<Arc<Segment>>,
    /// The analysis has ended: no segment will follow.
    pub plan_complete: bool,
    /// All its tasks, in the order they were made; those of segments in the order of the film.
    pub tasks: imbl::OrdSet<TaskId>,
    /// The task that reads the source.
    pub analysis: TaskId,
    /// The task that makes the output; known when the plan is complete.
    pub merge: Option<TaskId>,
    /// Why it failed, while it is failed.
    pub failure: Option<Failure>,
    /// Why the film is made in one piece although segments were planned.
    pub split_abandoned: Option<String>,
    /// What the first finished segment's parameter sets were: all others must have the same.
    pub parameter_sets: Option<ParameterSets>,
    /// What the worker of the first finished segment wrote when its encoder was tried, if it told.
    pub trial_sets: Option<String>,
    /// The bits of each segment, as soon as all are measured; only where a size is wished.
    pub allocation: Option<Arc<Allocation>>,
    /// Segments that are made once more, and the bits that were asked for last.
    pub retakes: BTreeMap<u32, u64>,
    /// How often segments were chosen to be made once more.
    pub retake_rounds: u32,
    /// Workers whose encoder makes other parameter sets than that of the first finished segment.
    pub differing_workers: BTreeSet<WorkerId>,
}

/// The parameter sets (extradata) of the job's segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSets {
    /// SHA-256, hex; `None`: the encoder has none.
    pub sha256: Option<String>,
}

impl Job {
    /// Whether tasks of it may be handed out.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        match self.state {
            JobState::Analyzing | JobState::Transcoding | JobState::Merging => true,
            JobState::Completed | JobState::Failed | JobState::Canceled | JobState::Paused => false,
        }
    }

    /// Whether nothing but its analysis is handed out, until somebody resumes it.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        match self.start {
            Start::AtOnce => false,
            Start::Held | Start::Draft => !self.state.is_final(),
        }
    }

    /// Its state in one word for people: [`JobState`], or `held`.
    #[must_use]
    pub fn standing(&self) -> String {
        if self.is_held() { "held".to_owned() } else { self.state.to_string() }
    }

    /// The encoder of the film, where it is encoded.
    #[must_use]
    pub fn film_encoder(&self) -> Option<&str> {
        match &self.spec.video {
            VideoSpec::Encode(video) => Some(&video.encoder),
            VideoSpec::Copy | VideoSpec::Drop => None,
        }
    }

    /// Whether the film is made as segments, as far as it is planned.
    #[must_use]
    pub fn is_split(&self) -> bool {
        match self.header.as_ref().map(|header| &header.way) {
            Some(Way::Segments) => true,
            Some(Way::Whole { .. }) | None => false,
        }
    }

    /// Whether its segments are decoded from a copy of the film, which is the analysis' output.
    #[must_use]
    pub fn decodes_copy(&self) -> bool {
        let copied = self.header.as_ref().is_some_and(|header| header.decoded_from.is_copy());
        self.is_split() && copied
    }

    /// The size that is met by measuring all segments, where there is one.
    #[must_use]
    pub fn rate(&self) -> Option<&RateWish> {
        self.spec.rate.as_ref()
    }

    /// Whether its segments wait for their bits.
    #[must_use]
    pub fn awaits_bits(&self) -> bool {
        self.rate().is_some() && self.allocation.is_none()
    }

    /// Whether the wish is a size of the whole file, which only measured segments can meet.
    #[must_use]
    pub fn aims_at_file_size(&self) -> bool {
        match self.rate().map(|rate| rate.aim) {
            Some(RateAim::FileBytes(_)) => true,
            Some(RateAim::BitsPerSecond(_)) | None => false,
        }
    }

    /// The duration of a segment in microseconds.
    #[must_use]
    pub fn micros_of(&self, segment: &Segment) -> Option<u64> {
        let timebase = self.header.as_ref()?.film.as_ref()?.timebase;
        let ticks = segment.end.saturating_sub(segment.start);
        Some(u64::try_from(timebase.micros(ticks)).unwrap_or_default().max(1))
    }

    /// About how many bytes the container adds to the film's packets.
    #[must_use]
    pub fn framing_bytes(&self) -> u64 {
        let frames: u64 = self.segments.iter().map(|segment| segment.expected.count).sum();
        frames.saturating_mul(framing_of(&self.spec.container))
    }

    /// The bits that the encoder of a segment is asked for.
    #[must_use]
    pub fn bits_asked(&self, segment: u32, kind: TaskKind) -> Option<u64> {
        match kind {
            TaskKind::Retake(_) => self.retakes.get(&segment).copied(),
            TaskKind::Analysis
            | TaskKind::Segment(_)
            | TaskKind::Measure(_)
            | TaskKind::OtherStreams
            | TaskKind::Weigh
            | TaskKind::Whole
            | TaskKind::Merge => {
                let place = usize::try_from(segment).ok()?;
                self.allocation.as_ref()?.asked.get(place).copied()
            }
        }
    }
}

/// About how many bytes a container adds to each packet of the film: Matroska a block's header and now and then
/// a cluster and a cue; MP4 its place in the tables of sizes, times and chunks (measured with FFmpeg 5.1).
fn framing_of(container: &str) -> u64 {
    match container {
        "matroska" | "webm" => 8,
        _ => 14,
    }
}

/// How many tasks of a job are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskCounts {
    /// Waiting for other tasks.
    pub blocked: u32,
    /// Waiting for a worker.
    pub ready: u32,
    /// With a running attempt.
    pub running: u32,
    /// Done.
    pub done: u32,
    /// Failed for good.
    pub failed: u32,
    /// Canceled by the user.
    pub canceled: u32,
    /// Aborted by the system.
    pub aborted: u32,
    /// Parts of the output that the merge still waits for.
    pub open_parts: u32,
}

impl TaskCounts {
    /// The number of tasks in `state`, to be changed.
    pub(super) const fn slot(&mut self, state: TaskState) -> &mut u32 {
        match state {
            TaskState::Blocked => &mut self.blocked,
            TaskState::Ready => &mut self.ready,
            TaskState::Running => &mut self.running,
            TaskState::Done => &mut self.done,
            TaskState::Failed => &mut self.failed,
            TaskState::Canceled => &mut self.canceled,
            TaskState::Aborted => &mut self.aborted,
        }
    }
}
