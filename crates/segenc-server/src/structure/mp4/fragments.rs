//! The samples of a file in fragments, each of which has its own table in a `moof` box in front of it.

use std::collections::VecDeque;
use std::io::{self, Read, Seek};
use std::ops::Range;

use super::super::Reached;
use super::super::window::Window;
use super::boxes::{Header, header, inside, is_known_at_top, long_number, number, only};
use super::tracks::{FULL_BOX_BYTES, Track};

/// The table of one fragment; one of a whole hour has less than a megabyte.
const MOOF_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Flags of `tfhd` (ISO/IEC 14496-12, section 8.8.7).
const BASE_IS_GIVEN: u32 = 0x1;
const TFHD_WORDS: [u32; 2] = [0x2, 0x8];
const SIZE_IS_GIVEN: u32 = 0x10;
const BASE_IS_MOOF: u32 = 0x2_0000;
/// Flags of `trun` (section 8.8.8).
const OFFSET_IS_GIVEN: u32 = 0x1;
const FIRST_FLAGS_ARE_GIVEN: u32 = 0x4;
const EACH_DURATION: u32 = 0x100;
const EACH_SIZE: u32 = 0x200;
const EACH_FLAGS: u32 = 0x400;
const EACH_OFFSET: u32 = 0x800;

/// A walk from fragment to fragment.
#[derive(Debug)]
pub(super) struct Fragments {
    at: u64,
    /// Samples of the last fragment that no media box has come for, as track and place, in order.
    waiting: VecDeque<(usize, Range<u64>)>,
    /// Sizes of samples that fragments do not tell, by the track's number.
    sizes: Vec<(u32, u32)>,
}

impl Fragments {
    pub(super) fn new(moov: &[u8]) -> Self {
        Self { at: 0, waiting: VecDeque::new(), sizes: default_sizes(moov).unwrap_or_default() }
    }

    /// Goes one box on.
    pub(super) fn step<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        tracks: &mut [Track],
        whole: u64,
        holes: &mut Vec<Range<u64>>,
    ) -> io::Result<Reached> {
        let Some(Header { kind, content, end }) = header(window, self.at)? else {
            return Ok(Reached::End);
        };
        match &kind {
            b"moof" if end - content <= MOOF_BYTES_MAX && self.waiting.is_empty() => {
                let mut moof = Vec::new();
                let length = usize::try_from(end - content).map_err(io::Error::other)?;
                window.append(content, length, &mut moof)?;
                let Some(samples) = self.samples(&moof, self.at, tracks) else {
                    return Ok(Reached::End);
                };
                self.waiting = samples;
            }
            b"moof" => return Ok(Reached::End),
            b"mdat" => {
                let mut behind = content;
                while let Some((track, sample)) = self.waiting.front() {
                    if sample.start >= end {
                        break;
                    }
                    if sample.start < behind || sample.end > end {
                        holes.clear();
                        return Ok(Reached::End);
                    }
                    behind = sample.end;
                    let Some(track) = tracks.get_mut(*track) else { break };
                    track.picture(window, sample, whole, holes)?;
                    self.waiting.pop_front();
                }
            }
            b"moov" => {}
            kind if is_known_at_top(kind) => {}
            _ => return Ok(Reached::End),
        }
        self.at = end;
        Ok(Reached::At(end))
    }

    /// The samples of a fragment in the order of the file; `None` if it is not understood.
    fn samples(
        &self,
        moof: &[u8],
        moof_at: u64,
        tracks: &[Track],
    ) -> Option<VecDeque<(usize, Range<u64>)>> {
        let mut samples = Vec::new();
        let mut behind = moof_at;
        for (_, content) in inside(moof, 0..moof.len())?.into_iter().filter(|(k, _)| k == b"traf") {
            let boxes = inside(moof, content)?;
            let header = only(&boxes, b"tfhd")?.start;
            let flags = number(moof, header)? & 0x00ff_ffff;
            let id = number(moof, header + FULL_BOX_BYTES)?;
            let track = tracks.iter().position(|track| track.id == id)?;
            let mut at = header + FULL_BOX_BYTES + 4;
            let base = if flags & BASE_IS_GIVEN != 0 {
                at += 8;
                long_number(moof, at - 8)?
            } else if flags & BASE_IS_MOOF != 0 {
                moof_at
            } else {
                behind
            };
            at += 4 * TFHD_WORDS.iter().filter(|word| flags & **word != 0).count();
            let size = if flags & SIZE_IS_GIVEN != 0 {
                number(moof, at)?
            } else {
                self.sizes.iter().find(|(of, _)| *of == id).map_or(0, |(_, size)| *size)
            };
            for (_, run) in boxes.iter().filter(|(kind, _)| kind == b"trun") {
                behind = read_run(moof, run, base, size, |place| samples.push((track, place)))?;
            }
        }
        samples.sort_by_key(|(_, sample)| sample.start);
        Some(samples.into())
    }
}

/// Reads a run of samples and answers where it ends. One that does not say where it begins is not understood.
fn read_run(
    moof: &[u8],
    run: &Range<usize>,
    base: u64,
    size: u32,
    mut sample: impl FnMut(Range<u64>),
) -> Option<u64> {
    let flags = number(moof, run.start)? & 0x00ff_ffff;
    let count = number(moof, run.start + FULL_BOX_BYTES)?;
    if flags & OFFSET_IS_GIVEN == 0 {
        return None;
    }
    let offset = number(moof, run.start + FULL_BOX_BYTES + 4)?.cast_signed();
    let mut place = base.checked_add_signed(i64::from(offset))?;
    let first = if flags & FIRST_FLAGS_ARE_GIVEN != 0 { 4 } else { 0 };
    let mut at = run.start + FULL_BOX_BYTES + 8 + first;
    let has = |flag: u32| if flags & flag != 0 { 4_usize } else { 0 };
    let row = has(EACH_DURATION) + has(EACH_SIZE) + has(EACH_FLAGS) + has(EACH_OFFSET);
    if at.checked_add(row.checked_mul(count as usize)?)? > run.end || (row == 0 && count > 1) {
        return None;
    }
    for _ in 0..count {
        let size = if has(EACH_SIZE) > 0 { number(moof, at + has(EACH_DURATION))? } else { size };
        let end = place.checked_add(u64::from(size))?;
        sample(place..end);
        place = end;
        at += row;
    }
    Some(place)
}

/// What `trex` says of samples' sizes (section 8.8.3).
fn default_sizes(moov: &[u8]) -> Option<Vec<(u32, u32)>> {
    let boxes = inside(moov, 0..moov.len())?;
    let extends = inside(moov, only(&boxes, b"mvex")?)?;
    let tracks = extends.iter().filter(|(kind, _)| kind == b"trex");
    let sizes = tracks.map(|(_, content)| {
        let id = number(moov, content.start + FULL_BOX_BYTES)?;
        let size = number(moov, content.start + FULL_BOX_BYTES + 12)?;
        Some((id, size))
    });
    sizes.collect()
}
