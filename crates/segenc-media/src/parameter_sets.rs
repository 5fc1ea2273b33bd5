//! The parameter sets of a segment, as a digest that is compared with those of other segments.
//!
//! x265 writes into the header what it thinks of itself and its machine (`cpuid=… frame-threads=…`) as a message to
//! whoever reads it. Decoders do not need it, and two computers never say the same: it must not keep them from making
//! one film. Must not know what is done about segments that differ.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::Reading;
use crate::invocation::Invocation;
use crate::observe::MadeStream;

/// Where the number of arrays stands in an HEVC decoder configuration record (ISO/IEC 14496-15, 8.3.3.1).
const HEVC_ARRAYS_AT: usize = 22;
/// Types of HEVC's units that hold messages: before and after the picture (ITU-T H.265, table 7-1).
const HEVC_MESSAGES: [u8; 2] = [39, 40];

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<Header>,
}

#[derive(Debug, Deserialize)]
struct Header {
    extradata: Option<String>,
}

/// The digest of the parameter sets of a segment's film, in lower-case hex, where its header holds some.
pub(crate) async fn digest(
    attempt: &Attempt<'_>,
    demuxer: &str,
    segment: &MediaInput,
    film: &MadeStream,
) -> Result<Option<String>, WorkError> {
    let whole = film.extradata_sha256();
    if film.codec_name != "hevc" || whole.is_none() {
        return Ok(whole);
    }
    let invocation = Invocation::header(demuxer, segment);
    let what = "looking at the result's header";
    let text =
        Call { attempt, invocation: &invocation, reading: Reading::Made, what }.ask().await?;
    let answer: Option<Answer> = serde_json::from_str(&text).ok();
    let dump = answer.and_then(|answer| answer.streams.into_iter().next()?.extradata);
    let bytes = dump.and_then(|dump| read_dump(&dump));
    Ok(bytes.and_then(|bytes| without_messages(&bytes)).map_or(whole, |bytes| Some(hex(&bytes))))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads ffprobe's way to show bytes: `00000000: 0164 001e ffe1  .d....`, sixteen to a line.
pub(crate) fn read_dump(dump: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for line in dump.lines().filter(|line| !line.trim().is_empty()) {
        let (_, rest) = line.split_once(": ")?;
        // Two blanks stand before the letters.
        let (shown, _) = rest.split_once("  ")?;
        let digits: Vec<u8> = shown.bytes().filter(|byte| *byte != b' ').collect();
        for pair in digits.chunks(2) {
            let [high, low] = pair else { return None };
            let digit = |byte: u8| char::from(byte).to_digit(16);
            bytes.push(u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?);
        }
    }
    Some(bytes)
}

/// The record without its arrays of messages. `None` if it is none.
pub(crate) fn without_messages(record: &[u8]) -> Option<Vec<u8>> {
    let (fixed, rest) = record.split_at_checked(HEVC_ARRAYS_AT)?;
    let (arrays, mut rest) = rest.split_first()?;
    let mut kept = fixed.to_vec();
    for _ in 0..*arrays {
        let (array, after) = array_of(rest)?;
        let kind = array.first()? & 0x3f;
        if !HEVC_MESSAGES.contains(&kind) {
            kept.extend_from_slice(array);
        }
        rest = after;
    }
    rest.is_empty().then_some(kept)
}

/// Splits the first array off: a byte with its type, the number of its units, and each unit with its length.
fn array_of(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let units = u16::from_be_bytes([*bytes.get(1)?, *bytes.get(2)?]);
    let mut end = 3_usize;
    for _ in 0..units {
        let length = u16::from_be_bytes([*bytes.get(end)?, *bytes.get(end + 1)?]);
        end += 2 + usize::from(length);
    }
    bytes.split_at_checked(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(arrays: &[(u8, &[&[u8]])]) -> Vec<u8> {
        let mut record = vec![1; HEVC_ARRAYS_AT];
        record.push(u8::try_from(arrays.len()).expect("a few"));
        for (kind, units) in arrays {
            record.extend([0x80 | kind, 0, u8::try_from(units.len()).expect("a few")]);
            for unit in *units {
                record.extend([0, u8::try_from(unit.len()).expect("short")]);
                record.extend(*unit);
            }
        }
        record
    }

    #[test]
    fn what_an_encoder_says_of_its_machine_is_no_parameter_set() {
        let sets: [(u8, &[&[u8]]); 2] = [(32, &[&[1, 2]]), (33, &[&[3], &[4, 5]])];
        let bare = without_messages(&record(&sets)).expect("it is a record");
        for said in [b"cpuid=1".as_slice(), b"cpuid=22"] {
            let told = record(&[sets[0], (39, &[said]), sets[1]]);
            assert_eq!(without_messages(&told).as_ref(), Some(&bare));
        }
        let other = record(&[sets[0], (33, &[&[3], &[4, 6]])]);
        assert_ne!(without_messages(&other), Some(bare));
    }

    #[test]
    fn what_is_no_record_is_left_alone() {
        let whole = record(&[(32, &[&[1, 2]])]);
        for length in 0..whole.len() {
            assert_eq!(without_messages(&whole[..length]), None, "{length}");
        }
        assert_eq!(without_messages(&[whole.as_slice(), &[0]].concat()), None);
    }

    #[test]
    fn bytes_are_read_as_ffprobe_shows_them() {
        let dump = "\n00000000: 0101 6000 0000 9000 0000 0000 1ef0 00fc  ..`.............\n\
            00000010: fdf8 f8  ...\n";
        let bytes = read_dump(dump).expect("it is a dump");
        assert_eq!(
            (bytes.len(), &bytes[..3], &bytes[16..]),
            (19, &[1, 1, 0x60][..], &[0xfd, 0xf8, 0xf8][..])
        );
        assert_eq!(read_dump("00000000: 01xx  .."), None);
        assert_eq!(read_dump("nothing"), None);
    }
}
