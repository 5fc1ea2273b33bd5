//! libx264 and libx265.

use segenc_core::source::StreamKind;

use super::super::table::Names;
use super::{Aim, Encoder, List};

const X264: Names = Names(
    "\
     preset tune wpredp a53cc crf crf_max qp aq-mode aq-strength psy psy-rd rc-lookahead weightb
     weightp ssim intra-refresh bluray-compat b-bias b-pyramid mixed-refs 8x8dct fast-pskip aud
     mbtree deblock cplxblur partitions direct-pred slice-max-size nal-hrd avcintra-class
     me_method motion-est forced-idr coder b_strategy chromaoffset sc_threshold noise_reduction
     udu_sei",
);

const X265: Names = Names(
    "\
     crf qp forced-idr preset tune a53cc udu_sei",
);

const fn x264(name: &'static str) -> Encoder {
    Encoder {
        name,
        kind: StreamKind::Video,
        options: X264,
        quality: &["crf", "qp"],
        by_default: Aim::Quality,
        list: Some((List::X264, Names("x264-params x264opts"))),
    }
}

pub(super) const ENCODERS: &[Encoder] = &[
    x264("libx264"),
    x264("libx264rgb"),
    Encoder {
        name: "libx265",
        kind: StreamKind::Video,
        options: X265,
        quality: &["crf", "qp"],
        by_default: Aim::Quality,
        list: Some((List::X265, Names("x265-params"))),
    },
];
