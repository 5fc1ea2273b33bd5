//! A small picture of what was encoded, for people who look on.
//!
//! It is a kindness and no part of the work: whoever asks for it goes on without it.

use std::path::Path;

use segenc_core::work::{Pass, Work};

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::Reading;
use crate::invocation::{Holder, Invocation, THUMBNAIL_NAME};

/// The largest picture that is worth sending; of 160 pixels' width nearly all have less than 8 kB.
pub const THUMBNAIL_BYTES_MAX: usize = 20 * 1024;

/// Titles begin in the dark; a picture from here shows more. A shorter one gives its first picture.
const INTO_THE_TITLE_SECONDS: u32 = 10;

/// Makes a JPEG of a picture of the file at `path`, which this attempt has made of `work`; `None` where there is
/// no picture in it, or none that is small.
///
/// # Errors
/// Whatever ffmpeg meets. The file itself is as good as before.
pub async fn thumbnail(
    attempt: &Attempt<'_>,
    work: &Work,
    path: &Path,
) -> Result<Option<Vec<u8>>, WorkError> {
    let Some((demuxer, places)) = pictured(work) else { return Ok(None) };
    let film = MediaInput::File(path.to_owned());
    let picture = attempt.scratch.join(THUMBNAIL_NAME);
    for seconds in places {
        let invocation = Invocation::thumbnail(demuxer, &film, *seconds);
        let what = "making a thumbnail";
        Call { attempt, invocation: &invocation, reading: Reading::Made, what }.ask().await?;
        match tokio::fs::read(&picture).await {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => return Ok(Some(bytes).filter(|it| it.len() <= THUMBNAIL_BYTES_MAX)),
            // ffmpeg makes no file where there is no picture.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(WorkError::scratch("read", &picture, &error)),
        }
    }
    Ok(None)
}

/// What opens the file, and where to look into it, in seconds.
fn pictured(work: &Work) -> Option<(&'static str, &'static [u32])> {
    match work {
        Work::Segment(work) => match work.pass {
            Pass::Only | Pass::Real { .. } => {
                Some((Holder::of_encoder(&work.encoder).demuxer(), &[0]))
            }
            Pass::Measure => None,
        },
        Work::Whole(work) => {
            let demuxer = match work.container.as_str() {
                "matroska" | "webm" => "matroska",
                "mp4" | "mov" => "mov",
                _ => return None,
            };
            Some((demuxer, &[INTO_THE_TITLE_SECONDS, 0]))
        }
        Work::Analysis | Work::OtherStreams(_) | Work::Weigh(_) | Work::Merge(_) => None,
    }
}
