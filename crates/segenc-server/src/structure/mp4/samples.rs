//! The samples of all tracks in the order in which they lie in the file, read from the tables as they are
//! needed.

use std::ops::Range;

use super::boxes::{long_number, number};
use super::tracks::{Sizes, Tables, Track};

/// All tracks side by side.
#[derive(Debug)]
pub(super) struct Samples {
    tracks: Vec<TrackSamples>,
}

#[derive(Debug)]
struct TrackSamples {
    tables: Tables,
    /// The next sample.
    next: Option<Range<u64>>,
    begun: bool,
    /// Chunks begun so far.
    chunk: u32,
    /// Row of the table of runs that holds for the chunk, counted from one.
    run: usize,
    /// Samples of the chunk still to come.
    left: u32,
    /// Samples taken so far.
    sample: u32,
    at: u64,
}

impl Samples {
    pub(super) fn new(tracks: &[Track]) -> Self {
        let begin = |track: &Track| TrackSamples {
            tables: track.tables.clone(),
            next: None,
            begun: false,
            chunk: 0,
            run: 0,
            left: 0,
            sample: 0,
            at: 0,
        };
        Self { tracks: tracks.iter().map(begin).collect() }
    }

    /// Whether the tables tell of no sample at all.
    pub(super) fn is_empty(&self, moov: &[u8]) -> bool {
        self.tracks.iter().all(|track| track.tables.count(moov) == 0)
    }

    /// The track and the place of the next sample, or of several that are all alike.
    pub(super) fn next(&mut self, moov: &[u8]) -> Option<(usize, Range<u64>)> {
        for track in &mut self.tracks {
            if !track.begun {
                track.begun = true;
                track.next = track.read(moov);
            }
        }
        let waiting = self.tracks.iter().enumerate();
        let waiting =
            waiting.filter_map(|(index, track)| Some((track.next.as_ref()?.start, index)));
        let (_, index) = waiting.min()?;
        let track = self.tracks.get_mut(index)?;
        let sample = track.next.take()?;
        track.next = track.read(moov);
        Some((index, sample))
    }

    /// Where the sample after the last one begins.
    pub(super) fn next_start(&self) -> Option<u64> {
        self.first().map(|(start, _)| start)
    }

    fn first(&self) -> Option<(u64, usize)> {
        let waiting = self.tracks.iter().enumerate();
        waiting.filter_map(|(index, track)| Some((track.next.as_ref()?.start, index))).min()
    }
}

impl TrackSamples {
    fn read(&mut self, moov: &[u8]) -> Option<Range<u64>> {
        while self.left == 0 {
            self.at = self.tables.chunk(moov, self.chunk)?;
            self.chunk += 1;
            while self.tables.run(moov, self.run).is_some_and(|(first, _)| first <= self.chunk) {
                self.run += 1;
            }
            let (_, samples) = self.tables.run(moov, self.run.checked_sub(1)?)?;
            self.left = samples;
        }
        let start = self.at;
        let (size, count) = match self.tables.sizes {
            Sizes::Alike(size, all) => {
                let count = self.left.min(all.checked_sub(self.sample)?);
                if count == 0 {
                    return None;
                }
                // Several pictures must be looked at one by one; of anything else one range is enough.
                let count = if size >= ALIKE_PICTURE_BYTES_MIN { 1 } else { count };
                (u64::from(size) * u64::from(count), count)
            }
            Sizes::Each(..) => (self.tables.size(moov, self.sample)?, 1),
        };
        self.left -= count;
        self.sample += count;
        self.at = start.checked_add(size)?;
        Some(start..self.at)
    }
}

/// Samples of PCM sound are all alike and have some bytes each; no picture is that small.
const ALIKE_PICTURE_BYTES_MIN: u32 = 256;

impl Tables {
    fn count(&self, moov: &[u8]) -> u32 {
        match &self.sizes {
            Sizes::Alike(_, count) => *count,
            Sizes::Each(row, bits) => {
                let all = row.len() * 8 / (*bits as usize).max(1);
                // What looks like samples without a chunk is none.
                if self.chunk(moov, 0).is_none() {
                    0
                } else {
                    u32::try_from(all).unwrap_or(u32::MAX)
                }
            }
        }
    }

    fn chunk(&self, moov: &[u8], index: u32) -> Option<u64> {
        let at = self.chunks.start.checked_add((index as usize).checked_mul(self.chunk_bytes)?)?;
        if at >= self.chunks.end {
            return None;
        }
        if self.chunk_bytes == 8 { long_number(moov, at) } else { number(moov, at).map(u64::from) }
    }

    /// First chunk and samples per chunk of a run.
    fn run(&self, moov: &[u8], index: usize) -> Option<(u32, u32)> {
        let at = self.runs.start.checked_add(index.checked_mul(12)?)?;
        if at >= self.runs.end {
            return None;
        }
        Some((number(moov, at)?, number(moov, at + 4)?))
    }

    fn size(&self, moov: &[u8], index: u32) -> Option<u64> {
        let Sizes::Each(row, bits) = &self.sizes else { return None };
        let index = index as usize;
        let byte = |at: usize| moov.get(at).filter(|_| at < row.end).map(|byte| u64::from(*byte));
        match bits {
            4 => {
                let pair = byte(row.start + index / 2)?;
                Some(if index.is_multiple_of(2) { pair >> 4 } else { pair & 15 })
            }
            8 => byte(row.start + index),
            16 => {
                let at = row.start + index * 2;
                Some(byte(at)? << 8 | byte(at + 1)?)
            }
            _ => {
                let at = row.start.checked_add(index.checked_mul(4)?)?;
                (at < row.end).then(|| number(moov, at)).flatten().map(u64::from)
            }
        }
    }
}
