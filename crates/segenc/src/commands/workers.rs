//! `segenc workers`: the operator's view of the workers and the verbs for them.

use reqwest::Method;
use segenc_proto::rest::{PairingView, WorkerView};

use super::jobs::moment;
use super::turn::Turn;
use crate::api::Api;
use crate::arguments::{Voice, Workers, WorkersVerb};
use crate::quantities::bytes;
use crate::{places, table, terminal};

/// Runs the command.
pub(crate) async fn run(flags: Workers, voice: Voice) -> anyhow::Result<()> {
    let api = places::api(&flags.connection)?;
    match flags.verb.unwrap_or(WorkersVerb::List) {
        WorkersVerb::List => list(&api, voice).await,
        WorkersVerb::Drain { ids } => {
            each(&api, voice, &ids, Method::POST, "drain", "is draining").await
        }
        WorkersVerb::Pause { ids } => {
            each(&api, voice, &ids, Method::POST, "pause", "stands still").await
        }
        WorkersVerb::Resume { ids } => {
            each(&api, voice, &ids, Method::POST, "resume", "takes tasks").await
        }
        WorkersVerb::Release { ids } => {
            each(&api, voice, &ids, Method::POST, "release", "gave back what it had").await
        }
        WorkersVerb::Pair => pair(&api, voice).await,
        WorkersVerb::Remove { ids } => {
            each(&api, voice, &ids, Method::DELETE, "", "is removed").await
        }
    }
}

async fn list(api: &Api, voice: Voice) -> anyhow::Result<()> {
    let workers: Vec<WorkerView> = api.get("/api/workers").await?;
    if voice.json {
        for worker in &workers {
            terminal::result(&serde_json::to_string(worker)?);
        }
        return Ok(());
    }
    if workers.is_empty() {
        terminal::say("no worker has joined yet; `segenc serve` printed the command that adds one");
        return Ok(());
    }
    let rows: Vec<[String; 10]> = workers.iter().map(row).collect();
    table::print(
        [
            "ID", "NAME", "STATE", "BUSY", "DONE", "FAILED", "FETCHED", "SOURCE", "FFMPEG",
            "PLATFORM",
        ],
        &rows,
    );
    for worker in &workers {
        if let Some(why) = worker.reason.as_ref().or(worker.idle_because.as_ref()) {
            terminal::say(&format!("{} gets nothing: {why}", worker.name));
        }
    }
    Ok(())
}

async fn pair(api: &Api, voice: Voice) -> anyhow::Result<()> {
    let pairing: PairingView = api.post("/api/workers/pairing", &()).await?;
    if voice.json {
        terminal::result(&serde_json::to_string(&pairing)?);
        return Ok(());
    }
    terminal::result(&pairing.code);
    if !voice.quiet {
        terminal::say(&format!(
            "it lets one worker in, within ten minutes: `segenc worker` there, or `{}`",
            pairing.command
        ));
    }
    Ok(())
}

fn row(worker: &WorkerView) -> [String; 10] {
    let state = match (worker.online, worker.state.as_str(), worker.resting_until) {
        (false, "active", _) => "offline".to_owned(),
        (true, "active", Some(until)) => format!("resting until {}", moment(until)),
        (_, state, _) => state.replace('_', " "),
    };
    [
        worker.id.to_string(),
        worker.name.clone(),
        state,
        format!("{}/{}", worker.running, worker.slots),
        worker.succeeded.to_string(),
        worker.failed.to_string(),
        bytes(worker.bytes_fetched),
        bytes(worker.source_bytes_fetched),
        worker.ffmpeg_version.clone(),
        worker.platform.clone(),
    ]
}

async fn each(
    api: &Api,
    voice: Voice,
    ids: &[u64],
    method: Method,
    verb: &str,
    done: &str,
) -> anyhow::Result<()> {
    let mut turn = Turn::default();
    for id in ids {
        let path = format!("/api/workers/{id}/{verb}");
        let told = api.tell(method.clone(), path.trim_end_matches('/')).await;
        turn.note(told, voice, || format!("worker {id} {done}"))?;
    }
    turn.end()
}
