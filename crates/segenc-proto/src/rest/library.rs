//! Bodies for watch folders: what is wished, and how it goes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A folder of the server whose films are encoded as they come: `PUT /api/watch-folders/{name}`, or a
/// `[[watch-folder]]` table of the settings file (with dashes in the names).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchFolder {
    /// Its name, lower-case letters, digits and dashes.
    #[serde(default)]
    pub name: String,
    /// The folder that is looked at, by its absolute path inside a media root.
    pub path: String,
    /// The folder where results go, by its absolute path inside a media root.
    pub output: String,
    /// How a result is named below `output`: `{dir}`, `{name}`, `{ext}`, `{preset}`, `{codec}`, `{encoder}`.
    #[serde(default = "output_template")]
    pub template: String,
    /// Container by its usual ending, which `{ext}` stands for.
    #[serde(default = "container")]
    pub container: String,
    /// A preset of the server.
    #[serde(default)]
    pub preset: Option<String>,
    /// ffmpeg output options, one word each; they come after those of the preset.
    #[serde(default)]
    pub args: Vec<String>,
    /// Whether folders inside are looked at, too.
    #[serde(default = "yes")]
    pub recursive: bool,
    /// Patterns of file names that are taken, such as `*.mkv`; empty: the usual endings of films.
    #[serde(default)]
    pub include: Vec<String>,
    /// Patterns of file names that are left alone.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Films in one of these codecs are left as they are, such as `["av1", "hevc"]`.
    #[serde(default, alias = "skip-codecs")]
    pub skip_codecs: Vec<String>,
    /// Files of fewer bytes are left as they are.
    #[serde(default, alias = "skip-smaller-than")]
    pub skip_smaller_than: u64,
    /// Films with fewer lines are left as they are.
    #[serde(default, alias = "skip-height-below")]
    pub skip_height_below: u32,
    /// A result that is not smaller than its source is thrown away.
    #[serde(default, alias = "only-if-smaller")]
    pub only_if_smaller: bool,
    /// What becomes of a source whose result is there and verified.
    #[serde(default)]
    pub after: After,
    /// A file has to be unchanged for so many seconds before it is taken.
    #[serde(default = "settle_seconds", alias = "settle-seconds")]
    pub settle_seconds: u64,
    /// The folder is looked at every so many seconds.
    #[serde(default = "every_seconds", alias = "every-seconds")]
    pub every_seconds: u64,
    /// Jobs of this folder that are open at the same time; the others wait their turn.
    #[serde(default = "jobs_max", alias = "jobs-max")]
    pub jobs_max: u32,
    /// Priority of its jobs; higher goes first.
    #[serde(default)]
    pub priority: i32,
    /// Looked at only while this is set.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// What becomes of a source whose result is there and verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// It stays where it is.
    #[default]
    Keep,
    /// It is moved into `.segenc-trash` of its media root. Nothing is ever deleted.
    Trash,
}

fn output_template() -> String {
    "{dir}/{name}.{ext}".to_owned()
}

fn container() -> String {
    "mkv".to_owned()
}

const fn yes() -> bool {
    true
}

const fn settle_seconds() -> u64 {
    60
}

const fn every_seconds() -> u64 {
    30
}

const fn jobs_max() -> u32 {
    8
}

/// A watch folder, and how it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WatchFolderView {
    /// What is wished.
    pub settings: WatchFolder,
    /// It stands in the server's settings file, and can be changed only there.
    pub fixed: bool,
    /// Why it cannot be looked at, or not all of it.
    pub trouble: Option<String>,
    /// When it was looked at last.
    pub scanned_at: Option<u64>,
    /// Files that are not settled yet, or wait until fewer jobs are open.
    pub waiting: u64,
    /// Files with an open job.
    pub queued: u64,
    /// Files that are encoded.
    pub done: u64,
    /// Files that a rule left as they are.
    pub skipped: u64,
    /// Files that could not be encoded; tried again when they change.
    pub failed: u64,
}

/// A file of a watch folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WatchedFileView {
    /// Its path on the server.
    pub path: String,
    /// Its size when it was taken.
    pub size: u64,
    /// When it was changed last, then.
    pub modified_at: u64,
    /// `queued`, `done`, `skipped`, `failed` or `canceled`.
    pub state: String,
    /// Why it was skipped or failed, or what else is to be said.
    pub reason: Option<String>,
    /// Its job, if it got one.
    pub job: Option<u64>,
    /// Where its result goes.
    pub output: Option<String>,
    /// When this was noted.
    pub noted_at: u64,
}
