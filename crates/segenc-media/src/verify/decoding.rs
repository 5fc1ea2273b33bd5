//! Decodes a finished output to see that every frame can be decoded, as far as it is worth its cost.
//!
//! Must not know what is in the frames.

use segenc_core::plan::Origin;
use segenc_core::pool::task::Check;
use segenc_core::work::{Decode, MergeWork};

use super::{Counted, check, counted, counterpart, expected_as};
use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::{self, Reading};
use crate::invocation::{Extent, Invocation};
use crate::observe::{self, MadeFile, MadeStream};
use crate::probe::micros;
use crate::runner::{Exit, Finished};

/// So many samples make the whole: what the first costs tells what all cost.
const SAMPLES: u64 = 20;

/// No sample is shorter than this, in seconds: starting costs as much as some frames.
const SAMPLE_SECONDS_MIN: u64 = 2;

/// The check, and the processor time it took, in milliseconds. `None`: none was wished. Where streams may be `empty`,
/// those that are have nothing to decode.
pub(super) async fn decode(
    attempt: &Attempt<'_>,
    output: &MediaInput,
    file: &MadeFile,
    work: &MergeWork,
    empty: bool,
) -> Result<(Option<Check>, u64), WorkError> {
    let mut decoding = Decoding { attempt, output, file, streams: Vec::new() };
    let demuxer = &file.format.format_name;
    for stream in made_here(file, work) {
        if !empty || observe::first_pts(attempt, demuxer, output, stream).await?.is_some() {
            decoding.streams.push(stream);
        }
    }
    let (result, cpu_millis) = match work.decode {
        Decode::Nothing => return Ok((None, 0)),
        _ if decoding.streams.is_empty() => (Ok("nothing was encoded".to_owned()), 0),
        Decode::Everything => decoding.run(Extent::All).await?,
        Decode::Within(most) => decoding.run_within(most).await?,
    };
    Ok((Some(check("decode", result)), cpu_millis))
}

/// Numbers of the streams to decode. What was copied is as good as the source's.
fn made_here(file: &MadeFile, work: &MergeWork) -> Vec<u32> {
    let made = work.streams.iter().enumerate().filter(|(_, merged)| {
        let decodable = matches!(expected_as(merged, file), Counted::Video | Counted::Audio);
        decodable && merged.stream.origin != Origin::Copied
    });
    made.filter_map(|(position, _)| counterpart(file, &work.streams, position))
        .map(|stream| stream.index)
        .collect()
}

struct Decoding<'a> {
    attempt: &'a Attempt<'a>,
    output: &'a MediaInput,
    file: &'a MadeFile,
    streams: Vec<u32>,
}

/// What came of a decode, for people, and its processor time in milliseconds.
type Decoded = (Result<String, String>, u64);

impl Decoding<'_> {
    /// Decodes a sample, and then everything if that takes no more processor time than `most`.
    async fn run_within(&self, most: u64) -> Result<Decoded, WorkError> {
        let length = self.file.format.duration.as_deref().and_then(micros);
        let length = length.and_then(|micros| u64::try_from(micros / 1_000_000).ok());
        let Some(length) = length.filter(|length| *length > SAMPLE_SECONDS_MIN) else {
            return self.run(Extent::All).await;
        };
        let sample = (length / SAMPLES).max(SAMPLE_SECONDS_MIN);
        let (result, sampled) = self.run(Extent::FirstSeconds(sample)).await?;
        if result.is_err() {
            return Ok((result, sampled));
        }
        if sampled.saturating_mul(length) / sample > most {
            let detail = format!(
                "the first {sample} s decoded without a complaint; all would cost more than it is worth"
            );
            return Ok((Ok(detail), sampled));
        }
        let (result, all) = self.run(Extent::All).await?;
        Ok((result, sampled.saturating_add(all)))
    }

    async fn run(&self, extent: Extent) -> Result<Decoded, WorkError> {
        let demuxer = &self.file.format.format_name;
        let invocation = Invocation::decode(demuxer, self.output, &self.streams, extent);
        let call = Call {
            attempt: self.attempt,
            invocation: &invocation,
            reading: Reading::Made,
            what: "decoding the output",
        };
        let finished = call.run_to_any_end().await?;
        if let Exit::Signal(_) = finished.exit {
            // That says nothing of the output.
            return Err(call.failure(finished));
        }
        let cpu_millis = finished.cpu_millis;
        Ok((self.judge(&finished), cpu_millis))
    }

    fn judge(&self, finished: &Finished) -> Result<String, String> {
        let others = self.names_of_others();
        let complaints = ffmpeg_log::without_decoders(finished.log_tail.trim(), &others);
        if finished.exit.is_success() && complaints.is_empty() {
            Ok(format!("{} decoded without a complaint", counted(self.streams.len(), "stream")))
        } else {
            Err(format!("ffmpeg {}: {}", finished.exit, ffmpeg_log::last_lines(&complaints)))
        }
    }

    /// Whose complaints do not count: ffmpeg looks into all streams when it opens a file, and copied ones
    /// are as good as the source's; and its null muxer minds equal times, which are checked apart.
    fn names_of_others(&self) -> Vec<String> {
        let decoded = |stream: &&MadeStream| self.streams.contains(&stream.index);
        let others = self.file.streams.iter().filter(|stream| !decoded(stream));
        others
            .flat_map(|stream| match stream.codec_name.as_str() {
                // MP4 has one name for all layers, so that another layer's decoder may look into it.
                "mp1" | "mp2" | "mp3" => vec!["mp1".to_owned(), "mp2".to_owned(), "mp3".to_owned()],
                name => vec![name.to_owned()],
            })
            .chain(["null".to_owned()])
            .filter(|name| {
                !name.is_empty()
                    && !self
                        .file
                        .streams
                        .iter()
                        .filter(decoded)
                        .any(|s| s.codec_name.starts_with(name))
            })
            .collect()
    }
}
