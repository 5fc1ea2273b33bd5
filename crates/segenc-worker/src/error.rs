//! Why a worker cannot work at all. What goes wrong with one task is a failure of that task instead.

use std::io;
use std::path::PathBuf;

use segenc_media::ToolsError;
use segenc_proto::connect::ConnectError;
use thiserror::Error;

/// Why the worker ended, or did not start.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// No usable ffmpeg.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The server does not accept the join token.
    #[error("the server {server} does not accept the join token: {reason}")]
    JoinRefused {
        /// Address of the server, without the token.
        server: String,
        /// What it says.
        reason: String,
    },
    /// Somebody else answers at the server's address.
    #[error(
        "the server {server} shows another certificate than the join string names: the server was set \
         up anew, or something stands between; get a fresh join string from it"
    )]
    OtherCertificate {
        /// Address of the server, without the token.
        server: String,
    },
    /// The server cannot work with this worker.
    #[error("the server {server} refuses this worker: {reason}")]
    Refused {
        /// Address of the server, without the token.
        server: String,
        /// What it says.
        reason: String,
    },
    /// The address cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The folder for temporary files cannot be used.
    #[error("cannot {attempted} in the scratch folder {}", path.display())]
    Scratch {
        /// What was attempted.
        attempted: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The identity file cannot be used.
    #[error("cannot {attempted} the identity file {}", path.display())]
    Identity {
        /// What was attempted.
        attempted: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The loopback listener for ffmpeg's reading cannot be opened.
    #[error("cannot listen on 127.0.0.1 for the programs that read sources")]
    Loopback(#[source] io::Error),
}
