//! Encoders whose every frame stands for itself: for editing and for archives.

use segenc_core::source::StreamKind;

use super::{Aim, Encoder};

const fn single(name: &'static str, options: &'static [&'static str]) -> Encoder {
    // Their bitrate is a size for each frame, so that no rate control runs over the film.
    Encoder { name, kind: StreamKind::Video, options, quality: &["b"], by_default: Aim::Quality, list: None }
}

pub(super) const ENCODERS: &[Encoder] = &[
    single("prores", &["vendor"]),
    single("prores_aw", &["vendor"]),
    single("prores_ks", &["mbs_per_slice", "vendor", "bits_per_mb", "quant_mat", "alpha_bits"]),
    single("dnxhd", &["nitris_compat", "ibias"]),
    single("cfhd", &["quality"]),
    single("ffv1", &["slicecrc", "coder", "context"]),
    single("huffyuv", &["non_deterministic", "pred"]),
    single("ffvhuff", &["non_deterministic", "pred", "context"]),
    single("utvideo", &["pred"]),
    single("magicyuv", &["pred"]),
    single("rawvideo", &[]),
    single("v210", &[]),
    single("qtrle", &[]),
    single("png", &["pred", "dpi", "dpm"]),
    single("jpeg2000", &["format", "tile_width", "tile_height", "pred", "sop", "eph", "prog"]),
];
