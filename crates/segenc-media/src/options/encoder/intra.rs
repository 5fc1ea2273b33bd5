//! Encoders whose every frame stands for itself: for editing and for archives.

use segenc_core::source::StreamKind;

use super::super::table::Names;
use super::{Aim, Encoder};

const fn single(name: &'static str, options: Names) -> Encoder {
    // Their bitrate is a size for each frame, so that no rate control runs over the film.
    Encoder {
        name,
        kind: StreamKind::Video,
        options,
        quality: &["b"],
        by_default: Aim::Quality,
        list: None,
    }
}

pub(super) const ENCODERS: &[Encoder] = &[
    single("prores", Names("vendor")),
    single("prores_aw", Names("vendor")),
    single("prores_ks", Names("mbs_per_slice vendor bits_per_mb quant_mat alpha_bits")),
    single("dnxhd", Names("nitris_compat ibias")),
    single("cfhd", Names("quality")),
    single("ffv1", Names("slicecrc coder context")),
    single("huffyuv", Names("non_deterministic pred")),
    single("ffvhuff", Names("non_deterministic pred context")),
    single("utvideo", Names("pred")),
    single("magicyuv", Names("pred")),
    single("rawvideo", Names("")),
    single("v210", Names("")),
    single("qtrle", Names("")),
    single("png", Names("pred dpi dpm")),
    single("jpeg2000", Names("format tile_width tile_height pred sop eph prog")),
];
