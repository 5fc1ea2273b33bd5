//! The worker: asks the server for tasks, moves bytes, runs the media programs, reports.
//!
//! It knows the wire and how to call `segenc-media`; of ffmpeg's command line it knows nothing, and it
//! chooses nothing: a task says everything. It shares no code with the server but the wire and the core.

mod analysis;
mod attempt;
mod backoff;
mod capabilities;
mod delivery;
mod digest;
mod error;
mod failures;
mod fetch;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod heartbeat;
mod hours;
mod identity;
mod inputs;
mod looking;
mod occupancy;
mod presence;
mod pulse;
mod registration;
mod scratch;
mod server;
mod shared_files;
mod slots;
mod source_cache;
mod spans;
mod thumbnail;
mod timetable;
mod upload;
mod upstream;
mod wakefulness;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use segenc_media::Tools;
use segenc_media::confinement::{self, Strength};
use segenc_proto::connect::{JoinString, install_crypto_provider};
use tokio::sync::watch;

use crate::attempt::Workshop;
use crate::backoff::Backoff;
use crate::capabilities::Capabilities;
pub use crate::error::WorkerError;
pub use crate::hours::{Hours, HoursError};
pub use crate::pulse::Pulse;
use crate::registration::Registration;
use crate::scratch::Scratch;
use crate::server::{Server, Session};
use crate::slots::Stopped;
use crate::source_cache::SourceCache;
pub use crate::thumbnail::Thumbnails;
pub use crate::wakefulness::Wakefulness;

/// Between two registrations at least this: a server that forgets its workers at once is not flooded.
const REJOIN_FIRST: Duration = Duration::from_millis(500);
/// And at most this.
const REJOIN_MAX: Duration = Duration::from_secs(30);

/// A registration that is under way when the worker is told to leave is waited for no longer than this.
const REGISTERING_MAX: Duration = Duration::from_secs(3);

/// What a worker is started with.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The server and the join token.
    pub join: JoinString,
    /// Name for people; the computer's name where none is given.
    pub name: Option<String>,
    /// How many tasks run side by side; as many as fit the machine where none is given.
    pub slots: Option<u32>,
    /// Folder for temporary files; several workers may share one.
    pub scratch: PathBuf,
    /// File of this worker's id and token, kept over restarts. Each worker has its own.
    pub identity: PathBuf,
    /// Whether the server's files may be opened directly.
    pub server_files: ServerFiles,
    /// Which encoders are tried before it registers.
    pub encoders: Encoders,
    /// At which hours it takes tasks; always where none are given.
    pub hours: Option<Hours>,
    /// ffmpeg and ffprobe, if somebody has found them already.
    pub tools: Option<Tools>,
    /// The program that confines others (see [`segenc_media::confinement`]), where there is one.
    pub launcher: Option<PathBuf>,
    /// Whether small pictures of what it encodes are made for people who look on.
    pub thumbnails: Thumbnails,
    /// Whether the computer may go to sleep while it encodes.
    pub wakefulness: Wakefulness,
    /// Where it shows that it lives.
    pub pulse: Pulse,
    /// What joins the span of an attempt to the job's trace, whose place in it the server tells (W3C Trace Context);
    /// `None`: nothing is traced.
    pub join_trace: Option<JoinTrace>,
}

/// Joins a span to a trace. What it cannot read leaves the span alone.
pub type JoinTrace = fn(&tracing::Span, &str);

/// Which encoders a worker tries, and offers if they work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoders {
    /// All that are supported: jobs of any kind may come.
    All,
    /// These alone, as long as they work: the job is known.
    These(Vec<String>),
}

/// Whether to open the server's files directly where they are visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerFiles {
    /// Yes, if a proof shows that they are the same.
    Use,
    /// No: fetch everything.
    Fetch,
}

/// What a running worker is told. Later ones include the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leave {
    /// Go on.
    Stay,
    /// Finish what is running, take no more, then leave.
    Drain,
    /// Stop at once and give everything back.
    Release,
}

/// Works until told to leave. A server that cannot be reached is waited for.
///
/// # Errors
/// When the worker cannot work at all: no usable ffmpeg, a scratch folder or identity file that cannot be
/// written, a server that does not let it in or is another one than the join string names.
pub async fn run(config: WorkerConfig, leave: watch::Receiver<Leave>) -> Result<(), WorkerError> {
    install_crypto_provider();
    let pulse = config.pulse.clone();
    pulse.beside(live(config, leave)).await
}

async fn live(config: WorkerConfig, mut leave: watch::Receiver<Leave>) -> Result<(), WorkerError> {
    let server = Arc::new(Server::new(config.join.server.clone())?);
    let scratch = Scratch::open(&config.scratch)?;
    let tools = match config.tools.clone() {
        Some(tools) => tools,
        None => Tools::find().await?,
    };
    if !tools.are_of_one_version() {
        let (ffmpeg, ffprobe) = (&tools.version, &tools.ffprobe_version);
        tracing::warn!(%ffmpeg, %ffprobe, "ffmpeg and ffprobe are not of one version");
    }
    let tried_file = config.identity.with_file_name("encoders.json");
    let looked = capabilities::look(
        &tools,
        &tried_file,
        config.name.clone(),
        config.slots,
        &config.encoders,
    );
    let Capabilities { slots, profile } = tokio::select! {
        capabilities = looked => capabilities,
        () = slots::told(&mut leave, Leave::Drain) => return Ok(()),
    };
    let cache = SourceCache::start(scratch.sources()).await.map_err(WorkerError::Loopback)?;
    let threads = profile.cores.div_ceil(slots.max(1)).max(1);
    let launcher = confining(config.launcher.clone());
    let thumbnails = config.thumbnails;
    let join_trace = config.join_trace;
    let wakefulness = config.wakefulness;
    let workshop =
        Workshop { tools, scratch, cache, threads, launcher, thumbnails, wakefulness, join_trace };
    let workshop = Arc::new(workshop);
    let registration = Registration {
        server: &server,
        join: &config.join,
        identity: &config.identity,
        profile: &profile,
        server_files: config.server_files,
    };
    let mut backoff = Backoff::new(REJOIN_FIRST, REJOIN_MAX);
    loop {
        let session = tokio::select! {
            session = registration.register() => session?,
            () = soon_after(&mut leave) => return Ok(()),
        };
        config.pulse.note_registered();
        let line = presence::keep(&session);
        let timetable = timetable::follow(config.hours.clone(), &session);
        let mut shift = timetable.shift.clone();
        let stopped = slots::work(&workshop, &session, slots, &mut shift, &mut leave).await;
        drop((line, timetable));
        match stopped {
            Stopped::Left => {
                sign_off(&session).await;
                return Ok(());
            }
            Stopped::SessionLost => tokio::select! {
                () = backoff.pause() => {}
                () = slots::told(&mut leave, Leave::Drain) => return Ok(()),
            },
        }
    }
}

/// The launcher, if confining has an effect here; says how far it goes where that is not far.
fn confining(launcher: Option<PathBuf>) -> Option<PathBuf> {
    let launcher = launcher?;
    match confinement::strength() {
        Strength::Full => {}
        Strength::Partial => tracing::warn!(
            "this kernel confines ffmpeg only in part: newer ones (Linux 6.7) also bound its network"
        ),
        Strength::Limits => tracing::warn!(
            "this kernel cannot confine ffmpeg to its files (no Landlock, Linux 5.13): only limits hold"
        ),
        Strength::None => return None,
    }
    Some(launcher)
}

/// Waits until the worker is told to leave and some time more, so that a token that the server has just
/// made is not lost on its way.
async fn soon_after(leave: &mut watch::Receiver<Leave>) {
    slots::told(leave, Leave::Drain).await;
    tokio::time::sleep(REGISTERING_MAX).await;
}

async fn sign_off(session: &Session) {
    if let Err(error) = session.sign_off().await {
        tracing::warn!(%error, "could not sign off; what is held expires");
    }
}
