//! `segenc worker`: takes tasks from a server until told to leave.

use std::path::{Path, PathBuf};
use std::time::Duration;

use segenc_worker::{Encoders, Leave, ServerFiles, Thumbnails, Wakefulness};
use sha2::{Digest, Sha256};

use crate::arguments::{Voice, WorkerFlags};
use crate::fingerprint::hex;
use crate::halt::{Exit, Halt};
use crate::interrupt::Interrupts;
use crate::wiring::{RunningWorker, WorkerPlace};
use crate::{joining, notify, places, terminal};

/// A worker that waits so long for its server does what it should, and no boot has to wait for that.
const READY_AT_LATEST: Duration = Duration::from_secs(20);

/// Runs the command.
pub(crate) async fn run(flags: WorkerFlags, voice: Voice) -> anyhow::Result<()> {
    let interrupts = Interrupts::listen();
    let folder = places::data_folder()?.join("worker");
    let join = tokio::select! {
        join = joining::join_string(&flags, &folder, voice) => join?,
        () = interrupts.at_least(1) => return Err(Halt::new(Exit::Interrupted, "not joined").into()),
    };
    let scratch = match &flags.scratch {
        Some(scratch) => std::path::absolute(scratch)?,
        None => folder.join("scratch"),
    };
    let address = join.server.to_string();
    let mut worker = RunningWorker::start(WorkerPlace {
        join,
        slots: flags.slots,
        name: flags.name,
        identity: identity_file(&folder, &scratch),
        scratch,
        server_files: if flags.fetch { ServerFiles::Fetch } else { ServerFiles::Use },
        encoders: Encoders::All,
        thumbnails: Thumbnails::Make,
        wakefulness: if flags.allow_sleep { Wakefulness::MaySleep } else { Wakefulness::WhileBusy },
        hours: flags.hours,
        tools: None,
    });
    if !voice.quiet {
        terminal::say(&format!("worker for {address} (Ctrl-C lets it finish, twice gives back)"));
    }
    let alive = notify::keep_alive(worker.pulse().heart());
    tokio::select! {
        ended = until_ended(&mut worker, &address) => return ended,
        () = interrupts.at_least(1) => {}
    }
    drop(alive);
    notify::stopping("finishing what it has");
    if !voice.quiet {
        terminal::say(
            "finishing what it has and taking no more; Ctrl-C again gives it back at once",
        );
    }
    worker.tell(Leave::Drain);
    tokio::select! {
        ended = worker.ended() => return ended,
        () = interrupts.at_least(2) => {}
    }
    worker.tell(Leave::Release);
    tokio::select! {
        ended = worker.ended() => ended,
        // A third wish to end is not argued with: the leases run out by themselves.
        () = interrupts.at_least(3) => Ok(()),
    }
}

/// Waits for the worker's end, and tells the supervisor when it is ready.
async fn until_ended(worker: &mut RunningWorker, address: &str) -> anyhow::Result<()> {
    let pulse = worker.pulse().clone();
    let tell = async {
        if tokio::time::timeout(READY_AT_LATEST, pulse.registered()).await.is_err() {
            notify::ready(&format!("waiting for {address}"));
            pulse.registered().await;
        }
        notify::ready(&format!("working for {address}"));
        std::future::pending().await
    };
    tokio::select! {
        ended = worker.ended() => ended,
        never = tell => never,
    }
}

/// Workers with different scratch folders are different workers, also on one machine.
fn identity_file(folder: &Path, scratch: &Path) -> PathBuf {
    let digest = Sha256::digest(scratch.as_os_str().as_encoded_bytes());
    folder.join(format!("worker.{}", hex(&digest[..8])))
}
