//! Where pictures lie in a Matroska or WebM file (RFC 9559). Walks it from the front, element by element, and
//! ends at the first thing that is not as it should be.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek};
use std::ops::Range;

use super::ebml::{Element, element, track_number};
use super::frames::Syntax;
use super::window::Window;
use super::{Head, Reached};

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;
const VOID: u32 = 0xec;
const CRC_32: u32 = 0xbf;
/// What else a segment holds: `SeekHead`, `Info`, `Cues`, `Chapters`, `Attachments`, `Tags`.
const OTHERS_OF_SEGMENT: [u32; 6] =
    [0x114d_9b74, 0x1549_a966, 0x1c53_bb6b, 0x1043_a770, 0x1941_a469, 0x1254_c367];
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
/// What else a cluster holds: `Timestamp`, `Position`, `PrevSize`, `SilentTracks`.
const OTHERS_OF_CLUSTER: [u32; 4] = [0xe7, 0xa7, 0xab, 0x5854];
/// What else a group holds: `BlockAdditions`, `BlockDuration`, `ReferencePriority`, `ReferenceBlock`,
/// `CodecState`, `DiscardPadding`, `Slices`.
const OTHERS_OF_GROUP: [u32; 7] = [0x75a1, 0x9b, 0xfa, 0xfb, 0xa4, 0x75a2, 0x8e];
const TRACK_ENTRY: u32 = 0xae;
const TRACK_NUMBER: u32 = 0xd7;
const TRACK_TYPE: u32 = 0x83;
const CODEC_ID: u32 = 0x86;
const CONTENT_ENCODINGS: u32 = 0x6d80;

/// `TrackType` of pictures.
const VIDEO: u64 = 1;
/// Elements in front of the tracks: real files have a handful.
const ELEMENTS_BEFORE_TRACKS_MAX: usize = 64;
/// Tracks and what stands in them, all together: real files have some dozens of each.
const ELEMENTS_OF_TRACKS_MAX: usize = 64 * 1024;
/// Elements in one block group: real ones have a handful.
const ELEMENTS_OF_GROUP_MAX: usize = 256;
/// Names of codecs are much shorter.
const CODEC_ID_BYTES_MAX: u64 = 64;
/// Bits of a block's flags that say that several frames lie in it (section 10.3).
const LACING: u8 = 0x06;

/// A walk through a file.
#[derive(Debug)]
pub(super) struct Matroska {
    /// Where the next element begins.
    at: u64,
    segment_end: u64,
    cluster: Option<Cluster>,
    /// By number.
    films: BTreeMap<u64, Film>,
    /// Where the tracks are told.
    tracks_at: u64,
    /// So many bytes of each film's first pictures have no hole.
    whole: u64,
}

#[derive(Debug, Clone, Copy)]
struct Cluster {
    end: Option<u64>,
}

#[derive(Debug)]
struct Film {
    syntax: Syntax,
    head: Head,
}

impl Matroska {
    /// Opens a file; `None` if it is none, or holds no pictures that could be left out.
    pub(super) fn open<R: Read + Seek>(
        window: &mut Window<R>,
        whole: u64,
    ) -> io::Result<Option<Self>> {
        let Some(Element { id: EBML, end: Some(at), .. }) = element(window, 0)? else {
            return Ok(None);
        };
        let Some(Element { id: SEGMENT, content, end }) = element(window, at)? else {
            return Ok(None);
        };
        let segment_end = end.unwrap_or(u64::MAX).min(window.size());
        let mut at = content;
        for _ in 0..ELEMENTS_BEFORE_TRACKS_MAX {
            let Some(Element { id, content: inside, end: Some(end) }) = element(window, at)? else {
                return Ok(None);
            };
            if id == TRACKS {
                let films = films(window, inside..end)?.unwrap_or_default();
                let walk =
                    Self { at: content, segment_end, cluster: None, films, tracks_at: at, whole };
                return Ok((!walk.films.is_empty()).then_some(walk));
            }
            if id == CLUSTER {
                return Ok(None);
            }
            at = end;
        }
        Ok(None)
    }

    /// Goes one element on.
    pub(super) fn step<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        holes: &mut Vec<Range<u64>>,
    ) -> io::Result<Reached> {
        if self.cluster.is_some_and(|cluster| cluster.end == Some(self.at)) {
            self.cluster = None;
        }
        let Some(found) = element(window, self.at)? else { return Ok(Reached::End) };
        let Some(cluster) = self.cluster else { return Ok(self.in_segment(found)) };
        let limit = cluster.end.unwrap_or(self.segment_end);
        let within = found.end.filter(|end| *end <= limit);
        match (found.id, within) {
            (SIMPLE_BLOCK, Some(end)) => {
                if !self.block(window, found.content..end, holes)? {
                    return Ok(Reached::End);
                }
                Ok(self.reach(end))
            }
            (BLOCK_GROUP, Some(end)) => {
                if !self.group(window, found.content..end, holes)? {
                    holes.clear();
                    return Ok(Reached::End);
                }
                Ok(self.reach(end))
            }
            (VOID | CRC_32, Some(end)) => Ok(self.reach(end)),
            (id, Some(end)) if OTHERS_OF_CLUSTER.contains(&id) => Ok(self.reach(end)),
            // What belongs into a segment ends a cluster of unknown size (RFC 8794, section 6.2).
            (_, _) if cluster.end.is_none() => {
                self.cluster = None;
                Ok(self.in_segment(found))
            }
            (_, _) => Ok(Reached::End),
        }
    }

    fn in_segment(&mut self, found: Element) -> Reached {
        let within = found.end.filter(|end| *end <= self.segment_end);
        match (found.id, within) {
            (CLUSTER, _) if found.end.is_none() || within.is_some() => {
                self.cluster = Some(Cluster { end: found.end });
                self.reach(found.content)
            }
            (TRACKS, Some(end)) if self.at == self.tracks_at => self.reach(end),
            (VOID | CRC_32, Some(end)) => self.reach(end),
            (id, Some(end)) if OTHERS_OF_SEGMENT.contains(&id) => self.reach(end),
            (_, _) => Reached::End,
        }
    }

    fn reach(&mut self, at: u64) -> Reached {
        self.at = at;
        Reached::At(at)
    }

    /// Looks for blocks in a group; false if it is not as it should be.
    fn group<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        group: Range<u64>,
        holes: &mut Vec<Range<u64>>,
    ) -> io::Result<bool> {
        let mut at = group.start;
        for _ in 0..ELEMENTS_OF_GROUP_MAX {
            if at == group.end {
                return Ok(true);
            }
            let Some(Element { id, content, end: Some(end) }) = element(window, at)? else {
                return Ok(false);
            };
            if end > group.end {
                return Ok(false);
            }
            let well = match id {
                BLOCK => self.block(window, content..end, holes)?,
                VOID | CRC_32 => true,
                id => OTHERS_OF_GROUP.contains(&id),
            };
            if !well {
                return Ok(false);
            }
            at = end;
        }
        Ok(false)
    }

    /// Looks into a block; false if it is not as it should be.
    fn block<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        block: Range<u64>,
        holes: &mut Vec<Range<u64>>,
    ) -> io::Result<bool> {
        let Some((track, bytes)) = track_number(window, block.start)? else { return Ok(false) };
        // Two bytes of time stand between.
        let Some([flags]) = window.array::<1>(block.start + bytes + 2)? else { return Ok(false) };
        let picture = block.start + bytes + 3..block.end;
        if picture.start > picture.end {
            return Ok(false);
        }
        let Some(film) = self.films.get_mut(&track) else { return Ok(true) };
        let is_first = film.head.takes(picture.end - picture.start, self.whole);
        if !is_first && flags & LACING == 0 {
            film.syntax.holes(window, &picture, holes)?;
        }
        Ok(true)
    }
}

/// The films among the tracks, by number; `None` if something is odd.
fn films<R: Read + Seek>(
    window: &mut Window<R>,
    tracks: Range<u64>,
) -> io::Result<Option<BTreeMap<u64, Film>>> {
    let mut films = BTreeMap::new();
    let mut room = ELEMENTS_OF_TRACKS_MAX;
    let mut at = tracks.start;
    while at < tracks.end {
        let Some(Element { id, content, end: Some(end) }) = element(window, at)? else {
            return Ok(None);
        };
        if end > tracks.end || room == 0 {
            return Ok(None);
        }
        room -= 1;
        if id == TRACK_ENTRY {
            let Some(entry) = Entry::read(window, content..end, &mut room)? else {
                return Ok(None);
            };
            let Some(number) = entry.number else { return Ok(None) };
            let film = entry.syntax().map(|syntax| Film { syntax, head: Head::default() });
            // Two tracks of one number are nobody's.
            if let Some(film) = film
                && films.insert(number, film).is_some()
            {
                return Ok(None);
            }
        }
        at = end;
    }
    Ok(Some(films))
}

/// What is of interest about a track.
#[derive(Debug, Default)]
struct Entry {
    number: Option<u64>,
    kind: u64,
    codec: String,
    /// Whether its blocks are packed or scrambled.
    encoded: bool,
}

impl Entry {
    fn read<R: Read + Seek>(
        window: &mut Window<R>,
        entry: Range<u64>,
        room: &mut usize,
    ) -> io::Result<Option<Self>> {
        let mut track = Self::default();
        let mut at = entry.start;
        while at < entry.end {
            let Some(Element { id, content, end: Some(end) }) = element(window, at)? else {
                return Ok(None);
            };
            if end > entry.end || *room == 0 {
                return Ok(None);
            }
            *room -= 1;
            match id {
                TRACK_NUMBER => track.number = unsigned(window, content..end)?,
                TRACK_TYPE => track.kind = unsigned(window, content..end)?.unwrap_or(0),
                CODEC_ID if end - content <= CODEC_ID_BYTES_MAX => {
                    let length = usize::try_from(end - content).map_err(io::Error::other)?;
                    let bytes = window.bytes(content, length)?.unwrap_or_default();
                    track.codec = String::from_utf8_lossy(bytes).into_owned();
                }
                CONTENT_ENCODINGS => track.encoded = true,
                _ => {}
            }
            at = end;
        }
        Ok(Some(track))
    }

    /// How its pictures are written, if it has some and that is known.
    fn syntax(&self) -> Option<Syntax> {
        if self.kind != VIDEO || self.encoded {
            return None;
        }
        match self.codec.trim_end_matches('\0') {
            "V_MPEG4/ISO/AVC" => Some(Syntax::Avc),
            "V_MPEGH/ISO/HEVC" => Some(Syntax::Hevc),
            "V_AV1" => Some(Syntax::Av1),
            "V_VP8" | "V_VP9" => Some(Syntax::Headed(64)),
            "V_MPEG1" | "V_MPEG2" => Some(Syntax::Headed(2048)),
            "V_MPEG4/ISO/SP" | "V_MPEG4/ISO/ASP" | "V_MPEG4/ISO/AP" => Some(Syntax::Headed(1024)),
            "V_FFV1" | "V_PRORES" | "V_MJPEG" => Some(Syntax::Headed(256)),
            _ => None,
        }
    }
}

fn unsigned<R: Read + Seek>(
    window: &mut Window<R>,
    content: Range<u64>,
) -> io::Result<Option<u64>> {
    let length = usize::try_from(content.end - content.start).unwrap_or(usize::MAX);
    if length > 8 {
        return Ok(None);
    }
    let bytes = window.bytes(content.start, length)?;
    Ok(bytes.map(|bytes| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))))
}
