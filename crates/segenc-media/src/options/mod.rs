//! The user's output options: read, checked against an allowlist, made a typed [`JobSpec`].
//!
//! Owns which words of ffmpeg's may reach a worker at all, and what they mean for splitting. Must not know
//! how an invocation is put together, nor what a source holds. Nothing is asked of ffmpeg or of the disk: the
//! server, which has neither encoders nor sources at hand, checks with the same code as the command line.

mod assemble;
mod catalog;
mod codecs;
mod container;
mod encoder;
mod error;
pub mod filter;
mod map;
mod rate;
mod refused;
mod specifier;
mod split;
mod table;
mod words;

#[cfg(test)]
mod tests;

use segenc_core::spec::JobSpec;

pub use error::{OptionError, OptionErrorKind};
pub use filter::parse_filter_chain;

/// Makes a job's wish of the words behind `--`.
///
/// `container` is the muxer that a request names, `output_name` the output's file name; `-f` among the words
/// comes before both, and the name's extension last.
///
/// # Errors
/// If a word is unknown, refused, or cannot mean anything here; the error says what to use instead.
pub fn parse(
    args: &[String],
    container: Option<&str>,
    output_name: Option<&str>,
) -> Result<JobSpec, OptionError> {
    let given = words::read(args)?;
    assemble::job(args, &given, assemble::Target { container, output_name, file_bytes: None })
}

/// The same wish, with a finished file of so many bytes.
///
/// # Errors
/// If the options say already how large or how good the film becomes, or if its encoder, or what becomes of the
/// film, cannot meet a size.
pub fn aim_at_file_size(spec: &JobSpec, bytes: u64) -> Result<JobSpec, OptionError> {
    let given = words::read(&spec.args)?;
    let container = Some(spec.container.as_str());
    let output_name = Some(container::name_like(spec));
    let target = assemble::Target { container, output_name, file_bytes: Some(bytes) };
    assemble::job(&spec.args, &given, target)
}
