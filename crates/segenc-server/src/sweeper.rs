//! Deletes bytes that nobody needs any more: of attempts that came to nothing, of segments that were joined,
//! of jobs that were deleted, of uploads that nobody used.
//!
//! It runs at the start and after things have ended, and decides from the pool alone, so a crash between an
//! end and its sweep costs nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use segenc_core::ids::AttemptId;
use segenc_core::pool::job::{JobState, SourceLocation};
use segenc_core::pool::task::AttemptState;
use segenc_core::time::Millis;

use crate::blobs::Stored;
use crate::clock;
use crate::coordinator::View;
use crate::shared::Shared;

/// Many ends in a row are swept together.
const SETTLE: Duration = Duration::from_millis(300);
/// An upload that no job uses is kept so long: a week is enough to come back to it.
const UNUSED_UPLOAD_MILLIS: Millis = 7 * 24 * 3600 * 1000;

/// Sweeps until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut ended = shared.coordinator.ended();
    loop {
        sweep(&shared).await;
        tokio::select! {
            () = shared.stop.cancelled() => return,
            changed = ended.changed() => if changed.is_err() { return },
        }
        tokio::time::sleep(SETTLE).await;
        ended.mark_unchanged();
    }
}

async fn sweep(shared: &Arc<Shared>) {
    let worker = Arc::clone(shared);
    let swept = tokio::task::spawn_blocking(move || {
        // The files first, then the pool: an attempt whose file is seen here is known to the pool read after.
        let files = worker.blobs.list()?;
        let view = worker.coordinator.view();
        let needless: Vec<Stored> =
            files.into_iter().filter(|file| !is_needed(&view, file)).collect();
        worker.blobs.remove(&needless);
        worker.thumbnails.sweep(&view.pool)
    })
    .await;
    match swept {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the folder of blobs cannot be swept"),
        Err(error) => tracing::warn!(%error, "a sweep was cut off"),
    }
    sweep_uploads(shared).await;
}

/// A file is needed while its attempt runs, or while it is a result that something may still read: of an open,
/// failed or canceled job every result, of a completed one the output alone.
fn is_needed(view: &View, file: &Stored) -> bool {
    let pool = &view.pool;
    let Some(job) = pool.job(file.job) else { return false };
    let Some(task) = pool.task(file.attempt.task) else { return false };
    let state = task.attempt(file.attempt.number).map(|attempt| attempt.state);
    match (state, job.state) {
        (Some(AttemptState::Running), _) => true,
        // What a rule has ended is not taken up again.
        (_, JobState::Canceled) if view.notes.of(file.job).is_some() => false,
        (Some(AttemptState::Succeeded), JobState::Completed) => {
            let output = job.merge.and_then(|merge| pool.task(merge)?.output());
            output.is_some_and(|blob| blob.name == name_of(file.job.0, file.attempt))
        }
        (Some(AttemptState::Succeeded), _) => true,
        (Some(AttemptState::Failed | AttemptState::Expired | AttemptState::Canceled) | None, _) => {
            false
        }
    }
}

fn name_of(job: u64, attempt: AttemptId) -> String {
    format!("{job}/{attempt}")
}

async fn sweep_uploads(shared: &Arc<Shared>) {
    let uploads = match shared.store.uploads().await {
        Ok(uploads) => uploads,
        Err(error) => {
            tracing::warn!(%error, "uploads cannot be listed");
            return;
        }
    };
    let view = shared.coordinator.view();
    let used: BTreeSet<&str> = view
        .pool
        .jobs()
        .filter_map(|job| match &job.source.location {
            SourceLocation::Upload(id) => Some(id.as_str()),
            SourceLocation::Path(_) => None,
        })
        .collect();
    let now = clock::now();
    for upload in uploads {
        if !used.contains(upload.id.as_str())
            && upload.created.saturating_add(UNUSED_UPLOAD_MILLIS) < now
        {
            shared.delete_upload(&upload.id).await;
        }
    }
}
