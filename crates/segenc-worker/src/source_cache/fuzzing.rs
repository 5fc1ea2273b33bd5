//! Readers of ranges and records, opened for the fuzz targets alone.

use std::ops::Range;

use super::range::{Asked, asked};
use super::records::{Part, Records};

/// The bytes that a `Range` asks for, if it is for a part.
#[must_use]
pub fn range(header: &str, size: u64) -> Option<Range<u64>> {
    match asked(Some(header), size) {
        Asked::Part(part) => Some(part),
        Asked::Whole | Asked::Beyond => None,
    }
}

/// Records that come in pieces: each part is a hole's length or told bytes. `None` if they are broken.
#[must_use]
pub fn records(pieces: &[&[u8]]) -> Option<Vec<Result<u64, Vec<u8>>>> {
    let mut records = Records::default();
    let mut parts = Vec::new();
    for piece in pieces {
        records.push(piece);
        while let Some(part) = records.next() {
            parts.push(match part {
                Part::Hole(length) => Ok(length),
                Part::Told(bytes) => Err(bytes.to_vec()),
            });
        }
    }
    (!records.is_broken()).then_some(parts)
}
