//! Sources as ffmpeg reads them: over loopback HTTP, from a sparse file that fills itself by need.
//!
//! ffmpeg opens an address of its own for each task, seeks by new requests and closes early. All tasks
//! that read the same source share one sparse file; what is missing in it is fetched from the server in
//! windows. This module knows HTTP and files, nothing of media.

mod blocks;
mod filling;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod listener;
mod range;
mod reader;
mod records;
mod structure;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use self::blocks::SourceFile;
pub(crate) use self::filling::Trouble;
use self::structure::{Hold, Structure};
use crate::upstream::Upstream;

/// Sources of jobs that no task reads just now, kept for the next task of the same job. Each may take as
/// much disk as the source is long.
const IDLE_SOURCES_MAX: usize = 2;
/// After this time nobody comes back for an idle source.
const IDLE_SOURCE_LASTS: Duration = Duration::from_secs(120);

/// Told in full of each film's first pictures: ffmpeg reads up to 5 MB of packets when it opens a file, and decodes
/// them where it cannot tell otherwise what they are.
const WHOLE_FOR_FACTS: u64 = 6 * 1024 * 1024;
/// But no more than this part of a short source, of which it would be half: ffmpeg stops decoding once it knows what
/// a film is, mostly after some twenty pictures.
const WHOLE_PART: u64 = 16;
/// The same for work that asks nothing of the film but its first picture.
const WHOLE_BESIDE_FILM: u64 = 1024 * 1024;

/// What is read like a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Original {
    /// The source itself.
    Source,
    /// The copy of its film that an analysis has made.
    Copy,
}

/// Which source: of which job, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceKey {
    /// The job.
    pub(crate) job: u64,
    /// Itself or its copy.
    pub(crate) original: Original,
    /// Size in bytes.
    pub(crate) size: u64,
}

/// How a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum View {
    /// As it is.
    Plain,
    /// With zeros instead of the insides of pictures, where the server can leave them out; for who wants to know
    /// what is in it.
    Facts,
    /// The same for who copies streams beside the film, and need not know much of the film itself.
    BesideFilm,
}

/// All sources that this worker reads over HTTP.
#[derive(Debug)]
pub(crate) struct SourceCache {
    address: SocketAddr,
    shared: Arc<Shared>,
    _listener: AbortOnDropHandle<()>,
}

/// What the listener sees too.
#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    /// By the secret word in the address.
    open: BTreeMap<String, Arc<Exposed>>,
    sources: BTreeMap<SourceKey, Kept>,
}

#[derive(Debug)]
struct Kept {
    file: Arc<SourceFile>,
    /// Made when they are first needed.
    structures: BTreeMap<View, Arc<Structure>>,
    readers: usize,
    idle_since: Instant,
}

/// A source as one task reads it.
#[derive(Debug)]
struct Exposed {
    file: Arc<SourceFile>,
    /// What holes may be read from.
    structure: Option<Hold>,
    upstream: Upstream,
    /// The first thing that went wrong for good. ffmpeg only sees a broken connection.
    trouble: OnceLock<Trouble>,
}

/// An address that a task's ffmpeg may open, until dropped.
#[derive(Debug)]
pub(crate) struct OpenSource {
    /// The address.
    pub(crate) url: String,
    word: String,
    key: SourceKey,
    exposed: Arc<Exposed>,
    shared: Arc<Shared>,
}

impl SourceCache {
    /// Listens on loopback; files go into `folder`.
    pub(crate) async fn start(folder: PathBuf) -> io::Result<Self> {
        tokio::fs::create_dir_all(&folder).await?;
        let shared = Arc::new(Shared { folder, tables: Mutex::default() });
        let (address, listener) = listener::listen(Arc::clone(&shared))?;
        Ok(Self { address, shared, _listener: listener })
    }

    /// Makes the source readable at an address of its own; what is missing comes from `upstream`.
    pub(crate) fn open(
        &self,
        key: SourceKey,
        upstream: Upstream,
        view: View,
    ) -> io::Result<OpenSource> {
        let word = secret_word()?;
        let mut tables = self.shared.lock();
        tables.forget_idle(Instant::now());
        // A source that has changed is of no use to the next task.
        let usable = tables.sources.get(&key).is_some_and(|kept| !kept.file.has_changed());
        if !usable {
            let file = Arc::new(SourceFile::create(&self.shared.folder, key.size)?);
            let kept =
                Kept { file, structures: BTreeMap::new(), readers: 0, idle_since: Instant::now() };
            tables.sources.insert(key, kept);
        }
        let kept = tables
            .sources
            .get_mut(&key)
            .ok_or_else(|| io::Error::other("the source vanished while it was opened"))?;
        let structure = match view {
            View::Plain => None,
            View::Facts | View::BesideFilm => {
                let structure = kept.structure(&self.shared.folder, view)?;
                Some(structure.hold(&kept.file, &upstream))
            }
        };
        kept.readers += 1;
        let file = Arc::clone(&kept.file);
        let exposed = Arc::new(Exposed { file, structure, upstream, trouble: OnceLock::new() });
        tables.open.insert(word.clone(), Arc::clone(&exposed));
        drop(tables);
        let url = format!("http://{}/{word}", self.address);
        Ok(OpenSource { url, word, key, exposed, shared: Arc::clone(&self.shared) })
    }

    /// Removes what nobody will come back for.
    pub(crate) fn forget_idle(&self) {
        self.shared.lock().forget_idle(Instant::now());
    }
}

impl Kept {
    fn structure(&mut self, folder: &Path, view: View) -> io::Result<Arc<Structure>> {
        let whole = match view {
            View::Facts => (self.file.size / WHOLE_PART).clamp(WHOLE_BESIDE_FILM, WHOLE_FOR_FACTS),
            View::Plain | View::BesideFilm => WHOLE_BESIDE_FILM,
        };
        // Who wants less may have more, if it is here.
        let facts = self.structures.get(&View::Facts).filter(|facts| facts.is_complete());
        if let Some(structure) = facts.or_else(|| self.structures.get(&view)) {
            return Ok(Arc::clone(structure));
        }
        let structure = Arc::new(Structure::create(folder, self.file.size, whole)?);
        self.structures.insert(view, Arc::clone(&structure));
        Ok(structure)
    }
}

impl OpenSource {
    /// What went wrong for good, if anything did: the true reason behind ffmpeg's broken input.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.exposed.trouble.get().cloned()
    }

    /// Fetches the first bytes, so that the next program finds them here.
    pub(crate) async fn warm(&self) {
        let mut reader = reader::Reader::new(Arc::clone(&self.exposed), 0..1);
        // A failure shows again, and is told, when the task itself reads.
        let _ = reader.next().await;
    }
}

impl Drop for OpenSource {
    fn drop(&mut self) {
        let mut tables = self.shared.lock();
        tables.open.remove(&self.word);
        if let Some(kept) = tables.sources.get_mut(&self.key)
            && Arc::ptr_eq(&kept.file, &self.exposed.file)
        {
            kept.readers -= 1;
            kept.idle_since = Instant::now();
        }
        tables.forget_idle(Instant::now());
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Tables> {
        // The tables are whole between any two statements; a panic elsewhere does not spoil them.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exposed(&self, word: &str) -> Option<Arc<Exposed>> {
        self.lock().open.get(word).cloned()
    }
}

impl Tables {
    fn forget_idle(&mut self, now: Instant) {
        self.sources.retain(|_, kept| {
            kept.readers > 0 || now.duration_since(kept.idle_since) < IDLE_SOURCE_LASTS
        });
        while self.sources.values().filter(|kept| kept.readers == 0).count() > IDLE_SOURCES_MAX {
            let oldest = self
                .sources
                .iter()
                .filter(|(_, kept)| kept.readers == 0)
                .min_by_key(|(_, kept)| kept.idle_since)
                .map(|(key, _)| *key);
            let Some(oldest) = oldest else { return };
            self.sources.remove(&oldest);
        }
    }
}

/// Nobody else on this computer may read a source by guessing its address.
fn secret_word() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(crate::digest::hex(&bytes))
}

/// A weak hold on the tables for the listener, which must not keep the cache alive.
type WeakShared = Weak<Shared>;
