//! MPEG-2, MPEG-4 part 2, Theora and Motion JPEG: encoders that take 200 kbit/s when nothing is said.

use segenc_core::source::StreamKind;

use super::super::table::Names;
use super::{Aim, Encoder};

const MPEG2: Names = Names(
    "\
     scan_offset b_strategy b_sensitivity brd_scale intra_vlc non_linear_quant alternate_scan
     a53cc seq_disp_ext video_format mpv_flags luma_elim_threshold chroma_elim_threshold
     quantizer_noise_shaping error_rate qsquish rc_qmod_amp rc_qmod_freq border_mask lmin lmax
     skip_threshold skip_factor skip_exp skip_cmp sc_threshold noise_reduction ps motion_est
     mepc mepre intra_penalty",
);

const MPEG4: Names = Names(
    "\
     data_partitioning alternate_scan mpeg_quant b_strategy b_sensitivity brd_scale mpv_flags
     luma_elim_threshold chroma_elim_threshold quantizer_noise_shaping error_rate qsquish
     rc_qmod_amp rc_qmod_freq border_mask lmin lmax skip_threshold skip_factor skip_exp skip_cmp
     sc_threshold noise_reduction ps motion_est mepc mepre intra_penalty",
);

const XVID: Names = Names(
    "\
     lumi_aq variance_aq ssim ssim_acc gmc me_quality mpeg_quant",
);

const MJPEG: Names = Names(
    "\
     mpv_flags luma_elim_threshold chroma_elim_threshold quantizer_noise_shaping qsquish
     border_mask lmin lmax noise_reduction ps huffman force_duplicated_matrix",
);

const fn bitrate(name: &'static str, options: Names) -> Encoder {
    Encoder {
        name,
        kind: StreamKind::Video,
        options,
        quality: &["q", "qscale", "global_quality"],
        by_default: Aim::Bitrate,
        list: None,
    }
}

pub(super) const ENCODERS: &[Encoder] = &[
    bitrate("mpeg1video", MPEG2),
    bitrate("mpeg2video", MPEG2),
    bitrate("mpeg4", MPEG4),
    bitrate("libxvid", XVID),
    bitrate("mjpeg", MJPEG),
    bitrate("libtheora", Names("")),
];
