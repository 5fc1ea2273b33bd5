//! The records in which a server tells the structure of a source: how much is left out, how much is told, and
//! these bytes. Knows nothing of where they go.

use bytes::{Buf as _, Bytes, BytesMut};

/// A number takes no more bytes than this.
const NUMBER_BYTES_MAX: usize = 10;

/// A reader of records that come in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Records {
    buffer: BytesMut,
    /// Bytes of the present record still to come.
    left: u64,
    broken: bool,
}

/// A part of the source.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Left out: so many bytes.
    Hole(u64),
    /// These.
    Told(Bytes),
}

impl Part {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Hole(length) => *length,
            Self::Told(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        }
    }
}

impl Records {
    /// Takes the next piece.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether what came cannot be records.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// The next part, as far as it has come.
    pub(super) fn next(&mut self) -> Option<Part> {
        loop {
            if self.left > 0 {
                if self.buffer.is_empty() {
                    return None;
                }
                let come = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.buffer.len());
                self.left -= u64::try_from(come).unwrap_or(u64::MAX);
                return Some(Part::Told(self.buffer.split_to(come).freeze()));
            }
            let (hole, hole_bytes) = self.number(0)?;
            let (told, told_bytes) = self.number(hole_bytes)?;
            self.buffer.advance(hole_bytes + told_bytes);
            self.left = told;
            if hole > 0 {
                return Some(Part::Hole(hole));
            }
            // An empty record says nothing; a server that sends nothing else must not keep us busy.
            if told == 0 {
                self.broken = true;
                return None;
            }
        }
    }

    /// A number and how many bytes it takes; `None` if it has not come in full.
    fn number(&mut self, from: usize) -> Option<(u64, usize)> {
        let mut value = 0_u64;
        for (index, byte) in self.buffer.get(from..)?.iter().take(NUMBER_BYTES_MAX).enumerate() {
            let shift = u32::try_from(index * 7).unwrap_or(u32::MAX);
            let bits = u64::from(byte & 0x7f);
            let shifted = bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits);
            let Some(shifted) = shifted else {
                self.broken = true;
                return None;
            };
            value |= shifted;
            if byte & 0x80 == 0 {
                return Some((value, index + 1));
            }
        }
        self.broken |= self.buffer.len() >= from + NUMBER_BYTES_MAX;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(pieces: &[&[u8]]) -> (Vec<Part>, bool) {
        let mut records = Records::default();
        let mut parts = Vec::new();
        for piece in pieces {
            records.push(piece);
            while let Some(part) = records.next() {
                parts.push(part);
            }
        }
        (parts, records.is_broken())
    }

    fn told(bytes: &'static [u8]) -> Part {
        Part::Told(Bytes::from_static(bytes))
    }

    #[test]
    fn records_are_read_however_they_are_cut() {
        let text = [0, 3, b'a', b'b', b'c', 0x80, 0x02, 1, b'd', 7, 0];
        let wanted = [told(b"abc"), Part::Hole(256), told(b"d"), Part::Hole(7)];
        assert_eq!(parts(&[&text]), (wanted.into(), false));
        let single: Vec<&[u8]> = text.chunks(1).collect();
        let (cut, broken) = parts(&single);
        let whole: u64 = cut.iter().map(Part::length).sum();
        assert_eq!((whole, broken, cut.len()), (3 + 256 + 1 + 7, false, 6));
    }

    #[test]
    fn what_is_no_record_is_noticed() {
        assert!(parts(&[&[0, 0, 1, 1]]).1, "an empty record");
        assert!(parts(&[&[0xff; 10]]).1, "a number without an end");
        assert!(
            parts(&[&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]]).1,
            "too large"
        );
        assert!(!parts(&[&[0xff; 9]]).1, "there may be more to come");
    }
}
