//! The calls that try whether an encoder works: a few frames of a test picture, or a tenth of a second
//! of a tone, into nothing.
//!
//! Must not know which encoders there are.

use super::Invocation;

impl Invocation {
    /// Encodes frames of 320x240, which every encoder takes, hardware too, and tells a digest of the stream's header.
    pub(crate) fn try_video_encoder(name: &str) -> Self {
        // These take one set of sizes and rates only.
        let (size, more): (&str, &[&str]) = match name {
            "dnxhd" => ("1280x720", &["-pix_fmt", "yuv422p", "-b:v", "60M"]),
            "libaom-av1" => ("64x64", &["-cpu-used", "8"]),
            "libsvtav1" => ("64x64", &["-preset", "12"]),
            "librav1e" => ("64x64", &["-speed", "10"]),
            // What it tells of itself stands in its header and says nothing of what decoders need.
            "libx265" => ("320x240", &["-x265-params", "info=0"]),
            _ => ("320x240", &[]),
        };
        let picture = format!("testsrc=size={size}:rate=25");
        let mut call = Self::trial(&picture);
        call.words(&["-c:v", name, "-strict", "experimental"]);
        call.words(more);
        call.words(&["-frames:v", "3", "-flags", "+global_header"]);
        call.words(&["-f", "framehash", "-hash", "sha256", "-"]);
        call
    }

    /// Encodes stereo at 48 kHz.
    pub(crate) fn try_audio_encoder(name: &str) -> Self {
        let mut call = Self::trial("sine=sample_rate=48000:duration=0.1");
        call.words(&["-ac", "2", "-c:a", name, "-strict", "experimental", "-f", "null", "-"]);
        call
    }

    fn trial(lavfi: &str) -> Self {
        let mut call = Self::ffmpeg_at("fatal");
        call.words(&["-f", "lavfi", "-i", lavfi]);
        call
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::sample::lines;

    #[test]
    fn trials() {
        insta::assert_snapshot!("try_video", lines(&Invocation::try_video_encoder("libx264")));
        insta::assert_snapshot!("try_audio", lines(&Invocation::try_audio_encoder("aac")));
    }
}
