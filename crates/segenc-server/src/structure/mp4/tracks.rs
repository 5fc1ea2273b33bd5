//! The tracks of a `moov` box: what their samples are, and where their tables stand.

use std::ops::Range;

use super::super::Head;
use super::super::frames::Syntax;
use super::boxes::{inside, number, only};

/// Real files have some dozens at most.
const TRACKS_MAX: usize = 256;
/// Version and flags in front of a box' own content.
pub(super) const FULL_BOX_BYTES: usize = 4;

/// One track.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: u32,
    /// How its pictures are written, if it has some and that is known.
    pub(super) syntax: Option<Syntax>,
    pub(super) head: Head,
    pub(super) tables: Tables,
}

/// Where its tables stand in the `moov` box, each without its header.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    pub(super) sizes: Sizes,
    /// Rows of first chunk, samples per chunk, description.
    pub(super) runs: Range<usize>,
    pub(super) chunks: Range<usize>,
    /// 4 or 8.
    pub(super) chunk_bytes: usize,
}

/// How large samples are.
#[derive(Debug, Clone)]
pub(super) enum Sizes {
    /// All alike, this large, so many.
    Alike(u32, u32),
    /// A row of numbers of so many bits.
    Each(Range<usize>, u32),
}

/// All tracks; `None` if something is not as it should be.
pub(super) fn tracks(moov: &[u8]) -> Option<Vec<Track>> {
    let boxes = inside(moov, 0..moov.len())?;
    let tracks = boxes.iter().filter(|(kind, _)| kind == b"trak");
    let tracks: Vec<Track> =
        tracks.map(|(_, content)| track(moov, content.clone())).collect::<Option<_>>()?;
    (tracks.len() <= TRACKS_MAX).then_some(tracks)
}

fn track(moov: &[u8], content: Range<usize>) -> Option<Track> {
    let boxes = inside(moov, content)?;
    let header = only(&boxes, b"tkhd")?;
    // Two times of four or of eight bytes stand between.
    let id_at = if *moov.get(header.start)? == 0 { 12 } else { 20 };
    let id = number(moov, header.start + id_at)?;
    let media = inside(moov, only(&boxes, b"mdia")?)?;
    let handler = only(&media, b"hdlr")?;
    let handler = moov.get(handler.start + 8..handler.start + 12)?;
    let information = inside(moov, only(&media, b"minf")?)?;
    let table = inside(moov, only(&information, b"stbl")?)?;
    let description = only(&table, b"stsd")?;
    let syntax = if handler == b"vide" { syntax(moov, description)? } else { None };
    let rows = |kind: &[u8; 4], row: usize| {
        let content = only(&table, kind)?;
        let count = number(moov, content.start + FULL_BOX_BYTES)? as usize;
        let start = content.start + FULL_BOX_BYTES + 4;
        let end = start.checked_add(count.checked_mul(row)?)?;
        (end <= content.end).then_some(start..end)
    };
    let (chunks, chunk_bytes) = match rows(b"stco", 4) {
        Some(chunks) => (chunks, 4),
        None => (rows(b"co64", 8)?, 8),
    };
    let tables =
        Tables { sizes: sizes(moov, &table)?, runs: rows(b"stsc", 12)?, chunks, chunk_bytes };
    Some(Track { id, syntax, head: Head::default(), tables })
}

fn sizes(moov: &[u8], table: &[([u8; 4], Range<usize>)]) -> Option<Sizes> {
    let (content, compact) = match only(table, b"stsz") {
        Some(content) => (content, false),
        None => (only(table, b"stz2")?, true),
    };
    let size = number(moov, content.start + FULL_BOX_BYTES)?;
    let count = number(moov, content.start + FULL_BOX_BYTES + 4)?;
    if !compact && size > 0 {
        return Some(Sizes::Alike(size, count));
    }
    let bits = if compact { size & 0xff } else { 32 };
    if !matches!(bits, 4 | 8 | 16 | 32) {
        return None;
    }
    let start = content.start + FULL_BOX_BYTES + 8;
    let bytes = (count as usize).checked_mul(bits as usize)?.div_ceil(8);
    let end = start.checked_add(bytes)?;
    (end <= content.end).then_some(Sizes::Each(start..end, bits))
}

/// How pictures are written, from the only description of samples. The outer `None`: it is damaged.
#[expect(clippy::option_option, reason = "not understood and not as it should be are two things")]
fn syntax(moov: &[u8], description: Range<usize>) -> Option<Option<Syntax>> {
    let count = number(moov, description.start + FULL_BOX_BYTES)?;
    if count != 1 {
        return Some(None);
    }
    let entries = inside(moov, description.start + FULL_BOX_BYTES + 4..description.end)?;
    let (kind, _) = entries.first()?;
    Some(match kind {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" | b"dva1" | b"dvav" => Some(Syntax::Avc),
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => Some(Syntax::Hevc),
        b"av01" => Some(Syntax::Av1),
        b"vp08" | b"vp09" => Some(Syntax::Headed(64)),
        b"mp4v" | b"m2v1" => Some(Syntax::Headed(2048)),
        b"apco" | b"apcs" | b"apcn" | b"apch" | b"ap4h" | b"ap4x" => Some(Syntax::Headed(512)),
        b"AVdn" | b"AVdh" => Some(Syntax::Headed(1024)),
        b"FFV1" => Some(Syntax::Headed(256)),
        _ => None,
    })
}
