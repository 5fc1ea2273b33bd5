//! Fetches a window of a source from the server into the sparse file, over broken connections.
//!
//! A fetch is a task of its own that all who wait for one of its granules hold together: the last one
//! to let go stops it, so that nothing is fetched for a reader that went away.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::blocks::{GRANULE, SourceFile};
use crate::backoff::Patience;
use crate::upstream::{Upstream, UpstreamError};

/// So long a server that is gone is waited for before ffmpeg sees an error: a restart of the server fits
/// into it, and the lease of the attempt is lost not much later.
pub(super) const RETRY_FOR: Duration = Duration::from_secs(30);

/// Why a source cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Trouble {
    /// The server could not be reached for too long.
    #[error("the source could not be fetched: {0}")]
    Interrupted(String),
    /// It is another file by now.
    #[error("the source has changed while it was read")]
    Changed,
    /// The server gives nothing for this task any more.
    #[error("the server refuses the source: {0}")]
    Refused(StatusCode),
    /// This worker cannot store what it fetched.
    #[error("what was fetched cannot be kept in the scratch folder: {1}")]
    Storing(ErrorKind, String),
}

impl Trouble {
    pub(super) fn storing(error: &std::io::Error) -> Self {
        Self::Storing(error.kind(), error.to_string())
    }
}

/// A window on its way.
#[derive(Debug)]
pub(super) struct Fetch {
    granules: Range<u64>,
    progress: watch::Receiver<Progress>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug, Clone)]
struct Progress {
    /// The first granule that is not there yet.
    next: u64,
    trouble: Option<Trouble>,
}

/// How waiting for a granule ended.
#[derive(Debug)]
pub(super) enum Waited {
    /// It is there, or the fetch ended without it: look again.
    Look,
    /// The fetch gave up.
    Trouble(Trouble),
}

impl Fetch {
    /// Begins to fetch these granules.
    pub(super) fn begin(
        file: &Arc<SourceFile>,
        upstream: &Upstream,
        granules: Range<u64>,
    ) -> Arc<Self> {
        let first = Progress { next: granules.start, trouble: None };
        let (sender, progress) = watch::channel(first);
        let filling = Filling {
            file: Arc::clone(file),
            upstream: upstream.clone(),
            next: granules.start,
            end: granules.end,
            progress: sender,
        };
        let task = AbortOnDropHandle::new(tokio::spawn(filling.run()));
        Arc::new(Self { granules, progress, _task: task })
    }

    /// Whether this granule is among those that it will still bring.
    pub(super) fn brings(&self, granule: u64) -> bool {
        let alive = !self.progress.is_closed();
        alive && self.granules.contains(&granule)
    }

    /// Waits until the granule is there or the fetch ends.
    pub(super) async fn wait_for(&self, granule: u64) -> Waited {
        let mut progress = self.progress.clone();
        let reached = |now: &Progress| now.next > granule || now.trouble.is_some();
        match progress.wait_for(reached).await {
            Ok(now) if now.next > granule => Waited::Look,
            Ok(now) => now.trouble.clone().map_or(Waited::Look, Waited::Trouble),
            Err(_ended) => Waited::Look,
        }
    }
}

struct Filling {
    file: Arc<SourceFile>,
    upstream: Upstream,
    next: u64,
    end: u64,
    progress: watch::Sender<Progress>,
}

impl Filling {
    async fn run(mut self) {
        let mut patience = Patience::new(RETRY_FOR);
        while self.next < self.end {
            let before = self.next;
            let Err(trouble) = self.fetch().await else { continue };
            if self.next > before {
                patience.progress();
            }
            let interrupted = matches!(trouble, Trouble::Interrupted(_));
            if interrupted && patience.wait().await {
                tracing::debug!(%trouble, url = %self.upstream.url, "fetching again");
                continue;
            }
            if trouble == Trouble::Changed {
                self.file.note_changed();
            }
            self.progress.send_modify(|progress| progress.trouble = Some(trouble));
            return;
        }
    }

    /// Fetches what is left by one request, as far as it comes.
    async fn fetch(&mut self) -> Result<(), Trouble> {
        let size = self.file.size;
        let etag = self.file.etag();
        let asked = Instant::now();
        let range = self.file.bytes_of(&(self.next..self.end));
        tracing::trace!(?range, url = %self.upstream.url, "fetching");
        let mut answer = self.upstream.get(range, size, etag.as_deref()).await?;
        self.file.note_first_byte(asked.elapsed());
        if !self.file.note_etag(answer.etag.as_deref()) {
            return Err(Trouble::Changed);
        }
        let mut gathered = BytesMut::new();
        while self.next < self.end {
            let Some(bytes) = answer.next().await? else {
                return Err(Trouble::Interrupted("the answer ended too early".to_owned()));
            };
            gathered.extend_from_slice(&bytes);
            while let Some(granule) = self.complete(&mut gathered) {
                let stored = self.file.store(self.next, granule).await;
                stored.map_err(|error| Trouble::storing(&error))?;
                self.next += 1;
                let next = self.next;
                self.progress.send_modify(|progress| progress.next = next);
            }
        }
        Ok(())
    }

    /// Takes the next granule off the front if all of it has come.
    fn complete(&self, gathered: &mut BytesMut) -> Option<Bytes> {
        if self.next >= self.end {
            return None;
        }
        let length = GRANULE.min(self.file.size - self.next * GRANULE);
        let length = usize::try_from(length).ok()?;
        (gathered.len() >= length).then(|| gathered.split_to(length).freeze())
    }
}

impl From<UpstreamError> for Trouble {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Interrupted(why) => Self::Interrupted(why),
            UpstreamError::Changed => Self::Changed,
            UpstreamError::Refused(status) => Self::Refused(status),
        }
    }
}
