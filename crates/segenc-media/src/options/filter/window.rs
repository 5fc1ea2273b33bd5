//! Filters whose arguments decide how far around a frame they look.
//!
//! Windows are wider than needed rather than too narrow: a few frames more to decode cost little.

use segenc_core::spec::{LastField, Neighbours};

use super::super::error::OptionError;
use super::{Filter, FilterClass, refused, retime, whole};

/// Frames that a deinterlacer sees on each side, doubled for its first frame, which it treats apart.
const DEINTERLACER: FilterClass = FilterClass::Window(Neighbours { run_up: 2, run_out: 2 });

fn both(frames: u32) -> FilterClass {
    FilterClass::Window(Neighbours { run_up: frames, run_out: frames })
}

/// A whole number of a filter's, within the filter's own bounds; `None` where it is none.
fn number(
    filter: &Filter,
    names: &[&str],
    position: Option<usize>,
    default: u32,
    max: u32,
) -> Option<u32> {
    match filter.argument(names, position) {
        None => Some(default),
        Some(text) => text.parse().ok().filter(|number| *number <= max),
    }
}

const UNCLEAR: &str = "has an argument whose reach is not clear";

/// `yadif`: `send_frame` unless said otherwise.
pub(super) fn yadif(filter: &Filter) -> Result<FilterClass, OptionError> {
    Ok(match filter.argument(&["mode"], Some(0)) {
        None | Some("send_frame" | "send_frame_nospatial" | "0" | "2") => DEINTERLACER,
        Some("send_field" | "send_field_nospatial" | "1" | "3") => {
            retime::fields(filter, LastField::Mirrored)
        }
        Some(_) => whole(filter, UNCLEAR),
    })
}

/// `bwdif`: `send_field` unless said otherwise.
pub(super) fn bwdif(filter: &Filter) -> Result<FilterClass, OptionError> {
    Ok(match filter.argument(&["mode"], Some(0)) {
        Some("send_frame" | "0") => DEINTERLACER,
        None | Some("send_field" | "1") => retime::fields(filter, LastField::Mirrored),
        Some(_) => whole(filter, UNCLEAR),
    })
}

/// `estdif`: `field` unless said otherwise.
pub(super) fn estdif(filter: &Filter) -> Result<FilterClass, OptionError> {
    Ok(match filter.argument(&["mode"], Some(0)) {
        Some("frame" | "0") => DEINTERLACER,
        None | Some("field" | "1") => retime::fields(filter, LastField::ByRate),
        Some(_) => whole(filter, UNCLEAR),
    })
}

/// `w3fdif`: `field` unless said otherwise, by name: the position differs between versions.
pub(super) fn w3fdif(filter: &Filter) -> Result<FilterClass, OptionError> {
    if filter.positional() > 0 && filter.argument(&["mode"], None).is_none() {
        return Ok(whole(
            filter,
            "has arguments without names; with mode= and deint= it can be split",
        ));
    }
    Ok(match filter.argument(&["mode"], None) {
        Some("frame" | "0") => DEINTERLACER,
        None | Some("field" | "1") => retime::fields(filter, LastField::Mirrored),
        Some(_) => whole(filter, UNCLEAR),
    })
}

/// `atadenoise`: `s` frames around, 9 unless said otherwise.
pub(super) fn atadenoise(filter: &Filter) -> Result<FilterClass, OptionError> {
    Ok(match number(filter, &["s"], Some(6), 9, 129) {
        Some(size) => both(size),
        None => whole(filter, UNCLEAR),
    })
}

/// `tmix`: the last `frames` frames, 3 unless said otherwise.
pub(super) fn tmix(filter: &Filter) -> Result<FilterClass, OptionError> {
    Ok(match number(filter, &["frames"], Some(0), 3, 128) {
        Some(frames) => both(frames),
        None => whole(filter, UNCLEAR),
    })
}

/// `deflicker`: the brightness of `size` frames.
pub(super) fn deflicker(filter: &Filter) -> Result<FilterClass, OptionError> {
    Ok(match number(filter, &["size", "s"], Some(0), 5, 129) {
        Some(size) => both(size),
        None => whole(filter, UNCLEAR),
    })
}

/// `dedot`: two frames on each side.
pub(super) fn dedot(_filter: &Filter) -> Result<FilterClass, OptionError> {
    Ok(both(4))
}

/// `fftdnoiz`: one frame on a side where `prev` or `next` ask for it.
pub(super) fn fftdnoiz(_filter: &Filter) -> Result<FilterClass, OptionError> {
    Ok(both(2))
}

/// `fade`: by time it depends on the frame's time only, by frame numbers on all frames before.
pub(super) fn fade(filter: &Filter) -> Result<FilterClass, OptionError> {
    let by_time = filter
        .argument(&["duration", "d"], None)
        .is_some_and(|duration| duration.contains(['1', '2', '3', '4', '5', '6', '7', '8', '9']));
    let by_frames = filter.argument(&["start_frame", "s", "nb_frames", "n"], None).is_some()
        || filter.positional() > 1;
    Ok(if by_time && !by_frames {
        FilterClass::Stateless
    } else {
        whole(filter, "fades by frame numbers; with start_time and duration it can be split")
    })
}

/// `vignette`: its dithering is a stream of random numbers over all frames.
pub(super) fn vignette(filter: &Filter) -> Result<FilterClass, OptionError> {
    Ok(match filter.argument(&["dither"], None) {
        Some("0") => FilterClass::Stateless,
        None | Some(_) => whole(
            filter,
            "dithers with one stream of random numbers; with dither=0 it can be split",
        ),
    })
}

/// `curves` and `selectivecolor`: the files they can name have a position of their own.
pub(super) fn curves(filter: &Filter) -> Result<FilterClass, OptionError> {
    if filter.positional() > 1 {
        return Err(refused(
            filter,
            "arguments by position reach one that names a file; name them",
        ));
    }
    Ok(FilterClass::Stateless)
}

/// `drawtext`: fonts differ between machines, so that segments of several workers would not match.
pub(super) fn drawtext(filter: &Filter) -> Result<FilterClass, OptionError> {
    if filter.positional() > 0 {
        return Err(refused(
            filter,
            "its first argument by position names a font file; name the arguments",
        ));
    }
    Ok(whole(filter, "draws with a font that may differ between workers"))
}

/// `deshake`: its last argument by position names a log file.
pub(super) fn deshake(filter: &Filter) -> Result<FilterClass, OptionError> {
    if filter.positional() > 6 {
        return Err(refused(
            filter,
            "arguments by position reach one that names a file; name them",
        ));
    }
    Ok(whole(filter, "follows the camera over the whole film"))
}
