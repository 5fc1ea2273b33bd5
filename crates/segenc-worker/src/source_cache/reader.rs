//! One request of ffmpeg: hands out bytes in order, and asks for what is missing no earlier than needed.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Exposed;
use super::blocks::{GRANULE, Granule};
use super::filling::{Fetch, Trouble, Waited};
use super::structure::Place;

/// The least that is asked for at once: a container's header or index mostly fits.
const WINDOW_MIN: u64 = 128 * 1024;
/// The most that is asked for at once: with 50 ms to the server that still makes 80 MB/s.
const WINDOW_MAX: u64 = 4 * 1024 * 1024;
/// A server that begins to answer within this time is near: asking often costs next to nothing.
const NEAR: Duration = Duration::from_millis(3);
/// Of a near server at most this fraction of what was read in a row is asked for ahead, so that what is
/// fetched in vain at a segment's end stays below two per cent on average.
const NEAR_AHEAD: u64 = 32;
/// Of a far server: doubling, because every question costs a way there and back.
const FAR_AHEAD: u64 = 1;

/// Where a granule is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Real,
    WithHoles,
}

/// A reading position.
#[derive(Debug)]
pub(super) struct Reader {
    exposed: Arc<Exposed>,
    position: u64,
    end: u64,
    /// Where this run of reading began.
    began: u64,
    /// Held so that the rest of the window comes as long as somebody reads.
    fetch: Option<Arc<Fetch>>,
}

impl Reader {
    pub(super) const fn new(exposed: Arc<Exposed>, range: Range<u64>) -> Self {
        Self { exposed, position: range.start, end: range.end, began: range.start, fetch: None }
    }

    /// The next bytes, at most a granule; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        if self.position >= self.end {
            return Ok(None);
        }
        let granule = self.position / GRANULE;
        let kept = match self.find(granule).await {
            Ok(kept) => kept,
            Err(trouble) => return Err(self.exposed.trouble.get_or_init(|| trouble).clone()),
        };
        let end = ((granule + 1) * GRANULE).min(self.end);
        let exposed = &self.exposed;
        let read = match (kept, &exposed.structure) {
            (Kept::WithHoles, Some(structure)) => structure.read(self.position..end).await,
            (Kept::WithHoles, None) | (Kept::Real, _) => {
                exposed.file.read(self.position..end).await
            }
        };
        let bytes = read.map_err(|error| Trouble::storing(&error))?;
        self.position = end;
        Ok(Some(bytes))
    }

    /// Waits until a granule is here, with holes where that is allowed.
    async fn find(&mut self, granule: u64) -> Result<Kept, Trouble> {
        let exposed = Arc::clone(&self.exposed);
        if let Some(structure) = &exposed.structure {
            while !exposed.file.has(granule) {
                match structure.place(granule)? {
                    Place::Here if exposed.file.has(granule) => break,
                    Place::Here => return Ok(Kept::WithHoles),
                    Place::Coming => structure.wait_for(granule).await,
                    Place::Away => break,
                }
            }
        }
        self.wait_for(granule).await?;
        Ok(Kept::Real)
    }

    async fn wait_for(&mut self, granule: u64) -> Result<(), Trouble> {
        let file = &self.exposed.file;
        loop {
            let window = window(self.position - self.began, file.first_byte());
            let window = window.min(self.end - granule * GRANULE).div_ceil(GRANULE);
            let begin = |granules| Fetch::begin(file, &self.exposed.upstream, granules);
            let (fetch, is_own) = match file.look(granule, window, begin) {
                Granule::Present => return Ok(()),
                Granule::Fetching(fetch) => {
                    let is_own = self.fetch.as_ref().is_some_and(|own| Arc::ptr_eq(own, &fetch));
                    (fetch, is_own)
                }
                Granule::Begun(fetch) => {
                    self.fetch = Some(Arc::clone(&fetch));
                    (fetch, true)
                }
            };
            match fetch.wait_for(granule).await {
                Waited::Look => {}
                Waited::Trouble(trouble) => match trouble {
                    // True for everybody.
                    Trouble::Changed | Trouble::Storing(..) => return Err(trouble),
                    // Somebody else's task may have lost its lease; this one asks for itself.
                    Trouble::Interrupted(_) | Trouble::Refused(_) if !is_own => {}
                    Trouble::Interrupted(_) | Trouble::Refused(_) => return Err(trouble),
                },
            }
        }
    }
}

/// How many bytes to ask for after so many were read in a row.
fn window(read_in_a_row: u64, first_byte: Option<Duration>) -> u64 {
    let near = first_byte.is_none_or(|took| took < NEAR);
    let ahead = if near { NEAR_AHEAD } else { FAR_AHEAD };
    (read_in_a_row / ahead).clamp(WINDOW_MIN, WINDOW_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_double_far_away_and_stay_tight_nearby() {
        let far = Some(Duration::from_millis(50));
        let near = Some(Duration::from_micros(400));
        let kib = 1024;
        for (read, at, asked) in [
            (0, far, 128 * kib),
            (128 * kib, far, 128 * kib),
            (256 * kib, far, 256 * kib),
            (100_000 * kib, far, 4096 * kib),
            (0, near, 128 * kib),
            (1024 * kib, near, 128 * kib),
            (64 * 1024 * kib, near, 2048 * kib),
            (0, None, 128 * kib),
        ] {
            assert_eq!(window(read, at), asked, "{read} {at:?}");
        }
    }
}
