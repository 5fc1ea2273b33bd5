//! Bodies that people's programs need beside jobs and workers: logging in, looking into folders and options,
//! and what the streams of events tell.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{JobView, TaskView, WorkerView};

/// `POST /api/session`: exactly one of the three.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    /// The code of a one-time link.
    #[serde(default)]
    pub code: Option<String>,
    /// A password, or a token of an operator or viewer.
    #[serde(default)]
    pub secret: Option<String>,
    /// What the browser made of the challenge of `POST /api/passkeys/login`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub passkey: Option<serde_json::Value>,
}

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// `operator` or `viewer`.
    pub role: String,
    /// Whether operators can log in with a password.
    pub operator_password: bool,
    /// Whether viewers can.
    pub viewer_password: bool,
}

/// `PUT /api/session/password`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    /// For whom: `operator` or `viewer`.
    pub role: String,
    /// The new password; absent takes the viewers' away.
    #[serde(default)]
    pub password: Option<String>,
    /// The operators' password until now, or an operator's token. Needed as soon as there is one.
    #[serde(default)]
    pub current: Option<String>,
}

/// `POST /api/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What its program may do: `operator` or `viewer`.
    pub role: String,
    /// What it is for.
    pub label: String,
}

/// A token that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewTokenView {
    /// The token itself. It is not told again.
    pub token: String,
}

/// A token for a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its name, for taking it away.
    pub id: String,
    /// `operator` or `viewer`.
    pub role: String,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created_at: u64,
}

/// `GET /api/media`: what is in a folder of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MediaListing {
    /// The folder; absent for the list of all media roots.
    pub path: Option<String>,
    /// The folder around it; absent where that is not offered.
    pub parent: Option<String>,
    /// What is in it: folders first, then by name. Hidden names are left out.
    pub entries: Vec<MediaEntry>,
    /// There is more than is told.
    pub truncated: bool,
}

/// A folder or file that jobs may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MediaEntry {
    /// Its name in the folder; the whole path for a media root.
    pub name: String,
    /// Its path, for `source.path` or another look.
    pub path: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Size in bytes; 0 for a folder.
    pub size: u64,
    /// When it was changed last.
    pub modified_at: u64,
}

/// `POST /api/options/check`: `text` as typed on a command line, or `args` as words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OptionsCheck {
    /// Options in one line; quotes and backslashes as in a shell, nothing else is special.
    #[serde(default)]
    pub text: Option<String>,
    /// The same as words.
    #[serde(default)]
    #[schema(max_items = 2000)]
    pub args: Vec<String>,
    /// As in `output.container` of a job.
    #[serde(default)]
    pub container: Option<String>,
    /// File name of the output, where known: its ending tells the container.
    #[serde(default)]
    pub output_name: Option<String>,
    /// As in a job: wished size of the finished file in bytes.
    #[serde(default)]
    pub target_size: Option<u64>,
}

/// What the options would make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OptionsChecked {
    /// The options as words, for `args` of a job.
    pub args: Vec<String>,
    /// Why they are refused, if they are. The following is only there if they are not.
    pub refusal: Option<RefusalView>,
    /// Muxer of the output by ffmpeg's name.
    pub container: Option<String>,
    /// Video encoder; absent if no video is encoded.
    pub encoder: Option<String>,
    /// Why the film would be made in one piece, as far as the options tell.
    pub whole_because: Option<String>,
}

/// Why options are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusalView {
    /// Stable name, a heading of `docs/failures.md`.
    pub reason: String,
    /// What is wrong, with which option.
    pub message: String,
    /// What to do instead, where something is known.
    pub hint: Option<String>,
}

/// `GET /api/presets`: options under a name, to begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PresetView {
    /// Its name, lower-case letters, digits and dashes.
    pub name: String,
    /// For people: a few words.
    pub title: String,
    /// For people: a sentence.
    pub about: String,
    /// ffmpeg output options, one word each.
    pub args: Vec<String>,
    /// It was written over this interface, and can be forgotten over it.
    #[serde(default)]
    pub own: bool,
}

/// `PUT /api/presets/{name}`: `text` as typed on a command line, or `args` as words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WritePreset {
    /// For people: a few words; its name if there are none.
    #[serde(default)]
    pub title: String,
    /// For people: a sentence.
    #[serde(default)]
    pub about: String,
    /// Options in one line; quotes and backslashes as in a shell, nothing else is special.
    #[serde(default)]
    pub text: Option<String>,
    /// The same as words.
    #[serde(default)]
    #[schema(max_items = 2000)]
    pub args: Vec<String>,
}

/// `GET /api/workers/join`: how a worker joins. A secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinView {
    /// The whole command.
    pub command: String,
    /// What stands behind `--join`.
    pub join: String,
}

/// What a worker does now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkView {
    /// The job.
    pub job: u64,
    /// Its name.
    pub job_name: String,
    /// The task.
    pub task: u64,
    /// As in a task's view.
    pub kind: String,
    /// Which segment, from 0.
    pub segment: Option<u32>,
    /// When it was handed out.
    pub started_at: u64,
    /// Frames per second.
    pub frames_per_second: f64,
}

/// An event of `GET /api/events`: everything that has changed since the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// What is not here does not exist: the first event after every connection.
    pub complete: bool,
    /// The server's clock.
    pub now: u64,
    /// Jobs that are new or have changed, newest first.
    pub jobs: Vec<JobView>,
    /// Jobs that were deleted.
    pub gone_jobs: Vec<u64>,
    /// Workers that are new or have changed.
    pub workers: Vec<WorkerView>,
    /// Workers that were removed.
    pub gone_workers: Vec<u64>,
    /// There are older jobs than this stream tells of; `GET /api/jobs` has them.
    pub older_jobs: bool,
}

/// An event `tasks` of `GET /api/jobs/{id}/events?with=tasks`: tasks that have changed since the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskChanges {
    /// What is not here does not exist: the first event after every connection.
    pub complete: bool,
    /// The server's clock.
    pub now: u64,
    /// The tasks, without the logs of their failures.
    pub tasks: Vec<TaskView>,
}

/// `GET /api/jobs/{id}/source/streams`: what is in a job's source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceView {
    /// The demuxer that opened it, by ffmpeg's name.
    pub demuxer: String,
    /// Chapters.
    pub chapters: u32,
    /// All streams in order.
    pub streams: Vec<StreamView>,
}

/// A stream of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamView {
    /// Position in the source.
    pub index: u32,
    /// `video`, `audio`, `subtitle`, `attachment` or `data`.
    pub kind: String,
    /// ffmpeg's name of the codec.
    pub codec: String,
    /// Language tag.
    pub language: Option<String>,
    /// Title tag.
    pub title: Option<String>,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// Average frames per second.
    pub frames_per_second: Option<f64>,
    /// Whether its frames have different lengths, as far as the container tells.
    #[serde(default)]
    pub variable_rate: bool,
    /// Whether its pictures are made of two fields each.
    #[serde(default)]
    pub interlaced: bool,
    /// Pixel format by ffmpeg's name.
    pub pixel_format: Option<String>,
    /// Whether its transfer function is one of HDR (PQ or HLG).
    pub hdr: bool,
    /// What is said of its light frame by frame: `Dolby Vision`, `HDR10+`; absent: nothing.
    #[serde(default)]
    pub dynamic_hdr: Option<String>,
    /// Whether it is a cover picture and no film.
    pub cover: bool,
}
