//! How many threads one encode gets. Fixed by the plan, from the source alone, because the number changes
//! the bits that some encoders make, and the bits must not depend on the farm.

use super::Film;
use crate::source::SourceFacts;

/// Several encodes of one thread each fill a machine better than one of many threads, as long as there are
/// enough segments: so many encodes should be possible at once before threads are added.
const WISHED_PARALLEL: u64 = 12;

/// More threads than this cost bits and processor time in x264 and x265 at usual sizes.
const MOST_FOR_PARALLEL: u64 = 4;

/// Above this many pixels (1080p with its padding), memory bounds how many encodes fit a machine, so that
/// each must use more of it.
const LARGE_PICTURE: u64 = 1920 * 1088;
const LEAST_FOR_LARGE: u32 = 2;

/// Threads of each encode of this film.
pub(super) fn encoder_threads(facts: &SourceFacts, film: Option<&Film>, target_millis: u64) -> u32 {
    let video = film
        .and_then(|film| facts.streams.iter().find(|stream| stream.index == film.stream))
        .and_then(|stream| stream.video.as_ref());
    let pixels = video.map_or(0, |video| u64::from(video.width) * u64::from(video.height));
    let least = if pixels > LARGE_PICTURE { LEAST_FOR_LARGE } else { 1 };
    let millis = facts.duration_micros.and_then(|micros| u64::try_from(micros / 1000).ok());
    let segments = millis.map_or(WISHED_PARALLEL, |millis| millis / target_millis.max(1)).max(1);
    let for_parallel = (WISHED_PARALLEL / segments).clamp(1, MOST_FOR_PARALLEL);
    least.max(u32::try_from(for_parallel).unwrap_or(1))
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
        encoder_threads(&facts, None, 20_000)
    }

    #[test]
    fn a_long_film_gets_one_thread_an_encode_and_a_clip_some() {
        assert_eq!([threads(0), threads(1), threads(2), threads(4), threads(120)], [4, 4, 2, 1, 1]);
    }
}
