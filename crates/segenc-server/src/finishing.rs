//! The end of a merge: the output is put into place beside the rest of the user's files, and only then is the
//! job completed.
//!
//! A file is staged under a temporary name in the same folder and appears by one rename or link. What was put
//! into place for a job is remembered before, so that a second try after a crash knows its own file from
//! somebody else's.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use segenc_core::failure::{Failure, FailureKind};
use segenc_core::ids::{AttemptId, WorkerId};
use segenc_core::pool::command::Command;
use segenc_core::pool::job::Job;
use segenc_core::pool::task::Blob;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::auth::hex;
use crate::data_dir::sync_folder_of;
use crate::incoming::{PIECE_BYTES, is_disk_full};
use crate::shared::Shared;
use crate::store::{Overwrite, Placement, StoreError};

/// While a large output is copied, the lease is renewed so often: well within its ten seconds.
const RENEWAL: Duration = Duration::from_secs(3);

/// The output cannot be put where it was wished.
#[derive(Debug, Error)]
pub(crate) enum PlaceError {
    #[error("{path} exists by now, and it is not to be overwritten")]
    Exists { path: String },
    #[error("there is no room for the output at {path}")]
    DiskFull { path: String },
    #[error("the output cannot be put at {path}: {source}")]
    Io { path: String, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PlaceError {
    /// As the failure of the merge: nothing is tried again before the user has made room.
    pub(crate) fn into_failure(self) -> Failure {
        let (kind, reason) = match &self {
            Self::Exists { .. } => (FailureKind::Task, "output-exists"),
            Self::DiskFull { .. } => (FailureKind::Task, "output-disk-full"),
            Self::Io { .. } => (FailureKind::Task, "output-unwritable"),
            Self::Store(_) => (FailureKind::Transient, "database-unwritable"),
        };
        Failure {
            kind,
            reason: reason.to_owned(),
            message: self.to_string(),
            log_tail: String::new(),
        }
    }
}

/// Why a finished output is thrown away, if it is.
pub(crate) async fn unwanted(shared: &Shared, job: &Job, blob: &Blob) -> Option<String> {
    let source = job.source.fingerprint.size;
    if blob.size < source || !shared.store.only_if_smaller(job.id).await.unwrap_or(false) {
        return None;
    }
    Some(format!(
        "its result was thrown away: it has {} bytes, its source {source}; the source is kept",
        blob.size
    ))
}

/// Puts the output of a merge into place, if the job wishes so, and keeps the attempt's lease alive meanwhile.
pub(crate) async fn place_output(
    shared: &Shared,
    job: &Job,
    worker: WorkerId,
    attempt: AttemptId,
    blob: &Blob,
) -> Result<(), PlaceError> {
    let Some(path) = &job.output_path else { return Ok(()) };
    let overwrite = shared.store.overwrite(job.id).await?;
    let earlier = shared.store.placement(job.id).await?.filter(|earlier| earlier.path == *path);
    let placement = Placement { path: path.clone(), size: blob.size, sha256: blob.sha256.clone() };
    let plan = Plan {
        from: shared.blobs.path(blob),
        staged: staged_path(shared, job, Path::new(path)),
        to: PathBuf::from(path),
        placement,
    };
    let staging = plan.clone();
    let mut staged =
        tokio::task::spawn_blocking(move || staging.stage(overwrite, earlier.as_ref()));
    let staged = loop {
        tokio::select! {
            staged = &mut staged => break staged,
            () = tokio::time::sleep(RENEWAL) => renew(shared, worker, attempt).await,
        }
    };
    let io = |source| plan.error(source);
    match staged.map_err(|error| io(io::Error::other(error)))?? {
        Staged::AlreadyThere => Ok(()),
        Staged::Ready(replace) => {
            shared.store.note_placement(job.id, &plan.placement).await?;
            let publishing = plan.clone();
            tokio::task::spawn_blocking(move || publishing.publish(replace))
                .await
                .map_err(|error| io(io::Error::other(error)))?
        }
    }
}

async fn renew(shared: &Shared, worker: WorkerId, attempt: AttemptId) {
    let report = Command::ReportStatus { worker, attempt, frames: 0, speed_millifps: 0 };
    if let Err(refusal) = shared.coordinator.command(report).await {
        tracing::debug!(%refusal, "a lease was not renewed");
    }
}

/// One name for each job of each server: what a crash leaves behind is replaced by the next try.
fn staged_path(shared: &Shared, job: &Job, target: &Path) -> PathBuf {
    let server = Sha256::digest(shared.data_dir.root().as_os_str().as_encoded_bytes());
    let server = hex(&server[..6]);
    target.with_file_name(format!(".segenc-{server}-{}.partial", job.id))
}

#[derive(Debug, Clone)]
struct Plan {
    from: PathBuf,
    staged: PathBuf,
    to: PathBuf,
    placement: Placement,
}

#[derive(Debug, Clone, Copy)]
enum Staged {
    /// An earlier try has done it.
    AlreadyThere,
    Ready(Replace),
}

#[derive(Debug, Clone, Copy)]
enum Replace {
    Nothing,
    WhatIsThere,
}

impl Plan {
    fn error(&self, source: io::Error) -> PlaceError {
        let path = self.to.display().to_string();
        if is_disk_full(&source) {
            PlaceError::DiskFull { path }
        } else {
            PlaceError::Io { path, source }
        }
    }

    /// Makes the output ready beside its place.
    fn stage(
        &self,
        overwrite: Overwrite,
        earlier: Option<&Placement>,
    ) -> Result<Staged, PlaceError> {
        let io = |source| self.error(source);
        let there = fs::symlink_metadata(&self.to).is_ok();
        let replace = if !there {
            Replace::Nothing
        } else if is_content(&self.to, &self.placement).map_err(io)? && earlier.is_some() {
            return Ok(Staged::AlreadyThere);
        } else if overwrite == Overwrite::Replace {
            Replace::WhatIsThere
        } else if let Some(earlier) = earlier
            && is_content(&self.to, earlier).map_err(io)?
        {
            Replace::WhatIsThere
        } else {
            return Err(PlaceError::Exists { path: self.to.display().to_string() });
        };
        remove_if_there(&self.staged).map_err(io)?;
        // A link costs nothing; where the file system has none, or is another one, the bytes are copied.
        if fs::hard_link(&self.from, &self.staged).is_err()
            && let Err(error) = fs::copy(&self.from, &self.staged)
        {
            let _ = fs::remove_file(&self.staged);
            return Err(io(error));
        }
        let staged = fs::OpenOptions::new().write(true).open(&self.staged);
        staged.and_then(|file| file.sync_all()).map_err(io)?;
        Ok(Staged::Ready(replace))
    }

    /// Lets it appear.
    fn publish(&self, replace: Replace) -> Result<(), PlaceError> {
        let io = |source| self.error(source);
        match replace {
            Replace::WhatIsThere => fs::rename(&self.staged, &self.to).map_err(io)?,
            // A link, unlike a rename, never replaces a file that has come meanwhile.
            Replace::Nothing => match fs::hard_link(&self.staged, &self.to) {
                Ok(()) => remove_if_there(&self.staged).map_err(io)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let _ = fs::remove_file(&self.staged);
                    return Err(PlaceError::Exists { path: self.to.display().to_string() });
                }
                Err(_) => fs::rename(&self.staged, &self.to).map_err(io)?,
            },
        }
        sync_folder_of(&self.to).map_err(io)
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether the file holds exactly these bytes.
fn is_content(path: &Path, placement: &Placement) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() != placement.size {
        return Ok(false);
    }
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            let digest: [u8; 32] = hasher.finalize().into();
            return Ok(hex(&digest) == placement.sha256);
        }
        hasher.update(&piece[..count]);
    }
}
