//! Which container holds a segment until it is joined.
//!
//! It must keep every PTS and DTS as they are. MP4 and MOV in fragments do (measured on FFmpeg 5.1); NUT
//! stores no DTS, so it serves only formats that do not reorder frames and that MOV cannot hold.

use super::Invocation;

/// A container for segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// MP4 in fragments.
    Mp4,
    /// MOV in fragments: for what MP4 has no code for.
    Mov,
    /// NUT.
    Nut,
}

impl Holder {
    /// The one for what an encoder makes.
    pub(crate) fn of_encoder(encoder: &str) -> Self {
        match encoder {
            "libx264" | "libx264rgb" | "libx265" | "libopenh264" | "libkvazaar" => Self::Mp4,
            "libsvtav1" | "libaom-av1" | "librav1e" | "libvpx-vp9" | "vp9_qsv" => Self::Mp4,
            "mpeg4" | "libxvid" | "mpeg2video" | "mpeg1video" => Self::Mp4,
            "ffv1" | "mjpeg" | "dnxhd" => Self::Mov,
            name if name.starts_with("prores") => Self::Mov,
            // Hardware: h264_nvenc, hevc_qsv, av1_amf and so on.
            name if ["h264_", "hevc_", "av1_"].iter().any(|format| name.starts_with(format)) => {
                Self::Mp4
            }
            _ => Self::Nut,
        }
    }

    /// The one for a format, by ffmpeg's name.
    pub(crate) fn of_codec(codec: &str) -> Self {
        match codec {
            "h264" | "hevc" | "av1" | "vp9" | "mpeg4" | "mpeg2video" | "mpeg1video" => Self::Mp4,
            "ffv1" | "mjpeg" | "dnxhd" | "prores" => Self::Mov,
            _ => Self::Nut,
        }
    }

    /// ffmpeg's name of the demuxer.
    pub(crate) const fn demuxer(self) -> &'static str {
        match self {
            Self::Mp4 | Self::Mov => "mov",
            Self::Nut => "nut",
        }
    }

    /// ffmpeg's name of the muxer.
    pub(crate) const fn muxer(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Nut => "nut",
        }
    }

    /// The name of a segment's file in the attempt's folder.
    pub(crate) fn segment_name(self) -> String {
        format!("output.{}", self.muxer())
    }

    /// Options that make the muxer keep all times. Without `frag_discont` every file would begin at zero.
    pub(super) fn options(self, call: &mut Invocation, timescale: u32) {
        match self {
            Self::Mp4 | Self::Mov => {
                let flags = "+frag_keyframe+empty_moov+default_base_moof+frag_discont";
                call.words(&["-movflags", flags, "-use_editlist", "0"]);
                // Otherwise MP4 would not hold what a stream says of depth, projection and Dolby Vision.
                call.words(&["-f_strict", "unofficial"]);
                call.option("-video_track_timescale", timescale.to_string());
            }
            Self::Nut => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_reorder_frames_are_not_held_by_nut() {
        for encoder in ["libx264", "libx265", "hevc_nvenc", "libsvtav1", "mpeg4", "mpeg2video"] {
            assert_eq!(Holder::of_encoder(encoder), Holder::Mp4, "{encoder}");
        }
        assert_eq!(Holder::of_encoder("prores_ks"), Holder::Mov);
        assert_eq!(Holder::of_encoder("libvpx"), Holder::Nut);
    }
}
