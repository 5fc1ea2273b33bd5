//! How many threads one encode gets. Fixed by the plan, from the source alone, because the number changes
//! the bits that some encoders make, and the bits must not depend on the farm.

use crate::source::SourceFacts;

/// Several encodes of few threads each fill a machine better than one of many, as long as there are
/// enough segments: so many encodes should be possible at once before threads are added.
const WISHED_PARALLEL: u64 = 12;

/// More threads than this cost bits and processor time in x264 and x265 at usual sizes.
const MOST_FOR_PARALLEL: u64 = 4;

/// With one thread each, the last encodes of a film would leave the rest of the machine idle. A second costs
/// one per cent of processor time and no bits (x264 medium, 1080p, FFmpeg 5.1 and x264 0.164).
const LEAST: u64 = 2;

/// Threads of each encode of this film.
pub(super) fn encoder_threads(facts: &SourceFacts, target_millis: u64) -> u32 {
    let millis = facts.duration_micros.and_then(|micros| u64::try_from(micros / 1000).ok());
    let segments = millis.map_or(WISHED_PARALLEL, |millis| millis / target_millis.max(1)).max(1);
    let threads = (WISHED_PARALLEL / segments).clamp(LEAST, MOST_FOR_PARALLEL);
    u32::try_from(threads).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(minutes: i64) -> u32 {
        let facts = SourceFacts {
            demuxer: "matroska,webm".to_owned(),
            start_micros: 0,
            duration_micros: Some(minutes * 60_000_000),
            size: 1,
            streams: Vec::new(),
            chapters: 0,
        };
        encoder_threads(&facts, 20_000)
    }

    #[test]
    fn a_long_film_gets_two_threads_an_encode_and_a_clip_more() {
        assert_eq!([threads(0), threads(1), threads(2), threads(4), threads(120)], [4, 4, 2, 2, 2]);
    }
}
