//! The command line's shape for those that run for long: the server and the worker.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;

/// Run a server that gives work to workers.
///
/// Once it is ready it prints its address, where the admin token is, and the whole command that adds a
/// worker. It runs until Ctrl-C; all jobs go on when it is started again.
#[derive(Debug, Args)]
#[command(
    after_help = "Every flag can also be set in the file of --config (TOML, the same names) and as \
    a variable: SEGENC_ and the name in capitals, such as SEGENC_LISTEN."
)]
pub(crate) struct Serve {
    /// Where jobs, segments and tokens are kept. [default: the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address and port. To be reached from other machines it needs another address than loopback.
    /// [default: 127.0.0.1:8642]
    #[arg(long, value_name = "ADDR:PORT", env = "SEGENC_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Slots of the built-in worker; 0 for none. [default: as many as fit this machine]
    #[arg(long, value_name = "N", env = "SEGENC_WORKERS", value_parser = clap::value_parser!(u32).range(0..=256))]
    pub(crate) workers: Option<u32>,
    /// A folder whose files jobs may read and write. Can be given again.
    #[arg(long, value_name = "DIR", env = "SEGENC_MEDIA_ROOT")]
    pub(crate) media_root: Vec<PathBuf>,
    /// Host and port that workers are told to connect to, if it is not the address of --listen.
    #[arg(long, value_name = "HOST:PORT", env = "SEGENC_ADVERTISE")]
    pub(crate) advertise: Option<String>,
    /// Do not make the server known in the local network. Otherwise workers find it there (multicast DNS) if it is
    /// reached from other machines.
    #[arg(long, env = "SEGENC_NO_ANNOUNCE")]
    pub(crate) no_announce: bool,
    /// Let the computer go to sleep by itself while the built-in worker encodes; otherwise it is kept awake as far as the
    /// system allows.
    #[arg(long, env = "SEGENC_ALLOW_SLEEP")]
    pub(crate) allow_sleep: bool,
    /// Speak plain HTTP beyond loopback, because a proxy in front does TLS.
    #[arg(long, env = "SEGENC_BEHIND_PROXY")]
    pub(crate) behind_proxy: bool,
    /// Settings file.
    #[arg(long, value_name = "FILE", env = "SEGENC_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// How the log is written. [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", env = "SEGENC_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Send traces to this OpenTelemetry collector, by OTLP over HTTP: `http://HOST:4318`. [default: what
    /// OTEL_EXPORTER_OTLP_ENDPOINT says, else nowhere]
    #[arg(long, value_name = "URL", env = "SEGENC_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,
}

/// Run a worker that takes work from a server.
///
/// Without --join it looks for a server in the local network, or asks the one of --server, and wants the pairing
/// code that the server shows; afterwards `segenc worker` alone is enough.
///
/// It needs ffmpeg 5.1 or later, and only connects outwards. Ctrl-C lets it finish what it has and take no
/// more; Ctrl-C again gives back what it has at once.
#[derive(Debug, Args)]
pub(crate) struct WorkerFlags {
    /// The join string that `segenc serve` printed, or @FILE to read it from a file.
    #[arg(long, value_name = "STRING|@FILE", env = "SEGENC_JOIN", hide_env_values = true)]
    pub(crate) join: Option<String>,
    /// The server to pair with, if no join string is given.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "join")]
    pub(crate) server: Option<String>,
    /// Encodes side by side. [default: as many as fit this machine]
    #[arg(long, value_name = "N", env = "SEGENC_SLOTS", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) slots: Option<u32>,
    /// Name for people. [default: the host's name]
    #[arg(long, env = "SEGENC_NAME")]
    pub(crate) name: Option<String>,
    /// Folder for files that are being made. [default: the user's data folder]
    #[arg(long, value_name = "DIR", env = "SEGENC_SCRATCH")]
    pub(crate) scratch: Option<PathBuf>,
    /// Fetch everything over the network, even if the server's files are visible here.
    #[arg(long, env = "SEGENC_FETCH")]
    pub(crate) fetch: bool,
    /// Let the computer go to sleep by itself while it encodes; otherwise it is kept awake as far as the system allows.
    #[arg(long, env = "SEGENC_ALLOW_SLEEP")]
    pub(crate) allow_sleep: bool,
    /// How the log is written. [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", env = "SEGENC_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Send traces to this OpenTelemetry collector, by OTLP over HTTP: `http://HOST:4318`. [default: what
    /// OTEL_EXPORTER_OTLP_ENDPOINT says, else nowhere]
    #[arg(long, value_name = "URL", env = "SEGENC_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,
    /// Take tasks only at these hours, by this machine's clock: `"Mon-Fri 18:00-08:00, Sat-Sun"`. Outside of them
    /// it finishes what it has. [default: always]
    #[arg(long, value_name = "HOURS", env = "SEGENC_HOURS")]
    pub(crate) hours: Option<segenc_worker::Hours>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// JSON objects, one a line.
    Json,
}
