//! Where pictures lie in an MP4 or MOV file (ISO/IEC 14496-12), with one table of samples or in fragments.

mod boxes;
mod fragments;
mod samples;
mod tracks;

use std::io::{self, Read, Seek};
use std::ops::Range;

use self::boxes::{Header, header};
use self::fragments::Fragments;
use self::samples::Samples;
use self::tracks::{Track, tracks};
use super::Reached;
use super::window::Window;

/// Boxes at the top of a file, up to the first fragment: real files have a handful, and some have a media box
/// for every minute.
const TOP_BOXES_MAX: usize = 4096;
/// A table of samples of a long film has some megabytes; it is kept in memory while it is told.
const MOOV_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Samples looked at in one step.
const SAMPLES_PER_STEP: usize = 64;

/// A walk through a file.
#[derive(Debug)]
pub(super) struct Mp4 {
    moov: Vec<u8>,
    tracks: Vec<Track>,
    way: Way,
    /// So many bytes of each film's first pictures have no hole.
    whole: u64,
}

#[derive(Debug)]
enum Way {
    /// One table tells of all samples.
    Table {
        samples: Samples,
        /// Where media lie, in order.
        media: Vec<Range<u64>>,
        /// The end of the last sample.
        behind: u64,
    },
    /// Each fragment tells of its own.
    Fragments(Fragments),
}

/// What lies at the top of a file.
struct Top {
    moov: Range<u64>,
    media: Vec<Range<u64>>,
    fragmented: bool,
}

impl Mp4 {
    /// Opens a file; `None` if it is none, or holds no pictures that could be left out.
    pub(super) fn open<R: Read + Seek>(
        window: &mut Window<R>,
        whole: u64,
    ) -> io::Result<Option<Self>> {
        let Some(top) = look_over(window)? else { return Ok(None) };
        let mut moov = Vec::new();
        let length = usize::try_from(top.moov.end - top.moov.start).map_err(io::Error::other)?;
        window.append(top.moov.start, length, &mut moov)?;
        let Some(tracks) = tracks(&moov) else { return Ok(None) };
        if tracks.iter().all(|track| track.syntax.is_none()) {
            return Ok(None);
        }
        let samples = Samples::new(&tracks);
        let way = if top.fragmented {
            // Samples of both kinds in one file are left to those who know more.
            if !samples.is_empty(&moov) {
                return Ok(None);
            }
            Way::Fragments(Fragments::new(&moov))
        } else {
            Way::Table { samples, media: top.media, behind: 0 }
        };
        Ok(Some(Self { moov, tracks, way, whole }))
    }

    /// Goes some samples on.
    pub(super) fn step<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        holes: &mut Vec<Range<u64>>,
    ) -> io::Result<Reached> {
        let (samples, media, behind) = match &mut self.way {
            Way::Fragments(fragments) => {
                return fragments.step(window, &mut self.tracks, self.whole, holes);
            }
            Way::Table { samples, media, behind } => (samples, media, behind),
        };
        for _ in 0..SAMPLES_PER_STEP {
            let Some((track, sample)) = samples.next(&self.moov) else { return Ok(Reached::End) };
            // What lies one over the other, or where no media are, is not understood.
            let overlaps = samples.next_start().is_some_and(|next| next < sample.end);
            if overlaps || sample.start < *behind {
                return Ok(Reached::End);
            }
            let Some(track) = self.tracks.get_mut(track) else { return Ok(Reached::End) };
            if track.syntax.is_some() && !lies_in(&sample, media) {
                return Ok(Reached::End);
            }
            track.picture(window, &sample, self.whole, holes)?;
            *behind = sample.end;
        }
        Ok(if *behind <= window.size() { Reached::At(*behind) } else { Reached::End })
    }
}

impl Track {
    /// Looks for holes in one of its samples, unless it is among the first.
    fn picture<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        sample: &Range<u64>,
        whole: u64,
        holes: &mut Vec<Range<u64>>,
    ) -> io::Result<()> {
        let Some(syntax) = self.syntax else { return Ok(()) };
        if self.head.takes(sample.end - sample.start, whole) {
            return Ok(());
        }
        syntax.holes(window, sample, holes)
    }
}

fn lies_in(sample: &Range<u64>, media: &[Range<u64>]) -> bool {
    let before = media.partition_point(|range| range.start <= sample.start);
    before.checked_sub(1).and_then(|last| media.get(last)).is_some_and(|r| sample.end <= r.end)
}

/// Goes over the top of the file; `None` if it is not as it should be.
fn look_over<R: Read + Seek>(window: &mut Window<R>) -> io::Result<Option<Top>> {
    let mut moov = None;
    let mut media = Vec::new();
    let mut at = 0;
    for _ in 0..TOP_BOXES_MAX {
        if at == window.size() {
            return Ok(moov.map(|moov| Top { moov, media, fragmented: false }));
        }
        let Some(Header { kind, content, end }) = header(window, at)? else { return Ok(None) };
        match &kind {
            b"moov" if moov.is_none() && end - content <= MOOV_BYTES_MAX => {
                moov = Some(content..end);
            }
            b"moov" => return Ok(None),
            b"mdat" => media.push(content..end),
            // What comes after the first fragment is looked at on the way.
            b"moof" => return Ok(moov.map(|moov| Top { moov, media, fragmented: true })),
            kind if boxes::is_known_at_top(kind) => {}
            _ => return Ok(None),
        }
        at = end;
    }
    Ok(None)
}
