//! A source with holes: everything but the insides of pictures, as the server tells it, for work that looks at
//! no picture of the film. Holes read as zeros.
//!
//! It lies in a file of its own: what is real stays apart from what is not. Told granules without a hole are
//! real, and go where fetched ones go. Once told up to a place, all before it can be read.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::blocks::{GRANULE, SourceFile, read_exact_at, write_all_at};
use super::filling::{RETRY_FOR, Trouble};
use super::records::{Part, Records};
use crate::backoff::Patience;
use crate::upstream::Upstream;

/// Who reads so little ahead of what is told waits for it; who reads further ahead looks for something at the
/// end of the file, and fetches it.
const WAITS_AHEAD: u64 = 4 * 1024 * 1024;

/// What a hole looks like.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
const _: () = assert!(ZEROS.len() as u64 == GRANULE);

/// The structure of one source, as far as it was told.
#[derive(Debug)]
pub(super) struct Structure {
    size: u64,
    /// So many bytes of each film's first pictures have no hole.
    whole: u64,
    /// Told bytes at their places, without a name.
    file: Arc<File>,
    /// One bit for each granule that has told bytes.
    written: Mutex<Vec<u64>>,
    progress: watch::Sender<Progress>,
    /// The task that is being told, as long as somebody holds it.
    task: Mutex<Weak<AbortOnDropHandle<()>>>,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    /// Everything before is known.
    told: u64,
    /// Nothing more comes: what is behind has to be fetched.
    ended: bool,
    trouble: Option<Trouble>,
}

/// The right to read it. The last one to let go stops the telling.
#[derive(Debug)]
pub(super) struct Hold {
    structure: Arc<Structure>,
    _task: Option<Arc<AbortOnDropHandle<()>>>,
}

/// Where a granule is to be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Here, with holes.
    Here,
    /// On its way.
    Coming,
    /// Nowhere: it has to be fetched.
    Away,
}

impl Structure {
    pub(super) fn create(folder: &Path, size: u64, whole: u64) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        file.set_len(size)?;
        let granules = usize::try_from(size.div_ceil(GRANULE)).map_err(io::Error::other)?;
        Ok(Self {
            size,
            whole,
            file: Arc::new(file),
            written: Mutex::new(vec![0; granules.div_ceil(64)]),
            progress: watch::Sender::default(),
            task: Mutex::default(),
        })
    }

    /// Has the rest told, unless that is under way.
    pub(super) fn hold(self: &Arc<Self>, real: &Arc<SourceFile>, upstream: &Upstream) -> Hold {
        let structure = Arc::clone(self);
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let Progress { told, ended, .. } = *self.progress.borrow();
        if told == self.size {
            return Hold { structure, _task: None };
        }
        if let Some(task) = task.upgrade().filter(|_| !ended) {
            return Hold { structure, _task: Some(task) };
        }
        // What is here already need not be told.
        let whole_until = real.whole_until();
        self.progress.send_modify(|progress| {
            progress.told = told.max(whole_until);
            progress.ended = false;
        });
        let telling = Telling {
            structure: Arc::clone(self),
            real: Arc::clone(real),
            upstream: upstream.clone(),
        };
        let handle = Arc::new(AbortOnDropHandle::new(tokio::spawn(telling.run())));
        *task = Arc::downgrade(&handle);
        Hold { structure, _task: Some(handle) }
    }

    /// Whether all of it was told.
    pub(super) fn is_complete(&self) -> bool {
        self.progress.borrow().told == self.size
    }

    /// Where a granule is to be had now.
    fn place(&self, granule: u64) -> Result<Place, Trouble> {
        let progress = self.progress.borrow();
        let start = granule * GRANULE;
        if start < progress.told {
            return Ok(Place::Here);
        }
        match &progress.trouble {
            Some(Trouble::Changed) => Err(Trouble::Changed),
            // Whoever fetches meets it himself.
            Some(Trouble::Interrupted(_) | Trouble::Refused(_) | Trouble::Storing(..)) => {
                Ok(Place::Away)
            }
            None if progress.ended || start > progress.told + WAITS_AHEAD => Ok(Place::Away),
            None => Ok(Place::Coming),
        }
    }

    fn is_written(&self, granule: u64) -> bool {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let word = usize::try_from(granule / 64).ok().and_then(|word| written.get(word));
        word.is_some_and(|bits| bits & (1 << (granule % 64)) != 0)
    }

    /// Writes the told parts of a granule.
    async fn write(&self, granule: u64, told: Vec<(u64, Bytes)>) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        tokio::task::spawn_blocking(move || {
            told.iter().try_for_each(|(at, bytes)| write_all_at(&file, bytes, *at))
        })
        .await
        .map_err(io::Error::other)??;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let word = usize::try_from(granule / 64).ok().and_then(|word| written.get_mut(word));
        if let Some(bits) = word {
            *bits |= 1 << (granule % 64);
        }
        Ok(())
    }
}

impl Hold {
    /// Where a granule is to be had now. An error where the source is another one by now.
    pub(super) fn place(&self, granule: u64) -> Result<Place, Trouble> {
        self.structure.place(granule)
    }

    /// Waits until a granule that was coming is here or does not come.
    pub(super) async fn wait_for(&self, granule: u64) {
        let mut progress = self.structure.progress.subscribe();
        let start = granule * GRANULE;
        let settled = |now: &Progress| now.told > start || now.ended || now.trouble.is_some();
        // The sender lives as long as this.
        let _ = progress.wait_for(settled).await;
    }

    /// Reads bytes of one granule that is here.
    pub(super) async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        if !self.structure.is_written(range.start / GRANULE) {
            return ZEROS
                .get(..length)
                .map(Bytes::from_static)
                .ok_or_else(|| io::Error::other("more than a granule was asked for"));
        }
        let file = Arc::clone(&self.structure.file);
        let bytes = tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0_u8; length];
            read_exact_at(&file, &mut buffer, range.start).map(|()| buffer)
        });
        Ok(bytes.await.map_err(io::Error::other)??.into())
    }
}

/// Takes in what the server tells.
struct Telling {
    structure: Arc<Structure>,
    real: Arc<SourceFile>,
    upstream: Upstream,
}

/// A granule as far as it was told.
#[derive(Debug, Default)]
struct Granule {
    told: Vec<(u64, Bytes)>,
    bytes: u64,
}

impl Telling {
    async fn run(self) {
        let mut patience = Patience::new(RETRY_FOR);
        loop {
            let before = self.structure.progress.borrow().told;
            let trouble = self.listen(before).await.err();
            let told = self.structure.progress.borrow().told;
            if told > before {
                patience.progress();
            }
            let missing = told < self.structure.size;
            let interrupted = missing && matches!(trouble, Some(Trouble::Interrupted(_)));
            if interrupted && patience.wait().await {
                tracing::debug!(?trouble, url = %self.upstream.url, "asking again for the structure");
                continue;
            }
            if trouble == Some(Trouble::Changed) {
                self.real.note_changed();
            }
            self.structure.progress.send_modify(|progress| {
                progress.ended = true;
                progress.trouble = trouble;
            });
            return;
        }
    }

    /// Listens to one answer, which begins at `from`.
    async fn listen(&self, from: u64) -> Result<(), Trouble> {
        tracing::trace!(from, url = %self.upstream.url, "asking for the structure");
        let known = self.real.etag();
        let Some(mut answer) =
            self.upstream.structure(from, self.structure.whole, known.as_deref()).await?
        else {
            tracing::debug!(url = %self.upstream.url, "the source is read without holes");
            return Ok(());
        };
        if !self.real.note_etag(answer.etag.as_deref()) {
            return Err(Trouble::Changed);
        }
        let mut records = Records::default();
        let mut granule = Granule::default();
        let mut at = from;
        while let Some(bytes) = answer.next().await? {
            records.push(&bytes);
            while let Some(part) = records.next() {
                let end = at.checked_add(part.length()).filter(|end| *end <= self.structure.size);
                let Some(end) = end else {
                    self.not_understood();
                    return Ok(());
                };
                match part {
                    Part::Hole(_) => self.pass(&mut granule, at, end).await?,
                    Part::Told(bytes) => self.take(&mut granule, at, bytes).await?,
                }
                at = end;
            }
            if records.is_broken() {
                self.not_understood();
                return Ok(());
            }
        }
        if at < self.structure.size {
            return Err(Trouble::Interrupted("the answer ended too early".to_owned()));
        }
        Ok(())
    }

    /// What was told up to here is right; the rest is fetched.
    fn not_understood(&self) {
        tracing::warn!(url = %self.upstream.url, "the structure of the source is not understood");
    }

    /// Goes over a hole.
    async fn pass(&self, granule: &mut Granule, at: u64, end: u64) -> Result<(), Trouble> {
        if end / GRANULE > at / GRANULE || end == self.structure.size {
            self.close(granule, at / GRANULE).await?;
            self.told(end);
        }
        Ok(())
    }

    /// Takes told bytes in, granule by granule.
    async fn take(
        &self,
        granule: &mut Granule,
        mut at: u64,
        mut bytes: Bytes,
    ) -> Result<(), Trouble> {
        while !bytes.is_empty() {
            let border = (at / GRANULE + 1) * GRANULE;
            let room = usize::try_from(border - at).unwrap_or(usize::MAX);
            let piece = bytes.split_to(room.min(bytes.len()));
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            granule.told.push((at, piece));
            granule.bytes += length;
            at += length;
            if at == border || at == self.structure.size {
                self.close(granule, (at - 1) / GRANULE).await?;
                self.told(at);
            }
        }
        Ok(())
    }

    /// Keeps a granule of which everything is known.
    async fn close(&self, granule: &mut Granule, index: u64) -> Result<(), Trouble> {
        let Granule { told, bytes } = std::mem::take(granule);
        if told.is_empty() {
            return Ok(());
        }
        let range = self.real.bytes_of(&(index..index + 1));
        let kept = if bytes == range.end - range.start {
            let whole: Vec<u8> = told.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
            self.real.store(index, whole.into()).await
        } else {
            self.structure.write(index, told).await
        };
        kept.map_err(|error| Trouble::storing(&error))
    }

    /// Lets everybody read up to the last granule that is known in full.
    fn told(&self, at: u64) {
        let whole = at / GRANULE * GRANULE;
        let told = if at == self.structure.size { at } else { whole };
        self.structure.progress.send_modify(|progress| progress.told = told);
    }
}

#[cfg(test)]
mod tests;
