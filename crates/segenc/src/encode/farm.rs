//! A job on a farm: the source is seen by the server or sent to it, the output is fetched.
//!
//! The job belongs to the server: a command that ends here leaves it going on there.

use reqwest::Method;
use segenc_proto::rest::{JobView, SourceSpec};

use super::left::Left;
use super::{Wish, ending, heading};
use crate::api::{Api, ApiError};
use crate::follow::{self, Absence};
use crate::halt::{Exit, Halt};
use crate::inspection::Inspection;
use crate::interrupt::Interrupts;
use crate::places;
use crate::progress::{Place, Progress};
use crate::quantities::{bytes, percent};
use crate::terminal;
use crate::upload::Upload;

/// So often the job is asked for while the server is away, which is about a minute.
const POSTS_MAX: usize = 16;

/// Runs the job to its end, or leaves it to the farm.
pub(crate) async fn run(wish: &Wish, interrupts: &Interrupts) -> anyhow::Result<()> {
    let api = places::api(&wish.flags.connection)?;
    // Who is not let in should hear it before anything else.
    let _: segenc_proto::rest::ServerView = api.get("/api/server").await?;
    tell_of_source(wish).await?;
    let left = Left::of(wish, &api.address());
    let job = tokio::select! {
        job = find_or_create(wish, &api, &left, interrupts) => job?,
        // Whoever insists does not wait until the server is tidy.
        () = interrupts.at_least(2) => {
            return Err(Halt::new(Exit::Interrupted, "stopped before a job was made").into());
        }
    };
    if !wish.voice.quiet && !wish.voice.json {
        terminal::say(&format!("job {} on {}", job.id, api.address()));
    }
    let outcome = tokio::select! {
        outcome = work(wish, &api, job.id) => outcome,
        () = interrupts.at_least(1) => {
            let halt = Halt::new(Exit::Interrupted, format!("left; job {} goes on", job.id));
            return Err(halt.hint("the same command waits for it again and fetches the output").into());
        }
    };
    match &outcome {
        Ok(()) => left.forget(),
        // Who refuses the output today does so tomorrow; a broken line or a full disk passes.
        Err(error) if is_refusal(error) => left.forget(),
        Err(_) => {}
    }
    outcome
}

fn is_refusal(error: &anyhow::Error) -> bool {
    let refused = |error: &ApiError| matches!(error, ApiError::Refused(_)) && !error.may_pass();
    error.chain().filter_map(|cause| cause.downcast_ref::<ApiError>()).any(refused)
}

/// The job that an earlier run of this command has left there, or a new one.
async fn find_or_create(
    wish: &Wish,
    api: &Api,
    left: &Left,
    interrupts: &Interrupts,
) -> anyhow::Result<JobView> {
    if let Some(job) = find(api, left).await? {
        ending::tell_of_resuming(&job, wish.voice);
        return Ok(job);
    }
    let job = create(wish, api, interrupts).await?;
    left.remember(job.id);
    Ok(job)
}

async fn find(api: &Api, left: &Left) -> anyhow::Result<Option<JobView>> {
    let Some(id) = left.job() else { return Ok(None) };
    let job = match api.job(id).await {
        Ok(job) if left.is_it(&job) => job,
        Ok(_) => return Ok(None),
        Err(error) if error.is("not-found") => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let verb = match job.state.as_str() {
        "failed" => "retry",
        "paused" => "resume",
        _ => return Ok(Some(job)),
    };
    match api.tell(Method::POST, &format!("/api/jobs/{id}/{verb}")).await {
        Ok(()) => Ok(Some(api.job(id).await?)),
        // It cannot be gone on with: a new one is made.
        Err(ApiError::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A look into the source where ffmpeg is at hand; the farm's workers look again anyway.
async fn tell_of_source(wish: &Wish) -> anyhow::Result<()> {
    match Inspection::prepare().await {
        Ok(inspection) => {
            let facts = inspection.facts(&wish.source).await?;
            Ok(heading::tell(wish, &facts)?)
        }
        Err(_) => Ok(()),
    }
}

async fn create(wish: &Wish, api: &Api, interrupts: &Interrupts) -> anyhow::Result<JobView> {
    if let Some(source) = wish.by_path() {
        match post(wish, api, source).await {
            Ok(job) => return Ok(job),
            Err(error) if wants_upload(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let upload = Upload::create(api, &wish.source, wish.mark.size).await?;
    let sent = tokio::select! {
        sent = send(wish, api, &upload) => sent,
        () = interrupts.at_least(1) => {
            let halt = Halt::new(Exit::Interrupted, "stopped before the film was sent; no job was made");
            Err(halt.hint("the same command begins anew").into())
        }
    };
    let source = SourceSpec { path: None, upload: Some(upload.id().to_owned()), fingerprint: None };
    let made = match sent {
        Ok(()) => post(wish, api, source).await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    if made.is_err() {
        // The server sweeps what nobody uses; taking it back is only tidy.
        let _ = upload.discard(api).await;
    }
    made
}

/// Asks for the job, again if the answer is lost: the key makes it one job all the same.
async fn post(wish: &Wish, api: &Api, source: SourceSpec) -> Result<JobView, ApiError> {
    let body = wish.body(source);
    let key = wish.key();
    let mut absence = Absence::none("nothing was begun");
    for _ in 1..POSTS_MAX {
        match api.post_once("/api/jobs", &body, &key).await {
            Err(error) if error.may_pass() => {
                absence.note(&error);
                absence.pause().await;
            }
            answer => {
                absence.over();
                return answer;
            }
        }
    }
    api.post_once("/api/jobs", &body, &key).await
}

fn wants_upload(error: &ApiError) -> bool {
    error.is("source-not-visible") || error.is("path-not-allowed")
}

async fn send(wish: &Wish, api: &Api, upload: &Upload) -> anyhow::Result<()> {
    let size = wish.mark.size;
    let speaks = !wish.voice.quiet && !wish.voice.json;
    let bar =
        (speaks && terminal::is_interactive()).then(|| terminal::transfer_bar("sending", size));
    if speaks {
        terminal::say(&format!("sending {} to the server", bytes(size)));
    }
    let mut told = 0;
    let sent = upload
        .send(api, &wish.source, size, |sent| {
            let now = percent(sent, size);
            if let Some(bar) = &bar {
                bar.set_position(sent);
            } else if wish.voice.json {
                let line = serde_json::json!({
                    "event": "upload", "name": places::name_of(&wish.source), "sent": sent, "size": size
                });
                terminal::result(&line.to_string());
            } else if speaks && now >= told + 10 {
                terminal::say(&format!("sent {now} %"));
                told = now;
            }
        })
        .await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    sent
}

async fn work(wish: &Wish, api: &Api, id: u64) -> anyhow::Result<()> {
    let mut progress = Progress::new(wish.voice, Place::Farm);
    let followed = follow::until_final(api, id, |job| progress.show(job)).await;
    progress.end();
    let job = followed?;
    if job.state == "completed" {
        return ending::deliver(wish, api, &job).await.map_err(|error| {
            error.context(format!(
                "job {id} is completed on the server, but fetching its output failed"
            ))
        });
    }
    Err(ending::not_completed(&job, Some(&format!("`segenc jobs logs {id}` tells more"))).into())
}
