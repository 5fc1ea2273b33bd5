//! The audio filters that are allowed.
//!
//! Audio is encoded in one piece, so filters with any memory are fine; only those that open files, the
//! network or a second input are missing.

use super::super::error::{OptionError, OptionErrorKind, shown};
use super::super::table::Names;
use super::{Filter, refused};

const ALLOWED: Names = Names(
    "\
     anull acopy aformat aresample pan channelmap volume loudnorm dynaudnorm speechnorm
     acompressor compand mcompand alimiter agate acontrast acrusher adeclick adeclip adelay
     adenorm adynamicequalizer adynamicsmooth aecho aemphasis aexciter afade afftdn anlmdn
     aphaser apulsator asetnsamples asetrate asoftclip asubboost asubcut asupercut atempo atilt
     atrim apad areverse asetpts asettb bandpass bandreject bass biquad bs2b chorus crossfeed
     crystalizer dcshift deesser dialoguenhance earwax equalizer superequalizer extrastereo
     flanger haas hdcd highpass highshelf lowpass lowshelf treble tiltshelf rubberband
     silenceremove stereotools stereowiden surround tremolo vibrato virtualbass allpass
     compensationdelay",
);

const REFUSED: &[(&str, &str)] = &[
    ("amovie", "it opens a file"),
    ("ladspa", "it loads code"),
    ("lv2", "it loads code"),
    ("sofalizer", "it opens a file"),
    ("arnndn", "it opens a file; afftdn is a denoiser without one"),
    ("asr", "it opens files"),
    ("whisper", "it opens files and the network"),
    ("azmq", "it opens the network"),
    ("asendcmd", "it sends commands to other filters"),
    ("ametadata", "it can write a file"),
    ("amix", "it needs several inputs"),
    ("amerge", "it needs several inputs"),
    ("join", "it needs several inputs"),
    ("afir", "it needs several inputs"),
    ("aloop", "it repeats the stream, possibly without end"),
    ("firequalizer", "it can write a file"),
    ("astats", "it only measures"),
    ("ebur128", "it only measures"),
    ("volumedetect", "it only measures"),
    ("silencedetect", "it only measures"),
    ("arealtime", "it only slows down"),
];

/// Checks one filter.
pub(super) fn check(filter: &Filter) -> Result<(), OptionError> {
    let name = filter.name.as_str();
    if ALLOWED.has(name) {
        return Ok(());
    }
    if let Some((_, why)) = REFUSED.iter().find(|(known, _)| *known == name) {
        return Err(refused(filter, why));
    }
    Err(OptionError::new(
        OptionErrorKind::UnknownFilter,
        name,
        format!("audio filter {} is not known here", shown(name)),
    )
    .near(name, ALLOWED.iter(), ""))
}
