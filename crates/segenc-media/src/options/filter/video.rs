//! The video filters that are allowed, and what each means for cutting the film.
//!
//! A filter stands among the stateless ones only if a frame that enters it after others comes out as it
//! would without them. That was measured with FFmpeg 5.1: the filter's output for a piece of a film against
//! the same frames of the whole (with its run-up and run-out, where it has a window).

use super::super::error::{OptionError, OptionErrorKind, shown};
use super::super::table::Names;
use super::{Filter, FilterClass, Look, Rule, burn, refused, retime, whole, window};

/// The frame comes out by itself.
const STATELESS: Names = Names(
    "\
     null copy scale zscale crop pad fillborders transpose hflip vflip rotate shear
     perspective lenscorrection v360 setsar setdar setparams setrange setfield fieldorder
     field format noformat il colorspace colormatrix tonemap colorchannelmixer colorbalance
     colorcontrast colorcorrect colorize colorlevels colortemperature huesaturation hue eq
     exposure vibrance grayworld monochrome negate limiter lut lutrgb lutyuv pseudocolor
     rgbashift chromashift chromanr chromakey chromahold colorkey colorhold hsvkey hsvhold
     lumakey despill unsharp cas boxblur gblur avgblur dblur yaepblur smartblur sab bilateral
     median nlmeans vaguedenoiser owdenoise dctdnoiz removegrain deblock deband gradfun
     convolution sobel prewitt roberts scharr kirsch edgedetect dilation erosion inflate
     deflate pixelize drawbox drawgrid delogo swapuv swaprect shuffleplanes hqx xbr epx
     super2xsai sidedata geq",
);

/// Needs the whole film, because it ….
const WHOLE: &[(&str, &str)] = &[
    ("framerate", "changes the frame rate by one clock over the whole film"),
    ("minterpolate", "changes the frame rate by one clock over the whole film"),
    ("framestep", "keeps every n-th frame, counted over the whole film"),
    ("decimate", "drops frames by a pattern that runs over the whole film"),
    ("mpdecimate", "drops frames by comparing with the last one kept"),
    ("select", "chooses frames, which changes how many there are"),
    ("trim", "changes how many frames there are"),
    ("thumbnail", "chooses frames, which changes how many there are"),
    ("tpad", "adds frames at the ends of the film"),
    ("loop", "repeats frames"),
    ("reverse", "turns the whole film round"),
    ("random", "mixes the order of frames"),
    ("shuffleframes", "mixes the order of frames"),
    ("freezeframes", "counts frames over the whole film"),
    ("tile", "joins several frames to one"),
    ("untile", "makes several frames of one"),
    ("zoompan", "makes several frames of one"),
    ("setpts", "gives frames another time"),
    ("settb", "gives frames another clock"),
    ("dejudder", "gives frames another time"),
    ("fieldmatch", "matches fields by a pattern that runs over the whole film"),
    ("pullup", "drops fields by a pattern that runs over the whole film"),
    ("telecine", "adds fields by a pattern that runs over the whole film"),
    ("detelecine", "drops fields by a pattern that runs over the whole film"),
    ("repeatfields", "adds fields by a pattern that runs over the whole film"),
    ("separatefields", "makes two frames of each"),
    ("weave", "makes one frame of two"),
    ("doubleweave", "pairs each frame with the one before"),
    ("interlace", "makes one frame of two"),
    ("tinterlace", "makes one frame of two"),
    ("phase", "pairs each frame with the one before"),
    ("kerndeint", "keeps a memory of the frames before"),
    ("mcdeint", "keeps a memory of all frames before"),
    ("hqdn3d", "keeps a fading memory of all frames before"),
    ("lagfun", "keeps a fading memory of all frames before"),
    ("tblend", "drops the first frame of what it is given"),
    ("normalize", "smooths over frames before"),
    ("tmedian", "drops frames at the ends of what it is given"),
    ("amplify", "drops frames at the ends of what it is given"),
    ("greyedge", "carries something from frame to frame"),
    ("shufflepixels", "draws its pattern by chance"),
    ("photosensitivity", "keeps a memory of frames before"),
    ("noise", "draws its pattern from one stream of random numbers for the whole film"),
    ("scroll", "moves on with every frame"),
    ("histeq", "draws its pattern from one stream of random numbers for the whole film"),
    ("elbg", "draws its pattern from one stream of random numbers for the whole film"),
    ("pp", "keeps a memory of frames before"),
    ("pp7", "keeps a memory of frames before"),
    ("spp", "keeps a memory of frames before"),
    ("fspp", "keeps a memory of frames before"),
    ("uspp", "keeps a memory of frames before"),
    ("stereo3d", "may make two frames of one"),
    ("idet", "measures over the whole film"),
];

/// Refused, because it ….
const REFUSED: &[(&str, &str)] = &[
    ("movie", "it opens a file"),
    ("amovie", "it opens a file"),
    ("ass", "it opens a file; subtitles={source} burns in the film's own"),
    ("lut3d", "it opens a file"),
    ("lut1d", "it opens a file"),
    ("haldclut", "it needs a second input"),
    ("haldclutsrc", "it is a source"),
    ("removelogo", "it opens a file; delogo does the same for a rectangle"),
    ("find_rect", "it opens a file"),
    ("cover_rect", "it opens a file"),
    ("signature", "it writes a file"),
    ("metadata", "it can write a file"),
    ("nnedi", "it opens a file; bwdif=mode=send_frame is a good deinterlacer"),
    ("fieldhint", "it opens a file"),
    ("vidstabdetect", "it writes a file"),
    ("vidstabtransform", "it opens a file"),
    ("ocr", "it opens files"),
    ("sr", "it opens a file"),
    ("derain", "it opens a file"),
    ("dnn_processing", "it opens a file"),
    ("dnn_detect", "it opens a file"),
    ("dnn_classify", "it opens a file"),
    ("libvmaf", "it writes a file and needs a second input"),
    ("psnr", "it can write a file and needs a second input"),
    ("ssim", "it can write a file and needs a second input"),
    ("frei0r", "it loads code"),
    ("libplacebo", "it needs a device and can load shaders"),
    ("sendcmd", "it sends commands to other filters"),
    ("zmq", "it opens the network"),
    ("streamselect", "it needs several inputs"),
    ("concat", "it needs several inputs"),
    ("overlay", "it needs a second input"),
    ("blend", "it needs a second input"),
    ("hstack", "it needs a second input"),
    ("vstack", "it needs a second input"),
    ("xstack", "it needs several inputs"),
    ("xfade", "it needs a second input"),
    ("mix", "it needs several inputs"),
    ("alphamerge", "it needs a second input"),
    ("alphaextract", "it changes what the stream is"),
    ("mergeplanes", "it needs several inputs"),
    ("maskedmerge", "it needs several inputs"),
    ("scale2ref", "it needs a second input"),
    ("remap", "it needs several inputs"),
    ("displace", "it needs several inputs"),
    ("paletteuse", "it needs a second input"),
    ("palettegen", "it makes one frame of the whole film"),
    ("split", "it has several outputs"),
    ("bm3d", "it may need a second input; nlmeans is a good denoiser"),
    ("hwupload", "it needs a device, and devices belong to the worker"),
    ("hwupload_cuda", "it needs a device, and devices belong to the worker"),
    ("hwdownload", "it needs a device, and devices belong to the worker"),
    ("hwmap", "it needs a device, and devices belong to the worker"),
    ("showinfo", "it only prints"),
    ("blackdetect", "it only measures"),
    ("blackframe", "it only measures"),
    ("cropdetect", "it only measures; give the numbers it found to crop"),
    ("freezedetect", "it only measures"),
    ("scdet", "it only measures"),
    ("signalstats", "it only measures"),
    ("vfrdet", "it only measures"),
    ("bench", "it only measures"),
    ("realtime", "it only slows down"),
    ("arealtime", "it only slows down"),
    ("cue", "it only waits"),
    ("perms", "it is a test of ffmpeg"),
    ("drawgraph", "it draws measurements of the whole film"),
];

/// Filters whose arguments decide.
const LOOK: &[(&str, Look)] = &[
    ("fps", retime::fps),
    ("yadif", window::yadif),
    ("bwdif", window::bwdif),
    ("estdif", window::estdif),
    ("w3fdif", window::w3fdif),
    ("atadenoise", window::atadenoise),
    ("tmix", window::tmix),
    ("deflicker", window::deflicker),
    ("dedot", window::dedot),
    ("fftdnoiz", window::fftdnoiz),
    ("fade", window::fade),
    ("vignette", window::vignette),
    ("curves", window::curves),
    ("selectivecolor", window::curves),
    ("drawtext", window::drawtext),
    ("deshake", window::deshake),
    (burn::NAME, burn::subtitles),
];

/// Families of filters that run on a device.
const DEVICE_SUFFIXES: Names = Names(
    "\
     _cuda _opencl _vulkan _vaapi _qsv _npp _amf _vt _videotoolbox",
);

fn rule(name: &str) -> Option<Rule> {
    if STATELESS.has(name) {
        return Some(Rule::Stateless);
    }
    if let Some((_, look)) = LOOK.iter().find(|(known, _)| *known == name) {
        return Some(Rule::Look(*look));
    }
    if let Some((_, why)) = WHOLE.iter().find(|(known, _)| *known == name) {
        return Some(Rule::Whole(why));
    }
    if let Some((_, why)) = REFUSED.iter().find(|(known, _)| *known == name) {
        return Some(Rule::Refused(why));
    }
    DEVICE_SUFFIXES
        .iter()
        .any(|suffix| name.ends_with(suffix))
        .then_some(Rule::Refused("it needs a device, and devices belong to the worker"))
}

/// The class of one filter.
pub(super) fn class(filter: &Filter) -> Result<FilterClass, OptionError> {
    let class = match rule(&filter.name) {
        Some(Rule::Stateless) => FilterClass::Stateless,
        Some(Rule::Look(look)) => look(filter)?,
        Some(Rule::Whole(why)) => return Ok(whole(filter, why)),
        Some(Rule::Refused(why)) => return Err(refused(filter, why)),
        None => return Err(unknown(filter)),
    };
    if let Some(word) = counting_word(filter) {
        return Ok(whole(
            filter,
            &format!("has an expression with {word:?}, which runs on over the whole film"),
        ));
    }
    Ok(class)
}

fn unknown(filter: &Filter) -> OptionError {
    let allowed = STATELESS.iter();
    let allowed = allowed
        .chain(WHOLE.iter().map(|(name, _)| *name))
        .chain(LOOK.iter().map(|(name, _)| *name));
    OptionError::new(
        OptionErrorKind::UnknownFilter,
        &filter.name,
        format!("video filter {} is not known here", shown(&filter.name)),
    )
    .hint("those that are known stand in docs/guide/options.md, under video filters")
    .near(&filter.name, allowed, "")
}

/// Names in ffmpeg's expressions that count frames, keep a memory, or read a clock: `n` of a segment is
/// not `n` of the film. Time (`t`, `T`) is fine: segments keep the film's clock.
const COUNTING: &[&str] = &["n", "N", "pos", "st", "ld", "random", "randomi", "time", "rtctime"];

/// The same in `perspective`, whose frame counters have names that are plain words elsewhere.
const COUNTING_IN_PERSPECTIVE: &[&str] = &["in", "on"];

fn counting_word(filter: &Filter) -> Option<&'static str> {
    let more = if filter.name == "perspective" { COUNTING_IN_PERSPECTIVE } else { &[] };
    let values = filter.arguments.iter().map(|argument| argument.value.as_str());
    values
        .flat_map(identifiers)
        .find_map(|word| COUNTING.iter().chain(more).copied().find(|counting| *counting == word))
}

/// The names in an expression, without numbers and operators.
fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
}
