//! Whole inputs, fetched into a file and checked: what a merge joins.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::backoff::Patience;
use crate::digest;
use crate::upstream::{Upstream, UpstreamError};

/// So long a server that is gone is waited for, as for sources.
const RETRY_FOR: Duration = Duration::from_secs(30);
/// Bytes that come wrong are fetched once more: twice wrong is no accident.
const WHOLE_TRIES_MAX: u32 = 2;

/// What is to be fetched.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// From where.
    pub(crate) upstream: Upstream,
    /// Size in bytes.
    pub(crate) size: u64,
    /// SHA-256 in lower-case hex.
    pub(crate) sha256: String,
    /// Where to put it.
    pub(crate) path: PathBuf,
}

/// Why an input did not come.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    /// The server could not be reached for too long.
    #[error("could not fetch an input: {0}")]
    Interrupted(String),
    /// The server refuses, or has another file.
    #[error("could not fetch an input: {0}")]
    Refused(UpstreamError),
    /// What came is not what was promised.
    #[error("an input of {size} bytes came with another digest than {wanted}")]
    WrongDigest {
        /// Its size.
        size: u64,
        /// What was promised.
        wanted: String,
    },
    /// It cannot be stored here.
    #[error("cannot store a fetched input in {}", path.display())]
    Storing {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Fetches a whole input, going on where a connection broke, and checks its digest.
pub(crate) async fn fetch(wanted: &Wanted) -> Result<(), FetchError> {
    let mut tries = 1;
    loop {
        let sha256 = fetch_once(wanted).await?;
        if sha256 == wanted.sha256 {
            return Ok(());
        }
        if tries == WHOLE_TRIES_MAX {
            return Err(FetchError::WrongDigest {
                size: wanted.size,
                wanted: wanted.sha256.clone(),
            });
        }
        tries += 1;
        tracing::warn!(url = %wanted.upstream.url, "an input came damaged; fetching it again");
    }
}

async fn fetch_once(wanted: &Wanted) -> Result<String, FetchError> {
    let storing = |source| FetchError::Storing { path: wanted.path.clone(), source };
    let mut file = create(&wanted.path).await.map_err(storing)?;
    let mut hasher = Sha256::new();
    let mut received = 0;
    let mut version = None;
    let mut patience = Patience::new(RETRY_FOR);
    while received < wanted.size {
        let before = received;
        let ended = receive(wanted, &mut file, &mut hasher, &mut received, &mut version).await;
        if received > before {
            patience.progress();
        }
        match ended {
            Ok(()) => {}
            Err(FetchError::Interrupted(why)) => {
                if !patience.wait().await {
                    return Err(FetchError::Interrupted(why));
                }
            }
            Err(
                error @ (FetchError::Refused(_)
                | FetchError::WrongDigest { .. }
                | FetchError::Storing { .. }),
            ) => return Err(error),
        }
    }
    file.flush().await.map_err(storing)?;
    Ok(digest::hex(&hasher.finalize()))
}

async fn create(path: &Path) -> std::io::Result<File> {
    File::create(path).await
}

/// Receives what is missing by one request, as far as it comes.
async fn receive(
    wanted: &Wanted,
    file: &mut File,
    hasher: &mut Sha256,
    received: &mut u64,
    version: &mut Option<String>,
) -> Result<(), FetchError> {
    let range = *received..wanted.size;
    let mut answer = wanted.upstream.get(range, wanted.size, version.as_deref()).await?;
    *version = answer.etag.take();
    while let Some(bytes) = answer.next().await? {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length > wanted.size - *received {
            return Err(FetchError::Refused(UpstreamError::Changed));
        }
        let written = file.write_all(&bytes).await;
        written.map_err(|source| FetchError::Storing { path: wanted.path.clone(), source })?;
        hasher.update(&bytes);
        *received += length;
    }
    if *received < wanted.size {
        return Err(FetchError::Interrupted("the answer ended too early".to_owned()));
    }
    Ok(())
}

impl From<UpstreamError> for FetchError {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Interrupted(why) => Self::Interrupted(why),
            UpstreamError::Changed | UpstreamError::Refused(_) => Self::Refused(error),
        }
    }
}
