//! Boxes: size, type, content; in a file and in memory. Knows no meaning of them.

use std::io::{self, Read, Seek};
use std::ops::Range;

use super::super::window::Window;

/// The type of a box.
pub(super) type Kind = [u8; 4];

/// Boxes in one box: real ones have some dozens at most.
const BOXES_MAX: usize = 4096;

/// One box's place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Where its content begins.
    pub(super) content: u64,
    pub(super) end: u64,
}

/// What may lie at the top of a file beside `moov`, `moof` and `mdat`.
pub(super) fn is_known_at_top(kind: &Kind) -> bool {
    const KNOWN: [&Kind; 18] = [
        b"ftyp", b"styp", b"free", b"skip", b"wide", b"uuid", b"sidx", b"ssix", b"mfra", b"emsg",
        b"prft", b"meta", b"pdin", b"udta", b"pnot", b"PICT", b"meco", b"junk",
    ];
    KNOWN.contains(&kind)
}

/// The box at a position of a file; `None` if there is none that fits into it.
pub(super) fn header<R: Read + Seek>(
    window: &mut Window<R>,
    at: u64,
) -> io::Result<Option<Header>> {
    let Some([a, b, c, d, kind @ ..]) = window.array::<8>(at)? else { return Ok(None) };
    let (bytes, size) = match u32::from_be_bytes([a, b, c, d]) {
        0 => (8, window.size() - at),
        1 => {
            let Some(size) = window.array::<8>(at + 8)? else { return Ok(None) };
            (16, u64::from_be_bytes(size))
        }
        size => (8, u64::from(size)),
    };
    let end = at.saturating_add(size);
    let fits = size >= bytes && end <= window.size();
    Ok(fits.then_some(Header { kind, content: at + bytes, end }))
}

/// The boxes in a part of `bytes`, with the places of their contents; `None` if they do not fill it.
/// QuickTime may end a list with four zeros.
pub(super) fn inside(bytes: &[u8], part: Range<usize>) -> Option<Vec<(Kind, Range<usize>)>> {
    let mut found = Vec::new();
    let mut at = part.start;
    while at < part.end && found.len() < BOXES_MAX {
        if part.end - at == 4 && number(bytes, at)? == 0 {
            return Some(found);
        }
        let kind: Kind = bytes.get(at + 4..at + 8)?.try_into().ok()?;
        let (header, size) = match number(bytes, at)? {
            0 => (8, part.end - at),
            1 => (16, usize::try_from(long_number(bytes, at + 8)?).ok()?),
            size => (8, size as usize),
        };
        let end = at.checked_add(size).filter(|end| size >= header && *end <= part.end)?;
        found.push((kind, at + header..end));
        at = end;
    }
    (at == part.end).then_some(found)
}

/// The content of the only box of a kind.
pub(super) fn only(boxes: &[(Kind, Range<usize>)], kind: &Kind) -> Option<Range<usize>> {
    let mut all = boxes.iter().filter(|(found, _)| found == kind);
    let (_, content) = all.next()?;
    all.next().is_none().then(|| content.clone())
}

/// Four bytes as a number.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

/// Eight bytes as a number.
pub(super) fn long_number(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_be_bytes(eight.try_into().ok()?))
}
