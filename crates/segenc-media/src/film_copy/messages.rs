//! What H.264 says beside its pictures: whether a recovery point lies ahead. ffmpeg's parser (5.1) calls every
//! recovery point a keyframe, also one after which only the fifth picture is whole.
//!
//! Must not know where the messages come from.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// The payload type of a recovery point (H.264, Annex D).
const RECOVERY_POINT: u64 = 6;
/// The type of a unit that holds messages.
const UNIT_OF_MESSAGES: u8 = 6;
/// A unit is looked at no further: recovery points come first, and are short.
const UNIT_BYTES_MAX: usize = 64 * 1024;

/// How the pictures at the recovery points become whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresh {
    /// Each with the picture itself.
    AtOnce,
    /// Some over several pictures.
    Gradual,
}

/// Looks through a file of units with start codes.
pub(super) fn refresh(path: &Path) -> io::Result<Refresh> {
    // Nothing was said, so nothing was written.
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Refresh::AtOnce),
        Err(error) => return Err(error),
    };
    look_through(BufReader::new(file))
}

fn look_through(bytes: impl BufRead) -> io::Result<Refresh> {
    let mut unit: Vec<u8> = Vec::new();
    let mut zeros = 0_usize;
    for byte in bytes.bytes() {
        let byte = byte?;
        if byte == 1 && zeros >= 2 {
            if is_gradual(&unit) {
                return Ok(Refresh::Gradual);
            }
            unit.clear();
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        if unit.len() < UNIT_BYTES_MAX {
            unit.push(byte);
        }
    }
    Ok(if is_gradual(&unit) { Refresh::Gradual } else { Refresh::AtOnce })
}

/// Whether a unit tells of a recovery point that lies ahead.
fn is_gradual(unit: &[u8]) -> bool {
    let Some((header, rest)) = unit.split_first() else { return false };
    if header & 0x1f != UNIT_OF_MESSAGES {
        return false;
    }
    let payload = without_stuffing(rest);
    let mut left = payload.as_slice();
    // The last byte is the end mark of the unit.
    while left.len() > 2 {
        let Some((kind, after)) = number(left) else { return false };
        let Some((size, after)) = number(after) else { return false };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let (message, after) = after.split_at(size.min(after.len()));
        // The first thing in it is how many frames lie between, as ue(v): a one stands for none.
        if kind == RECOVERY_POINT && message.first().is_some_and(|first| first & 0x80 == 0) {
            return true;
        }
        left = after;
    }
    false
}

/// A number in bytes of 255 and a smaller one.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let full = bytes.iter().take_while(|byte| **byte == 0xff).count();
    let last = *bytes.get(full)?;
    let sum = u64::try_from(full).ok()?.saturating_mul(255).saturating_add(u64::from(last));
    Some((sum, &bytes[full + 1..]))
}

/// Takes out the threes that keep start codes from occurring by chance.
fn without_stuffing(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut zeros = 0;
    for byte in bytes {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        kept.push(*byte);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bytes: &[u8]) -> Refresh {
        look_through(bytes).expect("memory can be read")
    }

    #[test]
    fn a_recovery_point_without_frames_between_is_a_beginning() {
        // recovery_frame_cnt 0, exact_match, no broken link, changing slice groups 0.
        assert_eq!(seen(&[0, 0, 0, 1, 6, 6, 1, 0xc4, 0x80]), Refresh::AtOnce);
        assert_eq!(seen(&[]), Refresh::AtOnce);
    }

    #[test]
    fn a_recovery_point_that_lies_ahead_is_found_behind_other_messages() {
        // Buffering period of 3 bytes, then recovery_frame_cnt 9: ue 0001010.
        let unit = [0, 0, 1, 6, 0, 3, 1, 2, 4, 6, 2, 0x14, 0x40, 0x80];
        assert_eq!(seen(&unit), Refresh::Gradual);
        let mut later = vec![0, 0, 0, 1, 6, 6, 1, 0xc4, 0x80];
        later.extend(unit);
        assert_eq!(seen(&later), Refresh::Gradual);
    }

    #[test]
    fn other_units_and_torn_ones_say_nothing() {
        assert_eq!(seen(&[0, 0, 1, 5, 6, 2, 0x14, 0x40, 0x80]), Refresh::AtOnce);
        assert_eq!(seen(&[0, 0, 1, 6, 6]), Refresh::AtOnce);
        assert_eq!(seen(&[0, 0, 1, 6, 0xff, 0xff]), Refresh::AtOnce);
    }
}
