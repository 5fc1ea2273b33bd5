//! The structure of a source: all of it but the insides of pictures, for those who list packets and copy
//! other streams. Reads Matroska, WebM, MP4 and MOV; knows no network.
//!
//! What is odd, damaged or unknown is never left out: from there on the file is told in full.

mod ebml;
mod frames;
mod matroska;
mod mp4;
#[cfg(test)]
mod tests;
mod window;

use std::collections::VecDeque;
use std::io::{self, Read, Seek};
use std::ops::Range;

use self::matroska::Matroska;
use self::mp4::Mp4;
use self::window::Window;

/// So many bytes of each film's first pictures are told in full: whoever opens a file decodes some of them
/// (ffmpeg reads up to 5 MB of packets), and what he finds must not depend on holes.
pub(crate) const HEAD_BYTES: u64 = 6 * 1024 * 1024;
/// So many of each film's first pictures are told in full, however few bytes are asked for: who opens a file looks
/// at some twenty before he knows what it is.
const HEAD_PICTURES: u32 = 64;
/// Told bytes wait until so many are together, so that sound between pictures is not told in crumbs.
const RECORD_BYTES: u64 = 32 * 1024;
/// Told bytes of one record at most.
const RECORD_BYTES_MAX: u64 = 128 * 1024;

/// How much of a source is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first byte.
    pub(crate) from: u64,
    /// So many bytes of each film's first pictures in full.
    pub(crate) whole: u64,
}

/// The first pictures of a film, which are told in full.
#[derive(Debug, Default)]
struct Head {
    bytes: u64,
    pictures: u32,
}

impl Head {
    /// Whether the next picture, of so many bytes, is one of them.
    fn takes(&mut self, bytes: u64, whole: u64) -> bool {
        let takes = self.bytes < whole || self.pictures < HEAD_PICTURES;
        if takes {
            self.bytes = self.bytes.saturating_add(bytes);
            self.pictures += 1;
        }
        takes
    }
}

/// How far a walk has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// What lies before and in no hole is to be told.
    At(u64),
    /// There are no holes any more but those that were found with this.
    End,
}

#[derive(Debug)]
enum Walk {
    Matroska(Matroska),
    Mp4(Box<Mp4>),
}

/// A source being told.
///
/// It is a row of records: how many bytes are left out, how many are told (both as numbers of seven bits a
/// byte, the lowest first, the eighth bit set in all but the last), then these. All of them together are as
/// long as the file.
#[derive(Debug)]
pub(crate) struct Structure<R> {
    window: Window<R>,
    walk: Walk,
    /// Holes ahead of `at`, in order.
    holes: VecDeque<Range<u64>>,
    /// Up to here all holes are known.
    known: u64,
    /// Up to here everything is decided.
    at: u64,
    /// Up to here everything is in a record.
    written: u64,
}

impl<R: Read + Seek> Structure<R> {
    /// Opens a source of `size` bytes to tell it as it is asked for; `None` if there is nothing that could be
    /// left out.
    pub(crate) fn open(file: R, size: u64, extent: Extent) -> io::Result<Option<Self>> {
        let mut window = Window::new(file, size);
        let walk = match Matroska::open(&mut window, extent.whole)? {
            Some(walk) => Some(Walk::Matroska(walk)),
            None => Mp4::open(&mut window, extent.whole)?.map(|walk| Walk::Mp4(Box::new(walk))),
        };
        let written = extent.from.min(size);
        let holes = VecDeque::new();
        Ok(walk.map(|walk| Self { window, walk, holes, known: 0, at: 0, written }))
    }

    /// Goes a little on: appends at most one record. False at the end.
    pub(crate) fn advance(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        if let Some(hole) = self.holes.front().cloned() {
            if self.tell(hole.start, out)? {
                self.at = hole.end;
                self.holes.pop_front();
            }
            return Ok(true);
        }
        if self.known == self.window.size() {
            if self.tell(self.known, out)? {
                self.end(out);
                return Ok(false);
            }
            return Ok(true);
        }
        if self.known - self.at >= RECORD_BYTES {
            self.tell(self.known, out)?;
            return Ok(true);
        }
        self.look_on()?;
        Ok(true)
    }

    /// Writes what is decided already, so that nobody waits for it.
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.holes.is_empty() {
            self.tell(self.known, out)?;
        }
        Ok(())
    }

    fn look_on(&mut self) -> io::Result<()> {
        let mut found = Vec::new();
        let reached = match &mut self.walk {
            Walk::Matroska(walk) => walk.step(&mut self.window, &mut found)?,
            Walk::Mp4(walk) => walk.step(&mut self.window, &mut found)?,
        };
        let size = self.window.size();
        let mut behind = self.known;
        for hole in &found {
            // No walk does this; if one did, bytes would be lost that somebody needs.
            if hole.start < behind || hole.end > size || hole.start >= hole.end {
                self.known = size;
                return Ok(());
            }
            behind = hole.end;
        }
        self.known = match reached {
            Reached::At(at) if at >= behind && at <= size => at,
            Reached::At(_) | Reached::End => size,
        };
        self.holes.extend(found);
        Ok(())
    }

    /// Tells what lies before `end`, at most a record of it; true when there is nothing more.
    fn tell(&mut self, end: u64, out: &mut Vec<u8>) -> io::Result<bool> {
        let from = self.at.max(self.written).min(end);
        let until = end.min(from + RECORD_BYTES_MAX);
        if from < until {
            let length = usize::try_from(until - from).map_err(io::Error::other)?;
            write_number(from - self.written, out);
            write_number(until - from, out);
            self.window.append(from, length, out)?;
            self.written = until;
        }
        self.at = self.at.max(until);
        Ok(until == end)
    }

    /// A file that ends in a hole is told to its end.
    fn end(&mut self, out: &mut Vec<u8>) {
        let left_out = self.window.size() - self.written;
        if left_out > 0 {
            write_number(left_out, out);
            write_number(0, out);
            self.written = self.window.size();
        }
    }
}

fn write_number(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}
