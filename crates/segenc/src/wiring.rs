//! Puts the parts together: the option parser into the server, a worker beside it in the same process.
//!
//! The built-in worker talks to its server over gRPC and HTTP like any other.

use std::ffi::OsString;
use std::path::PathBuf;

use segenc_core::spec::JobSpec;
use segenc_media::{Tools, confinement};
use segenc_proto::connect::JoinString;
use segenc_server::{RunningServer, ServerConfig, SpecRefusal, StartError};
use segenc_worker::{
    Encoders, Hours, Leave, Pulse, ServerFiles, Thumbnails, Wakefulness, WorkerConfig, WorkerError,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::halt::Halt;
use crate::inspection::INSTALL_FFMPEG;
use crate::traces;

/// Parses ffmpeg's output options for the server.
pub(crate) fn parse_spec(
    args: &[String],
    container: Option<&str>,
    output_name: &str,
) -> Result<JobSpec, SpecRefusal> {
    let named = Some(output_name).filter(|name| !name.is_empty());
    segenc_media::options::parse(args, container, named).map_err(refusal)
}

/// Makes a wish one for a file of so many bytes, for the server.
pub(crate) fn aim_at_size(spec: &JobSpec, bytes: u64) -> Result<JobSpec, SpecRefusal> {
    segenc_media::options::aim_at_file_size(spec, bytes).map_err(refusal)
}

fn refusal(error: segenc_media::options::OptionError) -> SpecRefusal {
    SpecRefusal { reason: error.kind.reason().to_owned(), message: error.message, hint: error.hint }
}

/// Parses ffmpeg's output options for this command.
pub(crate) fn own_spec(
    args: &[String],
    container: Option<&str>,
    output_name: &str,
) -> Result<JobSpec, Halt> {
    parse_spec(args, container, output_name).map_err(halted)
}

/// Makes a wish one for a file of so many bytes, for this command.
pub(crate) fn own_sized_spec(spec: &JobSpec, bytes: u64) -> Result<JobSpec, Halt> {
    aim_at_size(spec, bytes).map_err(halted)
}

fn halted(refusal: SpecRefusal) -> Halt {
    Halt::usage(refusal.message).reason(refusal.reason).hint_if_any(refusal.hint)
}

/// Starts a server in this process.
pub(crate) async fn start_server(config: ServerConfig) -> anyhow::Result<RunningServer> {
    segenc_server::start(config).await.map_err(|error| {
        let hint = match &error {
            StartError::AddressInUse { .. } => {
                "end the other program, or choose another port with --listen"
            }
            StartError::AddressNotPermitted { .. } => {
                "ports below 1024 are for the administrator; choose another"
            }
            StartError::DataDirInUse { .. } => {
                "end the other server, or choose another folder with --data-dir"
            }
            StartError::DataDirNotWritable { .. } => "choose a folder where you may write",
            _ => return anyhow::Error::new(error).context("starting the server failed"),
        };
        Halt::failed("starting the server failed").hint(hint).because(error).into()
    })
}

/// What a worker in this process needs.
#[derive(Debug)]
pub(crate) struct WorkerPlace {
    /// Where it joins.
    pub(crate) join: JoinString,
    /// Tasks side by side; as many as fit if absent.
    pub(crate) slots: Option<u32>,
    /// Name for people; the host's if absent.
    pub(crate) name: Option<String>,
    /// Folder for files that are being made.
    pub(crate) scratch: PathBuf,
    /// File with its id and token.
    pub(crate) identity: PathBuf,
    /// Whether it opens the server's files directly where it can.
    pub(crate) server_files: ServerFiles,
    /// Which encoders it tries before it begins.
    pub(crate) encoders: Encoders,
    /// ffmpeg and ffprobe, if they were found already.
    pub(crate) tools: Option<Tools>,
    /// At which hours it takes tasks; `None`: always.
    pub(crate) hours: Option<Hours>,
    /// Whether anybody looks at small pictures of what it encodes.
    pub(crate) thumbnails: Thumbnails,
    /// Whether the computer may go to sleep while it encodes.
    pub(crate) wakefulness: Wakefulness,
}

/// This very program confines those that it starts (see [`confinement`]).
pub(crate) fn launcher() -> Option<PathBuf> {
    std::env::current_exe().ok().filter(|_| cfg!(target_os = "linux"))
}

/// Does what a launcher does, if these are its words. Returns with the reason if that failed.
pub(crate) fn launched(mut words: impl Iterator<Item = OsString>) -> Option<String> {
    let word = words.next()?;
    (word == confinement::LAUNCHER_WORD).then(|| confinement::become_confined(words))
}

/// A worker in this process.
#[derive(Debug)]
pub(crate) struct RunningWorker {
    leave: watch::Sender<Leave>,
    pulse: Pulse,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl RunningWorker {
    /// Starts it.
    pub(crate) fn start(place: WorkerPlace) -> Self {
        let (leave, told) = watch::channel(Leave::Stay);
        let pulse = Pulse::default();
        let config = WorkerConfig {
            join: place.join,
            name: place.name,
            slots: place.slots,
            scratch: place.scratch,
            identity: place.identity,
            server_files: place.server_files,
            encoders: place.encoders,
            tools: place.tools,
            hours: place.hours,
            thumbnails: place.thumbnails,
            wakefulness: place.wakefulness,
            launcher: launcher(),
            pulse: pulse.clone(),
            join_trace: traces::join(),
        };
        Self { leave, pulse, task: tokio::spawn(segenc_worker::run(config, told)) }
    }

    /// Its signs of life.
    pub(crate) const fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Tells it to leave.
    pub(crate) fn tell(&self, leave: Leave) {
        // A worker that has ended already needs not be told.
        let _ = self.leave.send(leave);
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        match (&mut self.task).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(worker_failed(error)),
            Err(error) => {
                Err(anyhow::anyhow!("the worker ended by a fault of the program: {error}"))
            }
        }
    }
}

/// The hint that belongs to a worker's end.
fn worker_failed(error: WorkerError) -> anyhow::Error {
    let text = error.to_string();
    let halt = match &error {
        WorkerError::Tools(_) => Halt::failed(text)
            .reason("ffmpeg-missing")
            .hint(INSTALL_FFMPEG),
        WorkerError::JoinRefused { .. } => Halt::new(crate::halt::Exit::Unauthorised, text)
            .hint("get the join string anew from the server: `segenc serve` prints it, DATA_DIR/join holds it"),
        WorkerError::Scratch { .. } => {
            return anyhow::Error::new(error).context("starting the worker failed");
        }
        WorkerError::Refused { .. }
        | WorkerError::OtherCertificate { .. }
        | WorkerError::Connect(_)
        | WorkerError::Identity { .. }
        | WorkerError::Loopback(_) => return error.into(),
    };
    halt.into()
}
