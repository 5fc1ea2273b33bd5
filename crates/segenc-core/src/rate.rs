//! A wished size, and the pure arithmetic that meets it: one allocation of bits over the whole film.
//!
//! Knows neither encoders nor tasks: which options make a pass is told by whoever parsed the wish.

mod allocation;
mod buffer;
mod quality;

use serde::{Deserialize, Serialize};

use crate::spec::OutputOption;

pub use allocation::{
    Allocation, AllocationError, Retake, Share, allocate, bits_per_second, film_bits, retakes,
};
pub use buffer::Empty;
pub use quality::QualityScale;

/// A size that the film, or the file, is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateWish {
    /// How much.
    pub aim: RateAim,
    /// How the passes over a segment are asked for.
    pub passes: Passes,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateAim {
    /// The film's mean bitrate, in bits per second.
    BitsPerSecond(u64),
    /// The finished file with everything in it, in bytes.
    FileBytes(u64),
}

/// The two passes over each segment, in the words of its encoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passes {
    /// All options of the measuring pass but its quality.
    pub measure: Vec<OutputOption>,
    /// The measuring pass's quality, which is the same for all segments.
    pub quality: QualityScale,
    /// All options of the real pass but its bitrate.
    pub real: Vec<OutputOption>,
    /// The option that takes the segment's bitrate in bits per second.
    pub bitrate_option: String,
    /// Whether the real pass reads notes of the measuring one.
    pub notes: Notes,
    /// By how much the encoder exceeds what it is asked for.
    pub overshoot: Overshoot,
}

/// By how much an encoder's second pass over a few seconds exceeds what it is asked for, in thousandths, as it
/// was found by trying. What is left of it after this is made up for by making some segments again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overshoot {
    /// Where the first pass had about the wished size.
    pub usual: i32,
    /// So much more for every doubling of the wish beyond the first pass's size.
    pub per_doubling: i32,
}

/// What an encoder writes down in a first pass for the second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notes {
    /// They are the measuring pass's output, and an input of the real pass.
    Measured,
    /// The encoder makes none.
    None,
}

/// A buffer that must not run empty over the joins of segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferWish {
    /// The buffer.
    pub limit: BufferLimit,
    /// All options of a segment, which claims only a part of the buffer, so that it leaves the next one enough.
    pub segment_options: Vec<OutputOption>,
}

/// A player's buffer: it fills at a steady rate and loses each frame's bits when the frame is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferLimit {
    /// At which it fills.
    pub bits_per_second: u64,
    /// How much it holds.
    pub bits: u64,
}
