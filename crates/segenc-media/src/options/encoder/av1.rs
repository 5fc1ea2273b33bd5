//! AV1 and VP8/VP9 in software: libsvtav1, libaom-av1, librav1e, libvpx, libvpx-vp9.
//!
//! For the libvpx and libaom pairs `-crf` alone aims at a quality, `-crf` with a bitrate at both: that case
//! is judged with the other options of the job.

use segenc_core::source::StreamKind;

use super::super::table::Names;
use super::{Aim, Encoder, List};

const SVT: Names = Names(
    "\
     preset crf qp hielevel la_depth tier sc_detection tile_columns tile_rows dolbyvision",
);

const AOM: Names = Names(
    "\
     cpu-used auto-alt-ref lag-in-frames arnr-max-frames arnr-strength aq-mode error-resilience
     crf static-thresh denoise-noise-level denoise-block-size undershoot-pct overshoot-pct
     minsection-pct maxsection-pct frame-parallel tiles tile-columns tile-rows row-mt
     enable-cdef enable-global-motion enable-intrabc enable-restoration usage tune still-picture
     enable-rect-partitions enable-1to4-partitions enable-ab-partitions enable-angle-delta
     enable-cfl-intra enable-filter-intra enable-intra-edge-filter enable-smooth-intra
     enable-paeth-intra enable-palette enable-flip-idtx enable-tx64 reduced-tx-type-set
     use-intra-dct-only use-inter-dct-only use-intra-default-tx-only enable-ref-frame-mvs
     enable-reduced-reference-set enable-obmc enable-dual-filter enable-diff-wtd-comp
     enable-dist-wtd-comp enable-onesided-comp enable-interinter-wedge enable-interintra-wedge
     enable-masked-comp enable-interintra-comp enable-smooth-interintra",
);

const RAV1E: Names = Names(
    "\
     qp speed tiles tile-rows tile-columns",
);

const VP8: Names = Names(
    "\
     lag-in-frames arnr-maxframes arnr-strength arnr-type tune deadline error-resilient
     max-intra-rate crf static-thresh noise-sensitivity undershoot-pct overshoot-pct
     auto-alt-ref cpu-used speed quality vp8flags arnr_max_frames arnr_strength arnr_type
     rc_lookahead sharpness screen-content-mode",
);

const VP9: Names = Names(
    "\
     lag-in-frames arnr-maxframes arnr-strength arnr-type tune deadline error-resilient
     max-intra-rate crf static-thresh noise-sensitivity undershoot-pct overshoot-pct
     auto-alt-ref cpu-used lossless tile-columns tile-rows frame-parallel aq-mode row-mt
     tune-content corpus-complexity enable-tpl min-gf-interval speed quality arnr_max_frames
     arnr_strength arnr_type rc_lookahead sharpness",
);

pub(super) const ENCODERS: &[Encoder] = &[
    Encoder {
        name: "libsvtav1",
        kind: StreamKind::Video,
        options: SVT,
        quality: &["crf", "qp"],
        by_default: Aim::Quality,
        list: Some((List::SvtAv1, Names("svtav1-params"))),
    },
    Encoder {
        name: "libaom-av1",
        kind: StreamKind::Video,
        options: AOM,
        quality: &["crf"],
        by_default: Aim::Quality,
        list: Some((List::Aom, Names("aom-params"))),
    },
    Encoder {
        name: "librav1e",
        kind: StreamKind::Video,
        options: RAV1E,
        quality: &["qp"],
        by_default: Aim::Quality,
        list: Some((List::Rav1e, Names("rav1e-params"))),
    },
    Encoder {
        name: "libvpx",
        kind: StreamKind::Video,
        options: VP8,
        quality: &[],
        // Without any option it takes 256 kbit/s, and its `-crf` only bounds that.
        by_default: Aim::Bitrate,
        list: None,
    },
    Encoder {
        name: "libvpx-vp9",
        kind: StreamKind::Video,
        options: VP9,
        quality: &["crf", "lossless"],
        by_default: Aim::Quality,
        list: None,
    },
];
