//! What the user wants made of the source: the typed form of the options after `--`.
//!
//! `segenc-media` parses and checks the words; this crate only stores them and asks the questions
//! that planning needs: is it split, which streams are kept, what must a worker be able to do.

use serde::{Deserialize, Serialize};

use crate::rate::{BufferWish, RateWish};
use crate::source::{Rational, StreamKind};

/// The whole wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The muxer of the output, by ffmpeg's name: `matroska`, `mp4`, `mov`, `webm`, ….
    pub container: String,
    /// The options as the user gave them, to be shown and to be compared on resuming.
    pub args: Vec<String>,
    /// Which streams are kept: applied in order, as ffmpeg's `-map`. Empty: the defaults.
    pub maps: Vec<StreamMap>,
    /// What happens to the film.
    pub video: VideoSpec,
    /// Codecs of the other streams, applied in order: the last that fits wins. What none fits is copied.
    pub codecs: Vec<CodecChoice>,
    /// Options for encoders and filters of the re-encoded audio and subtitle streams.
    pub stream_options: Vec<OutputOption>,
    /// Options for the muxer, metadata, dispositions, chapters: applied when the output is muxed.
    pub mux_options: Vec<OutputOption>,
    /// Streams of a kind that are dropped as a whole (`-an`, `-sn`, `-vn`, `-dn`).
    pub dropped_kinds: Vec<StreamKind>,
    /// How the work may be split.
    pub split: SplitPolicy,
    /// How the output is checked at the end.
    pub verify: Verify,
    /// Segment length wished by the user, in seconds.
    pub segment_seconds: Option<u32>,
    /// What becomes of Dolby Vision and HDR10+.
    #[serde(default)]
    pub dynamic_hdr: DynamicHdr,
    /// A size that bits are allocated for over the whole film; `None`: the options say all.
    #[serde(default)]
    pub rate: Option<RateWish>,
    /// The buffer of a player that must never run empty, where the film's options name one.
    #[serde(default)]
    pub buffer: Option<BufferWish>,
}

/// What happens to the source's film.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum VideoSpec {
    /// Encoded.
    Encode(VideoEncode),
    /// Copied (`-c:v copy`): nothing to split.
    Copy,
    /// Left out (`-vn`).
    Drop,
}

/// How video is encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoEncode {
    /// The encoder by ffmpeg's name, such as `libx264`: a capability that a worker must have.
    pub encoder: String,
    /// The encoder's options and the generic ones for video.
    pub options: Vec<OutputOption>,
    /// The filter chain (`-vf`), as written.
    pub filter: Option<String>,
}

/// One option of ffmpeg's, already checked: `-name[:specifier] [value]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputOption {
    /// Name with its stream specifier and without the dash: `crf`, `b:a`, `metadata:s:a:0`.
    pub name: String,
    /// The value; `None` for a switch.
    pub value: Option<String>,
}

/// A codec for the streams that a selector names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodecChoice {
    /// Which output streams: of this kind, …
    pub kind: StreamKind,
    /// … and only the one at this position among its kind, where given.
    pub position: Option<u32>,
    /// ffmpeg's name of the encoder, or `copy`.
    pub codec: String,
}

/// One `-map`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamMap {
    /// Takes the streams away instead of adding them (`-map -0:d`).
    pub negative: bool,
    /// It is no error if nothing fits (`0:s?`).
    pub optional: bool,
    /// Which streams of the source.
    pub selector: StreamSelector,
}

/// Streams of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamSelector {
    /// All (`0`).
    All,
    /// One by its index (`0:3`).
    Index(u32),
    /// Of a kind (`0:a`), or the n-th of it (`0:a:1`).
    Kind(StreamKind, Option<u32>),
    /// Video that is no cover picture (`0:V`), or the n-th of it.
    Film(Option<u32>),
    /// With a tag of this value (`0:m:language:eng`); without a value: that has the tag.
    Tag(String, Option<String>),
}

/// Whether the film is cut into segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "policy")]
pub enum SplitPolicy {
    /// Into segments; the filters need this many frames around each.
    Segments {
        /// Frames decoded and filtered before a segment, then dropped.
        run_up: u32,
        /// Frames decoded and filtered after a segment, then dropped.
        run_out: u32,
    },
    /// Into segments; one of the filters changes which frames there are, by a clock that every segment can keep.
    Retimed {
        /// What the filters in front of it need, in frames of the source.
        before: Neighbours,
        /// Which frames it makes.
        retiming: Retiming,
        /// What the filters behind it need, in frames that it makes.
        after: Neighbours,
    },
    /// Not at all, and why, for people.
    Whole {
        /// The reason: one clause, lower case.
        reason: String,
    },
}

/// Frames around a segment that filters look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbours {
    /// Before it.
    pub run_up: u32,
    /// After it.
    pub run_out: u32,
}

/// Which frames a filter makes of those that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum Retiming {
    /// One at every tick of a clock: the last whose time, rounded to that clock, has come (`fps`).
    Rate {
        /// Ticks of the clock in a second.
        rate: Rational,
        /// How times are rounded to it.
        rounding: Rounding,
        /// How the end of the last frame is rounded to it: up to there, that frame is repeated.
        end: Rounding,
    },
    /// One for each field: two of each frame, the second half way to the next (deinterlacers).
    Fields {
        /// Where the second field of the last frame stands.
        last: LastField,
    },
}

/// How a fraction of a tick becomes a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the nearest, halves away from zero.
    Near,
    /// Towards zero.
    Zero,
    /// Away from zero.
    Away,
    /// To the tick before.
    Down,
    /// To the tick after.
    Up,
}

/// Where the second field of the last frame stands, which has no next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastField {
    /// As if the next frame were as far away as the one before.
    Mirrored,
    /// As if the next frame came when the frame rate says.
    ByRate,
}

/// What becomes of a film whose light is described frame by frame, which no encoder takes over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DynamicHdr {
    /// It is refused, so that nothing is lost unseen.
    #[default]
    Refuse,
    /// It is encoded without the description.
    Drop,
}

/// How far the finished output is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// Structure, and a decode of every frame.
    Full,
    /// Structure only.
    Quick,
    /// [`Full`](Self::Full), unless the decode would cost more than [`AFFORDABLE_PER_CENT`] of the
    /// processor time that the job took until then.
    Affordable,
}

/// The most that decoding the finished output may cost by default, in per cent of the job's processor time.
pub const AFFORDABLE_PER_CENT: u64 = 5;
