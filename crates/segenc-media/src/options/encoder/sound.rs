//! Audio encoders. Audio is never cut, so what they aim at does not matter.

use segenc_core::source::StreamKind;

use super::super::table::Names;
use super::{Aim, Encoder};

const AC3: Names = Names(
    "\
     center_mixlev surround_mixlev mixing_level room_type per_frame_metadata copyright dialnorm
     dsur_mode original dmix_mode ltrt_cmixlev ltrt_surmixlev loro_cmixlev loro_surmixlev
     dsurex_mode dheadphone_mode ad_conv_type stereo_rematrixing channel_coupling cpl_start_band",
);

const OPUS: Names = Names(
    "\
     application frame_duration packet_loss fec vbr mapping_family dtx apply_phase_inv",
);

const AAC: Names = Names(
    "\
     aac_coder aac_ms aac_is aac_pns aac_tns aac_ltp aac_pred aac_pce",
);

const FLAC: Names = Names(
    "\
     lpc_coeff_precision lpc_type lpc_passes min_partition_order max_partition_order
     prediction_order_method ch_mode exact_rice_parameters multi_dim_quant min_prediction_order
     max_prediction_order",
);

const fn sound(name: &'static str, options: Names) -> Encoder {
    Encoder {
        name,
        kind: StreamKind::Audio,
        options,
        quality: &[],
        by_default: Aim::Quality,
        list: None,
    }
}

pub(super) const ENCODERS: &[Encoder] = &[
    sound("aac", AAC),
    sound("aac_at", Names("aac_at_mode aac_at_quality")),
    sound("libopus", OPUS),
    sound("libmp3lame", Names("reservoir joint_stereo abr copyright original")),
    sound("libvorbis", Names("iblock")),
    sound("ac3", AC3),
    sound("eac3", AC3),
    sound("mp2", Names("")),
    sound("libtwolame", Names("mode psymodel energy_levels error_protection copyright original")),
    sound("flac", FLAC),
    sound("alac", Names("min_prediction_order max_prediction_order")),
    sound("wavpack", Names("joint_stereo optimize_mono")),
    sound("truehd", Names("")),
    sound("dca", Names("dca_adpcm")),
    sound("pcm_s16le", Names("")),
    sound("pcm_s16be", Names("")),
    sound("pcm_s24le", Names("")),
    sound("pcm_s24be", Names("")),
    sound("pcm_s32le", Names("")),
    sound("pcm_s32be", Names("")),
    sound("pcm_f32le", Names("")),
    sound("pcm_f32be", Names("")),
    sound("pcm_f64le", Names("")),
    sound("pcm_f64be", Names("")),
    sound("pcm_u8", Names("")),
    sound("pcm_alaw", Names("")),
    sound("pcm_mulaw", Names("")),
    sound("pcm_bluray", Names("")),
    sound("pcm_dvd", Names("")),
];
