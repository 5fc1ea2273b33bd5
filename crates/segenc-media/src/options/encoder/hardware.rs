//! Encoders on graphics cards that take frames from ordinary memory.
//!
//! Missing on purpose: options that choose a device (the worker does) or load plug-ins.

use segenc_core::source::StreamKind;

use super::super::table::Names;
use super::{Aim, Encoder};

const NVENC: Names = Names(
    "\
     preset tune tier rc rc-lookahead surfaces cbr 2pass delay no-scenecut forced-idr b_adapt
     spatial-aq spatial_aq temporal-aq temporal_aq zerolatency nonref_p strict_gop aq-strength
     cq aud bluray-compat init_qpP init_qpB init_qpI qp qp_cb_offset qp_cr_offset weighted_pred
     coder b_ref_mode a53cc dpb_size multipass ldkfs extra_sei udu_sei s12m_tc intra-refresh
     single-slice-intra-refresh constrained-encoding highbitdepth tile-rows tile-columns
     lookahead_level tf_level split_encode_mode unidir_b",
);

const QSV: Names = Names(
    "\
     async_depth avbr_accuracy avbr_convergence preset forced_idr low_power rdo max_frame_size
     max_frame_size_i max_frame_size_p max_slice_size bitrate_limit mbbrc extbrc adaptive_i
     adaptive_b p_strategy b_strategy dblk_idc low_delay_brc max_qp_i min_qp_i max_qp_p min_qp_p
     max_qp_b min_qp_b cavlc idr_interval pic_timing_sei single_sei_nal_unit
     max_dec_frame_buffering look_ahead look_ahead_depth look_ahead_downsampling int_ref_type
     int_ref_cycle_size int_ref_qp_delta recovery_point_sei int_ref_cycle_dist a53cc aud mfmode
     repeat_pps gpb tile_cols tile_rows transform_skip tier scenario",
);

const AMF: Names = Names(
    "\
     usage quality preset rc qp_i qp_p qp_b qvbr_quality_level preanalysis vbaq enforce_hrd
     filler_data frame_skipping header_spacing bf_delta_qp bf_ref bf_ref_delta_qp max_b_frames
     coder me_half_pel me_quarter_pel aud profile_tier gops_per_idr max_au_size min_qp_i
     max_qp_i min_qp_p max_qp_p log_to_dbg_off align bitdepth",
);

const VIDEOTOOLBOX: Names = Names(
    "\
     allow_sw require_sw realtime frames_before frames_after prio_speed power_efficient coder
     a53cc constant_bit_rate max_slice_bytes alpha_quality spatial_aq max_ref_frames",
);

const fn card(name: &'static str, options: Names, quality: &'static [&'static str]) -> Encoder {
    Encoder {
        name,
        kind: StreamKind::Video,
        options,
        quality,
        by_default: Aim::Bitrate,
        list: None,
    }
}

const CQ: &[&str] = &["cq", "qp"];
const GLOBAL: &[&str] = &["global_quality", "q", "qscale"];
const CQP: &[&str] = &["qp_i", "qvbr_quality_level"];

pub(super) const ENCODERS: &[Encoder] = &[
    card("h264_nvenc", NVENC, CQ),
    card("hevc_nvenc", NVENC, CQ),
    card("av1_nvenc", NVENC, CQ),
    card("h264_qsv", QSV, GLOBAL),
    card("hevc_qsv", QSV, GLOBAL),
    card("av1_qsv", QSV, GLOBAL),
    card("vp9_qsv", QSV, GLOBAL),
    card("h264_amf", AMF, CQP),
    card("hevc_amf", AMF, CQP),
    card("av1_amf", AMF, CQP),
    card("h264_videotoolbox", VIDEOTOOLBOX, GLOBAL),
    card("hevc_videotoolbox", VIDEOTOOLBOX, GLOBAL),
    card("prores_videotoolbox", VIDEOTOOLBOX, &["profile"]),
];
