//! Why the server ended jobs by itself: what a rule of their wish or of their watch folder says.
//!
//! A noted job is over: its bytes are swept, and it is not taken up again.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use segenc_core::ids::JobId;
use segenc_core::pool::command::Command;

use crate::coordinator::Refusal;
use crate::shared::Shared;

/// The notes, by job.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    texts: RwLock<BTreeMap<u64, String>>,
}

impl Notes {
    pub(crate) fn new(texts: BTreeMap<u64, String>) -> Self {
        Self { texts: RwLock::new(texts) }
    }

    /// What is noted of a job.
    pub(crate) fn of(&self, job: JobId) -> Option<String> {
        self.texts.read().unwrap_or_else(PoisonError::into_inner).get(&job.0).cloned()
    }

    fn set(&self, job: JobId, text: Option<String>) {
        let mut texts = self.texts.write().unwrap_or_else(PoisonError::into_inner);
        match text {
            Some(text) => texts.insert(job.0, text),
            None => texts.remove(&job.0),
        };
    }
}

/// Ends an open job for a reason that is told with it.
pub(crate) async fn end_job(shared: &Shared, job: JobId, why: &str) -> Result<(), Refusal> {
    // The note first: a job that ended is shown with its reason at once, and a crash in between leaves a note on
    // an open job, which the next try overwrites.
    shared.store.put_note(job, why).await.map_err(|_| Refusal::NotStored)?;
    shared.notes.set(job, Some(why.to_owned()));
    let ended = shared.coordinator.command(Command::CancelJob(job)).await;
    if ended.is_err() {
        shared.notes.set(job, None);
        if let Err(error) = shared.store.delete_note(job).await {
            tracing::warn!(job = job.0, %error, "a note cannot be taken back");
        }
    }
    ended.map(drop)
}
