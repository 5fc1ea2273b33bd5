//! Which part of an encoded picture must be there for a demuxer's parser to say the same of it: whether it is
//! a keyframe, and of which kind. The rest is a hole. Knows the outermost syntax of the formats, no container.
//!
//! Parsers read a picture's headers up to its first slice. Formats made of units with a length in front are
//! walked, so that each unit's beginning is there; a picture that does not fit together exactly is told in full.

use std::io::{self, Read, Seek};
use std::ops::Range;

use super::window::Window;

/// How the pictures of a track are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// H.264, each NAL unit behind its length in four bytes (ISO/IEC 14496-15).
    Avc,
    /// H.265, the same.
    Hevc,
    /// AV1 as a row of OBUs (AV1 specification, section 5.3).
    Av1,
    /// All that parsers look at stands in the first bytes, this many.
    Headed(u64),
}

/// Told of the first slice of a picture: far more than a header takes up to what says if it is a keyframe.
const SLICE_BYTES: u64 = 256;
/// Told of every other unit: its length and header.
const UNIT_BYTES: u64 = 16;
/// Told of each of AV1's frame headers, with film grain and tiles at their longest.
const FRAME_HEADER_BYTES: u64 = 512;
/// A picture of more units than this is told in full; real ones have some dozens.
const UNITS_MAX: usize = 1024;
/// A smaller hole saves less than it costs.
const HOLE_MIN: u64 = 512;
/// Length of a NAL unit's length.
const LENGTH_BYTES: u64 = 4;

impl Syntax {
    /// The holes in the picture that fills `picture`, appended in order.
    pub(super) fn holes<R: Read + Seek>(
        self,
        window: &mut Window<R>,
        picture: &Range<u64>,
        holes: &mut Vec<Range<u64>>,
    ) -> io::Result<()> {
        let before = holes.len();
        let fits = match self {
            Self::Avc => nal_units(window, picture, is_avc_slice, holes)?,
            Self::Hevc => nal_units(window, picture, is_hevc_slice, holes)?,
            Self::Av1 => obus(window, picture, holes)?,
            Self::Headed(bytes) => {
                hole(picture.start.saturating_add(bytes)..picture.end, holes);
                true
            }
        };
        if !fits {
            holes.truncate(before);
        }
        Ok(())
    }
}

fn hole(range: Range<u64>, holes: &mut Vec<Range<u64>>) {
    if range.start < range.end && range.end - range.start >= HOLE_MIN {
        holes.push(range);
    }
}

/// Types 1 to 5 hold slices (ITU-T H.264, table 7-1).
const fn is_avc_slice(header: u8) -> bool {
    matches!(header & 0x1f, 1..=5)
}

/// Types below 32 hold slices (ITU-T H.265, table 7-1).
const fn is_hevc_slice(header: u8) -> bool {
    (header >> 1) & 0x3f < 32
}

/// What comes before the first slice is told in full.
fn nal_units<R: Read + Seek>(
    window: &mut Window<R>,
    picture: &Range<u64>,
    is_slice: fn(u8) -> bool,
    holes: &mut Vec<Range<u64>>,
) -> io::Result<bool> {
    let mut at = picture.start;
    let mut slice_seen = false;
    for _ in 0..UNITS_MAX {
        if at == picture.end {
            return Ok(slice_seen);
        }
        let Some([a, b, c, d, header]) = window.array::<5>(at)? else { return Ok(false) };
        let length = u64::from(u32::from_be_bytes([a, b, c, d]));
        let end = at + LENGTH_BYTES + length;
        if length == 0 || end > picture.end {
            return Ok(false);
        }
        let told = match (slice_seen, is_slice(header)) {
            (false, false) => end - at,
            (false, true) => LENGTH_BYTES + SLICE_BYTES,
            (true, _) => UNIT_BYTES,
        };
        slice_seen |= is_slice(header);
        hole(at + told..end, holes);
        at = end;
    }
    Ok(false)
}

fn obus<R: Read + Seek>(
    window: &mut Window<R>,
    picture: &Range<u64>,
    holes: &mut Vec<Range<u64>>,
) -> io::Result<bool> {
    const TILE_GROUP: u8 = 4;
    const FRAME_HEADERS: [u8; 3] = [3, 6, 7];
    let mut at = picture.start;
    for _ in 0..UNITS_MAX {
        if at == picture.end {
            return Ok(true);
        }
        let Some([header]) = window.array::<1>(at)? else { return Ok(false) };
        let (kind, extended, sized) = ((header >> 3) & 15, header & 4 != 0, header & 2 != 0);
        let mut content = at + 1 + u64::from(extended);
        let end = if sized {
            let Some((size, bytes)) = leb128(window, content)? else { return Ok(false) };
            content += bytes;
            content.saturating_add(size)
        } else {
            picture.end
        };
        if header & 0x80 != 0 || content > end || end > picture.end {
            return Ok(false);
        }
        if kind == TILE_GROUP {
            hole(content + UNIT_BYTES..end, holes);
        } else if FRAME_HEADERS.contains(&kind) {
            hole(content + FRAME_HEADER_BYTES..end, holes);
        }
        at = end;
    }
    Ok(false)
}

/// A number in AV1's way, and how many bytes it takes.
fn leb128<R: Read + Seek>(window: &mut Window<R>, at: u64) -> io::Result<Option<(u64, u64)>> {
    let mut value = 0;
    for index in 0..8 {
        let Some([byte]) = window.array::<1>(at + index)? else { return Ok(None) };
        value |= u64::from(byte & 0x7f) << (index * 7);
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::slice::from_ref;

    use super::*;

    fn holes(syntax: Syntax, bytes: &[u8]) -> Vec<Range<u64>> {
        let size = bytes.len() as u64;
        let mut window = Window::new(Cursor::new(bytes), size);
        let mut holes = Vec::new();
        syntax.holes(&mut window, &(0..size), &mut holes).expect("memory can be read");
        holes
    }

    fn nal(header: u8, length: u32) -> Vec<u8> {
        let mut unit = length.to_be_bytes().to_vec();
        unit.push(header);
        unit.resize(4 + length as usize, 0xaa);
        unit
    }

    fn obu(header: u8, size: u16) -> Vec<u8> {
        let (low, high) = ((size & 0x7f) as u8 | 0x80, (size >> 7) as u8);
        let mut unit = vec![header, low, high];
        unit.resize(3 + size as usize, 0xaa);
        unit
    }

    #[test]
    fn the_beginning_of_the_first_slice_and_all_before_it_are_told() {
        let picture = [nal(0x06, 2000), nal(0x65, 3000), nal(0x65, 1000)].concat();
        assert_eq!(holes(Syntax::Avc, &picture), [2264..5008, 5024..6012]);
        let picture = [nal(32 << 1, 2000), nal(1 << 1, 3000), nal(39 << 1, 100)].concat();
        assert_eq!(holes(Syntax::Hevc, &picture), from_ref(&(2264..5008)));
    }

    #[test]
    fn units_that_do_not_fit_leave_no_hole() {
        let good = [nal(0x65, 3000), nal(0x65, 1000)].concat();
        assert!(!holes(Syntax::Avc, &good).is_empty());
        assert!(holes(Syntax::Avc, &good[..good.len() - 1]).is_empty());
        assert!(holes(Syntax::Avc, &[good.clone(), vec![0; 4]].concat()).is_empty());
        // Units behind start codes instead of lengths.
        assert!(holes(Syntax::Avc, &[vec![0, 0, 0, 1, 0x65], vec![7; 5000]].concat()).is_empty());
        assert!(holes(Syntax::Avc, &nal(0x06, 5000)).is_empty(), "no slice at all");
        assert!(holes(Syntax::Av1, &obu(0x32, 3000)[..2000]).is_empty());
        assert!(holes(Syntax::Av1, &[0x80; 5000]).is_empty());
    }

    #[test]
    fn headers_of_all_frames_in_an_av1_picture_are_told() {
        let picture = [vec![0x12, 0], obu(0x0a, 2000), obu(0x32, 3000), obu(0x22, 1000)].concat();
        assert_eq!(holes(Syntax::Av1, &picture), [2520..5008, 5027..6011]);
        let mut unsized_one = obu(0x32, 3000);
        unsized_one[0] = 0x30;
        assert_eq!(holes(Syntax::Av1, &unsized_one), from_ref(&(513..3003)));
    }

    #[test]
    fn small_pictures_have_no_hole() {
        assert_eq!(holes(Syntax::Headed(64), &[0; 575]), []);
        assert_eq!(holes(Syntax::Headed(64), &[0; 576]), from_ref(&(64..576)));
    }
}
