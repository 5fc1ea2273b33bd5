//! The JSON bodies of the operator's interface under `/api`, shared by server, command line and page.
//!
//! Times are milliseconds since the Unix epoch, sizes bytes, media positions milliseconds for people;
//! where exactness matters there are ticks with their timebase. OpenAPI is generated from these types.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod library;
mod notify;
mod page;
mod pairing;
mod passkeys;

pub use library::{After, WatchFolder, WatchFolderView, WatchedFileView};
pub use notify::{
    CreateNotification, MailTarget, NotificationEvent, NotificationView, WebhookTarget,
};
pub use page::{
    Changes, CreateToken, JoinView, LogIn, MediaEntry, MediaListing, NewTokenView, OptionsCheck,
    OptionsChecked, PresetView, RefusalView, SessionView, SetPassword, SourceView, StreamView,
    TaskChanges, TokenView, WorkView, WritePreset,
};
pub use pairing::{PairingAnswer, PairingDone, PairingMessage, PairingProof, PairingView};
pub use passkeys::{
    AddPasskey, NewPasskey, PasskeyChallenge, PasskeyOrigin, PasskeyPlaces, PasskeyView,
};

/// `POST /api/jobs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateJob {
    /// What is encoded.
    pub source: SourceSpec,
    /// What comes out.
    #[serde(default)]
    pub output: OutputSpec,
    /// ffmpeg output options, one word each, such as `["-c:v", "libx264", "-crf", "20"]`.
    #[serde(default)]
    #[schema(max_items = 2000)]
    pub args: Vec<String>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i32,
    /// Name for people; the source's file name if absent.
    #[serde(default)]
    pub name: Option<String>,
    /// `full` (default) decodes every frame of the output at the end, `quick` checks structure only.
    #[serde(default)]
    pub verify: Option<String>,
    /// Wished segment length in seconds.
    #[serde(default)]
    pub segment_seconds: Option<u32>,
    /// Wished size of the finished file in bytes, met within two per cent. Instead of a quality or a bitrate.
    #[serde(default)]
    pub target_size: Option<u64>,
    /// Encode a film with Dolby Vision or HDR10+ without it, instead of refusing it.
    #[serde(default)]
    pub drop_dynamic_hdr: bool,
    /// Only analyse the source: everything else waits for `…/resume`.
    #[serde(default)]
    pub hold: bool,
    /// The same for somebody who looks at the plan: it is forgotten if it is not resumed within an hour.
    #[serde(default)]
    pub draft: bool,
}

/// The source of a job: exactly one of `path` and `upload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// Absolute path of a file on the server, inside one of its media roots.
    #[serde(default)]
    pub path: Option<String>,
    /// The id of a finished upload.
    #[serde(default)]
    pub upload: Option<String>,
    /// With `path`: what the client sees there. If the server sees something else it answers
    /// `source-not-visible`, and the client uploads.
    #[serde(default)]
    pub fingerprint: Option<FileFingerprint>,
}

/// What tells one file from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileFingerprint {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 in hex over the first and the last 64 KiB (the whole file where it is shorter).
    pub head_and_tail: String,
}

/// The output of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputSpec {
    /// Absolute path on the server, inside one of its media roots; absent: fetched from `…/output`.
    #[serde(default)]
    pub path: Option<String>,
    /// Muxer by ffmpeg's name or usual extension (`mkv`, `mp4`, …); absent: from `path`, else `mkv`.
    #[serde(default)]
    pub container: Option<String>,
    /// Replace an existing file at `path`.
    #[serde(default)]
    pub overwrite: bool,
    /// Throw the result away if it is not smaller than the source; the job is canceled then and its note says so.
    #[serde(default)]
    pub only_if_smaller: bool,
}

/// How [`JobView::waiting_for`] begins before the first worker has joined.
pub const NO_WORKER_YET: &str = "no worker has joined yet";

/// A job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Its number.
    pub id: u64,
    /// Name for people.
    pub name: String,
    /// `held`, `analyzing`, `transcoding`, `merging`, `completed`, `failed`, `canceled` or `paused`.
    pub state: String,
    /// Made as a draft, and nobody has started it: `state` is `held`, or it has ended before.
    #[serde(default)]
    pub draft: bool,
    /// File name of the source.
    pub source_name: String,
    /// Size of the source in bytes.
    pub source_size: u64,
    /// Muxer of the output.
    pub container: String,
    /// Video encoder; absent if no video is encoded.
    pub encoder: Option<String>,
    /// The options as given.
    pub args: Vec<String>,
    /// Higher goes first.
    pub priority: i32,
    /// When it was made.
    pub created_at: u64,
    /// When it was let go: when it was made, or resumed for the first time if it was held.
    #[serde(default)]
    pub started_at: u64,
    /// When it ended.
    pub ended_at: Option<u64>,
    /// Why the film is made in one piece, if it is.
    pub whole_because: Option<String>,
    /// Why its segments are decoded from a copy of the film, which the analysis makes, if they are.
    #[serde(default)]
    pub copied_because: Option<String>,
    /// Whether the plan is complete.
    pub plan_complete: bool,
    /// Duration of the source as its container has it, in milliseconds.
    pub duration_millis: Option<u64>,
    /// How far it is.
    pub progress: Progress,
    /// Why it failed.
    pub failure: Option<FailureView>,
    /// Why it is waiting, if it waits for something that a user can change (such as: no worker).
    pub waiting_for: Option<String>,
    /// The finished output.
    pub output: Option<OutputView>,
    /// Where the finished file was put on the server.
    pub output_path: Option<String>,
    /// Why the server ended it by a rule: skipped, or its result thrown away.
    #[serde(default)]
    pub note: Option<String>,
}

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Frames encoded, finished segments and running ones.
    pub frames_done: u64,
    /// Frames planned so far; the whole film once the plan is complete.
    pub frames_planned: u64,
    /// Segments (or the one whole title) finished.
    pub segments_done: u32,
    /// Segments planned so far.
    pub segments_planned: u32,
    /// Where a size is wished: segments measured so far, until all are and the bits of each are known.
    #[serde(default)]
    pub segments_measured: Option<u32>,
    /// Attempts running now.
    pub running: u32,
    /// Sum of the running attempts' speed in frames per second.
    pub frames_per_second: f64,
    /// Milliseconds of film per millisecond, as a sum over the running attempts.
    pub times_real_time: Option<f64>,
    /// Bytes of finished segments and other streams.
    pub bytes_done: u64,
    /// Expected milliseconds until the end.
    pub eta_millis: Option<u64>,
}

/// A failure for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailureView {
    /// Stable name, a heading of `docs/failures.md`.
    pub reason: String,
    /// What went wrong, with what.
    pub message: String,
    /// What to do, where something is known.
    pub hint: Option<String>,
    /// The end of the program's log.
    pub log_tail: String,
}

/// The finished output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputView {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 in hex.
    pub sha256: String,
}

/// A task of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    /// Its number, unique over all jobs.
    pub id: u64,
    /// `analysis`, `segment`, `measure`, `retake`, `weigh`, `other_streams`, `whole` or `merge`.
    pub kind: String,
    /// Which segment.
    pub segment: Option<SegmentView>,
    /// `blocked`, `ready`, `running`, `done`, `failed`, `canceled` or `aborted`.
    pub state: String,
    /// All tries.
    pub attempts: Vec<AttemptView>,
}

/// A segment of the plan. Ticks are in `timebase`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SegmentView {
    /// Position in the film, from 0.
    pub index: u32,
    /// First PTS in the source, in ticks.
    pub start: i64,
    /// Where the next segment begins, in ticks.
    pub end: i64,
    /// Frames in it.
    pub frames: u64,
    /// Seconds per tick: numerator and denominator.
    pub timebase: (u32, u32),
    /// Why it ends there: `scene_keyframe`, `scene`, `keyframe`, `frame` or `end`.
    pub cut: String,
}

/// A try of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// Its number within the task.
    pub number: u32,
    /// The worker.
    pub worker: u64,
    /// The worker's name.
    pub worker_name: String,
    /// Whether it is a backup: it was begun beside another one that was late, and the first to end well counts.
    #[serde(default)]
    pub backup: bool,
    /// `running`, `succeeded`, `failed`, `expired` or `canceled`.
    pub state: String,
    /// When it was handed out.
    pub started_at: u64,
    /// When it ended.
    pub ended_at: Option<u64>,
    /// Frames done so far.
    pub frames_done: u64,
    /// Frames per second.
    pub frames_per_second: f64,
    /// Size of its output.
    pub output_size: Option<u64>,
    /// Why it failed.
    pub failure: Option<FailureView>,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkerView {
    /// Its number.
    pub id: u64,
    /// Name for people.
    pub name: String,
    /// `active`, `draining`, `paused`, `taken_out` or `signed_off`.
    pub state: String,
    /// Why it was taken out.
    pub reason: Option<String>,
    /// Why it is given nothing of what waits, where that is not to be seen otherwise: its encoder is another build.
    #[serde(default)]
    pub idle_because: Option<String>,
    /// Whether it was heard of within a lease's time.
    pub online: bool,
    /// When it was last heard of.
    pub last_seen_at: Option<u64>,
    /// Until when it asks for nothing, because its hours are over.
    pub resting_until: Option<u64>,
    /// Version of the program.
    pub version: String,
    /// Tasks side by side.
    pub slots: u32,
    /// Logical processors.
    pub cores: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Encoders that work there.
    pub encoders: Vec<String>,
    /// ffmpeg's version.
    pub ffmpeg_version: String,
    /// Operating system and processor.
    pub platform: String,
    /// Attempts it holds now.
    pub running: u32,
    /// Attempts that succeeded.
    pub succeeded: u64,
    /// Attempts that failed or expired.
    pub failed: u64,
    /// Bytes of inputs that it fetched over HTTP since the server started.
    pub bytes_fetched: u64,
    /// Of these, bytes of sources; the others are parts to be merged.
    pub source_bytes_fetched: u64,
    /// Bytes of outputs that it delivered since the server started.
    pub bytes_delivered: u64,
    /// What it does now.
    pub work: Vec<WorkView>,
}

/// `GET /api/jobs/{id}/report`: what was made, by whom, and what was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportView {
    /// The job.
    pub job: JobView,
    /// All checks held and the job is completed.
    pub verified: bool,
    /// Frames in the output.
    pub frames: u64,
    /// Segments joined; 1 where the film was made in one piece.
    pub segments: u32,
    /// How the film was made: `segments` or `whole`.
    pub way: String,
    /// The checks, in order.
    pub checks: Vec<CheckView>,
    /// The tasks with their attempts.
    pub tasks: Vec<TaskView>,
    /// Processor time of all succeeded attempts in milliseconds.
    pub cpu_millis: u64,
    /// Who had which share in it, the largest first.
    #[serde(default)]
    pub workers: Vec<WorkerShare>,
}

/// A worker's share in a job: what it did that is part of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerShare {
    /// The worker.
    pub worker: u64,
    /// Its name.
    pub name: String,
    /// Tasks that it did.
    pub tasks: u32,
    /// Frames that it encoded.
    pub frames: u64,
    /// Bytes that it made.
    pub bytes: u64,
    /// Processor time of the programs that it ran, in milliseconds.
    pub cpu_millis: u64,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckView {
    /// What was checked.
    pub name: String,
    /// Whether it held.
    pub passed: bool,
    /// What was seen.
    pub detail: String,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Cursor of the next page; absent on the last.
    pub next: Option<String>,
}

/// `GET /api/server`: who answers here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerView {
    /// Version of the server program.
    pub version: String,
    /// The caller's role: `operator` or `viewer`.
    pub role: String,
    /// Free bytes for blobs.
    pub free_bytes: u64,
}

/// An error, as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Stable name of the kind of problem, such as `option-refused`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// HTTP status code.
    pub status: u16,
    /// What went wrong here.
    #[serde(default)]
    pub detail: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
