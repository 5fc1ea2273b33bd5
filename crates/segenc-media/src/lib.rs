//! Everything Segmented Encoder knows about ffmpeg and ffprobe: which tools are there, what they are
//! called with, what their output means, and whether a finished file keeps its promises.
//!
//! The rest of the program hands in [`segenc_core::work`] and gets a file back. Invocations are pure
//! data; one private module starts processes, and no other place in the repository does.
//! This crate must not know servers, leases, uploads or how a source came to this machine.

mod attempt;
mod calls;
mod colours;
pub mod confinement;
mod encoders;
mod ffmpeg_log;
mod film_copy;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hook;
mod invocation;
mod join;
mod names;
mod notes;
mod observe;
pub mod options;
mod packets;
mod parameter_sets;
pub mod presets;
mod probe;
mod progress;
mod runner;
mod scene;
pub mod spans;
mod thumbnail;
mod tools;
mod transcode;
mod verify;

pub use attempt::{Attempt, Made, MediaInput, Progress, Suspension, WorkError};
pub use encoders::{try_encoders, try_encoders_among, usable_encoders};
pub use film_copy::{Copied, FilmCopy, copy_film, why_packets_are_no_pictures};
pub use hook::run_hook;
pub use join::merge;
pub use packets::{PacketReader, packets};
pub use probe::probe;
pub use scene::{LookedAt, look_for_scene};
pub use thumbnail::{THUMBNAIL_BYTES_MAX, thumbnail};
pub use tools::{FfmpegVersion, Tools, ToolsError};
pub use transcode::{
    encode_noted, encode_other_streams, encode_segment, encode_whole, measure_segment, weigh,
};
