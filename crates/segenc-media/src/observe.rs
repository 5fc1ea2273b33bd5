//! Looks into a file that was made: its streams, and the frames of its film.
//!
//! Must not know what should be in it.

use std::collections::BTreeMap;

use segenc_core::failure::FailureKind;
use segenc_core::plan::Frames;
use segenc_core::source::Packet;
use segenc_core::time::Timebase;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::Reading;
use crate::invocation::Invocation;
use crate::packets;
use crate::probe::{micros, timebase};

/// Packets taken from ffprobe at once.
const BATCH: usize = 4096;

/// The most frames looked at in one file: three weeks at 60 per second. Their PTS are kept in memory.
const FRAMES_MAX: usize = 110_000_000;

/// What a file says of itself.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MadeFile {
    /// Its streams.
    #[serde(default)]
    pub(crate) streams: Vec<MadeStream>,
    /// The whole.
    #[serde(default)]
    pub(crate) format: MadeFormat,
}

/// What the container says.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct MadeFormat {
    /// The demuxer that opened it.
    #[serde(default)]
    pub(crate) format_name: String,
    /// In seconds.
    pub(crate) duration: Option<String>,
    size: Option<String>,
    /// Its tags that are ours.
    #[serde(default, rename = "tags")]
    pub(crate) told: Told,
}

impl MadeFormat {
    /// The file's size in bytes.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size.as_deref()?.parse().ok()
    }
}

/// What a segment says of the film by tags of our own.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Told {
    /// See [`crate::colours`].
    pub(crate) segenc_colours: Option<String>,
}

/// One stream of a file that was made.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MadeStream {
    pub(crate) index: u32,
    #[serde(default)]
    pub(crate) codec_type: String,
    #[serde(default)]
    pub(crate) codec_name: String,
    #[serde(default)]
    pub(crate) time_base: String,
    extradata_hash: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    sample_rate: Option<String>,
    #[serde(flatten)]
    pub(crate) picture: Picture,
    #[serde(default)]
    side_data_list: Vec<SideData>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    disposition: BTreeMap<String, u8>,
    /// What its file says of its colours, for the first segment.
    #[serde(skip)]
    pub(crate) told: Option<String>,
}

/// How pixels are meant, by ffprobe's names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Picture {
    pub(crate) pix_fmt: Option<String>,
    pub(crate) color_range: Option<String>,
    pub(crate) color_space: Option<String>,
    pub(crate) color_transfer: Option<String>,
    pub(crate) color_primaries: Option<String>,
    pub(crate) chroma_location: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct SideData {
    side_data_type: Option<String>,
}

impl MadeStream {
    /// Samples in a second.
    pub(crate) fn sample_rate(&self) -> Option<u32> {
        self.sample_rate.as_deref()?.parse().ok()
    }

    /// Whether the stream's header says something of this type.
    pub(crate) fn tells(&self, side_data: &str) -> bool {
        self.side_data_list.iter().any(|one| one.side_data_type.as_deref() == Some(side_data))
    }

    /// The size and format of the pictures, for people.
    pub(crate) fn shape(&self) -> String {
        let format = self.picture.pix_fmt.as_deref().unwrap_or("unknown");
        format!("{}x{} {format}", self.width.unwrap_or(0), self.height.unwrap_or(0))
    }

    /// SHA-256 of the extradata in lower-case hex, where there is some.
    pub(crate) fn extradata_sha256(&self) -> Option<String> {
        let (_, digest) = self.extradata_hash.as_deref()?.split_once(':')?;
        Some(digest.to_ascii_lowercase())
    }

    /// What the encoder calls itself.
    pub(crate) fn encoder(&self) -> Option<&str> {
        let mut tags = self.tags.iter();
        tags.find(|(name, _)| name.eq_ignore_ascii_case("encoder")).map(|(_, value)| value.as_str())
    }

    /// Where it ends, as Matroska tells it in a tag: `00:00:08.008000000`.
    pub(crate) fn end_micros(&self) -> Option<i64> {
        let mut tags = self.tags.iter();
        let (_, text) = tags.find(|(name, _)| name.eq_ignore_ascii_case("duration"))?;
        let mut parts = text.splitn(3, ':');
        let (hours, minutes) =
            (parts.next()?.parse::<i64>().ok()?, parts.next()?.parse::<i64>().ok()?);
        let whole = hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60_000_000)?;
        whole.checked_add(micros(parts.next()?)?)
    }

    /// Whether it is a picture or a file that only accompanies the film.
    pub(crate) fn is_attached(&self) -> bool {
        self.codec_type == "attachment"
            || self.disposition.get("attached_pic").is_some_and(|set| *set != 0)
    }

    pub(crate) fn timebase(&self) -> Option<Timebase> {
        timebase(&self.time_base)
    }
}

/// Asks for the streams of a file that was made.
pub(crate) async fn look(
    attempt: &Attempt<'_>,
    demuxer: Option<&str>,
    input: &MediaInput,
) -> Result<MadeFile, WorkError> {
    let invocation = Invocation::made(demuxer, input);
    let call = Call {
        attempt,
        invocation: &invocation,
        reading: Reading::Made,
        what: "looking at the result",
    };
    let text = call.ask().await?;
    serde_json::from_str(&text).map_err(|error| {
        let message = format!("looking at the result: ffprobe's answer is not understood: {error}");
        WorkError::failed(FailureKind::Mismatch, "part-unreadable", message)
    })
}

#[derive(Debug, Deserialize)]
struct Pictures {
    #[serde(default)]
    frames: Vec<Picture>,
}

/// The first picture of a stream of the source, which is where encoders take colours from. `None` if it
/// cannot be decoded.
pub(crate) async fn first_picture(
    attempt: &Attempt<'_>,
    demuxer: &str,
    source: &MediaInput,
    stream: u32,
) -> Result<Option<Picture>, WorkError> {
    let invocation = Invocation::first_picture(demuxer, source, stream);
    let what = "looking at the first picture";
    let call = Call { attempt, invocation: &invocation, reading: Reading::Source, what };
    let Some(text) = WorkError::or_nothing(call.ask().await)? else { return Ok(None) };
    let pictures: Option<Pictures> = serde_json::from_str(&text).ok();
    Ok(pictures.and_then(|pictures| pictures.frames.into_iter().next()))
}

/// All packets of a stream.
pub(crate) struct Seen {
    /// In decoding order.
    pub(crate) packets: Vec<Packet>,
    /// Processor time it took to see them.
    pub(crate) cpu_millis: u64,
}

/// Reads all packets of a stream of a file that was made.
pub(crate) async fn see_packets(
    attempt: &Attempt<'_>,
    demuxer: &str,
    input: &MediaInput,
    stream: u32,
) -> Result<Seen, WorkError> {
    let mut reader = packets::read(attempt, demuxer, input, stream, Reading::Made).await?;
    let mut packets = Vec::new();
    while let Some(batch) = reader.next_batch(BATCH).await? {
        packets.extend(batch);
        if packets.len() > FRAMES_MAX {
            let message = format!("looking at the result: it has more than {FRAMES_MAX} frames");
            return Err(WorkError::failed(FailureKind::Mismatch, "part-unreadable", message));
        }
    }
    Ok(Seen { packets, cpu_millis: reader.cpu_millis() })
}

/// The PTS of a stream's first packet.
pub(crate) async fn first_pts(
    attempt: &Attempt<'_>,
    demuxer: &str,
    input: &MediaInput,
    stream: u32,
) -> Result<Option<i64>, WorkError> {
    let mut reader = packets::read(attempt, demuxer, input, stream, Reading::Made).await?;
    let first = reader.next_batch(1).await?;
    Ok(first.and_then(|batch| batch.first()?.pts))
}

/// Whether a stream of the source has no packets.
pub(crate) async fn is_empty(
    attempt: &Attempt<'_>,
    demuxer: &str,
    source: &MediaInput,
    stream: u32,
) -> Result<bool, WorkError> {
    let mut reader = packets::read(attempt, demuxer, source, stream, Reading::Source).await?;
    Ok(reader.next_batch(1).await?.is_none_or(|batch| batch.is_empty()))
}

/// Sums frames up, with their PTS brought from one timebase into another, and then taken back by `bias`.
/// `None` if there are none, or if one has no PTS.
pub(crate) fn frames(
    packets: &[Packet],
    from: Timebase,
    to: Timebase,
    bias: i64,
) -> Option<Frames> {
    let on_our_clock = |pts| from.rescale(pts, to).saturating_sub(bias);
    let pts: Option<Vec<i64>> = packets.iter().map(|packet| packet.pts.map(on_our_clock)).collect();
    let mut pts = pts?;
    pts.sort_unstable();
    let (first_pts, last_pts) = (*pts.first()?, *pts.last()?);
    let mut digest = Sha256::new();
    for pts in &pts {
        digest.update(pts.to_le_bytes());
    }
    let pts_sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let count = u64::try_from(pts.len()).unwrap_or(u64::MAX);
    Some(Frames { count, first_pts, last_pts, pts_sha256 })
}

/// What is wrong with frames that should be `expected`; `None` if nothing is.
pub(crate) fn difference(seen: &Frames, expected: &Frames) -> Option<String> {
    if seen == expected {
        return None;
    }
    let mut words = Vec::new();
    if seen.count != expected.count {
        words.push(format!("{} frames instead of {}", seen.count, expected.count));
    }
    if seen.first_pts != expected.first_pts {
        words.push(format!("first PTS {} instead of {}", seen.first_pts, expected.first_pts));
    }
    if seen.last_pts != expected.last_pts {
        words.push(format!("last PTS {} instead of {}", seen.last_pts, expected.last_pts));
    }
    if words.is_empty() {
        words.push("PTS between the first and the last differ".to_owned());
    }
    Some(words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pts: Option<i64>) -> Packet {
        Packet { pts, dts: None, duration: None, size: 1, key: true, discarded: false }
    }

    fn tick(den: u32) -> Timebase {
        Timebase::new(1, den).expect("both sides are above zero")
    }

    #[test]
    fn frames_are_summed_up_in_order_of_their_pts() {
        let packets = [packet(Some(0)), packet(Some(80)), packet(Some(40))];
        let seen = frames(&packets, tick(1000), tick(500), 0).expect("all have a PTS");
        assert_eq!((seen.count, seen.first_pts, seen.last_pts), (3, 0, 40));
        let mut digest = Sha256::new();
        for pts in [0_i64, 20, 40] {
            digest.update(pts.to_le_bytes());
        }
        let expected: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(seen.pts_sha256, expected);
    }

    #[test]
    fn a_frame_without_pts_is_nothing_to_sum_up() {
        assert_eq!(frames(&[packet(Some(0)), packet(None)], tick(1), tick(1), 0), None);
        assert_eq!(frames(&[], tick(1), tick(1), 0), None);
    }

    #[test]
    fn a_difference_is_named() {
        let sum = |pts: &[i64]| {
            let packets: Vec<Packet> = pts.iter().map(|pts| packet(Some(*pts))).collect();
            frames(&packets, tick(1), tick(1), 0).expect("all have a PTS")
        };
        assert_eq!(difference(&sum(&[1, 2, 4]), &sum(&[1, 2, 4])), None);
        assert_eq!(
            difference(&sum(&[1, 2]), &sum(&[0, 1, 2])).as_deref(),
            Some("2 frames instead of 3, first PTS 1 instead of 0")
        );
        assert_eq!(
            difference(&sum(&[1, 2, 4]), &sum(&[1, 3, 4])).as_deref(),
            Some("PTS between the first and the last differ")
        );
    }
}
