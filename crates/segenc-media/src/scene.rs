//! Looks at a few pictures of a film and tells whether a new scene begins among them.
//!
//! Must not know why it is asked.

use segenc_core::plan::Look;
use segenc_core::source::{SourceFacts, StreamFacts};
use segenc_core::work::COPY_DEMUXER;

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::Reading;
use crate::invocation::Invocation;

/// Differences, of 100, from which on a picture belongs to another scene. The documentation of `scdet` names 8 to 14
/// as good; the lowest will do where the sizes of packets have aroused suspicion already. Cuts of natural film have
/// scores of 15 to 36 with us, other pictures less than 4.
const THRESHOLD: f64 = 8.0;

/// The first pictures of a look have none before them to be compared with.
const UNCOMPARED: usize = 2;

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct LookedAt<'a> {
    /// The file: the source as it is, or the copy of its film.
    pub input: &'a MediaInput,
    /// What opens it, by ffmpeg's name.
    pub demuxer: &'a str,
    /// The film's stream in it.
    pub stream: u32,
    /// The film, as the source tells of it.
    pub film: &'a StreamFacts,
}

impl<'a> LookedAt<'a> {
    /// The film of a source.
    #[must_use]
    pub fn source(input: &'a MediaInput, facts: &'a SourceFacts, film: &'a StreamFacts) -> Self {
        Self { input, demuxer: &facts.demuxer, stream: film.index, film }
    }

    /// The copy of a film.
    #[must_use]
    pub const fn copy(input: &'a MediaInput, film: &'a StreamFacts) -> Self {
        Self { input, demuxer: COPY_DEMUXER, stream: 0, film }
    }
}

/// Looks for the first picture of a new scene; `None`: there is none. Gives its PTS in ticks of the film.
///
/// # Errors
/// When canceled, or when ffmpeg cannot decode the pictures.
pub async fn look_for_scene(
    attempt: &Attempt<'_>,
    at: LookedAt<'_>,
    look: &Look,
) -> Result<Option<i64>, WorkError> {
    let invocation = Invocation::scene(at.demuxer, at.input, at.stream, at.film.timebase, look);
    let what = "looking for a change of scene";
    let call = Call { attempt, invocation: &invocation, reading: Reading::Source, what };
    Ok(scene_in(&call.ask().await?))
}

/// The picture with the best score, if that is good enough.
fn scene_in(printed: &str) -> Option<i64> {
    let mut pictures: Vec<(i64, f64)> = Vec::new();
    for line in printed.lines() {
        if let Some(pts) = pts_of(line) {
            pictures.push((pts, 0.0));
        } else if let Some(score) = line.strip_prefix("lavfi.scd.score=")
            && let (Some((_, last)), Ok(score)) = (pictures.last_mut(), score.trim().parse())
        {
            *last = score;
        }
    }
    let compared = pictures.into_iter().skip(UNCOMPARED);
    let changes = compared.filter(|(_, score)| *score >= THRESHOLD);
    // Of equals, the first.
    changes.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(pts, _)| pts)
}

/// Reads `frame:3    pts:12012   pts_time:0.5005`.
fn pts_of(line: &str) -> Option<i64> {
    let words = line.strip_prefix("frame:")?.split_whitespace();
    words.filter_map(|word| word.strip_prefix("pts:")).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ffmpeg 5.1 prints of pictures with these scores.
    fn printed(scores: &[f64]) -> String {
        let picture = |(number, score): (usize, &f64)| {
            format!(
                "frame:{number}    pts:{}     pts_time:0.1\nlavfi.scd.mafd=1.000\nlavfi.scd.score={score}\n",
                1000 + number * 40
            )
        };
        scores.iter().enumerate().map(picture).collect()
    }

    #[test]
    fn the_picture_with_the_best_score_begins_a_scene() {
        assert_eq!(scene_in(&printed(&[0.0, 0.2, 0.1, 27.9, 9.0, 0.1])), Some(1120));
        assert_eq!(scene_in(&printed(&[0.0, 0.2, 0.1, 7.9, 0.1])), None);
        assert_eq!(scene_in(&printed(&[0.0, 0.2, 20.0, 20.0])), Some(1080));
    }

    #[test]
    fn what_has_nothing_to_be_compared_with_begins_no_scene() {
        assert_eq!(scene_in(&printed(&[50.0, 50.0, 0.1])), None);
        assert_eq!(scene_in(""), None);
        assert_eq!(scene_in("frame:x pts:y\nlavfi.scd.score=99\nframe:0 pts:\n"), None);
    }
}
