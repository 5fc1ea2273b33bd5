//! `segenc worker`: takes tasks from a server until told to leave.

use std::path::{Path, PathBuf};

use segenc_proto::connect::JoinString;
use segenc_worker::{Encoders, Leave, ServerFiles};
use sha2::{Digest, Sha256};

use crate::arguments::{Voice, WorkerFlags};
use crate::fingerprint::hex;
use crate::halt::Halt;
use crate::interrupt::Interrupts;
use crate::wiring::{RunningWorker, WorkerPlace};
use crate::{places, terminal};

/// Runs the command.
pub(crate) async fn run(flags: WorkerFlags, voice: Voice) -> anyhow::Result<()> {
    let interrupts = Interrupts::listen();
    let join: JoinString = places::read_given(&flags.join, "--join")?
        .parse()
        .map_err(|error| Halt::usage(format!("--join: {error}")))?;
    let folder = places::data_folder()?.join("worker");
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
        tools: None,
    });
    if !voice.quiet {
        terminal::say(&format!("worker for {address} (Ctrl-C lets it finish, twice gives back)"));
    }
    tokio::select! {
        ended = worker.ended() => return ended,
        () = interrupts.at_least(1) => {}
    }
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

/// Workers with different scratch folders are different workers, also on one machine.
fn identity_file(folder: &Path, scratch: &Path) -> PathBuf {
    let digest = Sha256::digest(scratch.as_os_str().as_encoded_bytes());
    folder.join(format!("worker.{}", hex(&digest[..8])))
}
