//! Planning: source facts and packets in, a plan out that leaves nothing to choose.
//!
//! The plan is append-only: [`PlanHeader`] is fixed when the facts are known, then segments follow while
//! the packets of the source are still being read, so that the first of them can be encoded at once.

mod codecs;
mod cutter;
mod error;
mod frames;
mod grid;
mod keyframes;
mod layout;
pub mod planner;
mod scenes;
mod seek;
#[cfg(test)]
mod tests;
mod threads;
mod way;

use serde::{Deserialize, Serialize};

pub use self::codecs::codec_of;
pub use self::error::{PlanError, Unsplittable};
pub use self::grid::{fine_bits, finer};
pub use self::planner::Planner;
pub use self::scenes::Look;
use crate::source::{Mastering, Rational, SourceFacts, StreamFacts, StreamKind};
use crate::time::{PtsRange, Timebase};

/// What is fixed before the first packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHeader {
    /// Split or whole.
    pub way: Way,
    /// What segments are decoded from.
    #[serde(default)]
    pub decoded_from: DecodedFrom,
    /// The film among the source's streams; `None`: nothing of it is encoded.
    pub film: Option<Film>,
    /// The streams of the output, in order.
    pub layout: Vec<OutputStream>,
    /// Whether some other stream is encoded, which takes a task of its own beside the segments.
    pub other_streams: bool,
    /// Wished length of a segment, in milliseconds.
    pub target_millis: u64,
    /// Threads of each segment's encoder, where the user names no number.
    pub encoder_threads: u32,
}

impl PlanHeader {
    /// The streams with packets that the output has beside the film, in the source's order.
    #[must_use]
    pub fn beside(&self, facts: &SourceFacts) -> Vec<u32> {
        let film = self.film.as_ref().map(|film| film.stream);
        let kept = |stream: &&StreamFacts| {
            Some(stream.index) != film
                && stream.kind != StreamKind::Attachment
                && self.layout.iter().any(|output| output.source_stream == stream.index)
        };
        facts.streams.iter().filter(kept).map(|stream| stream.index).collect()
    }
}

/// How the film is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "way")]
pub enum Way {
    /// As segments, joined.
    Segments,
    /// In one piece, and why, for people.
    Whole {
        /// One clause, lower case.
        reason: String,
    },
}

/// What the segments of a film are decoded from. Everything else always reads the source itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum DecodedFrom {
    /// The source.
    #[default]
    Source,
    /// A copy of the film's packets with an index, which the analysis makes and delivers: its output.
    Copy {
        /// Why not from the source: one clause, for people.
        reason: String,
    },
}

impl DecodedFrom {
    /// Whether the analysis makes a copy.
    #[must_use]
    pub const fn is_copy(&self) -> bool {
        match self {
            Self::Source => false,
            Self::Copy { .. } => true,
        }
    }
}

/// The film: the one video stream that is encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Film {
    /// Its index in the source.
    pub stream: u32,
    /// Its timebase; all ticks of the plan are in it.
    pub timebase: Timebase,
    /// Ticks to subtract from a PTS of the source to get that of the output: what ffmpeg does with
    /// the container's start time when it makes the file in one go. In a copy that has been done
    /// already, and its bias is to be subtracted.
    pub shift: i64,
    /// The frame rate that the output's header should name, where the source has one or a filter makes one.
    pub rate: Option<Rational>,
    /// What every segment's encoder is told of the film's light.
    #[serde(default)]
    pub mastering: Option<Mastering>,
}

/// One stream of the output and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputStream {
    /// Its stream in the source, for metadata and for copying.
    pub source_stream: u32,
    /// Who makes its packets.
    pub origin: Origin,
}

/// Who makes the packets of an output stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The joined segments.
    Film,
    /// The task for other streams: its output's stream of this index.
    Encoded(u32),
    /// Copied from the source when the output is muxed.
    Copied,
}

/// A half-open range of the film, encoded on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Position in the film, from 0.
    pub index: u32,
    /// Which frames, by their PTS in the source. The first is open to the left, the last to the right.
    pub range: PtsRange,
    /// Where it begins on the film's clock even if the range is open: the first frame's PTS in the source.
    pub start: i64,
    /// Where the next begins; after the last segment: the last frame's PTS plus its duration.
    pub end: i64,
    /// Which frames go through the filters: [`Self::range`], widened by what the filters look at on
    /// each side. What lies outside `range` is dropped after them.
    pub filter_range: PtsRange,
    /// Where the frames end that an encoder may be shown beyond [`Self::range`], so that it spends on the last
    /// frames what it spends in mid-film; by PTS in the source. `None`: at a change of scene, which shows it
    /// nothing, and at the film's end.
    #[serde(default)]
    pub lookahead_end: Option<i64>,
    /// What to ask the demuxer to seek to, in microseconds of the source's clock; `None`: from the first byte.
    pub seek_micros: Option<i64>,
    /// The same for the next rung: at least one keyframe earlier.
    pub longer_seek_micros: Option<i64>,
    /// The frames that must come out.
    pub expected: Frames,
    /// Bytes of the source's video in the range: a measure of the work.
    pub source_bytes: u64,
    /// Why it ends where it ends, for `segenc plan`.
    pub cut: Cut,
}

/// Why a segment ends where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// At a keyframe that stands off the source's regular grid: very likely a change of scene.
    SceneKeyframe,
    /// At an ordinary frame with which a scene begins, as somebody saw who looked at the pictures.
    Scene,
    /// At a keyframe of the regular grid.
    Keyframe,
    /// At an ordinary frame, because no keyframe was near.
    Frame,
    /// At the end of the film.
    End,
}

/// A set of frames: how many, and their PTS, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// How many.
    pub count: u64,
    /// Smallest PTS, on the output's clock (shifted), in the film's timebase.
    pub first_pts: i64,
    /// Largest PTS.
    pub last_pts: i64,
    /// SHA-256, in lower-case hex, over the sorted PTS, each as eight bytes little-endian.
    pub pts_sha256: String,
}
