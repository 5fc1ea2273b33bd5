//! What a server is told at its start. Reads nothing and decides nothing.

use std::net::SocketAddr;
use std::path::PathBuf;

use segenc_core::spec::JobSpec;
use segenc_proto::rest::PresetView;

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
}
