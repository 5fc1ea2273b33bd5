//! What a server is told at its start. Reads nothing and decides nothing.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use segenc_core::spec::JobSpec;
use segenc_proto::rest::{NotificationEvent, PresetView, WatchFolder};

use crate::notify::{LinkLocal, MailServer};
use crate::traces::SpanSink;

/// Parses the user's ffmpeg output options: words, container where given, name of the output file.
pub type SpecParser = fn(&[String], Option<&str>, &str) -> Result<JobSpec, SpecRefusal>;

/// Makes the same wish with a finished file of so many bytes.
pub type SizeAimer = fn(&JobSpec, u64) -> Result<JobSpec, SpecRefusal>;

/// Options that cannot become a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecRefusal {
    /// The reason's stable name in kebab-case.
    pub reason: String,
    /// What is wrong, with which option: lower case.
    pub message: String,
    /// What to do instead, where something is known.
    pub hint: Option<String>,
}

/// How connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// TLS, except on a loopback address.
    Automatic,
    /// Plain HTTP everywhere: a reverse proxy, which the operator named, does TLS.
    PlainBehindProxy,
}

/// Everything a server needs to know at its start.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where events, blobs, uploads and secrets are kept. Made if it is not there.
    pub data_dir: PathBuf,
    /// The one address it listens on.
    pub listen: SocketAddr,
    /// Folders (or single files) of this computer that jobs may read from and write to.
    pub media_roots: Vec<PathBuf>,
    /// How connections are protected.
    pub protection: Protection,
    /// `HOST:PORT` to be named in join strings, if it is not the address listened on.
    pub advertise: Option<String>,
    /// Options under names that users are offered.
    pub presets: Vec<PresetView>,
    /// Parser of the user's options.
    pub parse_spec: SpecParser,
    /// What makes a wish one for a file of some size.
    pub aim_at_size: SizeAimer,
    /// What it does by itself.
    pub automation: Automation,
    /// Who takes spans of what happens; `None`: nothing is traced.
    pub traces: Option<SpanSink>,
}

/// Runs a program of the operator's: words, variables, how long at most. Answers why it failed.
pub type HookRunner = fn(
    Vec<String>,
    Vec<(String, String)>,
    Duration,
) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// What a server does by itself, as its settings file says.
#[derive(Debug, Clone, Default)]
pub struct Automation {
    /// Folders that are watched, beside those made over REST.
    pub watch_folders: Vec<WatchFolder>,
    /// Programs that are told what happens.
    pub hooks: Vec<Hook>,
    /// What runs them.
    pub run_hook: Option<HookRunner>,
    /// The mail server that mails go through.
    pub mail: Option<MailServer>,
    /// Whether webhooks may lead to the machine's own network.
    pub link_local: LinkLocal,
}

/// A program that is told what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The program and its words; no shell reads them.
    pub command: Vec<String>,
    /// Of what it is told; empty: of everything.
    pub events: Vec<NotificationEvent>,
}
