//! A job on this machine alone: a real server and a real worker in this process, on a loopback port.
//!
//! Killed at any moment, the same command finds the job in the server's folder and goes on.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::Method;
use segenc_core::source::StreamKind;
use segenc_core::spec::{JobSpec, VideoSpec};
use segenc_media::Tools;
use segenc_proto::rest::JobView;
use segenc_server::{Protection, RunningServer, ServerConfig};
use segenc_worker::{Encoders, Leave, ServerFiles, Thumbnails, Wakefulness};

use super::state::{Found, State};
use super::{Wish, ending, heading};
use crate::api::Api;
use crate::follow;
use crate::halt::{Exit, Halt};
use crate::inspection::Inspection;
use crate::interrupt::Interrupts;
use crate::progress::{Place, Progress};
use crate::wiring::{self, RunningWorker, WorkerPlace, aim_at_size, parse_spec};
use crate::{terminal, traces};

/// What to do when it did not come to an end.
const AGAIN: &str = "the same command tries again; finished segments are kept";

/// Runs the job to its end.
pub(crate) async fn run(wish: &Wish, interrupts: &Interrupts) -> anyhow::Result<()> {
    if wish.by_path().is_none() {
        return Err(Halt::usage(format!("the name of {} is no valid text", wish.source.display()))
            .reason("source-name")
            .hint("rename the file")
            .into());
    }
    let inspection = Inspection::prepare().await?;
    State::sweep_old(wish.voice);
    let (state, found) = State::open(wish)?;
    if let Found::Other(reason) = found
        && !wish.voice.quiet
    {
        terminal::say(&format!("starting afresh: {reason}"));
    }
    // The server starts while ffprobe reads the source.
    let (facts, server) = tokio::join!(inspection.facts(&wish.source), start_server(wish, &state));
    let server = server?;
    let told = facts.and_then(|facts| Ok(heading::tell(wish, &facts)?));
    let outcome = match told {
        Ok(()) => with_server(wish, &state, &server, interrupts, inspection.into_tools()).await,
        Err(error) if found == Found::SameWish => Err(error),
        Err(error) => Ok(End::Nothing(error)),
    };
    server.stop().await;
    let end = outcome?;
    // Leftovers cost room, not correctness: the next run of this command deletes them.
    if let Err(error) = state.delete() {
        tracing::warn!(%error, "deleting the finished job's folder failed");
    }
    match end {
        End::Done => Ok(()),
        End::Nothing(error) => Err(error),
    }
}

/// An end after which nothing of the job is needed any more.
enum End {
    /// The output is in its place.
    Done,
    /// The job failed before anything was made that could be gone on with.
    Nothing(anyhow::Error),
}

async fn start_server(wish: &Wish, state: &State) -> anyhow::Result<RunningServer> {
    let config = ServerConfig {
        data_dir: state.server_folder(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        media_roots: vec![wish.source.clone()],
        protection: Protection::Automatic,
        advertise: None,
        presets: Vec::new(),
        parse_spec,
        aim_at_size,
        automation: segenc_server::Automation::default(),
        traces: traces::sink(),
    };
    wiring::start_server(config).await
}

async fn with_server(
    wish: &Wish,
    state: &State,
    server: &RunningServer,
    interrupts: &Interrupts,
    tools: Tools,
) -> anyhow::Result<End> {
    let api = Api::new(server.server_address(), Some(server.admin_token()))?;
    let mut worker = RunningWorker::start(WorkerPlace {
        join: server.join_string(),
        slots: wish.flags.slots,
        name: Some("this machine".to_owned()),
        scratch: state.scratch(),
        identity: state.identity(),
        server_files: ServerFiles::Use,
        encoders: Encoders::These(needed_encoders(&wish.spec)),
        thumbnails: Thumbnails::Skip,
        wakefulness: if wish.flags.allow_sleep {
            Wakefulness::MaySleep
        } else {
            Wakefulness::WhileBusy
        },
        hours: None,
        tools: Some(tools),
    });
    let outcome = tokio::select! {
        outcome = work(wish, &api) => Some(outcome),
        ended = worker.ended() => {
            let early = || Halt::failed("the embedded worker ended before the job").hint(AGAIN).into();
            return ended.and_then(|()| Err(early()));
        }
        () = interrupts.at_least(1) => None,
    };
    if outcome.is_none() && !wish.voice.quiet {
        terminal::say("stopping (once more ends at once)");
    }
    worker.tell(Leave::Release);
    tokio::select! {
        ended = worker.ended() => {
            if let Err(error) = ended {
                tracing::warn!(%error, "the embedded worker did not end well");
            }
        }
        () = interrupts.at_least(2) => {}
    }
    outcome.unwrap_or_else(|| {
        Err(Halt::new(Exit::Interrupted, "stopped; what is encoded is kept")
            .hint("the same command goes on where it was")
            .into())
    })
}

/// The encoders that this one job may ask for: trying all of them would take longer than a short film.
fn needed_encoders(spec: &JobSpec) -> Vec<String> {
    let film = match &spec.video {
        VideoSpec::Encode(video) => Some(video.encoder.clone()),
        VideoSpec::Copy | VideoSpec::Drop => None,
    };
    let sound = spec.codecs.iter().filter(|choice| choice.kind == StreamKind::Audio);
    let sound = sound.map(|choice| choice.codec.clone()).filter(|codec| codec != "copy");
    film.into_iter().chain(sound).collect()
}

async fn work(wish: &Wish, api: &Api) -> anyhow::Result<End> {
    let job = find_or_create(wish, api).await?;
    let mut progress = Progress::new(wish.voice, Place::Here);
    let followed = follow::until_final(api, job.id, |job| progress.show(job)).await;
    progress.end();
    let job = followed?;
    if job.state == "completed" {
        return ending::deliver(wish, api, &job).await.map(|()| End::Done);
    }
    if job.progress.segments_done == 0 {
        return Ok(End::Nothing(ending::not_completed(&job, None).into()));
    }
    Err(ending::not_completed(&job, Some(AGAIN)).into())
}

/// The job of an earlier run, woken up, or a new one. The folder holds no other jobs.
async fn find_or_create(wish: &Wish, api: &Api) -> anyhow::Result<JobView> {
    let jobs: Vec<JobView> = api.list("/api/jobs", "").await?;
    let known = jobs.into_iter().filter(|job| job.state != "canceled").max_by_key(|job| job.id);
    let Some(job) = known else {
        let source = wish.by_path().ok_or_else(|| {
            Halt::usage(format!("the name of {} is no valid text", wish.source.display()))
                .hint("rename the file, or give a link to it with another name")
        })?;
        return Ok(api.post("/api/jobs", &wish.body(source)).await?);
    };
    let verb = match job.state.as_str() {
        "failed" => Some("retry"),
        "paused" => Some("resume"),
        _ => None,
    };
    if let Some(verb) = verb {
        api.tell(Method::POST, &format!("/api/jobs/{}/{verb}", job.id)).await?;
    }
    ending::tell_of_resuming(&job, wish.voice);
    Ok(job)
}
