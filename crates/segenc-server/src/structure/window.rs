//! Small reads all over a file, through one buffer. Knows no format.

use std::io::{self, Read, Seek, SeekFrom};

/// How much is read where something small is asked for: the headers of a few frames lie close together, and
/// what is left of a large frame is not read in vain.
const WINDOW_BYTES: usize = 16 * 1024;

/// A file and the part of it that was read last.
#[derive(Debug)]
pub(super) struct Window<R> {
    file: R,
    size: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl<R: Read + Seek> Window<R> {
    /// A file of `size` bytes; what comes behind is not seen.
    pub(super) const fn new(file: R, size: u64) -> Self {
        Self { file, size, start: 0, buffer: Vec::new() }
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// These bytes, or `None` where the file ends earlier. For small lengths.
    pub(super) fn bytes(&mut self, at: u64, length: usize) -> io::Result<Option<&[u8]>> {
        let wanted = length as u64;
        if at.checked_add(wanted).is_none_or(|end| end > self.size) {
            return Ok(None);
        }
        let known = self.start..self.start + self.buffer.len() as u64;
        if at < known.start || at + wanted > known.end {
            let most = usize::try_from(self.size - at).unwrap_or(usize::MAX);
            self.buffer.clear();
            self.buffer.resize(most.min(length.max(WINDOW_BYTES)), 0);
            self.start = at;
            let read = self.file.seek(SeekFrom::Start(at));
            if let Err(error) = read.and_then(|_| self.file.read_exact(&mut self.buffer)) {
                self.buffer.clear();
                return Err(error);
            }
        }
        let from = usize::try_from(at - self.start).map_err(io::Error::other)?;
        Ok(self.buffer.get(from..from + length))
    }

    /// The same as an array.
    pub(super) fn array<const N: usize>(&mut self, at: u64) -> io::Result<Option<[u8; N]>> {
        Ok(self.bytes(at, N)?.and_then(|bytes| bytes.try_into().ok()))
    }

    /// Appends `length` bytes from `at` on, which must lie inside the file.
    pub(super) fn append(&mut self, at: u64, length: usize, to: &mut Vec<u8>) -> io::Result<()> {
        if length <= WINDOW_BYTES {
            let bytes = self.bytes(at, length)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            to.extend_from_slice(bytes);
            return Ok(());
        }
        let before = to.len();
        to.resize(before + length, 0);
        self.file.seek(SeekFrom::Start(at))?;
        let space = to.get_mut(before..).unwrap_or_default();
        self.file.read_exact(space)
    }
}
