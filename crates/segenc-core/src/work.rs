//! What a worker is given to do: a task with everything that it must know and nothing to choose.
//!
//! The same types stand behind the wire on both sides. Each input is named by its number, under which the
//! worker fetches it.

use serde::{Deserialize, Serialize};

use crate::plan::{Film, Frames, OutputStream};
use crate::rate::{BufferLimit, RateAim};
use crate::source::StreamKind;
use crate::spec::OutputOption;
use crate::time::{PtsRange, Timebase};

/// The work of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Read the source's facts and packets.
    Analysis,
    /// Encode one segment.
    Segment(SegmentWork),
    /// Encode the streams beside the film.
    OtherStreams(StreamsWork),
    /// Tell how many bytes streams of the source take when they are copied; nothing is delivered.
    Weigh(StreamsWork),
    /// Make the whole output in one go.
    Whole(StreamsWork),
    /// Join and verify.
    Merge(MergeWork),
}

/// Encode the frames of a range of the film into a file of their own, whose PTS are those of the output plus
/// [`segment_bias`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentWork {
    /// Demuxer to force, by ffmpeg's name as probed (`matroska,webm`), or [`COPY_DEMUXER`].
    pub demuxer: String,
    /// The film. Its timebase is that of the source; in a copy, ticks may be a whole number of times finer.
    pub film: Film,
    /// Position in the film, from 0.
    pub index: u32,
    /// Which frames are kept, by PTS in the source.
    pub range: PtsRange,
    /// Which frames go through the filters: `range` plus run-up and run-out.
    pub filter_range: PtsRange,
    /// Up to which PTS in the source the encoder may be shown frames beyond `range`, whose packets are dropped.
    pub lookahead_end: Option<i64>,
    /// Where to seek, in microseconds of the source's clock; `None`: from the first byte.
    pub seek_micros: Option<i64>,
    /// The encoder by ffmpeg's name.
    pub encoder: String,
    /// Its options.
    pub options: Vec<OutputOption>,
    /// The user's filter chain.
    pub filter: Option<String>,
    /// What must come out.
    pub expected: Frames,
    /// Threads of the encoder: fixed by the plan, since they change the bits of some encoders.
    pub threads: u32,
    /// Which pass over the segment it is.
    pub pass: Pass,
}

/// A pass over a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// The only one.
    Only,
    /// It measures: only its size counts, and what is delivered are the notes that the encoder leaves in the
    /// attempt's folder, all files that begin with [`NOTES`], as a tar archive.
    Measure,
    /// The real one.
    Real {
        /// Number of the input with the notes of the measuring pass, to be unpacked into the attempt's folder.
        notes_input: Option<u32>,
    },
}

/// How the names of an encoder's notes begin; the options say so too.
pub const NOTES: &str = "passlog";

/// Encode streams of the source for the whole title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamsWork {
    /// Demuxer to force.
    pub demuxer: String,
    /// The source's streams, in the order of the file to be made.
    pub source_streams: Vec<u32>,
    /// All options, in order.
    pub options: Vec<OutputOption>,
    /// Muxer of the file to be made.
    pub container: String,
}

/// Make and verify the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeWork {
    /// Demuxer to force on the source.
    pub demuxer: String,
    /// Muxer of the output.
    pub container: String,
    /// From what.
    pub from: MergeFrom,
    /// The streams that the output must have, in order.
    pub streams: Vec<MergedStream>,
    /// Which of its frames are decoded to check it.
    pub decode: Decode,
    /// The size that the film or the file was to have, to be told in the report.
    pub size: Option<RateAim>,
    /// The buffer that must not run empty over the film's packets, if it is joined from segments.
    pub buffer: Option<BufferLimit>,
}

/// Which frames of the finished output are decoded, beside the checks of its structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decode {
    /// None.
    Nothing,
    /// All.
    Everything,
    /// All if it takes no more processor time than this, in milliseconds; else some from the beginning.
    Within(u64),
}

/// What the output is made from. Input 0 is the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeFrom {
    /// Segments and other streams.
    Parts(Join),
    /// The input of this number is the output already; it is only checked.
    WholeTitle(u32),
}

/// The parts of the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The film.
    pub film: Film,
    /// In order.
    pub segments: Vec<JoinedSegment>,
    /// Number of the input with the re-encoded other streams.
    pub other_streams_input: Option<u32>,
    /// Metadata, dispositions, chapters, muxer options, in order.
    pub options: Vec<OutputOption>,
    /// The source's start time in microseconds, by which copied streams are shifted back.
    pub start_micros: i64,
}

/// One segment to be joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedSegment {
    /// Number of its input.
    pub input: u32,
    /// What is in it.
    pub frames: Frames,
    /// Where it begins, on the output's clock in the film's timebase.
    pub start: i64,
    /// Where the next begins.
    pub end: i64,
}

/// A stream that the output must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedStream {
    /// Where it comes from.
    pub stream: OutputStream,
    /// What it is.
    pub kind: StreamKind,
    /// Its dispositions in the source.
    pub dispositions: Vec<String>,
}

/// The demuxer of the copy of a film that an analysis makes. A source of this kind is copied as well, so where
/// a segment is read with it, it is read from a copy.
pub const COPY_DEMUXER: &str = "nut";

/// Ticks added to every PTS in the copy of a film, for the same reason as [`segment_bias`], and as large.
#[must_use]
pub const fn copy_bias(timebase: Timebase) -> i64 {
    segment_bias(timebase)
}

/// Ticks added to every PTS in a segment's file, and taken away again by the merge: sixteen seconds (times
/// the timebase's numerator). It keeps every DTS above zero whatever the encoder's delay, since containers
/// treat negative times each in its own way (seen with FFmpeg 5.1).
#[must_use]
pub const fn segment_bias(timebase: Timebase) -> i64 {
    16 * timebase.den() as i64
}
