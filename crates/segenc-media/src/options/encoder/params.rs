//! The lists of a library's own options (`-x264-params key=value:key=value`).
//!
//! Only known keys pass, because some open files or change how many passes are run. Backslashes and quotes
//! are refused: ffmpeg would take them out of a key, and no value needs them.

use super::super::error::{OptionError, OptionErrorKind, shown};
use super::super::table::Names;
use super::List;

/// The most keys of one list; the longest in use have about fifty.
const MAX_KEYS: usize = 200;

/// What a list says about rate control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Rate {
    /// Nothing.
    Silent,
    /// It asks for a quality.
    Quality,
    /// This key needs one rate control, or one count of frames, over the whole film.
    Whole(&'static str),
}

const X264_KEYS: Names = Names(
    "\
     8x8dct aq-mode aq-strength asm aud avcintra-class avcintra-flavor b-adapt b-bias
     b-pyramid bff bframes bitrate bluray-compat cabac chroma-me chroma-qp-offset chromaloc
     colormatrix colorprim constrained-intra cplxblur cqm crf crf-max ct dct-decimate
     deadzone-inter deadzone-intra deblock deterministic direct direct-pred fade-compensate
     fake-interlaced fast-pskip filler force-cfr frame-packing fullrange interlaced
     intra-refresh ipratio keyint keyint-min level log log-level lookahead-threads loopfilter
     mastering-display cll mbtree me me-range merange min-keyint mixed-refs mvrange
     mvrange-thread nal-hrd nf nr open-gop overscan partitions pbratio pic-struct psnr psy
     psy-rd qblur qcomp qp qpmax qpmin qpstep range ratetol rc-lookahead ref sar scenecut
     slices slices-max slice-max-mbs slice-max-size slice-min-mbs sliced-threads ssim
     stitchable subme subq sync-lookahead tff threads transfer trellis vbv-bufsize vbv-init
     vbv-maxrate videoformat weightb weightp zones alternative-transfer repeat-headers",
);

const X265_KEYS: Names = Names(
    "\
     allow-non-conformance amp aq-auto aq-bias-strength aq-mode aq-motion aq-strength asm aud
     b-adapt b-intra b-pyramid bframe-bias bframes bitrate cbqpoffs chromaloc cll colormatrix
     colorprim const-vbv constrained-intra copy-pic cplxblur crf crf-max crf-min cqp-offs
     crqpoffs ctu cu-lossless cutree deblock display-window dynamic-rd dynamic-refine
     early-skip fades fast-intra frame-threads gop-lookahead hash hdr hdr10 hdr10-opt hevc-aq
     high-tier hist-scenecut hist-threshold hme hme-range hme-search hrd idr-recovery-sei info
     interlace intra-refresh ipratio keyint level-idc limit-modes limit-refs limit-sao
     limit-tu log-level lookahead-slices lookahead-threads lossless lowpass-dct master-display
     max-ausize-factor max-cll max-luma max-merge max-qp-delta max-tu-size mcstf me merange
     min-cu-size min-keyint min-luma nr-inter nr-intra numa-pools open-gop opt-cu-delta-qp
     opt-qp-pps opt-ref-list-length-pps overscan pbratio pme pmode pools psnr psy-rd psy-rdoq
     qblur qcomp qg-size qp qp-adaptation-range qp-delta-ref qp-delta-nonref qpmax qpmin
     qpstep radl range rc-grain rc-lookahead rd rd-refine rdoq-level rdpenalty rect ref
     repeat-headers rskip rskip-edge-threshold sao sao-non-deblock sar scaling-list scenecut
     scenecut-bias scenecut-aware-qp sei selective-sao signhide single-sei slices
     slow-firstpass splitrd-skip ssim ssim-rd strict-cbr strong-intra-smoothing subme
     temporal-layers temporal-mvp tr transfer transform-skip traditional-scenecut tskip
     tskip-fast tu-inter-depth tu-intra-depth uhd-bd vbv-bufsize vbv-end vbv-end-fr-adj
     vbv-init vbv-maxrate videoformat vui-hrd-info vui-timing-info weightb weightp wpp zones
     me-range atc-sei pic-struct video-signal-type-preset",
);

const SVT_KEYS: Names = Names(
    "\
     ac-bias adaptive-film-grain aq-mode asm avif bias-pct buf-initial-sz buf-optimal-sz
     buf-sz chroma-qm-max chroma-qm-min chroma-sample-position chroma-u-ac-qindex-offset
     chroma-u-dc-qindex-offset chroma-v-ac-qindex-offset chroma-v-dc-qindex-offset
     color-primaries color-range content-light crf dlf-enable enable-cdef enable-dlf
     enable-force-key-frames enable-hdr enable-mfmv enable-dg enable-overlays enable-qm
     enable-restoration enable-tf enable-tpl-la enable-variance-boost fast-decode film-grain
     film-grain-denoise frame-luma-bias gop-constraint-rc hierarchical-levels irefresh-type
     keyint level lookahead lossless lp mastering-display matrix-coefficients max-qp
     max-tx-size mbr mbr-overshoot-pct min-qp minsection-pct maxsection-pct
     noise-norm-strength overshoot-pct pin pred-struct preset profile qm-max qm-min qp
     qp-scale-compress-strength rc recode-loop scd scm sframe-dist sframe-mode sharpness
     sharp-tx spy-rd startup-mg-size ss tbr tf-strength tier tile-columns tile-rows
     transfer-characteristics tune tx-bias undershoot-pct unrestricted-motion-vector
     use-fixed-qindex-offsets variance-boost-curve variance-boost-strength variance-octile
     vbr-max-section-pct vbr-min-section-pct la-depth luminance-qp-bias kf-tf-strength hbd-mds
     complex-hvs psy-rd low-q-taper adaptive-quantization",
);

const AOM_KEYS: Names = Names(
    "\
     aq-mode arnr-maxframes arnr-strength auto-intra-tools-off bias-pct cdf-update-mode
     chroma-subsampling-x color-primaries cpu-used cq-level deltaq-mode deltaq-strength
     denoise-block-size denoise-noise-level disable-trellis-quant dist-metric dv-cost-upd-freq
     coeff-cost-upd-freq mode-cost-upd-freq mv-cost-upd-freq enable-1to4-partitions
     enable-ab-partitions enable-angle-delta enable-cdef enable-cfl-intra enable-chroma-deltaq
     enable-diagonal-intra enable-diff-wtd-comp enable-directional-intra enable-dist-wtd-comp
     enable-dnl-denoising enable-dual-filter enable-experimental-psy enable-filter-intra
     enable-flip-idtx enable-fwd-kf enable-global-motion enable-interinter-wedge
     enable-interintra-comp enable-interintra-wedge enable-intra-edge-filter enable-intrabc
     enable-keyframe-filtering enable-masked-comp enable-obmc enable-onesided-comp
     enable-order-hint enable-overlay enable-paeth-intra enable-palette enable-qm
     enable-rect-partitions enable-rect-tx enable-ref-frame-mvs enable-restoration
     enable-smooth-interintra enable-smooth-intra enable-superres enable-tpl-model
     enable-tx-size-search enable-tx64 enable-warped-motion error-resilient-mode
     film-grain-test frame-parallel-decoding frame-periodic-boost gf-max-pyr-height
     gf-min-pyr-height gf-cbr-boost-pct input-color-trc lag-in-frames large-scale-tile
     loopfilter-control lossless matrix-coefficients max-gf-interval min-gf-interval
     max-partition-size min-partition-size max-reference-frames motion-vector-unit-test
     num-tile-groups noise-sensitivity qm-max qm-min quant-b-adapt quant-sharpness
     reduced-reference-set reduced-tx-type-set row-mt sb-size set-tier-mask sframe-dist
     sframe-mode sharpness skip-postproc-filtering static-thresh superblock-size tile-columns
     tile-rows timing-info transfer-characteristics tune tune-content tx-size-search-method
     use-inter-dct-only use-intra-dct-only use-intra-default-tx-only vbr-corpus-complexity-lap",
);

const RAV1E_KEYS: Names = Names(
    "\
     bitrate content-light error-resilient key-frame-interval low-latency mastering-display
     matrix min-key-frame-interval min-quantizer photon-noise primaries quantizer range
     rdo-lookahead-frames reservoir-frame-delay scene-change-detection scenechange-detection
     speed still-picture switch-frame-interval threads tile-cols tile-rows tiles transfer tune",
);

/// Keys of a list that name files or passes: said apart from unknown ones.
const FILES: Names = Names(
    "\
     stats pass passes qpfile cqmfile cqm4 cqm8 cqm4i cqm4p cqm8i cqm8p dump-yuv opencl
     opencl-clbin opencl-device fullhelp analysis-save analysis-load analysis-save-reuse-level
     analysis-load-reuse-level analysis-reuse-file analysis-reuse-mode analysis-reuse-level
     csv csv-log-level log-file dhdr10-info dhdr10-opt lambda-file dolby-vision-rpu
     dolby-vision-profile recon recon-y4m-exec zonefile zonefile-rc-init nalu-file input
     output scenecut-qp-config film-grain-table fgs-table partition-info-path
     rate-distribution-info vmaf-model-path two-pass-input two-pass-output second-pass-log
     refine-analysis-type multi-pass-opt-analysis multi-pass-opt-distortion first-pass
     second-pass roi-map-file qpm aomenc film-grain-file external-partition chunk-start
     chunk-end svt",
);

/// Checks a list, and says what it asks of rate control.
pub(in super::super) fn check(word: &str, list: List, text: &str) -> Result<Rate, OptionError> {
    let bad = |why: String| {
        OptionError::new(OptionErrorKind::BadValue, word, format!("the list of {word} {why}"))
    };
    if text.contains(['\\', '\'', '"']) {
        return Err(bad("has a backslash or a quote".to_owned()).hint(
            "write two numbers with a comma (deblock=-1,-1): then nothing has to be quoted",
        ));
    }
    let mut rate = Rate::Silent;
    for (count, pair) in text.split(':').enumerate() {
        if count >= MAX_KEYS {
            return Err(bad(format!("has more than {MAX_KEYS} entries")));
        }
        let (key, value) = match pair.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (pair, None),
        };
        let name = key.replace('_', "-");
        let base = name.strip_prefix("no-").unwrap_or(&name);
        if FILES.has(&name) || FILES.has(base) {
            return Err(bad(format!(
                "has {}, which names a file or a device, or needs a second pass",
                shown(key)
            ))
            .hint("leave it out: segments are encoded on other machines, in one pass"));
        }
        let known = keys(list);
        if !known.has(&name) && !known.has(base) {
            return Err(bad(format!("has {:?}, which is not known here", shown(key))).near(
                base,
                known.iter(),
                "",
            ));
        }
        if !value_fits(&name, value) {
            return Err(bad(format!("gives {} a value that would open a file", shown(key))));
        }
        rate = stronger(rate, asks(&name, value));
    }
    Ok(rate)
}

fn keys(list: List) -> Names {
    match list {
        List::X264 => X264_KEYS,
        List::X265 => X265_KEYS,
        List::SvtAv1 => SVT_KEYS,
        List::Aom => AOM_KEYS,
        List::Rav1e => RAV1E_KEYS,
    }
}

/// Some keys take a name out of a few, or else a file.
fn value_fits(name: &str, value: Option<&str>) -> bool {
    match name {
        "cqm" => matches!(value, Some("flat" | "jvt")),
        "scaling-list" => matches!(value, Some("off" | "default")),
        _ => true,
    }
}

fn asks(name: &str, value: Option<&str>) -> Rate {
    let nothing = matches!(value, Some("0"));
    match name {
        "crf" | "qp" | "lossless" | "cq-level" | "quantizer" => Rate::Quality,
        "bitrate" | "tbr" if !nothing => {
            Rate::Whole("a bitrate target needs one rate control over the whole film")
        }
        "rc" if !nothing => {
            Rate::Whole("a bitrate target needs one rate control over the whole film")
        }
        "vbv-maxrate" | "vbv-bufsize" | "strict-cbr" | "mbr" if !nothing => {
            Rate::Whole("a bitrate limit needs one buffer over the whole film")
        }
        "zones" => Rate::Whole("zones are counted in frames of the whole film"),
        _ => Rate::Silent,
    }
}

fn stronger(one: Rate, other: Rate) -> Rate {
    match (one, other) {
        (Rate::Whole(_), _) | (_, Rate::Silent) => one,
        (Rate::Silent | Rate::Quality, Rate::Quality | Rate::Whole(_)) => other,
    }
}
