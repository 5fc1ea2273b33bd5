//! A sparse file and which of its granules are there, on the way, or missing.
//!
//! It does not fetch; see [`super::filling`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;

use super::filling::Fetch;

/// The unit in which presence is kept. Requests begin and end on its borders, so it bounds what a seek
/// fetches in vain on each side; a bit for each makes 200 KB for a source of 100 GB.
pub(super) const GRANULE: u64 = 64 * 1024;

/// A source's bytes as far as they were fetched.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Size in bytes.
    pub(super) size: u64,
    /// Without a name: gone when the last holder is.
    file: Arc<File>,
    state: Mutex<State>,
    changed: AtomicBool,
    /// The shortest time in microseconds that the server took to begin an answer.
    first_byte_micros: AtomicU64,
}

#[derive(Debug)]
struct State {
    /// One bit for each granule.
    present: Vec<u64>,
    /// Fetches on the way, by their first granule. One that nobody waits for is dead.
    fetching: BTreeMap<u64, Weak<Fetch>>,
    /// The version that all bytes are of.
    etag: Option<String>,
}

/// How it stands with a granule.
#[derive(Debug)]
pub(super) enum Granule {
    /// In the file.
    Present,
    /// Somebody fetches it.
    Fetching(Arc<Fetch>),
    /// Nobody has it; the caller has just begun to fetch it.
    Begun(Arc<Fetch>),
}

impl SourceFile {
    pub(super) fn create(folder: &Path, size: u64) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        file.set_len(size)?;
        let granules = usize::try_from(size.div_ceil(GRANULE)).map_err(io::Error::other)?;
        let state = State {
            present: vec![0; granules.div_ceil(64)],
            fetching: BTreeMap::new(),
            etag: None,
        };
        Ok(Self {
            size,
            file: Arc::new(file),
            state: Mutex::new(state),
            changed: AtomicBool::new(false),
            first_byte_micros: AtomicU64::new(u64::MAX),
        })
    }

    /// How many granules the file has; the last may be short.
    pub(super) const fn granules(&self) -> u64 {
        self.size.div_ceil(GRANULE)
    }

    /// The bytes of these granules.
    pub(super) fn bytes_of(&self, granules: &Range<u64>) -> Range<u64> {
        granules.start * GRANULE..(granules.end * GRANULE).min(self.size)
    }

    /// Whether a granule is there.
    pub(super) fn has(&self, granule: u64) -> bool {
        self.lock().is_present(granule)
    }

    /// Up to here everything is there.
    pub(super) fn whole_until(&self) -> u64 {
        let state = self.lock();
        let missing = (0..self.granules()).find(|granule| !state.is_present(*granule));
        missing.map_or(self.size, |granule| granule * GRANULE)
    }

    /// Looks a granule up. If nobody has it, `begin` is called with the range from it on that nobody has,
    /// at most `window` granules long, and its fetch is noted.
    pub(super) fn look(
        &self,
        granule: u64,
        window: u64,
        begin: impl FnOnce(Range<u64>) -> Arc<Fetch>,
    ) -> Granule {
        let mut state = self.lock();
        if state.is_present(granule) {
            return Granule::Present;
        }
        state.fetching.retain(|_, fetch| fetch.strong_count() > 0);
        if let Some(fetch) = state.fetch_of(granule) {
            return Granule::Fetching(fetch);
        }
        let last = (granule + window).min(self.granules());
        let end = (granule + 1..last)
            .find(|next| state.is_present(*next) || state.fetch_of(*next).is_some())
            .unwrap_or(last.max(granule + 1));
        let fetch = begin(granule..end);
        state.fetching.insert(granule, Arc::downgrade(&fetch));
        Granule::Begun(fetch)
    }

    /// Writes a granule and notes that it is there.
    pub(super) async fn store(&self, granule: u64, bytes: Bytes) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        let offset = granule * GRANULE;
        tokio::task::spawn_blocking(move || write_all_at(&file, &bytes, offset))
            .await
            .map_err(io::Error::other)??;
        self.lock().set_present(granule);
        Ok(())
    }

    /// Reads bytes whose granules are present.
    pub(super) async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let file = Arc::clone(&self.file);
        let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let bytes = tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0_u8; length];
            read_exact_at(&file, &mut buffer, range.start).map(|()| buffer)
        });
        Ok(bytes.await.map_err(io::Error::other)??.into())
    }

    /// The version that was seen first.
    pub(super) fn etag(&self) -> Option<String> {
        self.lock().etag.clone()
    }

    /// Notes the version; false if another one was seen before.
    pub(super) fn note_etag(&self, seen: Option<&str>) -> bool {
        let mut state = self.lock();
        match (&state.etag, seen) {
            (Some(known), Some(seen)) => known == seen,
            (None, Some(seen)) => {
                state.etag = Some(seen.to_owned());
                true
            }
            (_, None) => true,
        }
    }

    pub(super) fn note_changed(&self) {
        self.changed.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// Notes how long the server took to begin an answer.
    pub(super) fn note_first_byte(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.first_byte_micros.fetch_min(micros, Ordering::Relaxed);
    }

    /// The shortest time that the server took to begin an answer, if it ever did.
    pub(super) fn first_byte(&self) -> Option<Duration> {
        match self.first_byte_micros.load(Ordering::Relaxed) {
            u64::MAX => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements; a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_present(&self, granule: u64) -> bool {
        let (word, bit) = place_of(granule);
        self.present.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn set_present(&mut self, granule: u64) {
        let (word, bit) = place_of(granule);
        if let Some(bits) = self.present.get_mut(word) {
            *bits |= bit;
        }
    }

    fn fetch_of(&self, granule: u64) -> Option<Arc<Fetch>> {
        // Fetches never overlap, so only the last that begins before can hold it.
        let (_, fetch) = self.fetching.range(..=granule).next_back()?;
        fetch.upgrade().filter(|fetch| fetch.brings(granule))
    }
}

fn place_of(granule: u64) -> (usize, u64) {
    (usize::try_from(granule / 64).unwrap_or(usize::MAX), 1 << (granule % 64))
}

#[cfg(unix)]
pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += u64::try_from(written).unwrap_or(u64::MAX);
    }
    Ok(())
}

#[cfg(windows)]
pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    let mut rest = buffer;
    while !rest.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, rest, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        rest = &mut rest[read..];
        offset += u64::try_from(read).unwrap_or(u64::MAX);
    }
    Ok(())
}
