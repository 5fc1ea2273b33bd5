//! Whether the film may be cut into segments, from what its options ask of rate control and filters.
//!
//! Must not know how options are spelled or checked.

use segenc_core::rate::{BufferWish, RateWish};
use segenc_core::spec::{Neighbours, OutputOption, SplitPolicy};

use super::codecs::Film;
use super::encoder::{Aim, Encoder, Rate};
use super::filter::ChainClass;

/// Encoders whose quality options leave a bitrate given beside them in force, as a bound.
const BOUNDED_BY_BITRATE: &[&str] = &["libaom-av1", "libvpx-vp9"];

/// The film's options, to be asked by name.
pub(super) struct Options<'a>(pub(super) &'a [OutputOption]);

impl Options<'_> {
    /// The value in force: the last one given.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|option| option.name.split(':').next() == Some(name));
        found.and_then(|option| option.value.as_deref())
    }

    /// Whether it is given and not zero.
    pub(super) fn set(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value.contains(|c: char| c != '0' && c != '.'))
    }
}

/// Decides.
pub(super) fn policy(
    film: Film,
    options: &[OutputOption],
    filters: &ChainClass,
    rates: &[Rate],
    wish: Option<&RateWish>,
    buffer: Option<&BufferWish>,
) -> SplitPolicy {
    let whole = |reason: &str| SplitPolicy::Whole { reason: reason.to_owned() };
    let Some(encoder) = film.encoder() else {
        return whole("video is not encoded");
    };
    let options = Options(options);
    let split = match filters {
        ChainClass::WholeTitle { reason } => return whole(reason),
        ChainClass::Window(Neighbours { run_up, run_out }) => {
            SplitPolicy::Segments { run_up: *run_up, run_out: *run_out }
        }
        ChainClass::Retimed { before, retiming, after } => {
            SplitPolicy::Retimed { before: *before, retiming: *retiming, after: *after }
        }
    };
    // A size is met over all segments, and so it needs no rate control over the whole film.
    let control = || match wish {
        Some(_) => None,
        None => rate_control(encoder, &options, rates, buffer),
    };
    if let Some(reason) = clock(&options).or_else(control) {
        return whole(&reason);
    }
    split
}

/// What counts over the whole film.
fn clock(options: &Options<'_>) -> Option<String> {
    if options.value("r").is_some() {
        return Some(
            "a change of the frame rate (-r) keeps one clock over the whole film; -vf fps=… can be split"
                .to_owned(),
        );
    }
    match options.value("force_key_frames") {
        // A keyframe of the source is one in whichever segment it stands.
        None | Some("source" | "source_no_drop") => None,
        Some(_) => {
            Some("forced keyframes (-force_key_frames) are counted over the whole film".to_owned())
        }
    }
}

/// What a rate control aims at, if it has to see the whole film.
fn rate_control(
    encoder: &Encoder,
    options: &Options<'_>,
    rates: &[Rate],
    buffer: Option<&BufferWish>,
) -> Option<String> {
    let asked = rates.iter().find_map(|rate| match rate {
        Rate::Whole(reason) => Some((*reason).to_owned()),
        Rate::Silent | Rate::Quality => None,
    });
    if asked.is_some() {
        return asked;
    }
    let bounded = ["maxrate", "minrate", "bufsize"].into_iter().any(|name| options.set(name));
    if bounded && buffer.is_none() {
        return Some(
            "a bitrate limit (-maxrate, -bufsize) needs one buffer over the whole film".to_owned(),
        );
    }
    let mode = options.value("rc").unwrap_or_default();
    if options.set("constant_bit_rate") || options.set("cbr") || mode.starts_with("cbr") {
        return Some("a constant bitrate needs one rate control over the whole film".to_owned());
    }
    let quality = rates.contains(&Rate::Quality) || aims_at_quality(encoder, options, mode);
    let each_frame = encoder.quality.contains(&"b");
    let bounded = BOUNDED_BY_BITRATE.contains(&encoder.name);
    if options.set("b") && !each_frame && (!quality || bounded) {
        return Some(
            "a bitrate target (-b:v) needs one rate control over the whole film".to_owned(),
        );
    }
    match encoder.by_default {
        Aim::Bitrate if !quality => Some(format!(
            "{} aims at a bitrate unless told otherwise{}",
            encoder.name,
            match encoder.quality.first() {
                Some(option @ &"q") => format!("; with -{option}:v it aims at a quality"),
                Some(option) => format!("; with -{option} it aims at a quality"),
                None => String::new(),
            }
        )),
        Aim::Bitrate | Aim::Quality => None,
    }
}

fn aims_at_quality(encoder: &Encoder, options: &Options<'_>, mode: &str) -> bool {
    // AMF heeds its quality options only in the modes made for them.
    if encoder.name.ends_with("_amf") {
        return matches!(mode, "cqp" | "qvbr");
    }
    encoder.quality.iter().any(|name| match *name {
        // Zero means automatic, which is a bitrate.
        "cq" | "global_quality" | "lossless" => options.set(name),
        // In NVENC's variable-bitrate modes only -cq aims at a quality.
        "qp" if mode.starts_with("vbr") => false,
        _ => options.value(name).is_some(),
    })
}
