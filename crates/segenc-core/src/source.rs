//! What is known of a source: its streams and the packets of its video.

use serde::{Deserialize, Serialize};

use crate::time::Timebase;

/// Facts of a source, told by the analysis before its first packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// The demuxer that opened the source, by ffmpeg's name (such as `matroska,webm`). Every later
    /// opening is forced to it, so that a playlist in disguise stays closed.
    pub demuxer: String,
    /// The time that counts as zero in the output, in microseconds (ffprobe's `format.start_time`).
    pub start_micros: i64,
    /// The container's own idea of its duration, in microseconds. It may lie.
    pub duration_micros: Option<i64>,
    /// Size in bytes.
    pub size: u64,
    /// All streams, in the source's order.
    pub streams: Vec<StreamFacts>,
    /// How many chapters the container has.
    pub chapters: u32,
}

/// The kind of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// Moving pictures; also a cover picture, see [`StreamFacts::attached_picture`].
    Video,
    /// Sound.
    Audio,
    /// Subtitles.
    Subtitle,
    /// An attached file, such as a font.
    Attachment,
    /// Timecode, telemetry and the like.
    Data,
}

/// Facts of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// Position in the source.
    pub index: u32,
    /// What it is.
    pub kind: StreamKind,
    /// The codec by ffmpeg's name; empty where ffmpeg knows none.
    pub codec: String,
    /// Timebase of its PTS.
    pub timebase: Timebase,
    /// Language tag as the container has it.
    pub language: Option<String>,
    /// Title tag.
    pub title: Option<String>,
    /// ffmpeg's names of the dispositions that are set.
    pub dispositions: Vec<String>,
    /// What only a video stream has.
    pub video: Option<VideoFacts>,
}

impl StreamFacts {
    /// Whether this is a cover picture and no film.
    #[must_use]
    pub fn attached_picture(&self) -> bool {
        self.dispositions.iter().any(|name| name == "attached_pic")
    }
}

/// Facts of a video stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoFacts {
    /// Width in pixels as coded for display.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pixel format by ffmpeg's name, such as `yuv420p10le`.
    pub pixel_format: String,
    /// Field order by ffmpeg's name (`progressive`, `tt`, `bb`, …; empty: unknown).
    pub field_order: String,
    /// Average frame rate as frames per seconds, where the container gives one.
    pub average_rate: Option<Rational>,
    /// The smallest rate that all timestamps fit into (ffprobe's `r_frame_rate`).
    pub real_rate: Option<Rational>,
    /// Colour transfer by ffmpeg's name, such as `smpte2084`; empty: unknown.
    pub color_transfer: String,
    /// Frames that may stand between a picture and its place in decoding order.
    pub has_b_frames: u32,
    /// How its light was mastered, for the whole film.
    #[serde(default)]
    pub mastering: Option<Mastering>,
    /// What is said of its light frame by frame: `Dolby Vision`, `HDR10+`; empty: nothing.
    #[serde(default)]
    pub dynamic_hdr: String,
}

/// What HDR10 says of the whole film. It stands in the pictures or in the container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mastering {
    /// The display: x and y of green, blue, red and white in fifty-thousandths, then the largest and the
    /// smallest luminance in ten-thousandths of a candela per square metre.
    pub display: Option<[u32; 10]>,
    /// The content: the brightest pixel and the brightest frame on average, in candela per square metre.
    pub light: Option<[u32; 2]>,
}

/// A fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rational {
    /// Numerator.
    pub num: u32,
    /// Denominator.
    pub den: u32,
}

/// One packet of the source's video, in decoding order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// Presentation time in ticks of the stream; `None` where the container has none.
    pub pts: Option<i64>,
    /// Decoding time in ticks.
    pub dts: Option<i64>,
    /// How long its frame is shown, in ticks, where that is known.
    #[serde(default)]
    pub duration: Option<i64>,
    /// Size in bytes.
    pub size: u32,
    /// The container calls it a keyframe.
    pub key: bool,
    /// The container says that its picture is decoded but not shown (edit list).
    pub discarded: bool,
}
