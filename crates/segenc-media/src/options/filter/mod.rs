//! The user's filter chains (`-vf`, `-af`): read, checked against an allowlist, and judged for splitting.
//!
//! Owns what a filter means for cutting the film. Must not know options outside a chain. The rule for
//! windows: frames of the run-up are decoded, go through the filters, and are dropped before the encoder.

mod audio;
mod burn;
mod retime;
mod syntax;
mod video;
mod window;

use segenc_core::spec::{Neighbours, Retiming};

use super::catalog::is_number;
use super::error::{OptionError, OptionErrorKind, shown};
use super::table::Names;

pub(crate) use burn::with_source;
pub use syntax::{Argument, Filter, parse_filter_chain};

/// The longest run-up or run-out of a chain, in frames. Decoding more than this for every segment costs
/// more than splitting gains.
const MAX_WINDOW: u32 = 250;

/// What a filter means for cutting the film.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FilterClass {
    /// Every frame depends on that frame and its time only.
    Stateless,
    /// A frame depends on this many frames before and after it, and surely on no others.
    Window(Neighbours),
    /// It makes other frames of those that it gets.
    Retimes(Retiming),
    /// A frame may depend on any frame of the film, or frames come and go.
    WholeTitle {
        /// Why: one clause, lower case, naming the filter.
        reason: String,
    },
}

/// What a chain of filters means for cutting the film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainClass {
    /// A frame depends on that frame and on these around it.
    Window(Neighbours),
    /// One filter makes other frames of those that it gets.
    Retimed {
        /// What the filters in front of it need, in frames of the source.
        before: Neighbours,
        /// What it makes.
        retiming: Retiming,
        /// What the filters behind it need, in frames that it makes.
        after: Neighbours,
    },
    /// The film is not cut.
    WholeTitle {
        /// Why: one clause, lower case, naming the filter.
        reason: String,
    },
}

/// Judges a filter by its arguments.
type Look = fn(&Filter) -> Result<FilterClass, OptionError>;

/// What the tables say of a filter by its name.
#[derive(Clone, Copy)]
enum Rule {
    /// Stateless, whatever its arguments (expressions that count frames aside).
    Stateless,
    /// Needs the film in one piece, because it …
    Whole(&'static str),
    /// It depends on the arguments.
    Look(Look),
    /// Not allowed, because it …
    Refused(&'static str),
}

/// Checks a video chain and says what it means for splitting.
///
/// # Errors
/// If the chain cannot be read, or a filter is not on the allowlist.
pub fn classify_video(chain: &[Filter]) -> Result<ChainClass, OptionError> {
    let mut before = Neighbours::default();
    let mut retimed: Option<(Retiming, Neighbours)> = None;
    let mut whole = None;
    for filter in chain {
        check_arguments(filter)?;
        match video::class(filter)? {
            FilterClass::Stateless => {}
            FilterClass::Window(window) => {
                let sum = retimed.as_mut().map_or(&mut before, |(_, after)| after);
                sum.run_up = sum.run_up.saturating_add(window.run_up);
                sum.run_out = sum.run_out.saturating_add(window.run_out);
            }
            FilterClass::Retimes(retiming) if retimed.is_none() => {
                retimed = Some((retiming, Neighbours::default()));
            }
            FilterClass::Retimes(_) => {
                whole.get_or_insert_with(|| {
                    format!("the filter {} is the second that changes the frame rate", filter.name)
                });
            }
            FilterClass::WholeTitle { reason } => {
                whole.get_or_insert(reason);
            }
        }
    }
    let after = retimed.map_or_else(Neighbours::default, |(_, after)| after);
    let most = [before.run_up, before.run_out, after.run_up, after.run_out];
    if most.into_iter().any(|frames| frames > MAX_WINDOW) {
        whole.get_or_insert(format!(
            "the filters look at more than {MAX_WINDOW} frames around each frame"
        ));
    }
    Ok(match (whole, retimed) {
        (Some(reason), _) => ChainClass::WholeTitle { reason },
        (None, Some((retiming, after))) => ChainClass::Retimed { before, retiming, after },
        (None, None) => ChainClass::Window(before),
    })
}

/// Checks an audio chain. Audio is never cut, so nothing else matters.
///
/// # Errors
/// If a filter is not on the allowlist.
pub fn check_audio(chain: &[Filter]) -> Result<(), OptionError> {
    for filter in chain {
        check_arguments(filter)?;
        audio::check(filter)?;
    }
    Ok(())
}

/// Argument names that let some filter, in some version of ffmpeg, open or write a file, load code or
/// choose a device.
const FILE_ARGUMENTS: Names = Names(
    "\
     file filename textfile fontfile psfile plot stats_file log_path model model_path
     weights_file shader_path custom_shader_path kernel_file sofa result bind_address plugin
     device lut clut input_file ppfile",
);

/// Arguments by position up to here have been looked at; later ones, where some version of a filter might
/// have a file, must be numbers.
const FREE_POSITIONS: usize = 8;

fn check_arguments(filter: &Filter) -> Result<(), OptionError> {
    for (position, argument) in filter.arguments.iter().enumerate() {
        let Some(key) = &argument.key else {
            if position >= FREE_POSITIONS && !is_number(&argument.value) {
                return Err(refused(filter, "an argument so far back has to be named"));
            }
            continue;
        };
        // ffmpeg 7 and later read the value from a file when the name begins with a slash.
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        // Which file that may be is looked at there.
        let is_burnt = filter.name == burn::NAME && burn::FILE.contains(&key.as_str());
        if !plain || (FILE_ARGUMENTS.has(key) && !is_burnt) {
            return Err(refused(
                filter,
                &format!("its argument {} names a file or a device", shown(key)),
            ));
        }
    }
    Ok(())
}

fn refused(filter: &Filter, why: &str) -> OptionError {
    OptionError::new(
        OptionErrorKind::RefusedFilter,
        &filter.name,
        format!("filter {} is refused: {why}", shown(&filter.name)),
    )
    .hint("filters may only use the stream itself: the encode runs on other machines, which see no other file")
}

fn whole(filter: &Filter, why: &str) -> FilterClass {
    FilterClass::WholeTitle { reason: format!("the filter {} {why}", filter.name) }
}
