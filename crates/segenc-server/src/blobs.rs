//! Stored bytes: one file for the output of an attempt, written under a temporary name, visible by a rename.
//!
//! Knows folders and digests; whether an attempt may deliver is not decided here.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use segenc_core::ids::{AttemptId, AttemptNumber, JobId, TaskId};
use segenc_core::pool::task::Blob;

use crate::auth::hex;
use crate::data_dir::sync_folder_of;
use crate::incoming::{Incoming, Received};
use crate::turns::{Turn, Turns};

/// The blobs of all jobs.
#[derive(Debug)]
pub(crate) struct Blobs {
    kept: PathBuf,
    partial: PathBuf,
    turns: Turns<AttemptId>,
}

/// A file of the store, by what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) job: JobId,
    pub(crate) attempt: AttemptId,
    path: PathBuf,
}

impl Blobs {
    pub(crate) fn new(kept: PathBuf, partial: PathBuf) -> Self {
        Self { kept, partial, turns: Turns::default() }
    }

    /// The folder whose free space counts.
    pub(crate) fn folder(&self) -> &Path {
        &self.kept
    }

    /// Where a blob is.
    pub(crate) fn path(&self, blob: &Blob) -> PathBuf {
        self.kept.join(&blob.name)
    }

    /// The right to write an attempt's output.
    pub(crate) async fn turn(&self, attempt: AttemptId) -> Turn {
        self.turns.take(attempt).await
    }

    fn partial_path(&self, job: JobId, attempt: AttemptId) -> PathBuf {
        self.partial.join(format!("{job}-{}.{}", attempt.task, attempt.number))
    }

    /// How much of an attempt's output has arrived; `None`: nothing was begun.
    pub(crate) async fn arrived(&self, job: JobId, attempt: AttemptId) -> Option<u64> {
        let metadata = tokio::fs::metadata(self.partial_path(job, attempt)).await.ok()?;
        Some(metadata.len())
    }

    /// Begins to receive an attempt's output.
    pub(crate) async fn begin(&self, job: JobId, attempt: AttemptId) -> io::Result<Incoming> {
        Incoming::create(&self.partial_path(job, attempt)).await
    }

    /// Goes on with it.
    pub(crate) async fn resume(&self, job: JobId, attempt: AttemptId) -> io::Result<Incoming> {
        Incoming::resume(&self.partial_path(job, attempt)).await
    }

    /// Forgets what has arrived.
    pub(crate) async fn discard(&self, job: JobId, attempt: AttemptId) {
        // What is not there needs no deleting; what cannot be deleted now is swept at the next start.
        let _ = tokio::fs::remove_file(self.partial_path(job, attempt)).await;
    }

    /// Gives a received file its place. It is synced already; its name is after this.
    pub(crate) async fn keep(
        &self,
        job: JobId,
        attempt: AttemptId,
        received: &Received,
    ) -> io::Result<Blob> {
        let name = format!("{job}/{}.{}", attempt.task, attempt.number);
        let (from, to) = (self.partial_path(job, attempt), self.kept.join(&name));
        tokio::task::spawn_blocking(move || {
            if let Some(folder) = to.parent()
                && !folder.is_dir()
            {
                std::fs::create_dir_all(folder)?;
                sync_folder_of(folder)?;
            }
            std::fs::rename(&from, &to)?;
            sync_folder_of(&to)
        })
        .await
        .map_err(io::Error::other)??;
        Ok(Blob { name, size: received.size, sha256: hex(&received.sha256) })
    }

    /// Deletes a blob.
    pub(crate) async fn delete(&self, blob: &Blob) {
        let _ = tokio::fs::remove_file(self.path(blob)).await;
    }

    /// All files of the store, finished and partial. Reads folders: not for the async threads.
    pub(crate) fn list(&self) -> io::Result<Vec<Stored>> {
        let mut stored = Vec::new();
        for entry in std::fs::read_dir(&self.partial)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let parsed = name
                .split_once('-')
                .and_then(|(job, rest)| Some((job.parse().ok()?, parse_attempt(rest)?)));
            if let Some((job, attempt)) = parsed {
                stored.push(Stored { job, attempt, path });
            }
        }
        for folder in std::fs::read_dir(&self.kept)? {
            let folder = folder?.path();
            let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Ok(job) = name.parse::<JobId>() else { continue };
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if let Some(attempt) = parse_attempt(name) {
                    stored.push(Stored { job, attempt, path });
                }
            }
        }
        Ok(stored)
    }

    /// Deletes files, and the folders of jobs that are left empty.
    pub(crate) fn remove(&self, files: &[Stored]) {
        for file in files {
            if let Err(error) = std::fs::remove_file(&file.path) {
                tracing::warn!(path = %file.path.display(), %error, "a needless file stays");
            }
        }
        let jobs: BTreeSet<JobId> = files.iter().map(|file| file.job).collect();
        for job in jobs {
            // It fails while the folder holds something, which is what is wanted.
            let _ = std::fs::remove_dir(self.kept.join(job.to_string()));
        }
    }
}

fn parse_attempt(name: &str) -> Option<AttemptId> {
    let (task, number) = name.split_once('.')?;
    Some(AttemptId {
        task: TaskId(task.parse().ok()?),
        number: AttemptNumber(number.parse().ok()?),
    })
}
