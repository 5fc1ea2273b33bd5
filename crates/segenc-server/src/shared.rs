//! What all parts of the server share: the coordinator, the stores, the tokens.

use std::path::PathBuf;
use std::sync::Arc;

use segenc_core::ids::{AttemptId, TaskId, WorkerId};
use segenc_core::pool::Pool;
use segenc_core::pool::job::{Job, SourceLocation};
use segenc_core::pool::task::{AttemptState, Task};
use segenc_core::time::Millis;
use segenc_proto::grpc::SharedFilesProof;
use tokio_util::sync::CancellationToken;

use crate::assignment::InputRef;
use crate::auth::{Pairing, Passkeys, People, Tokens};
use crate::blobs::Blobs;
use crate::config::{Automation, SizeAimer, SpecParser};
use crate::coordinator::Coordinator;
use crate::data_dir::DataDir;
use crate::media_files::MediaRoots;
use crate::metrics::Tally;
use crate::notes::Notes;
use crate::notify::Receivers;
use crate::presets::Presets;
use crate::store::Store;
use crate::thumbnails::Thumbnails;
use crate::traces::SpanSink;
use crate::traffic::Traffic;
use crate::turns::Turns;
use crate::watch::Watch;

/// The server's parts.
pub(crate) struct Shared {
    pub(crate) coordinator: Coordinator,
    pub(crate) store: Store,
    pub(crate) tokens: Tokens,
    pub(crate) people: People,
    pub(crate) passkeys: Passkeys,
    pub(crate) pairing: Pairing,
    pub(crate) blobs: Blobs,
    pub(crate) thumbnails: Thumbnails,
    pub(crate) data_dir: DataDir,
    pub(crate) roots: MediaRoots,
    pub(crate) traffic: Traffic,
    pub(crate) upload_turns: Turns<String>,
    pub(crate) presets: Presets,
    pub(crate) parse_spec: SpecParser,
    pub(crate) aim_at_size: SizeAimer,
    pub(crate) shared_files: SharedFilesProof,
    pub(crate) stop: CancellationToken,
    /// When the server started.
    pub(crate) started_at: Millis,
    pub(crate) tally: Arc<Tally>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) watch: Watch,
    pub(crate) receivers: Receivers,
    pub(crate) automation: Automation,
    pub(crate) traces: Option<SpanSink>,
}

impl Shared {
    /// The file of an upload; its id was made here.
    pub(crate) fn upload_path(&self, id: &str) -> PathBuf {
        self.data_dir.uploads().join(id)
    }

    /// Deletes an upload, its file first: what is left of a crash in between is swept later.
    pub(crate) async fn delete_upload(&self, id: &str) {
        let _ = tokio::fs::remove_file(self.upload_path(id)).await;
        if let Err(error) = self.store.delete_upload(id).await {
            tracing::warn!(%error, "an upload cannot be deleted");
        }
    }

    /// Where a job's source is.
    pub(crate) fn source_path(&self, job: &Job) -> PathBuf {
        match &job.source.location {
            SourceLocation::Path(path) => PathBuf::from(path),
            SourceLocation::Upload(id) => self.upload_path(id),
        }
    }

    /// Where an input of a job's task is.
    pub(crate) fn input_path(&self, job: &Job, input: &InputRef) -> PathBuf {
        match input {
            InputRef::Source => self.source_path(job),
            InputRef::Blob(blob) | InputRef::Copy(blob) => self.blobs.path(blob),
        }
    }
}

/// The attempt of a task that this worker runs now.
pub(crate) fn running_attempt(pool: &Pool, task: TaskId, worker: WorkerId) -> Option<AttemptId> {
    let task = pool.task(task)?;
    let attempt = task.running().find(|attempt| attempt.worker == worker)?;
    Some(AttemptId { task: task.id, number: attempt.number })
}

/// Whether this attempt runs now and is this worker's.
pub(crate) fn holds(task: &Task, attempt: AttemptId, worker: WorkerId) -> bool {
    task.attempt(attempt.number)
        .is_some_and(|found| found.worker == worker && found.state == AttemptState::Running)
}
